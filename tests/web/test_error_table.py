"""Every row of the error table, provoked over HTTP wherever something can provoke it by now."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy
from jwt_refresh_middleware.errors import InsufficientScope, KeysUnavailable, StepUpRequired, UnsupportedGrantType

from .asgi import AGENT, Reply
from .problems import TABLE, assert_form_error, assert_problem
from .support import COOKIE, PASSWORD, Service

Provoke = Callable[[Service], Awaitable[Reply]]
OTHER_AGENT = {"user-agent": "curl/8.17.0"}
assert "Firefox" in AGENT


async def _token_missing(service: Service) -> Reply:
    return await service.ask("GET", "/private")


async def _token_malformed(service: Service) -> Reply:
    return await service.ask("GET", "/private", headers={"authorization": "Bearer"})


async def _token_expired(service: Service) -> Reply:
    tokens = await service.login()
    service.clock.advance(900)
    return await service.get_in(tokens)


async def _token_invalid(service: Service) -> Reply:
    return await service.ask("GET", "/private", headers={"authorization": "Bearer made.up.token"})


async def _token_revoked(service: Service) -> Reply:
    tokens = await service.login()
    await service.post("logout", headers=tokens.by_cookie)
    return await service.get_in(tokens)


async def _raised_by_the_app(service: Service, error: Exception) -> Reply:
    def refuse() -> None:
        raise error

    tokens = await service.login()
    service.inner.then = refuse
    return await service.get_in(tokens)


async def _insufficient_scope(service: Service) -> Reply:
    return await _raised_by_the_app(service, InsufficientScope("admin"))


async def _step_up_required(service: Service) -> Reply:
    return await _raised_by_the_app(service, StepUpRequired(acr_values="mfa", max_age=300))


async def _keys_unavailable(service: Service) -> Reply:
    return await _raised_by_the_app(service, KeysUnavailable())


async def _invalid_credentials(service: Service) -> Reply:
    return await service.post("login", json_body={"username": "alice", "password": "guess"})


async def _refresh_missing(service: Service) -> Reply:
    return await service.post("refresh")


async def _refresh_invalid(service: Service) -> Reply:
    return await service.post("refresh", headers={"cookie": f"{COOKIE}=made-up"})


async def _refresh_expired(service: Service) -> Reply:
    tokens = await service.login()
    service.clock.advance(7 * 86_400)
    return await service.post("refresh", headers=tokens.by_cookie)


async def _device_mismatch(service: Service) -> Reply:
    tokens = await service.login()
    return await service.post("refresh", headers=tokens.by_cookie | OTHER_AGENT)


async def _session_limit(_service: Service) -> Reply:
    full = Service(issuer={"device_policy": DevicePolicy(session_limit=1, on_session_limit="refuse_new")})
    await full.login()
    full.clock.advance(1)  # of two at the same moment either may be the one too many
    reply = await full.post("login", json_body={"username": "alice", "password": PASSWORD})
    await full.aclose()
    return reply


async def _cross_origin(service: Service) -> Reply:
    return await service.post("refresh", headers={"cookie": f"{COOKIE}=x", "origin": "https://evil.example"})


async def _invalid_request(service: Service) -> Reply:
    return await service.post("login", headers={"content-type": "application/json"}, body=b"{")


async def _payload_too_large(service: Service) -> Reply:
    return await service.post("login", headers={"content-type": "application/json"}, body=b" " * (64 * 1024 + 1))


async def _unsupported_media_type(service: Service) -> Reply:
    return await service.post("login", headers={"content-type": "text/plain"}, body=b"{}")


async def _rate_limited(service: Service) -> Reply:
    tokens = await service.login()
    for _ in range(30):
        tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    return await service.post("refresh", headers=tokens.by_cookie)


async def _store_unavailable(service: Service) -> Reply:
    tokens = await service.login()
    service.store.failure = OSError("connection refused")
    return await service.post("refresh", headers=tokens.by_cookie)


async def _not_found(service: Service) -> Reply:
    return await service.ask("DELETE", "/auth/sessions/nobody", headers=(await service.login()).bearer)


async def _method_not_allowed(service: Service) -> Reply:
    return await service.ask("GET", "/auth/refresh")


PROVOKE: dict[str, Provoke] = {name[1:]: made for name, made in globals().items() if name[1:] in TABLE}


def test_every_row_is_provoked() -> None:
    assert PROVOKE.keys() == TABLE.keys()


@pytest.mark.parametrize("code", TABLE)
@pytest.mark.case("E14")
async def test_row(service: Service, code: str) -> None:
    assert_problem(await PROVOKE[code](service), code)


@pytest.mark.parametrize("credentials", [None, "", "Bearer", "Bearer made.up.token"])
async def test_a_head_request_gets_the_same_headers_and_no_body(service: Service, credentials: str | None) -> None:
    headers = {} if credentials is None else {"authorization": credentials}
    get, head = [await service.ask(method, "/private", headers=headers) for method in ("GET", "HEAD")]
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert get.body


@pytest.mark.parametrize("cookie", [f"theme=dark; {COOKIE}=whatever", f"{COOKIE}=one; {COOKIE}=two"])
async def test_missing_token_says_refresh_when_the_cookie_came_along(service: Service, cookie: str) -> None:
    reply = await service.ask("GET", "/private", headers={"cookie": cookie})
    assert_problem(reply, "token_missing", action="refresh")


async def test_missing_token_says_refresh_for_the_session_list_too(service: Service) -> None:
    reply = await service.ask("GET", "/auth/sessions", headers={"cookie": f"{COOKIE}=whatever"})
    assert_problem(reply, "token_missing", action="refresh")


@pytest.mark.parametrize("cookie", ["theme=dark", "refresh_token=x", f"{COOKIE}2=x", f"{COOKIE}=", COOKIE])
async def test_missing_token_says_login_without_our_cookie(service: Service, cookie: str) -> None:
    assert_problem(await service.ask("GET", "/private", headers={"cookie": cookie}), "token_missing", action="login")


async def test_step_up_says_what_would_do(service: Service) -> None:
    reply = await _step_up_required(service)
    assert {"acr_values": "mfa", "max_age": 300}.items() <= reply.json().items()
    challenge = reply.one("www-authenticate") or ""
    assert 'acr_values="mfa"' in challenge
    assert 'max_age="300"' in challenge


async def test_insufficient_scope_names_the_scopes(service: Service) -> None:
    challenge = (await _insufficient_scope(service)).one("www-authenticate") or ""
    assert 'scope="admin"' in challenge


@pytest.mark.case("E13")
async def test_the_realm_is_the_audience_made_quotable(make_service: Callable[..., Service]) -> None:
    service = make_service(issuer={"audience": 'the "api" \\ of ünits'})
    challenge = (await service.ask("GET", "/")).one("www-authenticate")
    assert challenge == 'Bearer realm="the api  of nits"'


async def test_unsupported_grant_type_as_a_problem(service: Service) -> None:
    reply = await _raised_by_the_app(service, UnsupportedGrantType())
    assert reply.status == 400
    assert reply.json()["code"] == "invalid_request"
    assert reply.json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "refresh_token", "refresh_token": "made-up"}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": ""}, "invalid_request"),
        ({"refresh_token": "made-up"}, "invalid_request"),
        ({"grant_type": "password", "username": "alice", "password": PASSWORD}, "unsupported_grant_type"),
        ({"grant_type": "", "refresh_token": "made-up"}, "unsupported_grant_type"),
        ([("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")], "invalid_request"),
    ],
)
async def test_errors_of_the_form_dialect(service: Service, fields: Any, error: str) -> None:
    assert_form_error(await service.post("refresh", form=fields), error)


@pytest.mark.parametrize("why", ["expired", "revoked", "device", "reused"])
async def test_grant_errors_of_the_form_dialect(service: Service, why: str) -> None:
    tokens = await service.login(body=True)
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
    headers = OTHER_AGENT if why == "device" else {}
    if why == "expired":
        service.clock.advance(7 * 86_400)
    elif why == "revoked":
        await service.issuer.logout(tokens.refresh)
    elif why == "reused":
        for _ in range(2):
            tokens = service.tokens(await service.post("refresh", json_body={"refresh_token": tokens.refresh}))
    assert_form_error(await service.post("refresh", form=form, headers=headers), "invalid_grant")
