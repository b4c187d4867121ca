"""64 KiB and not a byte more, whatever the request says about its length."""

import json
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore

from .asgi import ask
from .problems import assert_problem
from .support import PASSWORD, Service

LIMIT = 64 * 1024
JSON = {"content-type": "application/json"}


def login_body(size: int) -> bytes:
    body = json.dumps({"username": "alice", "password": PASSWORD}).encode()
    return body + b" " * (size - len(body))


def chunked(body: bytes, size: int = 1000) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


async def test_exactly_the_limit_is_read(service: Service) -> None:
    assert (await service.post("login", body=login_body(LIMIT), headers=JSON)).status == 200
    assert (await service.post("login", body=chunked(login_body(LIMIT)), headers=JSON)).status == 200


@pytest.mark.parametrize("announced", [None, "0", "10", "-1", "65537", "1e3", "0x10", "", " 7", "9" * 400])
@pytest.mark.parametrize("route", ["login", "refresh", "logout"])
async def test_one_byte_more_is_refused(service: Service, route: str, announced: str | None) -> None:
    headers = JSON | ({} if announced is None else {"content-length": announced})
    for body in (login_body(LIMIT + 1), chunked(login_body(LIMIT + 1))):
        reply = await service.post(route, body=body, headers=headers)
        assert_problem(reply, "payload_too_large")
        assert reply.all("set-cookie") == []
    assert service.store.calls in ([], ["open", "revocations"])


@pytest.mark.parametrize("announced", [b"5", b"0", b"-1", b"x", b"\xb2\xb3", "٣".encode(), b"1_0"])
async def test_a_length_that_is_wrong_does_no_harm(service: Service, announced: bytes) -> None:
    """A superscript two is a digit to ``str.isdigit`` and none to ``int``."""
    reply = await service.post("login", body=login_body(100), headers=JSON | {"content-length": announced})
    assert reply.status == 200


async def _endless(service: Service, headers: dict[str, str]) -> tuple[int, int]:
    """The status for a body that never ends, and how many chunks of 1 KiB were read of it."""
    read = 0

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        async def receive() -> dict[str, Any]:
            nonlocal read
            read += 1
            return {"type": "http.request", "body": b" " * 1024, "more_body": True}

        await service.app(scope, receive, send)

    return (await ask(app, "POST", "/auth/login", headers=JSON | headers)).status, read


async def test_a_body_without_end_is_read_no_further_than_the_limit(service: Service) -> None:
    assert await _endless(service, {}) == (413, 65)


async def test_a_body_announced_as_too_large_is_not_read_at_all(service: Service) -> None:
    assert await _endless(service, {"content-length": str(LIMIT + 1)}) == (413, 0)


async def test_a_form_that_is_too_large(service: Service) -> None:
    body = b"grant_type=refresh_token&refresh_token=" + b"x" * LIMIT
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await service.post("refresh", body=body, headers=headers)).status == 413


async def test_empty_chunks_are_no_end(service: Service) -> None:
    body = [b"", *chunked(login_body(100), 7), b""]
    assert (await service.post("login", body=body, headers=JSON)).status == 200


async def test_the_apps_own_bodies_are_none_of_our_business(service: Service) -> None:
    tokens = await service.login()
    reply = await service.ask("POST", "/upload", headers=tokens.bearer, body=b"x" * LIMIT * 4)
    assert reply.body == b"hello alice"


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error() -> None:
    sent: list[Any] = []
    messages = [{"type": "http.request", "body": b'{"refresh', "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError("the app must not be asked")

    issuer = Issuer("a secret of more than thirty-two bytes, for tests", MemoryStore())
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/auth/refresh",
        "headers": [(b"content-type", b"application/json")],
    }
    await JWTRefreshMiddleware(app, issuer=issuer)(scope, receive, send)
    assert sent == []
    await issuer.aclose()
