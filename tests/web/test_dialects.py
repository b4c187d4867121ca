"""The ways in which tokens travel: cookie, JSON body, form; and the spellings of the fields."""

from collections.abc import Callable
from typing import Any

import pytest

from .problems import assert_form_error, assert_problem
from .support import COOKIE, PASSWORD, Service

BODY_LOGIN = {"access_token", "token_type", "expires_in", "scope", "refresh_token", "refresh_expires_in"}
CAMEL_LOGIN = {"accessToken", "tokenType", "expiresIn", "scope", "refreshToken", "refreshExpiresIn"}


def grant(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


async def test_body_transport_at_login(service: Service) -> None:
    tokens = await service.login(body=True)
    content = tokens.reply.json()
    assert set(content) == BODY_LOGIN
    assert content["refresh_expires_in"] == 604_800
    assert tokens.reply.all("set-cookie") == []
    assert tokens.reply.one("authorization") == f"Bearer {tokens.access}"


@pytest.mark.parametrize("wish", ["cookie", "", "body, body", "Bodies"])
async def test_any_other_wish_is_answered_by_cookie(service: Service, wish: str) -> None:
    assert (await service.login(headers={"x-token-transport": wish})).reply.one("set-cookie")


@pytest.mark.parametrize("name", ["refresh_token", "refreshToken"])
async def test_body_in_body_out(service: Service, name: str) -> None:
    tokens = await service.login(body=True)
    reply = await service.post("refresh", json_body={name: tokens.refresh})
    assert set(reply.json()) == BODY_LOGIN
    assert reply.all("set-cookie") == []
    assert reply.json()["refresh_token"] != tokens.refresh


@pytest.mark.parametrize("body", [None, {}, {"refresh_token": None}, {"refresh_token": ""}, {"other": 1}])
@pytest.mark.parametrize("transport", [{}, {"x-token-transport": "body"}])
async def test_cookie_in_cookie_out(service: Service, body: Any, transport: dict[str, str]) -> None:
    tokens = await service.login()
    reply = await service.post("refresh", json_body=body, headers=tokens.by_cookie | transport)
    newer = service.tokens(reply)
    assert newer.refresh.encode() not in reply.body
    assert set(reply.json()) == BODY_LOGIN - {"refresh_token", "refresh_expires_in"}
    assert len(reply.all("set-cookie")) == 1


async def test_form_in_form_out(service: Service) -> None:
    tokens = await service.login(body=True)
    reply = await service.post("refresh", form=grant(tokens.refresh) | {"scope": "everything", "client_id": "x"})
    assert reply.status == 200
    assert reply.json()["scope"] == "read write"
    assert set(reply.json()) == BODY_LOGIN
    assert reply.all("set-cookie") == []
    assert reply.one("cache-control") == "no-store"
    assert reply.one("authorization") == f"Bearer {reply.json()['access_token']}"


async def test_a_form_is_snake_case_always(make_service: Callable[..., Service]) -> None:
    service = make_service(field_case="camel")
    tokens = await service.login(body=True)
    assert set((await service.post("refresh", form=grant(tokens.refresh))).json()) == BODY_LOGIN


async def test_a_form_never_uses_the_cookie(service: Service) -> None:
    mine, other = await service.login(), await service.login(body=True)
    reply = await service.post("refresh", form=grant(other.refresh), headers=mine.by_cookie)
    assert reply.status == 200
    assert reply.all("set-cookie") == []
    assert_form_error(
        await service.post("refresh", form={"grant_type": "refresh_token"}, headers=mine.by_cookie), "invalid_request"
    )
    assert service.issuer.session_id_of(service.tokens(reply).refresh) == service.issuer.session_id_of(other.refresh)
    assert await service.event_names() == ["session_started", "session_started", "rotated"]


async def test_a_form_of_another_origin_is_no_danger_and_passes(service: Service) -> None:
    tokens = await service.login(body=True)
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await service.post("refresh", form=grant(tokens.refresh), headers=headers)).status == 200


async def test_camel_case(make_service: Callable[..., Service]) -> None:
    service = make_service(field_case="camel")
    by_cookie, by_body = await service.login(), await service.login(body=True)
    assert set(by_cookie.reply.json()) == {"accessToken", "tokenType", "expiresIn", "scope"}
    assert set(by_body.reply.json()) == CAMEL_LOGIN
    for name in ("refreshToken", "refresh_token"):
        reply = await service.post("refresh", json_body={name: by_body.refresh})
        assert set(reply.json()) == CAMEL_LOGIN
        by_body = service.tokens(reply)


async def test_camel_case_of_the_session_list(make_service: Callable[..., Service]) -> None:
    service = make_service(field_case="camel")
    reply = await service.ask("GET", "/auth/sessions", headers=(await service.login()).bearer)
    expected = {"id", "createdAt", "lastUsedAt", "expiresAt", "authenticatedAt"}
    expected |= {"ip", "userAgent", "device", "place", "stepUp", "current"}
    assert set(reply.json()["sessions"][0]) == expected


async def test_errors_keep_their_names_in_camel_case(make_service: Callable[..., Service]) -> None:
    assert_problem(await make_service(field_case="camel").post("refresh"), "refresh_missing")


async def test_cookie_and_body_with_the_same_token_are_answered_by_cookie(service: Service) -> None:
    tokens = await service.login()
    reply = await service.post("refresh", headers=tokens.by_cookie, json_body={"refresh_token": tokens.refresh})
    assert "refresh_token" not in reply.json()
    assert len(reply.all("set-cookie")) == 1


async def _disagreeing(service: Service, how: str) -> dict[str, Any]:
    one, two = await service.login(), await service.login()
    return {
        "cookie and body": {"headers": one.by_cookie, "json_body": {"refresh_token": two.refresh}},
        "cookie twice in one header": {"headers": {"cookie": f"{one.cookie}; {two.cookie}"}},
        "cookie twice in two headers": {"headers": [("cookie", one.cookie), ("cookie", two.cookie)]},
        "the same cookie twice": {"headers": {"cookie": f"{one.cookie}; a=b; {one.cookie}"}},
        "cookie and an empty one": {"headers": {"cookie": f"{one.cookie}; {COOKIE}="}},
        "both spellings": {"json_body": {"refresh_token": one.refresh, "refreshToken": two.refresh}},
        "a name twice": {
            "headers": {"content-type": "application/json"},
            "body": f'{{"refresh_token":"{one.refresh}","refresh_token":"{one.refresh}"}}'.encode(),
        },
        "not text": {"json_body": {"refresh_token": 5}},
        "text and not text": {"json_body": {"refresh_token": one.refresh, "refreshToken": [1]}},
    }[how]


@pytest.mark.parametrize("route", ["refresh", "logout"])
@pytest.mark.parametrize(
    "how",
    [
        "cookie and body",
        "cookie twice in one header",
        "cookie twice in two headers",
        "the same cookie twice",
        "cookie and an empty one",
        "both spellings",
        "a name twice",
        "not text",
        "text and not text",
    ],
)
async def test_sources_that_disagree_touch_nothing(service: Service, route: str, how: str) -> None:
    request = await _disagreeing(service, how)
    service.store.calls.clear()
    reply = await service.post(route, **request)
    assert_problem(reply, "invalid_request")
    assert reply.all("set-cookie") == []
    assert service.store.calls == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"null", "application/json"),
        (b"{}x", "application/json"),
        (b"{'a': 1}", "application/json"),
        (b'{"a": NaN}', "application/json"),
        (b'{"a": 1e999}', "application/json"),
        (b'{"a": 1, "a": 2}', "application/json"),
        (b'\xef\xbb\xbf{"a": 1}', "application/json"),
        ('{"a": 1}'.encode("utf-16"), "application/json"),
        (b'{"a": "\xff"}', "application/json"),
        (b'{"a": "\\ud800"}', "application/json"),
        (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "application/json"),
        (b" ", "application/json"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"a=1&a=2", "application/x-www-form-urlencoded"),
        (b"&".join(b"f%d=1" % n for n in range(101)), "application/x-www-form-urlencoded"),
    ],
)
@pytest.mark.parametrize("route", ["login", "refresh", "logout"])
async def test_bodies_that_cannot_be_read(service: Service, route: str, body: bytes, kind: str) -> None:
    reply = await service.post(route, body=body, headers={"content-type": kind})
    if route == "refresh" and kind != "application/json":
        assert_form_error(reply, "invalid_request")
    else:
        assert_problem(reply, "invalid_request")
        assert reply.all("set-cookie") == []
    assert service.store.calls in ([], ["open", "revocations"])


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/jsonp", "", "text/json"]
)
@pytest.mark.parametrize("route", ["login", "refresh", "logout"])
async def test_other_media_types_are_refused(service: Service, route: str, kind: str) -> None:
    tokens = await service.login()
    reply = await service.post(route, body=b"{}", headers=tokens.by_cookie | {"content-type": kind})
    assert_problem(reply, "unsupported_media_type")
    assert reply.all("set-cookie") == []


@pytest.mark.parametrize("kind", ["APPLICATION/JSON", "application/json; charset=utf-8", "application/json ;x=y"])
async def test_media_types_are_read_as_the_standard_says(service: Service, kind: str) -> None:
    body = b'\r\n\t {"username": "alice", "password": "%s"} \n' % PASSWORD.encode()
    assert (await service.post("login", body=body, headers={"content-type": kind})).status == 200


@pytest.mark.parametrize("route", ["login"])
async def test_a_login_without_a_body(service: Service, route: str) -> None:
    assert_problem(await service.post(route), "invalid_request")
