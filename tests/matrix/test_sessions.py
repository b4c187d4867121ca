"""Logins, tokens, refreshes and refusals: the same bytes from every framework on every server."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore, Verifier

from ..web.asgi import Reply
from ..web.problems import assert_problem, deletes_cookie
from ..web.support import COOKIE, PASSWORD, Tokens
from .serving import Running
from .wire import request_bytes

CREDENTIALS = {"username": "alice", "password": PASSWORD}
BY_BODY = {"x-token-transport": "body"}
OF_A_SERVER = {b"date", b"server", b"connection", b"transfer-encoding", b"keep-alive"}


def expired_token(running: Running) -> str:
    """One that the service's own keys have signed, an hour ago."""

    async def make() -> str:
        async with Issuer(running.keys(), MemoryStore(), clock=lambda: time.time() - 3600) as issuer:
            return (await issuer.login("alice")).access_token

    return asyncio.run(make())


def ours(reply: Reply) -> list[tuple[bytes, bytes]]:
    """The headers less what a server adds itself."""
    return [(name, value) for name, value in reply.headers if name not in OF_A_SERVER]


@pytest.mark.parametrize("encoding", ["json_body", "form"])
@pytest.mark.parametrize("transport", [{}, BY_BODY], ids=["cookie", "body"])
def test_login(running: Running, encoding: str, transport: dict[str, str]) -> None:
    reply = running.ask("POST", "/auth/login", transport, **{encoding: CREDENTIALS})
    tokens = Tokens(reply)
    content = reply.json()
    assert (content["token_type"], content["expires_in"], content["scope"]) == ("Bearer", 900, "read write")
    assert ("refresh_token" in content) == bool(transport)
    assert len(reply.all("set-cookie")) == (0 if transport else 1)
    assert reply.one("authorization") == f"Bearer {tokens.access}"
    assert reply.one("cache-control") == "no-store"
    assert running.ask("GET", "/me", tokens.bearer).json()["who"] == "alice"


def test_a_wrong_password(running: Running) -> None:
    reply = running.ask("POST", "/auth/login", json_body=CREDENTIALS | {"password": "wrong"})
    assert_problem(reply, "invalid_credentials")
    assert reply.all("set-cookie") == []


def test_who_is_asking_as_the_framework_shows_it_and_again_for_a_token_that_is_known(running: Running) -> None:
    tokens = running.login()
    with running.line() as line:
        first, second = (line.ask("GET", "/me", tokens.bearer).json() for _ in range(2))
    assert first == second
    assert (first["who"], first["scopes"]) == ("alice", ["authenticated", "read", "write"])
    sessions = running.ask("GET", "/auth/sessions", tokens.bearer).json()["sessions"]
    assert [one["id"] for one in sessions if one["current"]] == [first["session"]]


REFUSED = {
    "missing": ({}, "token_missing", 'Bearer realm="jwt-refresh-middleware"'),
    "other scheme": ({"authorization": "Basic eDp5"}, "token_missing", 'Bearer realm="jwt-refresh-middleware"'),
    "malformed": ({"authorization": "Bearer a b"}, "token_malformed", 'error="invalid_request"'),
    "invalid": ({"authorization": "Bearer made.up.token"}, "token_invalid", 'error="invalid_token"'),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused(running: Running, why: str) -> None:
    headers, code, challenge = REFUSED[why]
    reply = running.ask("GET", "/me", headers)
    assert_problem(reply, code)
    assert challenge in (reply.one("www-authenticate") or "")
    assert {name for name, _ in ours(reply)} == {
        b"content-type",
        b"content-length",
        b"cache-control",
        b"vary",
        b"www-authenticate",
    }
    assert reply.one("vary") == "Authorization, Cookie, Origin, Sec-Fetch-Site"


def test_an_expired_token(running: Running) -> None:
    reply = running.ask("GET", "/me", {"authorization": f"Bearer {expired_token(running)}"})
    assert_problem(reply, "token_expired")


def test_the_public_keys_verify_a_token(running: Running) -> None:
    reply = running.ask("GET", "/auth/jwks.json")
    assert (reply.status, reply.one("cache-control")) == (200, "public, max-age=300")
    if running.algorithm == "HS256":
        assert reply.json() == {"keys": []}
        return
    assert {jwk["alg"] for jwk in reply.json()["keys"]} == {running.algorithm}
    assert all("d" not in jwk for jwk in reply.json()["keys"])
    verifier = Verifier(KeyRing.from_jwks(reply.json()))
    assert verifier.verify(running.login().access).subject == "alice"


def test_two_authorization_headers(running: Running) -> None:
    tokens = running.login()
    with running.line() as line:
        twice = f"authorization: Bearer {tokens.access}\r\n".encode() * 2
        line.send(request_bytes("GET", "/me").replace(b"\r\n\r\n", b"\r\n" + twice + b"\r\n"))
        assert_problem(line.reply(), "token_malformed")


def test_a_missing_token_beside_a_refresh_cookie(running: Running) -> None:
    reply = running.ask("GET", "/me", {"cookie": f"{COOKIE}=x"})
    assert_problem(reply, "token_missing", action="refresh")


def test_refresh_by_cookie(running: Running) -> None:
    before = running.login()
    after = Tokens(running.ask("POST", "/auth/refresh", before.by_cookie))
    assert after.refresh != before.refresh
    assert "refresh_token" not in after.reply.json()
    assert running.ask("GET", "/me", after.bearer).status == 200


def test_refresh_by_body_and_by_form(running: Running) -> None:
    first = running.login(body=True)
    second = Tokens(running.ask("POST", "/auth/refresh", json_body={"refresh_token": first.refresh}))
    form = {"grant_type": "refresh_token", "refresh_token": second.refresh}
    third = Tokens(running.ask("POST", "/auth/refresh", form=form))
    assert len({first.refresh, second.refresh, third.refresh}) == 3
    assert third.reply.all("set-cookie") == []


def test_two_refreshes_at_once_get_the_same_successor(running: Running) -> None:
    tokens = running.login()
    with running.line() as one, running.line() as other, ThreadPoolExecutor(2) as pool:
        for line in (one, other):
            line.send(request_bytes("POST", "/auth/refresh", tokens.by_cookie))
        replies = list(pool.map(lambda line: Tokens(line.reply()), (one, other)))
    assert replies[0].refresh == replies[1].refresh
    assert Tokens(running.ask("POST", "/auth/refresh", replies[0].by_cookie)).refresh != replies[0].refresh


def test_a_stolen_token_ends_the_session(running: Running) -> None:
    first = running.login()
    second = Tokens(running.ask("POST", "/auth/refresh", first.by_cookie))
    third = Tokens(running.ask("POST", "/auth/refresh", second.by_cookie))
    reply = running.ask("POST", "/auth/refresh", first.by_cookie)
    assert_problem(reply, "refresh_invalid")
    assert deletes_cookie(reply)
    assert_problem(running.ask("GET", "/me", third.bearer), "token_revoked")


def test_logout_ends_the_access_token_too(running: Running) -> None:
    tokens = running.login()
    assert running.ask("GET", "/me", tokens.bearer).status == 200
    reply = running.ask("POST", "/auth/logout", tokens.by_cookie)
    assert (reply.status, reply.json()) == (200, {"status": "logged_out"})
    assert deletes_cookie(reply)
    assert_problem(running.ask("GET", "/me", tokens.bearer), "token_revoked")
    assert_problem(running.ask("POST", "/auth/refresh", tokens.by_cookie), "refresh_invalid")


def test_a_session_is_ended_by_its_id(running: Running) -> None:
    kept, ended = running.login("bob"), running.login("bob")
    session = running.ask("GET", "/me", ended.bearer).json()["session"]
    reply = running.ask("DELETE", f"/auth/sessions/{session}", kept.bearer)
    assert (reply.status, reply.body) == (204, b"")
    assert_problem(running.ask("GET", "/me", ended.bearer), "token_revoked")
    assert running.ask("GET", "/me", kept.bearer).status == 200


def test_public_and_protected_paths(running: Running) -> None:
    tokens = running.login()
    assert running.ask("GET", "/open").body == b"anonymous"
    assert running.ask("GET", "/open", tokens.bearer).body == b"alice"
    assert running.ask("GET", "/open", {"authorization": "Bearer made.up.token"}).body == b"anonymous"
    for path in ("/open%0A", "//open", "/open/", "/open;x", "/gates/../me", "/gates/%2e%2e/me", "/OPEN"):
        assert_problem(running.ask("GET", path), "token_missing")


def test_401_comes_before_404_and_405(running: Running) -> None:
    tokens = running.login()
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/me", 405), ("GET", "/auth/nothing", 404)):
        assert_problem(running.ask(method, path), "token_missing")
        assert running.ask(method, path, tokens.bearer).status == status


def test_405_of_our_own_routes(running: Running) -> None:
    for method, path, allowed in (("GET", "/auth/refresh", "POST"), ("POST", "/auth/jwks.json", "GET")):
        reply = running.ask(method, path)
        assert_problem(reply, "method_not_allowed")
        assert reply.one("allow") == allowed


def test_a_head_request_is_refused_with_the_headers_of_a_get(running: Running) -> None:
    """The next request on the connection would be out of step if a body were sent."""
    tokens = running.login()
    with running.line() as line:
        get = line.ask("GET", "/me")
        head = line.ask("HEAD", "/me")
        assert (head.status, ours(head), head.body) == (401, ours(get), b"")
        assert line.ask("GET", "/me", tokens.bearer).json()["who"] == "alice"


PREFLIGHT = {"origin": "https://app.example.com", "access-control-request-method": "GET"}
OPTIONS = {"bare": 405, "starlette": 405, "fastapi": 405, "litestar": 204, "quart": 200, "django": 405}
"""What each framework answers to OPTIONS by itself; whoever wants more adds a CORS middleware outside of ours."""


def test_a_preflight_reaches_the_app_and_other_options_requests_do_not(running: Running) -> None:
    assert running.ask("OPTIONS", "/me", PREFLIGHT).status == OPTIONS[running.framework]
    for missing in PREFLIGHT:
        headers = {name: value for name, value in PREFLIGHT.items() if name != missing}
        assert_problem(running.ask("OPTIONS", "/me", headers), "token_missing")


HEAD = {"bare": 200, "starlette": 200, "fastapi": 405, "litestar": 405, "quart": 200, "django": 200}
"""What each framework makes of HEAD where a handler is for GET."""


def test_a_head_request_with_a_token_is_the_frameworks_affair(running: Running) -> None:
    assert running.ask("HEAD", "/me", running.login().bearer).status == HEAD[running.framework]


def test_bodies_that_are_refused(running: Running) -> None:
    kind = {"content-type": "application/json"}
    assert_problem(running.ask("POST", "/auth/login", kind, body=b"{"), "invalid_request")
    assert_problem(
        running.ask("POST", "/auth/login", {"content-type": "text/plain"}, body=b"x"), "unsupported_media_type"
    )
    assert_problem(running.ask("POST", "/auth/login", kind, body=b" " * 65_537), "payload_too_large")


def test_e20_two_people_take_turns_on_one_connection(running: Running) -> None:
    people = {name: running.login(name).bearer for name in ("alice", "bob")}
    with running.line() as line:
        for _ in range(5):
            for name, bearer in people.items():
                assert line.ask("GET", "/me", bearer).json()["who"] == name
                assert line.ask("GET", "/open").body == b"anonymous"
                assert_problem(line.ask("GET", "/me"), "token_missing")


def test_e20_pipelined_requests_of_two_people(running: Running) -> None:
    alice, bob = (running.login(name).bearer for name in ("alice", "bob"))
    turns = [("alice", alice), ("bob", bob), ("", {}), ("bob", bob), ("alice", alice), ("", {})] * 3
    with running.line() as line:
        line.send(b"".join(request_bytes("GET", "/me", bearer) for _, bearer in turns))
        for name, _ in turns:
            reply = line.reply()
            if name:
                assert json.loads(reply.body)["who"] == name
            else:
                assert_problem(reply, "token_missing")
