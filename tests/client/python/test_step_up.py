"""The person authenticates again: what is sent, what is kept, and what goes on when it is refused."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import trio

from jwt_refresh_middleware.client.httpx import (
    RefreshAuth,
    RefreshError,
    RefreshUnavailable,
    SessionEnded,
    StepUpRefused,
    StepUpRequired,
)

from .serving import Service, problem
from .test_secrecy import everything

RIGHT = {"username": "alice", "password": "right"}
WRONG = {"username": "alice", "password": "wrong-and-secret"}
DEMANDED = problem(401, "step_up_required", "step_up", acr_values=None, max_age=60)

Prove = Callable[[RefreshAuth, dict[str, Any]], None]


def sync(auth: RefreshAuth, credentials: dict[str, Any]) -> None:
    auth.step_up(credentials)


def in_asyncio(auth: RefreshAuth, credentials: dict[str, Any]) -> None:
    asyncio.run(auth.step_up_async(credentials))


def in_trio(auth: RefreshAuth, credentials: dict[str, Any]) -> None:
    trio.run(auth.step_up_async, credentials)


every_way = pytest.mark.parametrize("prove", [sync, in_asyncio, in_trio])


def claims(auth: RefreshAuth) -> Any:
    assert auth.tokens is not None
    return json.loads(base64.urlsafe_b64decode(auth.tokens["access_token"].split(".")[1] + "=="))


@every_way
def test_after_it_requests_go_on_with_what_was_proven(library: ModuleType, service: Service, prove: Prove) -> None:
    before = service.expiring()
    kept: list[Any] = []
    auth = RefreshAuth(service.refresh_url, before, on_tokens=kept.append, save=kept.append)
    service.canned = [DEMANDED]
    service.ahead += 2
    with library.Client(auth=auth, headers={"User-Agent": "reporter/1"}) as client:
        with pytest.raises(StepUpRequired) as caught:
            client.get(service.private)
        assert (caught.value.max_age, caught.value.acr_values) == (60, ())
        old = RefreshAuth(service.refresh_url, before)
        prove(auth, RIGHT)
        assert client.get(service.private).text == "alice"
    assert auth.tokens is not None and auth.tokens["refresh_token"] != before["refresh_token"]
    assert kept == [auth.tokens] * 2
    assert claims(auth)["sid"] == claims(old)["sid"]
    assert claims(auth)["auth_time"] >= claims(old)["auth_time"] + 2
    assert [headers["user-agent"] for headers in service.step_ups] == ["reporter/1"]
    assert "authorization" not in service.step_ups[0]
    assert len(service.refreshes) == 1


@every_way
def test_wrong_credentials_end_nothing(library: ModuleType, service: Service, prove: Prove) -> None:
    before = service.login()
    auth = RefreshAuth(service.refresh_url, before)
    for credentials in (WRONG, {**RIGHT, "username": "bob"}):
        with pytest.raises(StepUpRefused) as caught:
            prove(auth, credentials)
        assert caught.value.code == "invalid_credentials"
        assert auth.tokens and auth.tokens["refresh_token"] == before["refresh_token"]
        for secret in (before["refresh_token"], before["access_token"], credentials["password"]):
            assert secret not in everything(caught.value)
    service.expire()
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 1


REFUSALS: dict[str, tuple[Any, type[RefreshError], str]] = {
    "too many": (problem(429, "rate_limited", "retry"), RefreshUnavailable, "rate_limited"),
    "no such route": ((404, "text/html", b"<h1>Not found", {}), RefreshUnavailable, "unexpected_answer"),
    "unreadable": (problem(400, "invalid_request", "none"), StepUpRefused, "invalid_request"),
    "not enough": (DEMANDED, StepUpRequired, "step_up_required"),
}


@every_way
@pytest.mark.parametrize(("canned", "kind", "code"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_keeps_the_session_and_delays_no_refresh(
    library: ModuleType, service: Service, prove: Prove, canned: Any, kind: type[RefreshError], code: str
) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.canned_step_ups = [(*canned[:3], {"retry-after": "60"})]
    with pytest.raises(kind) as caught:
        prove(auth, RIGHT)
    assert caught.value.code == code
    assert getattr(caught.value, "retry_after", 60) == 60
    service.expire()
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
    prove(auth, RIGHT)


@every_way
def test_a_session_that_is_over(service: Service, prove: Prove) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.canned_step_ups = [problem(401, "refresh_expired", "login")]
    with pytest.raises(SessionEnded) as caught:
        prove(auth, RIGHT)
    assert (caught.value.code, auth.tokens) == ("refresh_expired", None)
    with pytest.raises(SessionEnded):
        prove(auth, RIGHT)
    assert len(service.step_ups) == 1


@every_way
def test_a_lost_answer_is_asked_for_again(service: Service, prove: Prove) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.canned_step_ups = [None]
    prove(auth, RIGHT)
    assert len(service.step_ups) == 2
    assert service.is_alive(auth.tokens)


def test_without_tokens(service: Service) -> None:
    with pytest.raises(SessionEnded) as caught:
        RefreshAuth(service.refresh_url).step_up(RIGHT)
    assert (caught.value.code, service.step_ups) == ("no_tokens", [])


def test_no_refresh_waits_for_the_failures_before_it(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.canned = [(*DEMANDED[:3], {"retry-after": "60"})]
    with library.Client(auth=auth) as client:
        with pytest.raises(StepUpRequired):
            client.get(service.private)
        auth.step_up(RIGHT)
        service.expire()
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 2


@pytest.mark.parametrize("credentials", [RIGHT, WRONG], ids=["right", "wrong"])
def test_requests_wait_for_it_and_do_not_share_its_failure(
    library: ModuleType, service: Service, credentials: dict[str, Any]
) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.gate.clear()
    failures: list[Exception] = []
    texts: list[str] = []

    def prove() -> None:
        try:
            auth.step_up(credentials)
        except StepUpRefused as error:
            failures.append(error)

    def ask() -> None:
        with library.Client(auth=auth) as client:
            texts.append(client.get(service.private).text)

    first = threading.Thread(target=prove)
    first.start()
    assert service.arrived.wait(10)
    others = [threading.Thread(target=ask) for _ in range(3)]
    for other in others:
        other.start()
    time.sleep(0.1)  # whoever does not wait has asked by now
    assert service.refreshes == []
    service.gate.set()
    for thread in (first, *others):
        thread.join(20)
    assert texts == ["alice"] * 3
    assert (len(failures), len(service.refreshes)) == ((0, 0) if credentials is RIGHT else (1, 1))


def test_it_waits_for_a_refresh_that_is_under_way(library: ModuleType, service: Service) -> None:
    before = service.expiring()
    auth = RefreshAuth(service.refresh_url, before)
    service.gate.clear()
    errors: list[Exception] = []

    def ask() -> None:
        with library.Client(auth=auth) as client:
            client.get(service.private)

    def prove() -> None:
        try:
            auth.step_up(RIGHT)
        except RefreshError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask), threading.Thread(target=prove)]
    threads[0].start()
    assert service.arrived.wait(10)
    threads[1].start()
    time.sleep(0.1)
    assert service.step_ups == []
    service.gate.set()
    for thread in threads:
        thread.join(20)
    assert errors == [] and len(service.step_ups) == 1
    assert service.is_alive(auth.tokens)


def test_tasks_wait_for_it(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())

    async def main() -> list[str]:
        async with library.AsyncClient(auth=auth) as client:
            step_up = asyncio.create_task(auth.step_up_async(RIGHT))
            await asyncio.sleep(0)
            answers = await asyncio.gather(*(client.get(service.private) for _ in range(3)))
            await step_up
            refresh = asyncio.create_task(client.get(service.private))
            await refresh
        return [answer.text for answer in answers]

    assert asyncio.run(main()) == ["alice"] * 3
    assert (service.refreshes, len(service.step_ups)) == ([], 1)


def test_blocking_in_the_loop_of_a_refresh(library: ModuleType, service: Service) -> None:
    """It cannot wait for the refresh, which waits for the loop. Both get a successor."""
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.gate.clear()

    async def main() -> str:
        async with library.AsyncClient(auth=auth) as client:
            asking = asyncio.create_task(client.get(service.private))
            while not service.arrived.is_set():
                await asyncio.sleep(0.005)
            service.gate.set()
            auth.step_up(RIGHT)
            return str((await asking).text)

    assert asyncio.run(main()) == "alice"
    assert service.is_alive(auth.tokens)


def test_not_in_a_callback(service: Service) -> None:
    found: list[Exception] = []

    def again(_: Any) -> None:
        with pytest.raises(RuntimeError) as caught:
            auth.step_up(RIGHT)
        found.append(caught.value)

    auth = RefreshAuth(service.refresh_url, service.login(), on_tokens=again)
    auth.step_up(RIGHT)
    assert len(found) == 1 and len(service.step_ups) == 1


@pytest.mark.parametrize("credentials", ["alice:right", None, [("username", "alice")], {"password": object()}])
def test_credentials_are_a_mapping_of_json(service: Service, credentials: Any) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    with pytest.raises(TypeError):
        auth.step_up(credentials)
    assert service.step_ups == []
    assert service.is_alive(auth.tokens)
