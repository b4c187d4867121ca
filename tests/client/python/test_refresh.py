"""When the tokens are renewed, and how often."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
import trio

from jwt_refresh_middleware.client.httpx import RefreshAuth

from .serving import Service, problem


def test_a_token_about_to_expire_is_renewed_before_the_request(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 1
    assert len(service.seen) == 2


def test_a_refused_token_is_renewed_and_the_request_sent_again(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    with library.Client(auth=auth) as client:
        answer = client.get(service.private)
    assert answer.text == "alice"
    assert [one.status_code for one in answer.history] == [401]
    assert len(service.refreshes) == 1
    assert len(service.seen) == 2


def test_20_asyncio_tasks_one_refresh(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())

    async def main() -> list[Any]:
        async with library.AsyncClient(auth=auth) as client:
            return await asyncio.gather(*(client.get(service.private) for _ in range(20)))

    assert [answer.text for answer in asyncio.run(main())] == ["alice"] * 20
    assert len(service.refreshes) == 1
    assert len(service.seen) == 20


def test_20_asyncio_tasks_with_a_refused_token_one_refresh(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()

    async def main() -> list[Any]:
        async with library.AsyncClient(auth=auth) as client:
            return await asyncio.gather(*(client.get(service.private) for _ in range(20)))

    assert [answer.text for answer in asyncio.run(main())] == ["alice"] * 20
    assert len(service.refreshes) == 1


def test_20_trio_tasks_one_refresh(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    answers: list[str] = []

    async def main() -> None:
        async with library.AsyncClient(auth=auth) as client, trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(get, client)

    async def get(client: Any) -> None:
        answers.append((await client.get(service.private)).text)

    trio.run(main)
    assert answers == ["alice"] * 20
    assert len(service.refreshes) == 1


def test_10_threads_one_refresh(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    together = threading.Barrier(10)

    def get(client: Any) -> str:
        together.wait(20)
        return str(client.get(service.private).text)

    with library.Client(auth=auth) as client, ThreadPoolExecutor(10) as pool:
        assert list(pool.map(get, [client] * 10)) == ["alice"] * 10
    assert len(service.refreshes) == 1


def test_threads_and_loops_at_once_one_refresh(library: ModuleType, service: Service) -> None:
    """Each has clients of its own and they share the auth."""
    auth = RefreshAuth(service.refresh_url, service.expiring())
    together = threading.Barrier(6)

    async def get() -> str:
        async with library.AsyncClient(auth=auth) as client:
            return str((await client.get(service.private)).text)

    def in_sync() -> str:
        together.wait(20)
        with library.Client(auth=auth) as client:
            return str(client.get(service.private).text)

    def in_asyncio() -> str:
        together.wait(20)
        return asyncio.run(get())

    def in_trio() -> str:
        together.wait(20)
        return trio.run(get)

    service.gate.clear()
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(each) for each in [in_sync, in_asyncio, in_trio] * 2]
        assert service.arrived.wait(20)
        service.gate.set()
        assert [one.result(30) for one in running] == ["alice"] * 6
    assert len(service.refreshes) == 1


def test_two_event_loops_one_after_another(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())

    async def main() -> str:
        async with library.AsyncClient(auth=auth) as client:
            return str((await client.get(service.private)).text)

    assert asyncio.run(main()) == "alice"
    service.expire()
    assert asyncio.run(main()) == "alice"
    service.expire()
    assert trio.run(main) == "alice"
    assert len(service.refreshes) == 3


def test_a_blocking_call_inside_the_loop_that_refreshes(library: ModuleType, service: Service) -> None:
    """It cannot wait for a task of the loop that it blocks. Both get the same successor."""
    auth = RefreshAuth(service.refresh_url, service.expiring())

    async def main() -> None:
        service.gate.clear()
        async with library.AsyncClient(auth=auth) as client:
            first = asyncio.create_task(client.get(service.private))
            while not service.arrived.is_set():
                await asyncio.sleep(0.005)
            service.gate.set()
            with library.Client(auth=auth) as blocking:
                assert blocking.get(service.private).text == "alice"
            assert (await first).text == "alice"

    asyncio.run(main())
    assert len(service.refreshes) == 2
    assert service.is_alive(auth.tokens)


def test_a_late_401_is_sent_again_without_a_refresh(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    newer = service.login()

    def meanwhile(_: Any) -> None:
        if len(service.seen) == 0:
            auth.tokens = newer

    with library.Client(auth=auth, event_hooks={"request": [meanwhile]}) as client:
        assert client.get(service.private).text == "alice"
    assert len(service.seen) == 2
    assert service.refreshes == []


def test_a_late_401_of_somebody_else_is_sent_again_too(library: ModuleType, service: Service) -> None:
    """A gateway in its own words, just after another request renewed the token."""
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()

    def meanwhile(_: Any) -> None:
        if service.seen == []:
            assert library.get(service.private, auth=auth).text == "alice"
            service.refused = [(401, "text/html", b"who are you", {})]

    with library.Client(auth=auth, event_hooks={"request": [meanwhile]}) as client:
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 1
    assert len(service.seen) == 4


def test_an_endpoint_that_always_answers_401(library: ModuleType, service: Service) -> None:
    """One refresh and one retry; the next call knows that it is not about the token."""
    auth = RefreshAuth(service.refresh_url, service.login())
    with library.Client(auth=auth) as client:
        for _ in range(3):
            answer = client.get(service.url + "/always401")
            assert (answer.status_code, answer.text) == (401, "no")
    assert len(service.refreshes) == 1
    assert len(service.seen) == 4


def test_our_own_401_twice_is_no_loop(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.refused = [problem(401, "token_expired", "refresh", error="invalid_token")] * 2
    with library.Client(auth=auth) as client:
        answer = client.get(service.private)
    assert answer.json()["code"] == "token_expired"
    assert len(service.refreshes) == 1
    assert len(service.seen) == 2


@pytest.mark.parametrize(
    "refused",
    [
        problem(401, "step_up_required", "step_up", error="insufficient_user_authentication"),
        problem(401, "something", "none"),
        problem(401, "invalid_credentials", "login", error="invalid_grant"),
        problem(403, "insufficient_scope", "none", error="insufficient_scope"),
        problem(401, "rate_limited", "retry"),
    ],
    ids=["step-up", "none", "credentials", "scope", "retry"],
)
def test_what_a_refresh_does_not_mend_comes_back(library: ModuleType, service: Service, refused: Any) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.refused = [refused]
    with library.Client(auth=auth) as client:
        answer = client.get(service.private)
        assert (answer.status_code, answer.content) == (refused[0], refused[2])
        assert client.get(service.private).text == "alice"
    assert service.refreshes == []


def test_the_refresh_carries_the_user_agent_of_the_request(library: ModuleType, service: Service) -> None:
    """The session is bound to its family: with another one it would be refused."""
    tokens = service.login(agent="Reporter/1.0") | {"expires_at": time.time() - 1}
    auth = RefreshAuth(service.refresh_url, tokens)
    with library.Client(auth=auth, headers={"User-Agent": "Reporter/2.0"}) as client:
        assert client.get(service.private).text == "alice"
    assert [headers["user-agent"] for headers in service.refreshes] == ["Reporter/2.0"]
    assert service.refreshes[0]["content-type"] == "application/json"
    assert "authorization" not in service.refreshes[0] and "cookie" not in service.refreshes[0]


def test_a_request_without_a_user_agent_is_refreshed_without_one(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    request = library.Request("GET", service.private)
    with library.Client(auth=auth) as client:
        assert client.send(request).text == "alice"
    assert len(service.refreshes) == 1
    assert "user-agent" not in service.refreshes[0]


@pytest.mark.parametrize("run", [asyncio.run, trio.run], ids=["asyncio", "trio"])
def test_to_cancel_a_caller_loses_no_token(library: ModuleType, service: Service, run: Any) -> None:
    told: list[Any] = []
    before = service.expiring()
    auth = RefreshAuth(service.refresh_url, before, on_tokens=told.append, save=told.append)
    service.gate.clear()

    async def main() -> None:
        async with library.AsyncClient(auth=auth) as client:
            await cancelled(client.get, service.private)
            assert service.seen == [] and told == []
            service.gate.set()
            assert (await client.get(service.private)).text == "alice"

    async def cancelled(get: Any, url: str) -> None:
        if run is trio.run:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(get, url)
                    await trio.to_thread.run_sync(service.arrived.wait, 20)
                    scope.cancel()
            assert scope.cancelled_caught
        else:
            task = asyncio.create_task(get(url))
            await asyncio.to_thread(service.arrived.wait, 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main if run is trio.run else main())
    assert len(service.refreshes) == 1
    assert told == [auth.tokens, auth.tokens]
    assert auth.tokens and auth.tokens["refresh_token"] != before["refresh_token"]
    assert service.is_alive(auth.tokens)


def test_a_loop_that_ends_in_the_middle_of_a_refresh_strands_nobody(library: ModuleType, service: Service) -> None:
    """Another thread waits for it; it flies itself, and the server answers both the same."""
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.gate.clear()
    waiting = threading.Event()
    results: list[str] = []

    def in_sync() -> None:
        with library.Client(auth=auth) as client:
            waiting.set()
            results.append(client.get(service.private).text)

    async def main() -> threading.Thread:
        async with library.AsyncClient(auth=auth) as client:
            task = asyncio.create_task(client.get(service.private))
            await asyncio.to_thread(service.arrived.wait, 20)
            thread = threading.Thread(target=in_sync)
            thread.start()
            await asyncio.to_thread(waiting.wait, 20)
            await asyncio.sleep(0.1)
            task.cancel()
            return thread

    thread = asyncio.run(main())
    service.gate.set()
    thread.join(30)
    assert results == ["alice"]
    assert service.is_alive(auth.tokens)


def test_a_callback_may_make_requests_with_the_same_auth(library: ModuleType, service: Service) -> None:
    """Even if its request is refused: it must not wait for the refresh that it is part of."""
    answers: list[int] = []

    def on_tokens(_: Any) -> None:
        service.refused = [problem(401, "token_expired", "refresh", error="invalid_token")]
        answers.append(client.get(service.private).status_code)

    auth = RefreshAuth(service.refresh_url, service.expiring(), on_tokens=on_tokens)
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
    assert answers == [401]
    assert len(service.refreshes) == 1


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_callbacks_may_use_another_auth_which_renews(library: ModuleType, service: Service, is_async: bool) -> None:
    """Even one whose own callback uses the first: nobody waits for himself."""
    texts: list[str] = []

    def on_first(_: Any) -> None:
        texts.append(library.get(service.private, auth=second).text)

    def on_second(_: Any) -> None:
        texts.append(library.get(service.private, auth=first).text)

    first = RefreshAuth(service.refresh_url, service.expiring("first"), on_tokens=on_first)
    second = RefreshAuth(service.refresh_url, service.expiring("second"), on_tokens=on_second)

    async def main() -> str:
        async with library.AsyncClient(auth=first) as client:
            return str((await client.get(service.private)).text)

    answer = asyncio.run(main()) if is_async else library.get(service.private, auth=first).text
    assert [*texts, answer] == ["first", "second", "first"]
    assert len(service.refreshes) == 2


def test_a_sent_request_may_be_sent_again(library: ModuleType, service: Service) -> None:
    """Its header is ours, not one that the caller set."""
    auth = RefreshAuth(service.refresh_url, service.login())
    with ExitStack() as stack:
        client = stack.enter_context(library.Client(auth=auth))
        request = client.build_request("GET", service.private)
        assert client.send(request).text == "alice"
        service.expire()
        assert client.send(request).text == "alice"
    assert len(service.refreshes) == 1
