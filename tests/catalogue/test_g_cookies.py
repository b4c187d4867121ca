"""Group G: cookies and requests of other sites. G01 and G06 are tested at length in ``tests/web``."""

from typing import Any

import pytest

from ..web.problems import assert_problem, deletes_cookie
from ..web.support import COOKIE, PASSWORD, START
from .attack import Target
from .forge import spare_bits

REFRESH = {"method": "POST", "path": "/auth/refresh"}


async def test_g01_name_and_value_are_short_enough(target: Target) -> None:
    value = target.honest.reply.one("set-cookie") or ""
    assert value.startswith("__Host-")
    assert len(value.partition(";")[0]) <= 4096
    assert "domain" not in value.lower()


@pytest.mark.parametrize(
    "form", [pytest.param(f, id=f"G02-{f}") for f in ("one-header", "two-headers", "thrice", "same-value")]
)
@pytest.mark.parametrize("order", [1, -1])
async def test_the_cookie_twice(target: Target, form: str, order: int) -> None:
    mine, tossed = (
        target.honest.cookie,
        f"{COOKIE}={target.honest.refresh if form == 'same-value' else 'tossed-by-a-sibling'}",
    )
    both = [mine, tossed][::order]
    joined = "; ".join([*both, tossed] if form == "thrice" else both)
    headers = [("cookie", one) for one in both] if form == "two-headers" else [("cookie", joined)]
    for path in ("/auth/refresh", "/auth/logout"):
        reply = await target.attack("invalid_request", method="POST", path=path, headers=headers)
        assert reply.all("set-cookie") == []
    assert (await target.service.post("refresh", headers=target.honest.by_cookie)).status == 200


NAMES = {
    "G03-capitals": "__HOST-refresh_token={v}",
    "G03-lower": "__host-refresh_token={v}",
    "G03-space-in-name": "__Host-refresh_token ={v}",
    "G03-nbsp": "\xa0__Host-refresh_token={v}",
    "G03-nbsp-in-utf8": "\xc2\xa0__Host-refresh_token={v}",
    "G03-nameless": "=__Host-refresh_token={v}",
    "G03-no-equals": "__Host-refresh_token",
    "G03-no-prefix": "refresh_token={v}",
    "G03-secure-prefix": "__Secure-refresh_token={v}",
    "G03-http-prefix": "__Host-Http-refresh_token={v}",
    "G03-suffix": "__Host-refresh_token2={v}",
    "G03-quoted-name": '"__Host-refresh_token"={v}',
    "G03-inside-quotes": 'a="__Host-refresh_token={v}"',
    "G03-percent": "__Host%2Drefresh_token={v}",
    "G03-comma": "a=b, __Host-refresh_token={v}",
}


@pytest.mark.parametrize("cookie", NAMES.values(), ids=NAMES)
async def test_another_name(target: Target, cookie: str) -> None:
    value = cookie.format(v=target.honest.refresh)
    await target.attack("refresh_missing", headers=[("cookie", value)], secrets=[target.honest.refresh], **REFRESH)


@pytest.mark.case("G03")
async def test_another_name_beside_ours_is_ignored(target: Target) -> None:
    odd = "; ".join(name.format(v="x") for name in NAMES.values() if "quotes" not in name)
    reply = await target.service.post("refresh", headers=[("cookie", f"{odd}; {target.honest.cookie}")])
    assert reply.status == 200


VALUES = {
    "G04-quoted": '"{v}"',
    "G04-half-quoted": '"{v}',
    "G04-octal": '"{a}\\{octal}{b}"',
    "G04-octal-unquoted": "{a}\\{octal}{b}",
    "G04-percent": "{a}%{hex}{b}",
    "G04-padding": "{v}=",
    "G04-blank-inside": "{a} {b}",
    "G04-attribute": "{v},",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_values_are_never_unquoted(target: Target, value: str) -> None:
    token = target.honest.refresh
    a, char, b = token[:10], token[10], token[11:]
    rest = {"a": a, "b": b, "octal": f"{ord(char):03o}", "hex": f"{ord(char):02x}"}
    await target.refused_refresh(value.format(v=token, **rest), secrets=[token])
    assert (await target.service.post("refresh", headers=target.honest.by_cookie)).status == 200


async def test_g05_cookie_and_body_disagree(target: Target) -> None:
    other = (await target.service.login("bob", body=True)).refresh
    for body in ({"refresh_token": other}, {"refreshToken": other}, {"refresh_token": "x"}):
        await target.attack(
            "invalid_request", headers=target.honest.by_cookie, json_body=body, secrets=[other], **REFRESH
        )


FOREIGN: dict[str, dict[str, str]] = {
    "G06-cross-site": {"sec-fetch-site": "cross-site"},
    "G06-same-site": {"sec-fetch-site": "same-site"},
    "G06-evil": {"origin": "https://evil.example"},
    "G06-null": {"origin": "null"},
    "G06-suffix": {"origin": "https://testserver.evil.example"},
    "G06-port": {"origin": "https://testserver:8443"},
    "G06-http": {"origin": "http://testserver"},
}


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_other_sites(target: Target, headers: dict[str, str], path: str) -> None:
    await target.attack("cross_origin", method="POST", path=path, headers=target.honest.by_cookie | headers)


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_login_from_other_sites(target: Target, headers: dict[str, str]) -> None:
    body = {"username": "alice", "password": PASSWORD}
    await target.attack(
        "cross_origin", method="POST", path="/auth/login", headers=headers, json_body=body, secrets=[PASSWORD]
    )


SIMPLE = [
    "text/plain",
    "multipart/form-data; boundary=b",
    "text/plain;application/json",
    "application/x-json",
    "text/json",
]


@pytest.mark.parametrize("kind", [pytest.param(k, id=f"G07-{k}") for k in SIMPLE])
@pytest.mark.parametrize("route", ["login", "refresh", "logout"])
async def test_what_a_page_may_send_without_a_preflight(target: Target, kind: str, route: str) -> None:
    headers = target.honest.by_cookie | {"content-type": kind}
    for body in (b"{}", b'{"username": "alice"}', b"x=1"):
        await target.attack("unsupported_media_type", method="POST", path=f"/auth/{route}", headers=headers, body=body)


async def test_g07_a_form_of_another_site_never_rides_on_the_cookie(target: Target) -> None:
    headers = target.honest.by_cookie | {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    target.service.store.calls.clear()
    reply = await target.service.post("refresh", headers=headers, form={"grant_type": "refresh_token"})
    assert (reply.status, reply.json()["error"]) == (400, "invalid_request")
    reply = await target.service.post("logout", headers=headers, form={"all": "true"})
    assert_problem(reply, "cross_origin")
    assert target.service.store.calls == []


async def test_g08_fixation(target: Target) -> None:
    """A cookie that was planted before the login is worth nothing after it."""
    planted = await target.service.login("bob")
    reply = (await target.service.login("alice", headers=planted.by_cookie)).reply
    victim = target.service.tokens(reply)
    assert victim.refresh != planted.refresh
    session = await target.service.issuer.session_of(planted.refresh)
    assert session is not None
    assert session.subject == "bob"


async def test_g09_logout_clears_exactly_and_the_store_first(target: Target) -> None:
    set_cookie = target.honest.reply.one("set-cookie") or ""
    target.service.store.calls.clear()
    reply = await target.service.post("logout", headers=target.honest.by_cookie)
    assert target.service.store.calls == ["revoke", "get"]  # whose it was, for the event
    assert deletes_cookie(reply)
    gone = reply.one("set-cookie") or ""

    def attributes(text: str) -> set[str]:
        return {part.strip() for part in text.split(";")[1:] if "Max-Age" not in part and "Expires" not in part}

    assert attributes(gone) == attributes(set_cookie)
    assert gone.partition("=")[0] == set_cookie.partition("=")[0]


FAILURES = ["store", "cross-origin", "bad-mac", "spelling", "two-cookies", "rate"]


@pytest.mark.parametrize("why", [pytest.param(w, id=f"G10-{w}") for w in FAILURES])
async def test_a_failed_refresh_keeps_the_winners_cookie(target: Target, why: str) -> None:
    service, token = target.service, target.honest.refresh
    headers: dict[str, Any] = dict(target.honest.by_cookie)
    if why == "store":
        service.store.failure = OSError()
    elif why == "cross-origin":
        headers["origin"] = "https://evil.example"
    elif why == "bad-mac":
        headers["cookie"] = f"{COOKIE}={token[:60]}AAAA{token[64:]}"
    elif why == "spelling":
        headers["cookie"] = f"{COOKIE}={token[:53]}{spare_bits(token[53:])[0]}"
    elif why == "two-cookies":
        headers["cookie"] += f"; {COOKIE}=x"
    else:
        for _ in range(30):
            headers = service.tokens(await service.post("refresh", headers=headers)).by_cookie
    reply = await service.post("refresh", headers=headers)
    assert reply.status >= 400
    assert reply.all("set-cookie") == []


@pytest.mark.parametrize(
    "query", [pytest.param(q, id=f"G11-{q}") for q in ("next=//evil", "redirect_uri=https://evil", "url=/")]
)
async def test_no_redirects(target: Target, query: str) -> None:
    for route in ("refresh", "logout"):
        reply = await target.service.ask("POST", f"/auth/{route}?{query}", headers=target.honest.by_cookie)
        assert (reply.status, reply.all("location"), target.service.clock()) == (200, [], START)
