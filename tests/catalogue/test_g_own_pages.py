"""Group G, what our own pages may: G01, the cookie down to its attributes; G06, who passes; G10, a race; G11."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jwt_refresh_middleware import Cookie

from ..web.problems import assert_problem, deletes_cookie
from ..web.support import COOKIE, PASSWORD, Service
from .attack import Target
from .forge import refresh_token

MakeService = Callable[..., Service]
COOKIES: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "G01-default": ({}, "__Host-refresh_token", {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}),
    "G01-path": (
        {"path": "/auth"},
        "__Secure-refresh_token",
        {"Path=/auth", "Secure", "HttpOnly", "SameSite=Strict"},
    ),
}


def _parts(set_cookie: str | None) -> tuple[str, str, set[str], dict[str, str]]:
    """Name, value, attributes, and those that are about time."""
    pair, *attributes = (set_cookie or "").split("; ")
    name, _, value = pair.partition("=")
    timed = {one.partition("=")[0]: one.partition("=")[2] for one in attributes if one.startswith(("Max-", "Exp"))}
    return name, value, {one for one in attributes if not one.startswith(("Max-", "Exp"))}, timed


@pytest.mark.parametrize(("options", "name", "attributes"), COOKIES.values(), ids=COOKIES)
async def test_the_cookie_of_login_refresh_and_logout(
    make_service: MakeService, options: dict[str, Any], name: str, attributes: set[str]
) -> None:
    service = make_service(cookie=Cookie(**options))
    login = await service.login()
    refresh = service.tokens(await service.post("refresh", headers=login.by_cookie))
    for tokens in (login, refresh):
        got = tokens.reply.one("set-cookie")
        assert _parts(got) == (name, tokens.refresh, attributes, {"Max-Age": "604800"})
        assert len((got or "").partition(";")[0]) <= 4096
        assert "refresh_token" not in tokens.reply.json(), "what a cookie carries is in no body"
        assert tokens.refresh.encode() not in tokens.reply.body
    logout = await service.post("logout", headers=refresh.by_cookie)
    gone_name, value, gone_attributes, timed = _parts(logout.one("set-cookie"))
    assert (gone_name, value, gone_attributes, timed["Max-Age"]) == (name, "", attributes, "0")


OURS: dict[str, dict[str, str]] = {
    "G06-no-browser": {},
    "G06-typed": {"sec-fetch-site": "none"},
    "G06-same-origin": {"sec-fetch-site": "same-origin"},
    "G06-own-origin": {"origin": "https://testserver"},
    "G06-allowed-origin": {"origin": "https://app.example.com"},
    "G06-allowed-cross-site": {"origin": "https://app.example.com", "sec-fetch-site": "cross-site"},
}


@pytest.mark.parametrize("route", ["refresh", "logout", "login"])
@pytest.mark.parametrize("headers", OURS.values(), ids=OURS)
async def test_who_passes(make_service: MakeService, headers: dict[str, str], route: str) -> None:
    service = make_service(allowed_origins=["https://app.example.com"])
    tokens = await service.login()
    body = {"username": "alice", "password": PASSWORD} if route == "login" else None
    assert (await service.post(route, headers=tokens.by_cookie | headers, json_body=body)).status == 200


async def test_g10_the_loser_of_a_race_takes_nothing_from_the_winner(target: Target) -> None:
    """However late its answer comes: it is the same cookie, or none."""
    service, held = target.service, target.honest
    replies = await asyncio.gather(*(service.post("refresh", headers=held.by_cookie) for _ in range(5)))
    winner = service.tokens(replies[0])
    assert {reply.one("set-cookie") for reply in replies} == {winner.reply.one("set-cookie")}
    service.clock.advance(9)
    late = await service.post("refresh", headers=held.by_cookie)
    assert service.tokens(late).refresh == winner.refresh
    assert (await service.post("refresh", headers=winner.by_cookie)).status == 200


ENDED = ["unknown", "reused", "revoked", "expired"]


@pytest.mark.parametrize("why", [pytest.param(why, id=f"G10-{why}") for why in ENDED])
async def test_the_cookie_goes_only_with_a_session_that_is_known_to_have_ended(target: Target, why: str) -> None:
    service = target.service
    first = await service.login()
    second = service.tokens(await service.post("refresh", headers=first.by_cookie))
    cookie = second.cookie
    if why == "unknown":
        cookie = f"{COOKIE}={refresh_token(bytes(range(32)), 5)}"
    elif why == "reused":
        await service.post("refresh", headers=second.by_cookie)
        cookie = first.cookie
    elif why == "revoked":
        await service.issuer.logout_all("alice")
    else:
        service.clock.advance(7 * 86_400)
    reply = await service.post("refresh", headers={"cookie": cookie})
    assert_problem(reply, "refresh_expired" if why == "expired" else "refresh_invalid")
    assert deletes_cookie(reply)


@pytest.mark.parametrize("query", ["next=//evil.example", "redirect_uri=https://evil.example", "return_to=/\\evil"])
@pytest.mark.parametrize("route", [pytest.param(r, id=f"G11-{r}") for r in ("login", "refresh", "logout", "step-up")])
async def test_nothing_redirects(target: Target, route: str, query: str) -> None:
    service = target.service
    body = {"username": "alice", "password": PASSWORD} if route in ("login", "step-up") else None
    good = await service.ask("POST", f"/auth/{route}?{query}", headers=target.honest.by_cookie, json_body=body)
    bad = await service.ask("POST", f"/auth/{route}?{query}", body=b"{", headers={"content-type": "application/json"})
    none = await service.ask("GET", f"/private?{query}")
    assert [reply.status for reply in (good, bad, none)] == [200, 400, 401]
    for reply in (good, bad, none):
        assert not {"location", "refresh", "content-location"} & {name.decode() for name, _ in reply.headers}
        assert b"evil" not in reply.body
