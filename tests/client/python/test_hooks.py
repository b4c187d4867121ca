"""on_tokens, load, save and lock: when they are called, with what, and what happens when they raise."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio

from jwt_refresh_middleware.client.httpx import RefreshAuth, RefreshUnavailable, SessionEnded, TokenFile

from .serving import Service, problem


def test_the_order_is_load_save_on_tokens_retry(library: ModuleType, service: Service) -> None:
    calls: list[str] = []

    def note(name: str) -> Any:
        def noted(*_: Any) -> None:
            calls.append(f"{name} after {len(service.refreshes)} refreshes, {len(service.seen)} requests")

        return noted

    hooks = {name: note(name) for name in ("load", "save", "on_tokens")}
    auth = RefreshAuth(service.refresh_url, service.login(), **hooks)
    service.expire()
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
    assert calls == [
        "load after 0 refreshes, 1 requests",
        "save after 1 refreshes, 1 requests",
        "on_tokens after 1 refreshes, 1 requests",
    ]
    assert len(service.seen) == 2


def test_what_the_functions_are_given(library: ModuleType, service: Service) -> None:
    told: list[dict[str, Any]] = []
    auth = RefreshAuth(service.refresh_url, service.expiring(), on_tokens=told.append, save=told.append)
    before = time.time()
    with library.Client(auth=auth) as client:
        client.get(service.private)
    after = time.time()
    assert told == [auth.tokens, auth.tokens]
    assert set(told[0]) >= {"access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in"}
    assert told[0]["expires_in"] == 60
    assert before + 59.99 <= told[0]["expires_at"] <= after + 60.01
    assert json.loads(json.dumps(told[0])) == told[0]
    assert RefreshAuth(service.refresh_url, told[0]).tokens == told[0]


@pytest.mark.parametrize("name", ["on_tokens", "save"])
def test_what_they_raise_stops_the_retry_and_loses_nothing(library: ModuleType, service: Service, name: str) -> None:
    failing = [True]

    def function(_: Any) -> None:
        if failing:
            failing.clear()
            raise OSError("disk full")

    options: dict[str, Any] = {name: function}
    auth = RefreshAuth(service.refresh_url, service.login(), **options)
    service.expire()
    with library.Client(auth=auth) as client:
        with pytest.raises(OSError, match="disk full"):
            client.get(service.private)
        assert len(service.seen) == 1
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 1
    assert service.is_alive(auth.tokens)


@pytest.mark.parametrize("run", ["asyncio", "trio"])
def test_async_functions(library: ModuleType, service: Service, run: str) -> None:
    calls: list[str] = []

    async def pause() -> None:
        await (trio.sleep(0) if run == "trio" else asyncio.sleep(0))

    async def load() -> Any:
        await pause()
        calls.append("load")

    async def save(_: Any) -> None:
        await pause()
        calls.append("save")

    async def on_tokens(_: Any) -> None:
        await pause()
        calls.append("on_tokens")
        if len(calls) > 3:
            raise LookupError("no such row")

    auth = RefreshAuth(service.refresh_url, service.expiring(), load=load, save=save, on_tokens=on_tokens)

    async def main() -> None:
        async with library.AsyncClient(auth=auth) as client:
            assert (await client.get(service.private)).text == "alice"
            service.expire()
            with pytest.raises(LookupError):
                await client.get(service.private)

    asyncio.run(main()) if run == "asyncio" else trio.run(main)
    assert calls == ["load", "save", "on_tokens"] * 2


def test_an_async_function_with_a_client_that_is_not(library: ModuleType, service: Service) -> None:
    async def on_tokens(_: Any) -> None: ...

    auth = RefreshAuth(service.refresh_url, service.expiring(), on_tokens=on_tokens)
    with library.Client(auth=auth) as client, pytest.raises(TypeError, match="async"):
        client.get(service.private)
    assert service.is_alive(auth.tokens)


def test_the_first_request_loads(library: ModuleType, service: Service) -> None:
    loads: list[Any] = [service.login()]
    auth = RefreshAuth(service.refresh_url, load=loads.pop)
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
        assert client.get(service.private).text == "alice"
    assert loads == [] and service.refreshes == []


def test_nothing_to_load(library: ModuleType, service: Service) -> None:
    saved: list[Any] = [None]
    auth = RefreshAuth(service.refresh_url, load=lambda: saved[-1])
    with library.Client(auth=auth) as client:
        with pytest.raises(SessionEnded) as caught:
            client.get(service.private)
        assert caught.value.code == "no_tokens"
        saved.append(service.login())
        assert client.get(service.private).text == "alice"


def test_tokens_of_another_process_are_taken(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring(), load=lambda: theirs)
    theirs = service.login("bob")
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "bob"
    assert service.refreshes == []


def test_tokens_of_another_process_mend_a_refused_one(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login(), load=lambda: theirs)
    service.expire()
    theirs = service.login("bob")
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "bob"
    assert service.refreshes == []


def test_a_sibling_of_a_refused_token_will_not_do(library: ModuleType, service: Service) -> None:
    """Two processes that raced have the same refresh token and each an access token, which are equally old."""
    tokens = service.login()
    sibling = tokens | {"access_token": tokens["access_token"][:-4] + "AAAA"}
    auth = RefreshAuth(service.refresh_url, tokens, load=lambda: sibling)
    service.expire()
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 1


def test_tokens_of_another_process_that_are_old_too_are_refreshed(library: ModuleType, service: Service) -> None:
    theirs = service.expiring("bob")
    auth = RefreshAuth(service.refresh_url, service.expiring(), load=lambda: theirs)
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "bob"
    assert len(service.refreshes) == 1


def test_what_was_spent_here_is_never_taken_back(library: ModuleType, service: Service) -> None:
    """A save that failed leaves it in the file; to present it would look like theft."""
    old = service.expiring()
    auth = RefreshAuth(service.refresh_url, old, load=lambda: old)
    with library.Client(auth=auth) as client:
        for _ in range(3):
            assert client.get(service.private).text == "alice"
            service.expire()
    assert len(service.refreshes) == 3
    assert service.is_alive(auth.tokens)


def test_tokens_that_were_set_go_before_saved_ones(library: ModuleType, service: Service) -> None:
    saved = [service.login("old")]
    auth = RefreshAuth(service.refresh_url, load=lambda: saved[-1], save=saved.append)
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "old"
        saved.append(service.login("of another process"))
        auth.tokens = service.expiring("new")
        assert client.get(service.private).text == "new"
    assert saved[-1] == auth.tokens


def test_the_end_of_a_session_is_checked_against_what_is_saved(library: ModuleType, service: Service) -> None:
    """Another process may have logged in anew."""
    loads: list[Any] = [service.login("bob"), None]
    auth = RefreshAuth(service.refresh_url, service.expiring(), load=loads.pop)
    service.canned = [problem(401, "refresh_invalid", "login", error="invalid_grant")]
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "bob"


def test_a_login_during_a_refresh_is_not_undone(library: ModuleType, service: Service) -> None:
    told: list[Any] = []
    auth = RefreshAuth(service.refresh_url, service.expiring(), on_tokens=told.append)
    service.gate.clear()

    def get() -> None:
        with library.Client(auth=auth) as client:
            texts.append(client.get(service.private).text)

    texts: list[str] = []
    thread = threading.Thread(target=get)
    thread.start()
    assert service.arrived.wait(20)
    auth.tokens = service.login("bob")
    service.gate.set()
    thread.join(20)
    assert texts == ["bob"] and told == []


def test_a_logout_during_a_refresh_is_not_undone(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.gate.clear()
    errors: list[Any] = []

    def get() -> None:
        with library.Client(auth=auth) as client:
            try:
                client.get(service.private)
            except SessionEnded as error:
                errors.append(error.code)

    thread = threading.Thread(target=get)
    thread.start()
    assert service.arrived.wait(20)
    auth.tokens = None
    service.gate.set()
    thread.join(20)
    assert errors == ["no_tokens"] and auth.tokens is None


def test_a_lock_is_held_over_load_refresh_and_save_and_freed(library: ModuleType, service: Service) -> None:
    lock, held = threading.Lock(), list[bool]()

    def note(*_: Any) -> None:
        held.append(lock.locked())

    auth = RefreshAuth(service.refresh_url, service.expiring(), lock=lock, load=note, save=note, on_tokens=note)
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
        service.expire()
        service.canned = [problem(503, "store_unavailable", "retry")]
        with pytest.raises(RefreshUnavailable):
            client.get(service.private)
    assert held == [True, True, False, True]
    assert not lock.locked()


def test_a_lock_that_nobody_frees_is_passed(library: ModuleType, service: Service) -> None:
    lock = threading.Lock()
    lock.acquire()
    auth = RefreshAuth(service.refresh_url, service.expiring(), lock=lock, timeout=2)
    auth._session._patience = 0.05
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
    assert lock.locked()


WORKER = """
import sys, {library} as library
from jwt_refresh_middleware.client.httpx import RefreshAuth, TokenFile
file = TokenFile(sys.argv[1])
locks = {{"lock": file}} if sys.argv[3] == "lock" else {{}}
auth = RefreshAuth(sys.argv[2] + "/auth/refresh", load=file.load, save=file.save, **locks)
with library.Client(auth=auth) as client:
    client.get(sys.argv[2] + "/private")
    print("ready", flush=True)
    for line in sys.stdin:
        print(client.get(sys.argv[2] + "/private").text, flush=True)
"""


@pytest.mark.parametrize("locking", ["lock", "none"])
def test_4_processes_share_a_file(library: ModuleType, service: Service, tmp_path: Path, locking: str) -> None:
    """With the lock one refresh each time; without it the races of two are harmless."""
    file = TokenFile(tmp_path / "tokens.json")
    file.save(service.login())
    code = WORKER.format(library=library.__name__)
    command = [sys.executable, "-c", code, str(tmp_path / "tokens.json"), service.url, locking]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    workers = [subprocess.Popen(command, cwd=Path(__file__).parents[3], **pipes) for _ in range(4)]  # type: ignore[call-overload]
    try:
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 4
        for turn in range(1, 4):
            service.expire()
            for worker in workers:
                worker.stdin.write("go\n")
            assert [worker.stdout.readline() for worker in workers] == ["alice\n"] * 4
            if locking == "lock":
                assert len(service.refreshes) == turn
        assert 3 <= len(service.refreshes) <= 12
    finally:
        for worker in workers:
            worker.stdin.close()
            worker.wait(20)
            worker.stdout.close()
    assert [worker.returncode for worker in workers] == [0] * 4
    assert service.is_alive(file.load())
