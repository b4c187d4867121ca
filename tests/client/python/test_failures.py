"""What goes wrong, what is raised, and that the session outlives everything but its own end."""

import asyncio
import copy
import json
import pickle
import socket
import threading
import time
from types import ModuleType
from typing import Any

import pytest
import trio

from jwt_refresh_middleware.client import _session
from jwt_refresh_middleware.client.httpx import (
    RefreshAuth,
    RefreshError,
    RefreshUnavailable,
    SessionEnded,
    StepUpRefused,
    StepUpRequired,
)

from .serving import PROBLEM, Service, problem

HTML = "text/html"
JSON = "application/json"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client leaves the server alone for no time at all."""
    monkeypatch.setattr(_session, "_LONGEST_BACKOFF", 0.0)


@pytest.mark.parametrize("lose", ["before", "after"])
def test_a_lost_answer_is_asked_for_again(library: ModuleType, service: Service, lose: str) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.lose = [lose]
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 2
    assert service.is_alive(auth.tokens)


@pytest.mark.parametrize("run", ["asyncio", "trio"])
def test_a_lost_answer_is_asked_for_again_async(library: ModuleType, service: Service, run: str) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.lose = ["after"]

    async def main() -> str:
        async with library.AsyncClient(auth=auth) as client:
            return str((await client.get(service.private)).text)

    assert (asyncio.run(main()) if run == "asyncio" else trio.run(main)) == "alice"
    assert len(service.refreshes) == 2
    assert service.is_alive(auth.tokens)


@pytest.mark.usefixtures("patient")
def test_an_answer_lost_twice_keeps_the_session(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.lose = ["after", "after"]
    with library.Client(auth=auth) as client:
        with pytest.raises(RefreshUnavailable) as caught:
            client.get(service.private)
        assert (caught.value.code, caught.value.status) == ("network", None)
        assert service.seen == []
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 3


UNUSABLE = {
    "proxy": (502, HTML, b"<html>bad gateway", {}),
    "portal": (200, HTML, b"<html>please log in", {}),
    "proxy 401": (401, HTML, b"<html>who are you", {}),
    "proxy 403": (403, HTML, b"<html>blocked", {}),
    "foreign 401": (401, JSON, b'{"code": "refresh_invalid", "action": "login"}', {}),
    "foreign problem": (401, PROBLEM, b'{"title": "no", "status": 401}', {}),
    "foreign action": (401, PROBLEM, b'{"code": "refresh_invalid", "action": "explode"}', {}),
    "problem that is none": (401, PROBLEM, b"[1]", {}),
    "problem cut off": (401, PROBLEM, b'{"code": "refresh_invalid", "action": "log', {}),
    "problem of wrong types": (401, PROBLEM, b'{"code": 1, "action": ["login"]}', {}),
    "404": (404, JSON, b'{"detail": "Not Found"}', {}),
    "redirect": (307, HTML, b"", {"location": "/elsewhere"}),
    "rate limited": problem(429, "rate_limited", "retry"),
    "store": problem(503, "store_unavailable", "retry"),
    "bad request to retry": problem(400, "odd", "retry"),
    "server error that says login": problem(500, "refresh_invalid", "login"),
    "truncated": (200, JSON, b'{"access_token": "abc", "refr', {}),
    "empty": (200, JSON, b"", {}),
    "not utf-8": (200, JSON, b"\xff\xfe\x00", {}),
    "list": (200, JSON, b'["access_token"]', {}),
    "null": (200, JSON, b"null", {}),
    "deep": (200, JSON, b"[" * 100_000, {}),
    "long number": (200, JSON, b'{"expires_in": ' + b"9" * 5000 + b"}", {}),
    "no access token": (200, JSON, b'{"refresh_token": "abc"}', {}),
    "empty access token": (200, JSON, b'{"access_token": "", "refresh_token": "abc"}', {}),
    "access token of a wrong type": (200, JSON, b'{"access_token": 5, "refresh_token": "abc"}', {}),
    "refresh token of a wrong type": (200, JSON, b'{"access_token": "abc", "refresh_token": {}}', {}),
    "injection": (200, JSON, b'{"access_token": "a\\r\\nX-Evil: 1", "refresh_token": "abc"}', {}),
    "refresh token with a line feed": (200, JSON, b'{"access_token": "a", "refresh_token": "a\\nb"}', {}),
    "huge": (200, JSON, b'{"access_token": "' + b"a" * 1_000_000 + b'"}', {}),
}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("canned", UNUSABLE.values(), ids=UNUSABLE)
def test_an_answer_that_is_not_the_issuers_keeps_the_session(
    library: ModuleType, service: Service, canned: Any
) -> None:
    before = service.expiring()
    auth = RefreshAuth(service.refresh_url, before)
    service.canned = [canned] * 2
    with library.Client(auth=auth) as client:
        with pytest.raises(RefreshUnavailable) as caught:
            client.get(service.private)
        assert auth.tokens and auth.tokens["refresh_token"] == before["refresh_token"]
        assert service.seen == []
        service.canned.clear()
        assert client.get(service.private).text == "alice"
    if canned[3].get("location") is None and len(canned[2]) < 200_000:
        assert caught.value.status == canned[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(value, None) for value in ("-5", "0", '"900"', "true", "null", "NaN", "1e999")],
        *[("1e300", "cut"), ("9" * 400, "cut"), ("900", 900), ("0.5", 0.5)],
    ],
)
def test_a_lifetime_that_cannot_be_does_not_lose_the_tokens(
    library: ModuleType, service: Service, value: str, expected: Any
) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    good = service.login()
    body = json.dumps(good | {"expires_in": "HERE"}).replace('"HERE"', value).encode()
    service.canned = [(200, JSON, body, {})]
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 1
    assert auth.tokens and auth.tokens["refresh_token"] == good["refresh_token"]
    lifetime = auth.tokens.get("expires_in")
    assert lifetime == expected or (expected == "cut" and 1e8 < lifetime < 1e11)


def test_an_answer_without_a_refresh_token_keeps_the_old_one(library: ModuleType, service: Service) -> None:
    """RFC 6749, 6."""
    before = service.expiring()
    auth = RefreshAuth(service.refresh_url, before)
    answer = service.login()
    del answer["refresh_token"]
    service.canned = [(200, JSON, json.dumps(answer).encode(), {})]
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
    assert auth.tokens and auth.tokens["refresh_token"] == before["refresh_token"]


def test_camel_case_answers(library: ModuleType, service: Service) -> None:
    good = service.login("bob")
    camel = {"accessToken": good["access_token"], "refreshToken": good["refresh_token"], "expiresIn": 60}
    auth = RefreshAuth(service.refresh_url, {"refreshToken": service.login()["refresh_token"]})
    service.canned = [(200, JSON, json.dumps(camel).encode(), {})]
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "bob"
    assert auth.tokens and auth.tokens["refresh_token"] == good["refresh_token"]
    assert auth.tokens["expires_in"] == 60


@pytest.mark.parametrize(
    "canned",
    [
        problem(401, "refresh_invalid", "login", error="invalid_grant"),
        problem(400, "invalid_request", "none", error="invalid_request"),
        problem(403, "cross_origin", "none", error="invalid_request"),
    ],
    ids=["401", "400", "403"],
)
def test_the_issuer_ends_the_session(library: ModuleType, service: Service, canned: Any) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.canned = [canned]
    code = json.loads(canned[2])["code"]
    with library.Client(auth=auth) as client:
        for _ in range(3):
            with pytest.raises(SessionEnded) as caught:
                client.get(service.private)
            assert caught.value.code == code and caught.value.problem["status"] == canned[0]
        assert auth.tokens is None
        assert len(service.refreshes) == 1 and service.seen == []
        auth.set_tokens(service.login("bob"))
        assert client.get(service.private).text == "bob"


async def test_after_logout_the_session_has_ended(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    assert auth.tokens
    async with library.AsyncClient(auth=auth) as client:
        body = {"refresh_token": auth.tokens["refresh_token"]}
        assert (await client.post(service.url + "/auth/logout", json=body)).status_code == 200
        service.expire()
        answers = await asyncio.gather(*(client.get(service.private) for _ in range(5)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [SessionEnded] * 5
        assert len({id(answer) for answer in answers}) == 5
    assert len(service.refreshes) == 1


def test_a_revoked_token_ends_the_session_without_a_refresh(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    assert auth.tokens
    with library.Client(auth=auth) as client:
        assert client.get(service.private).text == "alice"
        client.post(service.url + "/auth/logout", json={"refresh_token": auth.tokens["refresh_token"]})
        with pytest.raises(SessionEnded) as caught:
            client.get(service.private)
    assert caught.value.code == "token_revoked"
    assert auth.tokens is None
    assert service.refreshes == []


def test_without_tokens(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url)
    with library.Client(auth=auth) as client:
        with pytest.raises(SessionEnded) as caught:
            client.get(service.private)
        assert caught.value.code == "no_tokens"
        auth.tokens = service.login()
        assert client.get(service.private).text == "alice"
        auth.tokens = None
        with pytest.raises(SessionEnded):
            client.get(service.private)
    assert service.refreshes == [] and len(service.seen) == 1


def test_step_up(library: ModuleType, service: Service) -> None:
    before = service.expiring()
    auth = RefreshAuth(service.refresh_url, before)
    service.canned = [problem(401, "step_up_required", "step_up", acr_values="mfa", max_age=300)]
    with library.Client(auth=auth) as client:
        with pytest.raises(StepUpRequired) as caught:
            client.get(service.private)
        assert (caught.value.problem["acr_values"], caught.value.problem["max_age"]) == ("mfa", 300)
        assert (caught.value.acr_values, caught.value.max_age) == (("mfa",), 300)
        assert auth.tokens and auth.tokens["refresh_token"] == before["refresh_token"]
        with pytest.raises(StepUpRequired):
            client.get(service.private)
        auth.tokens = service.login()  # what a step-up answers
        assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 1


def test_a_token_that_still_lives_bridges_a_failure(library: ModuleType, service: Service) -> None:
    """And the server is left alone meanwhile."""
    auth = RefreshAuth(service.refresh_url, service.login() | {"expires_at": time.time() + 10})
    service.canned = [problem(503, "store_unavailable", "retry")] * 9
    service.canned[0][3]["retry-after"] = "60"
    with library.Client(auth=auth) as client:
        for _ in range(5):
            assert client.get(service.private).text == "alice"
    assert len(service.refreshes) == 1
    assert len(service.seen) == 5


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [("7", 6.9, 8.5), ("Fri, 01 Jan 2100 00:00:00 GMT", 299, 361), ("9" * 30, 299, 361)]
    + [(value, 0.1, 0.7) for value in ("", "soon", "-1", "0", "Thu, 01 Jan 1970 00:00:00 GMT", "1e999", "nan", "٣")],
)
def test_retry_after_is_kept(service: Service, retry_after: str, least: float, most: float) -> None:
    import httpx2

    auth = RefreshAuth(service.refresh_url, service.expiring())
    canned = problem(429, "rate_limited", "retry")
    if retry_after.isascii() and retry_after:
        canned[3]["retry-after"] = retry_after
    service.canned = [canned] * 9
    with httpx2.Client(auth=auth) as client:
        for _ in range(3):
            with pytest.raises(RefreshUnavailable) as caught:
                client.get(service.private)
            assert caught.value.code == "rate_limited" and caught.value.status == 429
            assert least <= caught.value.retry_after <= most
    assert len(service.refreshes) == 1


async def test_a_thousand_callers_do_not_storm_a_server_that_is_down(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    service.canned = [problem(503, "store_unavailable", "retry")] * 2000
    async with library.AsyncClient(auth=auth) as client:
        answers = await asyncio.gather(*(client.get(service.private) for _ in range(1000)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {RefreshUnavailable}
    assert len(service.refreshes) <= 3
    assert service.seen == []


def test_nobody_listens(library: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    auth = RefreshAuth(url + "/auth/refresh", {"refresh_token": "abc"})
    with library.Client(auth=auth) as client, pytest.raises(RefreshUnavailable, match="ConnectError"):
        client.get(url)
    assert auth.tokens and auth.tokens["refresh_token"] == "abc"


def test_every_refresh_has_a_time_out(library: ModuleType) -> None:
    """Also where the program's own client has none."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        endless = lambda: library.Client(timeout=None)  # noqa: E731
        auth = RefreshAuth(url + "/auth/refresh", {"refresh_token": "abc"}, timeout=0.05, client=endless)
        began = time.monotonic()
        with library.Client(auth=auth, timeout=None) as client, pytest.raises(RefreshUnavailable, match="Timeout"):
            client.get(url)
        assert time.monotonic() - began < 5


def test_a_server_that_drips_is_given_up(library: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        stop = threading.Event()

        def drip(connection: socket.socket) -> None:
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        def serve() -> None:
            for _ in range(2):
                threading.Thread(target=drip, args=(listening.accept()[0],)).start()

        server = threading.Thread(target=serve)
        server.start()
        auth = RefreshAuth(url + "/auth/refresh", {"refresh_token": "abc"}, timeout=0.3)
        began = time.monotonic()
        with library.Client(auth=auth) as client, pytest.raises(RefreshUnavailable):
            client.get(url)
        assert time.monotonic() - began < 5
        stop.set()
        server.join(10)


def test_a_401_of_the_app_comes_back_though_the_refresh_fails(library: ModuleType, service: Service) -> None:
    """Nobody says that it is about the token."""
    auth = RefreshAuth(service.refresh_url, service.login())
    service.canned = [problem(503, "store_unavailable", "retry")]
    with library.Client(auth=auth) as client:
        assert client.get(service.url + "/always401").text == "no"
    assert len(service.refreshes) == 1


def test_our_401_and_a_refresh_that_fails(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    service.canned = [problem(503, "store_unavailable", "retry")]
    with library.Client(auth=auth) as client, pytest.raises(RefreshUnavailable):
        client.get(service.private)
    assert auth.tokens


def test_the_errors_are_a_tree_that_can_be_copied_and_pickled() -> None:
    assert issubclass(SessionEnded, RefreshError)
    assert issubclass(StepUpRequired, RefreshError)
    assert issubclass(StepUpRefused, RefreshError)
    assert issubclass(RefreshUnavailable, RefreshError)
    error = RefreshUnavailable("down", code="network", problem={"a": 1}, retry_after=2.0, status=503)
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error)), error.another()):
        assert (str(other), vars(other)) == (str(error), vars(error))
        assert other is not error
