"""Group H, a store that has lost something, fails or is away, and answers that are lost: H17, H19 to H21.

The same over processes and database servers that are killed: ``tests/rotation/test_kill.py``, ``tests/outages``.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy, MemoryStore, SessionStore
from jwt_refresh_middleware.events import GenerationAhead
from jwt_refresh_middleware.testing import FaultyStore

from ..web.asgi import AGENT, http_scope, raw_headers
from ..web.problems import assert_problem
from ..web.support import PASSWORD, Service, Tokens
from .test_h_life_cycle import Turns, generation, line, nothing_lives, renewed

MakeService = Callable[..., Service]


def over(store: SessionStore, **options: Any) -> dict[str, Any]:
    """What a service is made of whose sessions are in ``store``."""
    return {"store": store, "device_policy": DevicePolicy(refresh_rate=None)} | options


def restored(store: MemoryStore) -> MemoryStore:
    """What a backup of a store is, when it is put back in place."""
    copy = MemoryStore()
    copy._rows = dict(store._rows)
    copy._of_subject = {subject: set(ids) for subject, ids in store._of_subject.items()}
    return copy


@pytest.mark.parametrize("lost", [pytest.param(n, id=f"H17-{n}-writes-lost") for n in (1, 2, 50)])
async def test_a_store_that_is_older_than_the_tokens_logs_nobody_out(make_service: MakeService, lost: int) -> None:
    store = MemoryStore()
    before = make_service(issuer=over(store))
    held = await line(before, 2)
    backup = restored(store)
    for _ in range(lost):
        held.append(await renewed(before, held[-1]))
    after = make_service(issuer=over(backup))
    new = await renewed(after, held[-1])
    assert await generation(after, new) == 3 + lost
    assert (await after.get_in(new)).status == 200
    assert await after.event_names() == ["generation_ahead"]
    (event,) = [event for event in after.events if isinstance(event, GenerationAhead)]
    assert (event.presented, event.generation) == (2 + lost, 2)
    after.clock.advance(60)
    newer = await renewed(after, new)
    assert_problem(await after.post("refresh", headers=held[-2].by_cookie), "refresh_invalid")  # spent as ever
    await nothing_lives(after, [newer])


@pytest.mark.parametrize("after", [pytest.param(False, id="H19-before"), pytest.param(True, id="H19-after")])
@pytest.mark.parametrize("state", ["current", "repeat", "late"])
async def test_a_failure_at_any_operation_costs_nothing(make_service: MakeService, after: bool, state: str) -> None:
    """The operation failed, or worked and its answer was lost; then the client does the same again."""
    store, fail_at, failed = MemoryStore(), 0, 0
    while failed == fail_at:
        fail_at += 1
        whole = make_service(issuer=over(store))
        held = await line(whole, 1)
        presented = held[1] if state == "current" else held[0]
        service = make_service(issuer=over(FaultyStore(store, fail_at=fail_at + 1, after=after)))
        await service.issuer.open()  # asks for the revocations, which is one
        service.clock.advance(3600 if state == "late" else 1)
        whole.clock.now = service.clock.now
        reply = await service.post("refresh", headers=presented.by_cookie)
        if reply.status == 503:
            failed += 1
            assert_problem(reply, "store_unavailable")
            assert reply.all("set-cookie") == []
            reply = await service.post("refresh", headers=presented.by_cookie)
        tokens = service.tokens(reply)
        assert await generation(whole, tokens) == (2 if state == "current" else 1), "neither lost nor done twice"
        assert (tokens.refresh == held[1].refresh) == (state != "current")
        assert await generation(whole, await renewed(whole, tokens)) == (3 if state == "current" else 2)
        assert "reuse_detected" not in [*await service.event_names(), *await whole.event_names()]
    assert failed >= {"current": 1, "repeat": 1, "late": 2}[state]


@pytest.mark.parametrize("how", [pytest.param(how, id=f"H20-{how}") for how in ("refused", "timeout", "hanging")])
async def test_without_the_store_nobody_is_let_in_and_nobody_is_logged_out(make_service: MakeService, how: str) -> None:
    service = make_service(issuer={"store_timeout": timedelta(milliseconds=200)})
    tokens, by_body = await service.login(), await service.login(body=True)
    failures = {"refused": ConnectionRefusedError("no"), "timeout": TimeoutError(), "hanging": None}
    service.store.failure, service.store.hanging = failures[how], how == "hanging"
    requests: list[tuple[str, dict[str, Any]]] = [
        ("refresh", {"headers": tokens.by_cookie}),
        ("refresh", {"json_body": {"refresh_token": by_body.refresh}}),
        ("logout", {"headers": tokens.by_cookie}),
        ("login", {"json_body": {"username": "alice", "password": PASSWORD}}),
    ]
    for route, request in requests:
        reply = await service.post(route, **request)
        assert_problem(reply, "store_unavailable")
        assert int(reply.one("retry-after") or 0) >= 1
        assert reply.all("set-cookie") == []
        assert reply.all("authorization") == []
    form = {"grant_type": "refresh_token", "refresh_token": by_body.refresh}
    by_form = await service.post("refresh", form=form)
    assert (by_form.status, by_form.json()["error"]) == (503, "temporarily_unavailable")
    assert int(by_form.one("retry-after") or 0) >= 1
    assert (await service.get_in(tokens)).status == 200, "an access token needs no store"
    assert_problem(await service.post("refresh", headers={"cookie": tokens.cookie + "x"}), "refresh_invalid")
    service.store.failure, service.store.hanging = None, False
    assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200
    assert "reuse_detected" not in await service.event_names()


async def hangs_up(service: Service, tokens: Tokens) -> None:
    """Refresh over a connection that breaks just before the answer is sent."""
    raw = raw_headers(tokens.by_cookie, ("host", "testserver"), ("user-agent", AGENT))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: dict[str, Any]) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await service.app(http_scope("POST", "/auth/refresh", raw), receive, send)


@pytest.mark.parametrize(
    ("later", "told"),
    [
        pytest.param(1, "repeated", id="H21-at-once"),
        pytest.param(9.9, "repeated", id="H21-within-the-leeway"),
        pytest.param(86_400, "late_repeated", id="H21-a-day-later"),
    ],
)
async def test_an_answer_that_was_lost_is_given_again(make_service: MakeService, later: float, told: str) -> None:
    service = make_service()
    tokens = await service.login()
    await hangs_up(service, tokens)
    assert await generation(service, tokens) == 1
    service.clock.advance(later)
    again = await renewed(service, tokens)
    assert await generation(service, again) == 1
    assert (await service.get_in(again)).status == 200
    assert await service.event_names() == ["session_started", "rotated", told]


async def test_h21_a_client_that_leaves_at_any_moment_goes_on(make_service: MakeService) -> None:
    service = make_service(issuer=over(Turns()))  # type: ignore[arg-type]
    tokens = await service.login()
    for turns in range(12):
        asked = asyncio.ensure_future(service.post("refresh", headers=tokens.by_cookie))
        for _ in range(turns):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        tokens = await renewed(service, tokens)
    assert "reuse_detected" not in await service.event_names()
