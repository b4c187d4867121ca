"""Group E: how credentials travel. E03 to E07 and E20 go on in ``test_servers.py``.

E11 and E12 are beside I01, in ``test_i_devices.py``.
"""

import asyncio
from typing import Any

import pytest
from starlette.middleware.cors import CORSMiddleware

from ..web.asgi import ask
from ..web.problems import assert_problem
from ..web.support import COOKIE, START, Service
from .attack import Target
from .forge import token, with_header

GOOD = token()


async def _status(target: Target, value: bytes | str) -> int:
    return (await target.service.ask("GET", "/x", headers=[("authorization", value)])).status


async def test_e01_no_credentials(target: Target) -> None:
    reply = await target.attack("token_missing")
    assert reply.one("www-authenticate") == 'Bearer realm="jwt-refresh-middleware"'


@pytest.mark.parametrize("scheme", [pytest.param(s, id=f"E02-{s}") for s in ("Bearer", "bearer", "BEARER", "BeArEr")])
async def test_scheme_in_any_case(target: Target, scheme: str) -> None:
    assert await _status(target, f"{scheme} {GOOD}") == 200


SCHEMES = ["Basic", "Token", "JWT", "DPoP", "Digest", "Bearer1", "Beare", "xBearer", "Bearer-", "MAC", "Bearer:"]


@pytest.mark.parametrize("scheme", [pytest.param(s, id=f"E03-{s}") for s in SCHEMES])
async def test_another_scheme(target: Target, scheme: str) -> None:
    await target.attack("token_missing", headers={"authorization": f"{scheme} {GOOD}"}, secrets=[GOOD])


@pytest.mark.case("E03")
async def test_a_token_without_a_scheme(target: Target) -> None:
    await target.attack("token_missing", headers={"authorization": GOOD}, secrets=[GOOD])


ACCEPTED = {"E04-two-blanks": "Bearer  ", "E04-five-blanks": "Bearer     ", "E04-one-blank": "Bearer "}


@pytest.mark.parametrize("before", ACCEPTED.values(), ids=ACCEPTED)
@pytest.mark.parametrize("after", ["", " ", "   ", "\t", " \t "])
async def test_blanks(target: Target, before: str, after: str) -> None:
    assert await _status(target, before + GOOD + after) == 200


MALFORMED: dict[str, str | bytes] = {
    "E04-tab": f"Bearer\t{GOOD}",
    "E04-no-gap": f"Bearer{GOOD}",
    "E04-only-scheme": "Bearer",
    "E04-scheme-and-blank": "Bearer ",
    "E04-scheme-and-blanks": "Bearer   \t ",
    "E04-nothing": "",
    "E04-blank": " ",
    "E04-two-tokens": f"Bearer {GOOD} {GOOD}",
    "E04-tab-between": f"Bearer {GOOD}\t{GOOD}",
    "E04-scheme-twice": f"Bearer Bearer {GOOD}",
    "E06-joined": f"Bearer {GOOD}, Bearer {GOOD}",
    "E06-joined-tight": f"Bearer {GOOD},{GOOD}",
    "E06-joined-bad-first": f"Bearer x, Bearer {GOOD}",
    "E06-with-basic": f"Bearer {GOOD}, Basic eDp5",
    "E06-parameters": f'Bearer {GOOD}, realm="x"',
    "E06-trailing-comma": f"Bearer {GOOD},",
    "E06-leading-comma": f"Bearer ,{GOOD}",
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
async def test_malformed(target: Target, value: str | bytes) -> None:
    await target.attack("token_malformed", headers=[("authorization", value)], secrets=[GOOD])


BAD = "made.up.token"
PAIRS = {
    "E05-good-bad": (f"Bearer {GOOD}", f"Bearer {BAD}"),
    "E05-bad-good": (f"Bearer {BAD}", f"Bearer {GOOD}"),
    "E05-good-good": (f"Bearer {GOOD}", f"Bearer {GOOD}"),
    "E05-good-basic": (f"Bearer {GOOD}", "Basic eDp5"),
    "E05-basic-good": ("Basic eDp5", f"Bearer {GOOD}"),
    "E05-good-empty": (f"Bearer {GOOD}", ""),
    "E05-empty-good": ("", f"Bearer {GOOD}"),
}


@pytest.mark.parametrize("values", PAIRS.values(), ids=PAIRS)
async def test_two_headers(target: Target, values: tuple[str, str]) -> None:
    await target.attack("token_malformed", headers=[("authorization", value) for value in values], secrets=[GOOD])


ODD_BYTES = {
    "E07-nul": b"\0",
    "E07-0x80": b"\x80",
    "E07-0xff": b"\xff",
    "E07-utf8": "é".encode(),
    "E07-newline": b"\n",
    "E07-cr": b"\r",
}


@pytest.mark.parametrize("byte", ODD_BYTES.values(), ids=ODD_BYTES)
@pytest.mark.parametrize("where", ["middle", "end", "start"])
async def test_odd_bytes(target: Target, byte: bytes, where: str) -> None:
    raw = GOOD.encode()
    value = {"middle": raw[:20] + byte + raw[20:], "end": raw + byte, "start": byte + raw}[where]
    await target.refused(value, secrets=[GOOD])


@pytest.mark.parametrize(
    "name", [pytest.param(n, id=f"E08-{n}") for n in ("access_token", "token", "authorization", "jwt")]
)
async def test_token_in_query_or_form(target: Target, name: str) -> None:
    await target.attack("token_missing", path=f"/private?{name}={GOOD}", secrets=[GOOD])
    await target.attack("token_missing", method="POST", form={name: GOOD}, secrets=[GOOD], reference=False)


async def test_e09_only_the_header_counts(target: Target) -> None:
    """A token elsewhere neither helps nor harms."""
    assert (
        await target.service.ask("GET", f"/x?access_token={BAD}", headers={"authorization": f"Bearer {GOOD}"})
    ).status == 200
    cookie = {"cookie": f"access_token={GOOD}; token={GOOD}"}
    await target.attack("token_missing", headers=cookie, secrets=[GOOD])
    await target.attack("token_invalid", headers=cookie | {"authorization": f"Bearer {BAD}"}, secrets=[GOOD])


PROXY_HEADERS = {
    "x-middleware-subrequest": "middleware:middleware",
    "x-original-url": "/public/x",
    "x-rewrite-url": "/public/x",
    "x-http-method-override": "OPTIONS",
    "x-forwarded-prefix": "/public",
    "x-forwarded-user": "alice",
    "x-forwarded-host": "x",
    "x-forwarded-for": "127.0.0.1",
    "x-user": "alice",
    "x-remote-user": "alice",
    "x-authenticated-userid": "alice",
    "proxy-authorization": f"Bearer {GOOD}",
    "x-authorization": f"Bearer {GOOD}",
    "x-forwarded-authorization": f"Bearer {GOOD}",
}


@pytest.mark.parametrize("name", [pytest.param(n, id=f"E10-{n}") for n in PROXY_HEADERS])
async def test_headers_of_proxies(target: Target, name: str) -> None:
    await target.attack("token_missing", headers={name: PROXY_HEADERS[name]}, secrets=[GOOD])


async def test_e11_the_address_is_the_connections(target: Target) -> None:
    await target.service.login("bob", headers={"x-forwarded-for": "198.51.100.9", "forwarded": "for=198.51.100.9"})
    assert [session.device.ip for session in await target.service.issuer.sessions("bob")] == ["203.0.113.7"]


INJECTIONS = ['"\r\nX-Evil: 1', '", error="x', "\\", "\u2028", "a\x00b"]


@pytest.mark.parametrize("text", [pytest.param(t, id=f"E13-{n}") for n, t in enumerate(INJECTIONS)])
async def test_header_injection(target: Target, text: str) -> None:
    plain = await target.service.ask("GET", "/x", headers={"authorization": "Bearer made.up.token"})
    for forged in (with_header(kid=text), token(iss=text), token(sub="\x00" + text)):
        assert (await target.refused(forged)).headers == plain.headers


async def test_e15_head(target: Target) -> None:
    for headers in ({}, {"authorization": "Bearer"}, {"authorization": f"Bearer {BAD}"}):
        get, head = [await target.service.ask(method, "/x", headers=headers) for method in ("GET", "HEAD")]
        assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


async def test_e16_e17_cors_outside_adds_its_headers_to_refusals(target: Target) -> None:
    app = CORSMiddleware(target.service.app, allow_origins=["https://app.example.com"], allow_credentials=True)
    refused = await ask(app, "GET", "/x", headers={"origin": "https://app.example.com"})
    assert_problem(refused, "token_missing")
    assert refused.one("access-control-allow-origin") == "https://app.example.com"


async def test_e18_every_answer_of_ours_says_how_to_cache_it(target: Target) -> None:
    replies = [
        await target.service.ask("GET", "/x"),
        await target.service.post("refresh"),
        await target.service.post("refresh", headers={"cookie": f"{COOKIE}=x"}),
        await target.service.post("refresh", headers=target.honest.by_cookie),
        await target.service.post("logout"),
        target.honest.reply,
    ]
    for reply in replies:
        assert reply.one("cache-control") == "no-store"
        vary = {name.strip().lower() for name in (reply.one("vary") or "").split(",")}
        assert vary >= {"authorization", "cookie", "origin", "sec-fetch-site"}


async def test_e19_no_challenge_on_success(target: Target) -> None:
    assert (await target.service.get_in(target.honest)).one("www-authenticate") is None
    assert target.honest.reply.one("www-authenticate") is None


async def test_e20_one_request_after_the_other(target: Target) -> None:
    bob = await target.service.login("bob")
    seen: list[Any] = []
    for tokens in (target.honest, bob, None, target.honest):
        reply = await target.service.ask("GET", "/", headers=tokens.bearer if tokens else {})
        seen.append(reply.body)
    assert seen == [b"hello alice", b"hello bob", b"hello anonymous", b"hello alice"]


async def test_e21_five_hundred_at_once_are_not_mixed_up(target: Target) -> None:
    async def echo(number: int) -> bytes:
        made = token(sub=f"user-{number}", exp=int(START) + 900 + number)
        return (await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {made}"})).body

    assert await asyncio.gather(*map(echo, range(500))) == [f"hello user-{n}".encode() for n in range(500)]


async def test_j06_scope_keys_and_headers_of_clients_do_not_count() -> None:
    service = Service(public=["/"])
    forged = {"user": "root", "auth": "everything"}
    assert (await service.ask("GET", "/", headers={"x-user": "root"}, **forged)).body == b"hello anonymous"
    scope = service.inner.scopes[-1]
    assert (scope["user"].is_authenticated, list(scope["auth"].scopes)) == (False, [])
    await service.aclose()
