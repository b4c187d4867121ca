"""Requests of other origins: Sec-Fetch-Site first, then Origin against the Host; every way to get it wrong."""

from collections.abc import Callable

import pytest

from .problems import assert_problem
from .support import PASSWORD, Service

ALLOWED = "https://app.example.com"
OWN = "https://testserver"
EVIL = "https://evil.example"

Headers = dict[str, str]

PASSES: dict[str, Headers] = {
    "no browser": {},
    "same-origin": {"sec-fetch-site": "same-origin"},
    "typed by the user": {"sec-fetch-site": "none"},
    "same-origin wins over Origin": {"sec-fetch-site": "same-origin", "origin": EVIL},
    "own origin": {"origin": OWN},
    "own origin in capitals": {"origin": "HTTPS://TestServer"},
    "own origin, host with the default port": {"origin": OWN, "host": "testserver:443"},
    "own origin with a port": {"origin": "https://testserver:8443", "host": "testserver:8443"},
    "own origin, host in capitals": {"origin": OWN, "host": "TESTSERVER"},
    "own IPv6 origin": {"origin": "https://[::1]:8443", "host": "[::1]:8443"},
    "allowed origin": {"origin": ALLOWED},
    "allowed origin, cross-site": {"origin": ALLOWED, "sec-fetch-site": "cross-site"},
    "allowed origin, same-site": {"origin": ALLOWED, "sec-fetch-site": "same-site"},
    "own origin behind a proxy that says same-site": {"origin": OWN, "sec-fetch-site": "same-site"},
}

REFUSED: dict[str, Headers] = {
    "cross-site": {"sec-fetch-site": "cross-site"},
    "same-site": {"sec-fetch-site": "same-site"},
    "unknown value": {"sec-fetch-site": "same_origin"},
    "empty value": {"sec-fetch-site": ""},
    "value in capitals": {"sec-fetch-site": "Same-Origin"},
    "other origin": {"origin": EVIL},
    "other origin, same-site": {"origin": EVIL, "sec-fetch-site": "same-site"},
    "null": {"origin": "null"},
    "null, cross-site": {"origin": "null", "sec-fetch-site": "cross-site"},
    "empty": {"origin": ""},
    "suffix of the host": {"origin": "https://testserver.evil.example"},
    "prefix of the host": {"origin": "https://nottestserver"},
    "subdomain": {"origin": "https://sub.testserver"},
    "http": {"origin": "http://testserver"},
    "other port": {"origin": "https://testserver:8443"},
    "port of the host left out": {"origin": OWN, "host": "testserver:8443"},
    "with a path": {"origin": OWN + "/"},
    "with user information": {"origin": "https://testserver@evil.example"},
    "two in one": {"origin": f"{OWN} {EVIL}"},
    "a list": {"origin": f"{EVIL}, {OWN}"},
    "suffix of the allowed one": {"origin": ALLOWED + ".evil.example"},
    "prefix of the allowed one": {"origin": "https://evil-app.example.com"},
    "http of the allowed one": {"origin": "http://app.example.com"},
    "port of the allowed one": {"origin": ALLOWED + ":8443"},
    "allowed one with a slash": {"origin": ALLOWED + "/"},
    "blank": {"origin": " "},
    "wildcard": {"origin": "*"},
    "forwarded host": {"origin": EVIL, "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"},
    "no host": {"origin": "https://", "host": ""},
}


@pytest.fixture
async def guarded(make_service: Callable[..., Service]) -> Service:
    return make_service(allowed_origins=[ALLOWED])


async def _request(service: Service, route: str, headers: Headers | list[tuple[str, str]]) -> tuple[int, list[str]]:
    """The status and the store's calls of ``route``, done with a live session's cookie."""
    tokens = await service.login()
    service.store.calls.clear()
    pairs = [*tokens.by_cookie.items(), *(headers.items() if isinstance(headers, dict) else headers)]
    credentials = {"username": "alice", "password": PASSWORD} if route == "login" else None
    reply = await service.post(route, headers=pairs, json_body=credentials)
    if reply.status != 200:
        assert_problem(reply, "cross_origin")
        assert reply.all("set-cookie") == []
        assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200
        service.store.calls.remove("advance")
    return reply.status, service.store.calls


@pytest.mark.parametrize("route", ["login", "refresh", "logout"])
@pytest.mark.parametrize("case", PASSES)
@pytest.mark.case("G06")
async def test_passes(guarded: Service, route: str, case: str) -> None:
    status, calls = await _request(guarded, route, PASSES[case])
    assert status == 200
    assert calls


@pytest.mark.parametrize("route", ["login", "refresh", "logout"])
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.case("G06")
async def test_refused_before_anything_is_read(guarded: Service, route: str, case: str) -> None:
    assert await _request(guarded, route, REFUSED[case]) == (403, [])


@pytest.mark.parametrize(
    "headers",
    [
        [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
        [("origin", OWN), ("origin", EVIL)],
        [("origin", EVIL), ("origin", OWN)],
        [("origin", OWN), ("host", "testserver"), ("host", "evil.example")],
    ],
)
async def test_headers_that_come_twice_prove_nothing(guarded: Service, headers: list[tuple[str, str]]) -> None:
    assert await _request(guarded, "refresh", headers) == (403, [])


async def test_the_scheme_is_the_servers(make_service: Callable[..., Service]) -> None:
    service = make_service()
    tokens = await service.login()
    plain = tokens.by_cookie | {"origin": "http://testserver"}
    assert (await service.post("refresh", headers=plain, scheme="http")).status == 200
    assert (await service.post("refresh", headers=plain | {"origin": OWN}, scheme="http")).status == 403


async def test_the_host_header_cannot_be_a_url(guarded: Service) -> None:
    for host in ("evil.example/x?", "testserver#", "testserver@evil.example", "evil.example:443"):
        status, calls = await _request(guarded, "refresh", {"host": host, "origin": OWN})
        assert (status, calls) == (403, [])


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
async def test_tokens_in_bodies_need_no_check(guarded: Service, headers: Headers) -> None:
    """No page can send what it does not know, and no cookie is set."""
    reply = await guarded.post(
        "login", headers=headers | {"x-token-transport": "body"}, json_body={"username": "bob", "password": PASSWORD}
    )
    tokens = guarded.tokens(reply)
    reply = await guarded.post("refresh", headers=headers, json_body={"refresh_token": tokens.refresh})
    assert reply.status == 200
    reply = await guarded.post("logout", headers=headers, json_body={"refresh_token": tokens.refresh})
    assert reply.status == 200
    assert reply.all("set-cookie") == []


async def test_a_cookie_beside_the_body_is_checked(guarded: Service) -> None:
    tokens = await guarded.login()
    body = {"refresh_token": tokens.refresh}
    reply = await guarded.post("refresh", headers=tokens.by_cookie | {"origin": EVIL}, json_body=body)
    assert_problem(reply, "cross_origin")


async def test_a_logout_without_a_token_is_checked_since_it_deletes_the_cookie(guarded: Service) -> None:
    reply = await guarded.post("logout", headers={"sec-fetch-site": "cross-site"})
    assert_problem(reply, "cross_origin")


@pytest.mark.parametrize(
    "origin",
    [
        "app.example.com",
        "https://",
        "https://app.example.com/",
        "https://*.example.com",
        "*",
        "HTTPS://App.example.com",
    ],
)
def test_what_cannot_be_an_allowed_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="not an origin"):
        Service(allowed_origins=[origin])


def test_allowed_origins_is_a_list() -> None:
    with pytest.raises(TypeError):
        Service(allowed_origins=ALLOWED)


async def test_nothing_redirects(guarded: Service) -> None:
    tokens = await guarded.login()
    for route in ("refresh?next=//evil.example", "logout?next=https://evil.example"):
        reply = await guarded.post(route, headers=tokens.by_cookie)
        assert (reply.status, reply.all("location")) == (200, [])
