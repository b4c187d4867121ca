"""Whole requests with nothing good in them: they are refused as the contract says, and the store is not asked."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rotation.support import QUICK
from tests.web.asgi import Reply
from tests.web.problems import MEMBERS, TABLE
from tests.web.support import Service

from . import properties as p
from . import reference
from .strategies import LATIN, glued, json_like, mutated

_TOKEN = p.signer().write(p.RefreshToken.of(b"h" * 32, 5)).encode()  # under keys that are not the service's
_ROUTES = [
    "login",
    "refresh",
    "logout",
    "step-up",
    "sessions",
    "sessions/x",
    "sessions/../x",
    "jwks.json",
    "nothing",
    "",
]
_PATHS = st.sampled_from([f"/auth/{route}" for route in _ROUTES] + ["/private", "/open", "/open/", "//open", "/"])
_TYPES = [
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"text/plain",
    b"APPLICATION/JSON; charset=x",
    b"",
    b"\xff",
]
_HEADERS = st.lists(
    st.tuples(st.just(b"content-type"), st.sampled_from(_TYPES))
    | st.tuples(st.just(b"authorization"), glued([b"Bearer", b" ", b"a.b.c", _TOKEN, b",", b"\t"], 5))
    | st.tuples(st.just(b"cookie"), glued([p.COOKIE.wire_name, b"=", _TOKEN, b";", b" ", b"x"], 6))
    | st.tuples(st.just(b"content-length"), st.sampled_from([b"0", b"9" * 18, b"9" * 5000, b"-1", b"1e5", b"70000"]))
    | st.tuples(st.just(b"origin"), st.sampled_from([b"https://testserver", b"https://evil.test", b"null", b""]))
    | st.tuples(st.just(b"sec-fetch-site"), st.sampled_from([b"same-origin", b"cross-site", b"x"]))
    | st.tuples(st.just(b"x-token-transport"), st.sampled_from([b"body", b"BODY", b""]))
    | st.tuples(
        st.sampled_from([b"user-agent", b"x-forwarded-for", b"host", b"accept-encoding", b"if-none-match"]), LATIN
    ),
    max_size=6,
)
_BODIES = (
    json_like([b'{"refresh_token":"x","all":true}', b'{"username":"alice","password":"wrong"}', b'{"refreshToken":1}'])
    | mutated([b"grant_type=refresh_token&refresh_token=" + _TOKEN, b"username=alice&password=wrong", b"all=true"])
    | st.just(b'{"refresh_token":"' + _TOKEN + b'"}')
    | st.just(b" " * 70_000)
)
_METHODS = st.sampled_from(["GET", "POST", "POST", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "get", ""])


def _judge(service: Service, path: str, headers: p.Headers, reply: Reply) -> None:
    assert reply.status < 500
    assert service.store.calls == []
    if service.inner.calls:
        preflight = {b"origin", b"access-control-request-method"} <= {name for name, _ in headers}
        assert path == "/open" or preflight
        assert not service.inner.scopes[0]["user"].is_authenticated
        return
    if reply.status in (200, 304):
        assert path in ("/auth/logout", "/auth/jwks.json")
        return
    assert reply.one("cache-control") == "no-store"
    body = json.loads(reply.body or b"{}")
    if reply.one("content-type") == "application/problem+json":
        assert not reply.body or (set(body) >= MEMBERS and body["status"] == reply.status == TABLE[body["code"]].status)
        assert (reply.one("www-authenticate") is not None) == (reply.status == 401 or body.get("code") in _CHALLENGED)
    else:
        assert path == "/auth/refresh"
        assert set(body) == {"error", "error_description"}
    text = b" ".join(value for _, value in reply.headers) + reply.body
    assert _TOKEN[:20] not in text


_CHALLENGED = ("token_malformed", "insufficient_scope")


class Stage:
    """Two services in one event loop, one of which lets in who says nothing; their stores are open already."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.services = {required: self.runner.run(self._opened(required)) for required in (True, False)}

    async def _opened(self, required: bool) -> Service:
        service = Service(public=["/open"], required=required)
        await service.ask("GET", "/open")
        return service

    def ask(self, required: bool, method: str, path: str, headers: p.Headers, chunks: list[bytes]) -> Reply:
        service = self.services[required]
        service.inner.scopes.clear()
        service.store.calls.clear()
        return self.runner.run(service.ask(method, path, headers=headers, body=chunks or b""))

    def close(self) -> None:
        for service in self.services.values():
            self.runner.run(service.aclose())
        self.runner.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


@QUICK
@given(_METHODS, _PATHS, _HEADERS, st.lists(_BODIES, max_size=2))
def test_a_request_without_anything_good_in_it(
    stage: Stage, method: str, path: str, headers: p.Headers, chunks: list[bytes]
) -> None:
    _judge(stage.services[True], path, headers, stage.ask(True, method, path, headers, chunks))


@QUICK
@given(_METHODS, _PATHS, _HEADERS)
def test_where_a_token_is_optional(stage: Stage, method: str, path: str, headers: p.Headers) -> None:
    """Who says nothing is nobody; who says something that is no good token is refused, but on public paths."""
    reply = stage.ask(False, method, path, headers, [])
    service = stage.services[False]
    assert reply.status < 500
    assert service.store.calls == []
    said = [value for name, value in headers if name == b"authorization"]
    for scope in service.inner.scopes:
        assert not scope["user"].is_authenticated
        assert path == "/open" or reference.authorization(b"" if len(said) > 1 else said[0] if said else None) is None
