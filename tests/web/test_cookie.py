"""The cookie: its attributes, its name, when it is read, and when it is deleted or must stay."""

from collections.abc import Callable
from typing import Any

import pytest

from jwt_refresh_middleware import Cookie

from .problems import assert_problem, deletes_cookie
from .support import COOKIE, Service

VARIANTS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "__Host-refresh_token", "HttpOnly; Secure; SameSite=Strict; Path=/"),
    ({"samesite": "lax"}, "__Host-refresh_token", "HttpOnly; Secure; SameSite=Lax; Path=/"),
    ({"samesite": "none"}, "__Host-refresh_token", "HttpOnly; Secure; SameSite=None; Path=/"),
    ({"name": "rt"}, "__Host-rt", "HttpOnly; Secure; SameSite=Strict; Path=/"),
    ({"path": "/auth"}, "__Secure-refresh_token", "HttpOnly; Secure; SameSite=Strict; Path=/auth"),
    (
        {"domain": "example.com"},
        "__Secure-refresh_token",
        "HttpOnly; Secure; SameSite=Strict; Path=/; Domain=example.com",
    ),
    ({"secure": False}, "refresh_token", "HttpOnly; SameSite=Strict; Path=/"),
    ({"secure": False, "path": "/auth"}, "refresh_token", "HttpOnly; SameSite=Strict; Path=/auth"),
]


@pytest.mark.parametrize(("options", "name", "attributes"), VARIANTS)
@pytest.mark.case("G01")
async def test_attributes(
    make_service: Callable[..., Service], options: dict[str, Any], name: str, attributes: str
) -> None:
    service = make_service(cookie=Cookie(**options))
    tokens = await service.login()
    assert tokens.reply.one("set-cookie") == f"{name}={tokens.refresh}; {attributes}; Max-Age=604800"
    assert len(f"{name}={tokens.refresh}") < 4096
    service.clock.advance(3600)
    newer = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    assert newer.reply.one("set-cookie") == f"{name}={newer.refresh}; {attributes}; Max-Age=604800"
    gone = (await service.post("logout", headers=newer.by_cookie)).one("set-cookie")
    assert gone == f"{name}=; {attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


async def test_max_age_never_passes_the_absolute_end(service: Service) -> None:
    tokens = await service.login()
    for _ in range(5):
        service.clock.advance(5 * 86_400)
        tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    assert (tokens.reply.one("set-cookie") or "").endswith("Max-Age=432000")


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "a;b"},
        {"name": "a=b"},
        {"name": "ü"},
        {"name": "a\r\nb"},
        {"samesite": "Strict"},
        {"samesite": "none", "secure": False},
        {"path": "auth"},
        {"path": "/a;b"},
        {"path": "/a\r\nSet-Cookie: x=y"},
        {"domain": "example.com; Path=/"},
        {"domain": "exämple.com"},
    ],
)
def test_what_cannot_be_a_cookie(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Cookie(**options)


@pytest.mark.parametrize(
    "header",
    [
        "theme=dark; {cookie}",
        "{cookie}; theme=dark",
        "{cookie};theme=dark",
        "a;{cookie}",
        "{cookie} ; b=c",
        '__host-refresh_token=x; {cookie}; =__Host-refresh_token=x; y="__Host-refresh_token=z"',
    ],
)
async def test_the_cookie_among_others(service: Service, header: str) -> None:
    tokens = await service.login()
    reply = await service.post("refresh", headers={"cookie": header.format(cookie=tokens.cookie)})
    assert reply.status == 200


async def test_the_cookie_in_the_second_header(service: Service) -> None:
    tokens = await service.login()
    headers = [("cookie", "theme=dark"), ("cookie", tokens.cookie)]
    assert (await service.post("refresh", headers=headers)).status == 200


OTHER_AGENT = {"user-agent": "curl/8.17.0"}


async def _spend(service: Service, token: str) -> None:
    for _ in range(2):
        token = service.tokens(await service.post("refresh", json_body={"refresh_token": token})).refresh


@pytest.mark.parametrize("why", ["revoked", "reused", "unknown", "idle", "absolute"])
@pytest.mark.case("G10")
async def test_deleted_with_a_confirmed_end(service: Service, why: str) -> None:
    tokens = await service.login()
    code = "refresh_invalid"
    if why == "revoked":
        await service.issuer.logout_all("alice")
    elif why == "reused":
        await _spend(service, tokens.refresh)
    elif why == "unknown":
        await service.store.purge(service.clock() * 2)
    elif why == "idle":
        code = "refresh_expired"
        service.clock.advance(7 * 86_400)
    else:
        code = "refresh_expired"
        for _ in range(5):
            service.clock.advance(6 * 86_400 - 1)
            tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
        service.clock.advance(5)
    reply = await service.post("refresh", headers=tokens.by_cookie)
    assert_problem(reply, code)
    assert deletes_cookie(reply)


@pytest.mark.parametrize("why", ["revoked", "expired"])
async def test_a_body_token_never_deletes_a_cookie(service: Service, why: str) -> None:
    tokens = await service.login(body=True)
    if why == "revoked":
        await service.issuer.logout(tokens.refresh)
    else:
        service.clock.advance(7 * 86_400)
    reply = await service.post("refresh", json_body={"refresh_token": tokens.refresh})
    assert reply.status == 401
    assert reply.all("set-cookie") == []


async def test_logout_with_a_body_token_deletes_no_cookie(service: Service) -> None:
    tokens = await service.login(body=True)
    reply = await service.post("logout", json_body={"refresh_token": tokens.refresh})
    assert reply.status == 200
    assert reply.all("set-cookie") == []
    assert_problem(await service.get_in(tokens), "token_revoked")


KEPT = {
    "bad signature": "refresh_invalid",
    "other device": "device_mismatch",
    "cross origin": "cross_origin",
    "disagreeing": "invalid_request",
    "unreadable": "invalid_request",
    "too large": "payload_too_large",
    "media type": "unsupported_media_type",
    "store fails": "store_unavailable",
}


@pytest.mark.parametrize("why", KEPT)
@pytest.mark.case("G10")
async def test_kept_and_still_good(service: Service, why: str) -> None:
    tokens = await service.login()
    request: dict[str, Any] = {"headers": tokens.by_cookie}
    if why == "bad signature":
        request["headers"] = {"cookie": f"{COOKIE}={tokens.refresh[:-1]}{'A' if tokens.refresh[-1] != 'A' else 'E'}"}
    elif why == "other device":
        request["headers"] = tokens.by_cookie | OTHER_AGENT
    elif why == "cross origin":
        request["headers"] = tokens.by_cookie | {"sec-fetch-site": "cross-site"}
    elif why == "disagreeing":
        request["json_body"] = {"refresh_token": "another"}
    elif why == "store fails":
        service.store.failure = OSError("no route to host")
    else:
        kind = "text/html" if why == "media type" else "application/json"
        body = b" " * 70_000 if why == "too large" else b"{"
        request = {"headers": tokens.by_cookie | {"content-type": kind}, "body": body}
    reply = await service.post("refresh", **request)
    assert_problem(reply, KEPT[why])
    assert reply.all("set-cookie") == []
    service.store.failure = None
    assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200


async def test_kept_when_the_subject_is_not_known_at_the_moment(make_service: Callable[..., Service]) -> None:
    known: dict[str, bool] = {"alice": False}

    async def load_identity(subject: str) -> str | None:
        from jwt_refresh_middleware import Identity

        return Identity(subject, ["fresh"]) if known[subject] else None

    service = make_service(issuer={"load_identity": load_identity})
    tokens = await service.login()
    reply = await service.post("refresh", headers=tokens.by_cookie)
    assert_problem(reply, "refresh_invalid")
    assert reply.all("set-cookie") == []
    known["alice"] = True
    newer = await service.post("refresh", headers=tokens.by_cookie)
    assert newer.json()["scope"] == "fresh"


@pytest.mark.parametrize("how", ["cross origin", "unreadable", "store fails"])
async def test_a_logout_that_failed_keeps_the_cookie(service: Service, how: str) -> None:
    tokens = await service.login()
    request: dict[str, Any] = {"headers": tokens.by_cookie}
    if how == "cross origin":
        request["headers"] = tokens.by_cookie | {"origin": "https://evil.example"}
    elif how == "unreadable":
        request = {"headers": tokens.by_cookie | {"content-type": "application/json"}, "body": b"{"}
    else:
        service.store.failure = OSError("no route to host")
    reply = await service.post("logout", **request)
    assert reply.status in (400, 403, 503)
    assert reply.all("set-cookie") == []
    service.store.failure = None
    assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200


@pytest.mark.case("G10")
async def test_the_loser_of_a_race_keeps_the_winners_cookie(service: Service) -> None:
    tokens = await service.login()
    winner = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    service.clock.advance(5)
    loser = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    assert loser.refresh == winner.refresh
