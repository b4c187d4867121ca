"""What is counted over HTTP: every answer that is an error, and how access tokens were found."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy, JWTRefreshMiddleware, Verifier, telemetry
from jwt_refresh_middleware.errors import InsufficientScope, StepUpRequired
from jwt_refresh_middleware.login_limits import LoginLimits

from ..measuring import Measured, measuring
from .asgi import ask, handshake
from .support import PASSWORD, SECRET, Inner, Service

WRONG = {"username": "alice", "password": "wrong"}
ALICE = {"username": "alice", "password": PASSWORD}


@pytest.fixture
def seen() -> Iterator[Measured]:
    with measuring() as readings:
        yield readings


@pytest.fixture
async def measured(seen: Measured, make_service: Callable[..., Service]) -> Service:
    return make_service(public=["/", "/static/*"])


# -- refusals --


async def test_every_refused_request_is_counted_by_code_and_status(seen: Measured, measured: Service) -> None:
    ann = await measured.login()
    for _ in range(3):
        await measured.ask("GET", "/private")
    for _ in range(2):
        await measured.ask("GET", "/private", headers={"authorization": "Bearer made.up.token"})
    await measured.ask("GET", "/private", headers={"authorization": "Bearer"})
    await measured.ask("GET", "/static/x", headers={"authorization": "Bearer made.up.token"})  # public: let in
    measured.clock.advance(900)
    await measured.get_in(ann)
    second = measured.tokens(await measured.post("refresh", headers=ann.by_cookie))
    await measured.issuer.logout(second.refresh)
    for _ in range(2):
        await measured.get_in(second)
    await measured.post("refresh", headers=second.by_cookie)
    await measured.post("refresh")
    for _ in range(4):
        await measured.post("login", json_body=WRONG)
    await measured.post("login", json_body=ALICE, headers={"origin": "https://evil.example"})
    await measured.ask("PUT", "/auth/login")
    assert (
        seen.read("refusals")
        == {
            (401, "token_missing"): 3,
            (401, "token_invalid"): 2,
            (400, "token_malformed"): 1,
            (401, "token_expired"): 1,
            (401, "token_revoked"): 2,
            (401, "refresh_invalid"): 1,
            (401, "refresh_missing"): 1,
            (401, "invalid_credentials"): 4,
            (403, "cross_origin"): 1,
            (405, "method_not_allowed"): 1,
        }
        | {}
    )
    assert seen.read("logins") == {"success": 1, "failed": 4}
    assert seen.read("refreshes") == {"rotate": 1, "revoked": 1}
    assert seen.read("sessions.ended") == {"logout": 1}


async def test_so_are_what_the_app_raises_and_what_comes_too_often_or_too_early(
    seen: Measured, make_service: Callable[..., Service]
) -> None:
    policy = DevicePolicy(refresh_rate=(1, 10))
    service = make_service(issuer={"device_policy": policy}, login_limits=LoginLimits(per_account=(2, 60)))
    ann = await service.login()
    for error in (InsufficientScope("admin"), StepUpRequired(max_age=60)):
        service.inner.then = lambda error=error: (_ for _ in ()).throw(error)  # type: ignore[misc]
        await service.get_in(ann)
    ann = service.tokens(await service.post("refresh", headers=ann.by_cookie))
    for _ in range(2):
        await service.post("refresh", headers=ann.by_cookie)
    for _ in range(3):
        await service.post("login", json_body=WRONG)
    service.store.failure = OSError("gone")
    service.clock.advance(11)
    await service.post("refresh", headers=ann.by_cookie)
    assert seen.read("refusals") == {
        (403, "insufficient_scope"): 1,
        (401, "step_up_required"): 1,
        (429, "rate_limited"): 3,
        (401, "invalid_credentials"): 2,
        (503, "store_unavailable"): 1,
    }
    assert seen.read("rate_limits") == {"refresh": 2, "account": 1}
    assert seen.read("logins") == {"success": 1, "failed": 2}
    assert seen.read("refreshes") == {"rotate": 1, "rate_limited": 2, "store_unavailable": 1}


async def test_in_the_dialect_of_forms_by_the_status_that_was_answered(seen: Measured, measured: Service) -> None:
    ann = await measured.login(body=True)
    for token in ("not one of ours", ann.refresh):
        measured.store.failure = OSError()
        await measured.post("refresh", form={"grant_type": "refresh_token", "refresh_token": token})
    assert seen.read("refusals") == {(400, "refresh_invalid"): 1, (503, "store_unavailable"): 1}


async def test_a_socket_that_is_refused_is_one_of_them_whatever_the_server_can_say(
    seen: Measured, measured: Service
) -> None:
    await handshake(measured.app, "/private")
    await handshake(measured.app, "/private", extensions={"websocket.http.response": {}})
    assert seen.read("refusals") == {(401, "token_missing"): 2}


# -- access tokens: remembered, or checked --


async def test_tokens_that_were_remembered_and_those_that_were_checked(seen: Measured, measured: Service) -> None:
    ann, bob = await measured.login(), await measured.login("bob")
    for _ in range(5):
        assert (await measured.get_in(ann)).status == 200
    assert (await measured.get_in(bob)).status == 200
    assert seen.read("token_cache.lookups") == {"hit": 4, "miss": 2}
    for _ in range(3):  # the same token, and not the same header
        await measured.ask("GET", "/private", headers={"authorization": f"bearer {ann.access}"})
    assert seen.read("token_cache.lookups") == {"hit": 7, "miss": 2}
    await measured.ask("GET", "/private", headers={"authorization": "Bearer made.up.token"})
    await measured.ask("GET", "/private")
    await measured.ask("GET", "/")
    assert seen.read("token_cache.lookups") == {"hit": 7, "miss": 3}
    await measured.issuer.logout(ann.refresh)
    assert (await measured.get_in(ann)).status == 401
    measured.clock.advance(900)
    assert (await measured.get_in(bob)).status == 401
    assert seen.read("token_cache.lookups") == {"hit": 9, "miss": 3}  # each is counted once, though refused


async def test_sockets_find_tokens_the_same_way(seen: Measured, make_service: Callable[..., Service]) -> None:
    async def closing(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 1000})

    service = make_service(app=closing)
    ann = await service.login()
    for _ in range(3):
        await handshake(service.app, "/private", headers=ann.bearer)
    assert seen.read("token_cache.lookups") == {"hit": 2, "miss": 1}


async def test_at_a_gateway_too_and_for_two_middlewares_of_one_verifier(seen: Measured, measured: Service) -> None:
    ann = await measured.login()
    verifier = Verifier(SECRET, clock=measured.clock)
    apps = [JWTRefreshMiddleware(Inner(), verifier=verifier) for _ in range(2)]
    for _ in range(3):
        for app in apps:
            assert (await ask(app, "GET", "/private", headers=ann.bearer)).status == 200
    assert seen.read("token_cache.lookups") == {"hit": 5, "miss": 1}


async def test_who_sets_up_late_is_counted_from_the_start_of_the_app(make_service: Callable[..., Service]) -> None:
    service = make_service()
    assert service.app._remembered == service.issuer.verifier.remembered.get  # nothing stands in between
    with measuring() as seen:
        await service.app._startup()
        ann = await service.login()
        for _ in range(3):
            await service.get_in(ann)
        assert seen.read("token_cache.lookups") == {"hit": 2, "miss": 1}


async def test_where_nobody_measures_nothing_stands_in_the_way(make_service: Callable[..., Service]) -> None:
    assert telemetry.look() is None
    service = make_service(issuer={"sync_interval": timedelta(days=1)})
    ann = await service.login()
    assert (await service.get_in(ann)).status == 200
    verifier: Any = service.issuer.verifier
    assert (service.app._remembered, service.app._known) == (verifier.remembered.get, verifier.known)
    assert service.issuer.backing.store is service.store
