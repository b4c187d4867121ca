"""Advisories about requests: paths, hosts, headers of proxies, other people's sessions, and whose request it is."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from jwt_refresh_middleware.login_limits import LoginLimits

from ..web.asgi import ask
from ..web.problems import assert_problem, deletes_cookie
from ..web.support import COOKIE, PASSWORD, Service
from .attack import Target
from .forge import token
from .test_f_paths import at, decoded

LOGIN: dict[str, Any] = {"method": "POST", "path": "/auth/login"}
REFRESH: dict[str, Any] = {"method": "POST", "path": "/auth/refresh"}
ALICE = {"username": "alice", "password": PASSWORD}


async def _page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"the page of {request.user.identity}" if request.user.is_authenticated else "open")


PAGES = Starlette(routes=[Route("/admin", _page), Mount("/files", routes=[Route("/{name:path}", _page)])])


async def _closed(target: Target, *paths: str) -> None:
    """Nothing of it is let through without a token, whatever a router would make of it."""
    pages = Service(PAGES, public=["/", "/docs", "/public/*"])
    for path in paths:
        await target.attack("token_missing", path=decoded(path), reference=False)
        assert_problem(await ask(at(pages.app, decoded(path)), "GET", "/"), "token_missing")
    await pages.aclose()


# Paths and hosts


@pytest.mark.case("F01", "F02")
async def test_cve_2026_2880_what_only_the_router_tidies_up(target: Target) -> None:
    """There, ``//admin`` was another path to the guard and the same page to the router."""
    await _closed(target, "//admin", "///admin", "/admin%0A", "/./admin", "/public/../admin", "/docs//", "//docs")


@pytest.mark.case("F03")
async def test_cve_2026_14198_an_encoded_slash(target: Target) -> None:
    """There, ``%2F`` was no slash to the guard, and one to what served the file."""
    await _closed(
        target, "/public%2f..%2fadmin", "/files%2fsecret", "/public/..%2fadmin", "/public/%2e%2e/admin", "/%61dmin",
        "/public/%252e%252e%252fadmin", "/public/..%5cadmin", "/public/%00/../admin",
    )  # fmt: skip


@pytest.mark.case("F02", "F04")
async def test_cve_2026_6414_what_follows_a_semicolon(target: Target) -> None:
    """There, one of two left out what follows a semicolon, so that a protected name passed for a public one."""
    await _closed(target, "/admin;x", "/docs;/../admin", "/public/..;/admin", "/docs;a=b", "/;/admin", "/publicity")


@pytest.mark.case("F08")
async def test_cve_2026_48710_a_host_with_a_path_in_it(target: Target) -> None:
    """There, the URL was put together from the Host header, and its path was what the header said."""
    for host in ("evil/public/x?", "evil/docs#", "testserver/docs?", "evil?/public/x", "evil/public/x?\\"):
        await target.attack("token_missing", headers=[("host", host)])
        planted = {"host": host, "origin": "https://evil.example"} | target.honest.by_cookie
        await target.attack("cross_origin", headers=planted, **REFRESH)


@pytest.mark.case("F07", "F08")
async def test_pysec_2026_248_a_target_without_a_slash(target: Target) -> None:
    """There, the target ``@evil.example`` made a user name of the true host, and a host of the attacker's."""
    for path in ("@evil.example", "@evil.example/public/x", "http://evil.example/docs", ":80/docs", "docs", "public/x"):
        await target.attack("token_missing", path=path)
        for origin in ("https://evil.example", "https://testserver@evil.example", f"https://testserver{path}"):
            headers = {"origin": origin} | target.honest.by_cookie
            reply = await target.service.ask("POST", "/auth/refresh", headers=headers, server=("evil.example", 443))
            assert_problem(reply, "cross_origin")


# Headers


@pytest.mark.case("E10")
async def test_cve_2025_29927_a_header_for_internal_use(target: Target) -> None:
    """There, whoever said that this was a request of the middleware's own was not asked for a token."""
    name = "x-middleware-subrequest"
    values = ["middleware", "src/middleware", ":".join(["middleware"] * 5), ":".join(["src/middleware"] * 5), "1"]
    for value in values:
        await target.attack("token_missing", headers={name: value})
        await target.attack("token_missing", headers={name: value, "x-middleware-next": "1", "x-nextjs-data": "1"})
    await target.attack("token_missing", headers={"x-original-url": "/docs", "x-rewrite-url": "/public/x"})


@pytest.mark.case("E10")
async def test_ghsa_3529_5m8x_rpv3_a_host_that_a_client_says(target: Target) -> None:
    """There, ``X-Forwarded-Host`` said whose site this is, whoever sent it."""
    for name in ("x-forwarded-host", "x-host", "x-original-host", "x-forwarded-server", "forwarded"):
        value = "host=evil.example;proto=https" if name == "forwarded" else "evil.example"
        planted = {name: value, "x-forwarded-proto": "https", "origin": "https://evil.example"}
        await target.attack("cross_origin", headers=planted | target.honest.by_cookie, **REFRESH)
        await target.attack("cross_origin", headers=planted, json_body=ALICE, **LOGIN)
        reply = await target.service.login("bob", headers={name: value})
        assert "evil" not in repr(reply.reply.headers)


@pytest.mark.case("J06")
async def test_cve_2025_61928_the_body_does_not_say_who_asks(target: Target) -> None:
    """There, where no session came along, the request was made for the user that its body named."""
    bob = await target.service.login("bob")
    named = {"userId": "bob", "user_id": "bob", "sub": "bob", "subject": "bob", "session_id": "x"}
    await target.attack("token_missing", method="POST", json_body=named, reference=False)
    for method, path in (("GET", "/auth/sessions"), ("DELETE", "/auth/sessions"), ("DELETE", "/auth/sessions/x")):
        await target.attack("token_missing", method=method, path=path, json_body=named, reference=False)
    await target.attack("refresh_missing", json_body=named, reference=False, **REFRESH)
    assert (await target.service.post("logout", json_body=named | {"all": True})).status == 200
    assert (await target.service.get_in(bob)).body == b"hello bob"


@pytest.mark.case("E12")
async def test_cve_2026_45364_attempts_by_one_address_in_many_spellings(target: Target) -> None:
    """There, each spelling of an IPv6 address had attempts of its own; and a customer has 2**64 addresses."""
    service = Service(login_limits=LoginLimits(per_address=(5, 900), per_account=None))
    spelled = ["2001:db8::1", "2001:DB8::1", "2001:db8:0:0::1", "2001:0db8::0001", "2001:db8::2%eth0"]
    for attempt, address in enumerate(spelled):
        wrong = {"username": f"nobody-{attempt}", "password": "x"}
        assert_problem(await service.post("login", json_body=wrong, client=(address, 1)), "invalid_credentials")
    for address in ("2001:db8::ffff:1", "2001:db8:0:0:1:2:3:4", *spelled):
        assert_problem(await service.post("login", json_body=ALICE, client=(address, 1)), "rate_limited")
    assert (await service.post("login", json_body=ALICE, client=("2001:db8:0:1::1", 1))).status == 200
    mapped = [("::ffff:192.0.2.1", 1), ("192.0.2.1", 1), ("::FFFF:192.0.2.1", 1), ("::ffff:c000:201", 1)]
    for attempt in range(6):
        reply = await service.post("login", json_body={"username": "x", "password": "x"}, client=mapped[attempt % 4])
        assert reply.code == ("invalid_credentials" if attempt < 5 else "rate_limited")
    await service.aclose()


# Other people's sessions


@pytest.mark.case("G08")
async def test_cve_2025_68158_a_login_that_the_attacker_began(target: Target) -> None:
    """There, a page could log its visitor in to the attacker's account, or have them end a login of the attacker's."""
    planted = await target.service.login("bob")
    for site in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}):
        body: dict[str, Any]
        for body in ({"json_body": ALICE}, {"form": ALICE}):
            await target.attack("cross_origin", headers=site, secrets=[PASSWORD], **body, **LOGIN)
    victim = await target.service.login("alice", headers=planted.by_cookie)
    assert victim.refresh != planted.refresh
    sessions = [await target.service.issuer.session_of(one.refresh) for one in (victim, planted)]
    assert [session and session.subject for session in sessions] == ["alice", "bob"]
    renewed = target.service.tokens(await target.service.post("refresh", headers=victim.by_cookie))
    assert (await target.service.get_in(renewed)).body == b"hello alice"


@pytest.mark.case("G10")
async def test_letsrevel_950_the_loser_keeps_the_winners_cookie(target: Target) -> None:
    """There, the slower of two refreshes failed, and its answer deleted the cookie that the faster one had set."""
    service, headers = target.service, target.honest.by_cookie
    winner = service.tokens(await service.post("refresh", headers=headers))
    loser = await service.post("refresh", headers=headers)
    assert service.tokens(loser).refresh == winner.refresh  # both are told the same, and to keep it
    service.store.failure = OSError("away")
    assert not deletes_cookie(await service.post("refresh", headers=headers))
    service.store.failure = None
    for made_up in (f"{COOKIE}=x", f"{COOKIE}={winner.refresh[:-4]}AAAA", f"{COOKIE}={winner.refresh}; {COOKIE}=x"):
        assert not deletes_cookie(await service.post("refresh", headers={"cookie": made_up}))
    foreign = await service.post("refresh", headers=winner.by_cookie | {"origin": "https://evil.example"})
    assert not deletes_cookie(foreign)
    assert (await service.post("refresh", headers=winner.by_cookie)).status == 200


@pytest.mark.case("J07", "E21")
async def test_cve_2026_35039_nobody_is_remembered_as_somebody_else(target: Target) -> None:
    """There, verified tokens were remembered under a key of which two tokens could have the same."""
    tokens = {f"user-{number}": token(sub=f"user-{number}") for number in range(400)}

    async def enter(subject: str) -> None:
        for _ in range(3):
            headers = {"authorization": f"Bearer {tokens[subject]}"}
            assert (await target.service.ask("GET", "/x", headers=headers)).body == f"hello {subject}".encode()

    await asyncio.gather(*(enter(subject) for subject in tokens))
    one, two = (tokens[name].split(".") for name in ("user-1", "user-2"))
    for forged in (f"{one[0]}.{one[1]}.{two[2]}", f"{one[0]}.{two[1]}.{one[2]}", tokens["user-1"].swapcase()):
        await target.refused(forged)
