"""When the store fails or hangs, when a client is caught in a loop, and when a session has ended."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy, Identity

from .problems import assert_problem
from .support import PASSWORD, Service, Tokens

SHORT = {"store_timeout": timedelta(milliseconds=100)}
FAILURES = {
    "refused": ConnectionRefusedError("connection to db:5432 with password hunter2 refused"),
    "timeout": TimeoutError(),
    "anything": ZeroDivisionError("no"),
    "not an OSError": LookupError("unexpected reply"),
}


async def test_the_31st_refresh_within_ten_seconds(service: Service) -> None:
    tokens = await service.login()
    for _ in range(30):
        service.clock.advance(0.1)
        tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    service.store.calls.clear()
    reply = await service.post("refresh", headers=tokens.by_cookie)
    assert_problem(reply, "rate_limited")
    assert 1 <= int(reply.one("retry-after") or "") <= 10
    assert reply.all("set-cookie") == []
    assert service.store.calls == []
    assert "rate_limited" in await service.event_names()
    service.clock.advance(int(reply.one("retry-after") or ""))
    assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200


async def test_the_limit_is_each_sessions_own(service: Service) -> None:
    busy, other = await service.login(), await service.login()
    for _ in range(30):
        busy = service.tokens(await service.post("refresh", headers=busy.by_cookie))
    assert (await service.post("refresh", headers=busy.by_cookie)).status == 429
    assert (await service.post("refresh", headers=other.by_cookie)).status == 200
    assert (await service.get_in(busy)).status == 200
    assert (await service.post("logout", headers=busy.by_cookie)).status == 200


@pytest.mark.case("H07")
async def test_fifty_tabs_that_wake_up_together_are_no_loop(service: Service) -> None:
    tokens = await service.login()
    replies = await asyncio.gather(*(service.post("refresh", headers=tokens.by_cookie) for _ in range(50)))
    assert {service.tokens(reply).refresh for reply in replies} == {service.tokens(replies[0]).refresh}
    assert (await service.event_names()).count("rotated") == 1


async def test_the_limit_can_be_changed(make_service: Callable[..., Service]) -> None:
    service = make_service(issuer={"device_policy": DevicePolicy(refresh_rate=(2, 60))})
    tokens = await service.login()
    for _ in range(2):
        tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    reply = await service.post("refresh", headers=tokens.by_cookie)
    assert (reply.status, reply.one("retry-after")) == (429, "60")


async def _all_that_need_the_store(service: Service, tokens: Tokens) -> list[tuple[str, str, dict[str, Any]]]:
    credentials = {"username": "alice", "password": PASSWORD}
    return [
        ("POST", "/auth/login", {"json_body": credentials}),
        ("POST", "/auth/refresh", {"headers": tokens.by_cookie}),
        ("POST", "/auth/logout", {"headers": tokens.by_cookie}),
        ("POST", "/auth/logout", {"headers": tokens.by_cookie, "json_body": {"all": True}}),
        ("GET", "/auth/sessions", {"headers": tokens.bearer}),
        ("DELETE", "/auth/sessions", {"headers": tokens.bearer}),
        ("DELETE", "/auth/sessions/x", {"headers": tokens.bearer}),
    ]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.case("H20")
async def test_a_store_that_fails(service: Service, failure: str) -> None:
    tokens = await service.login()
    service.store.failure = FAILURES[failure]
    bodies = set()
    for method, path, request in await _all_that_need_the_store(service, tokens):
        reply = await service.ask(method, path, **request)
        assert_problem(reply, "store_unavailable")
        assert int(reply.one("retry-after") or "") >= 1
        assert reply.all("set-cookie") == []
        bodies.add(reply.body)
    assert len(bodies) == 1
    assert b"hunter2" not in bodies.pop()
    assert (await service.get_in(tokens)).status == 200
    assert (await service.post("refresh", headers={"cookie": tokens.cookie + "x"})).status == 401
    service.store.failure = None
    assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200
    assert "store_unavailable" in await service.event_names()


@pytest.mark.case("H20")
async def test_a_store_that_hangs(make_service: Callable[..., Service]) -> None:
    service = make_service(issuer=SHORT)
    tokens = await service.login()
    service.store.hanging = True
    for method, path, request in await _all_that_need_the_store(service, tokens):
        reply = await service.ask(method, path, **request)
        assert_problem(reply, "store_unavailable")
        assert reply.all("set-cookie") == []
    service.store.hanging = False
    assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200


async def test_a_store_that_fails_in_the_form_dialect(service: Service) -> None:
    tokens = await service.login(body=True)
    service.store.failure = OSError()
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
    reply = await service.post("refresh", form=form)
    assert reply.json()["error"] == "temporarily_unavailable"
    assert reply.one("content-type") == "application/json"
    assert int(reply.one("retry-after") or "") >= 1


async def test_a_store_that_cannot_be_opened_at_first_use(service: Service) -> None:
    service.store.failure = OSError("connection refused")
    for path in ("/private", "/", "/auth/sessions"):
        assert_problem(await service.ask("GET", path), "store_unavailable")
    assert service.inner.calls == 0
    service.store.failure = None
    assert (await service.ask("GET", "/")).status == 200


@pytest.mark.parametrize("error", [RuntimeError("db"), KeyError("x"), TimeoutError()])
@pytest.mark.case("J04")
async def test_load_identity_that_raises(make_service: Callable[..., Service], error: Exception) -> None:
    async def load_identity(_subject: str) -> Identity | None:
        raise error

    service = make_service(issuer={"load_identity": load_identity})
    tokens = await service.login()
    reply = await service.post("refresh", headers=tokens.by_cookie)
    assert_problem(reply, "store_unavailable")
    assert reply.all("set-cookie") == []


@pytest.mark.case("J04")
async def test_authenticate_that_raises_lets_nobody_in(make_service: Callable[..., Service]) -> None:
    async def authenticate(_credentials: dict[str, Any]) -> str:
        raise RuntimeError("user database")

    service = make_service(authenticate=authenticate)
    with pytest.raises(RuntimeError, match="user database"):
        await service.post("login", json_body={})
    assert "add" not in service.store.calls


@pytest.mark.parametrize("how", ["logout", "revoke", "logout_all", "route", "reuse"])
async def test_access_tokens_of_an_ended_session_are_refused_at_once(service: Service, how: str) -> None:
    tokens = await service.login()
    assert (await service.get_in(tokens)).status == 200
    if how == "logout":
        await service.issuer.logout(tokens.refresh)
    elif how == "revoke":
        assert await service.issuer.revoke(service.issuer.session_id_of(tokens.refresh) or "")
    elif how == "logout_all":
        assert await service.issuer.logout_all("alice") == 1
    elif how == "route":
        await service.ask("DELETE", "/auth/sessions", headers=(await service.login()).bearer)
    else:
        newer = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
        await service.get_in(newer)
        service.clock.advance(11)
        assert_problem(await service.post("refresh", headers=tokens.by_cookie), "refresh_invalid")
    assert_problem(await service.get_in(tokens), "token_revoked")
    assert_problem(await service.ask("GET", "/auth/sessions", headers=tokens.bearer), "token_revoked")


async def test_an_ended_session_that_has_expired_too_is_expired(service: Service) -> None:
    tokens = await service.login()
    await service.issuer.logout(tokens.refresh)
    service.clock.advance(900)
    assert_problem(await service.get_in(tokens), "token_expired")


async def test_a_slow_or_broken_listener_disturbs_nobody(make_service: Callable[..., Service]) -> None:
    async def on_event(_event: object) -> None:
        raise RuntimeError("listener")

    service = make_service(issuer={"on_event": on_event})
    tokens = await service.login()
    assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200
