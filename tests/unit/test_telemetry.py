"""Metrics and spans: every number is read back from a real OpenTelemetry SDK, and nobody is named in any of it."""

import asyncio
import gc
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from jwt_refresh_middleware import (
    Device,
    DevicePolicy,
    Identity,
    Issuer,
    MemoryStore,
    RevocationFeed,
    TokenPair,
    telemetry,
    telemetry_store,
)
from jwt_refresh_middleware.errors import AuthError, StoreUnavailable
from jwt_refresh_middleware.events import ImpossibleTravel, RateLimitReached
from jwt_refresh_middleware.stores.base import PushedRevocations
from jwt_refresh_middleware.telemetry_store import MeasuredStore, measured
from jwt_refresh_middleware.telemetry_table import METRICS, SPANS
from jwt_refresh_middleware.testing import Clock, StoreSuite

from ..measuring import Measured, measuring
from ..rotation.support import CHROME, FIREFOX, SECRET, acknowledge, make_issuer, outcome

AWAY = Device(ip="198.51.100.77", user_agent=FIREFOX.user_agent)
SUBJECT = "ann@example.com"
MINUTE = 60.0


@pytest.fixture
def seen() -> Iterator[Measured]:
    with measuring() as readings:
        yield readings


class Broken(MemoryStore):
    """Fails when told to: with an exception, or by not answering."""

    failure: BaseException | None = None
    hanging = False

    async def advance(self, step: Any) -> Any:
        await self._fail()
        return await super().advance(step)

    async def add(self, session: Any) -> None:
        await self._fail()
        await super().add(session)

    async def _fail(self) -> None:
        await asyncio.sleep(0)  # others come in between
        if self.failure is not None:
            raise self.failure
        if self.hanging:
            await asyncio.Event().wait()


# -- refreshes: what became of each, once, whatever it was --


async def _refresh(issuer: Issuer, pair: TokenPair, device: Device = FIREFOX) -> TokenPair:
    return await issuer.refresh(pair.refresh_token, device=device)


class Play:
    """An issuer and what it takes to come to each verdict."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        self.clock = clock
        self.store = Broken()
        options.setdefault("device_policy", DevicePolicy(refresh_rate=None))
        self.issuer = make_issuer(self.store, clock, **options)

    async def begin(self) -> TokenPair:
        return await self.issuer.login(SUBJECT, device=FIREFOX)

    async def try_(self, pair: TokenPair, device: Device = FIREFOX) -> TokenPair | str:
        return await outcome(self.issuer, pair.refresh_token, device)


async def _rotate(play: Play) -> None:
    await play.try_(await play.begin())


async def _repeat(play: Play) -> None:
    pair = await play.begin()
    await play.try_(pair)
    await play.try_(pair)


async def _late_repeat(play: Play) -> None:
    pair = await play.begin()
    await play.try_(pair)
    play.clock.advance(MINUTE)
    await play.try_(pair)


async def _ahead(play: Play) -> None:
    pair = await play.begin()
    old = await play.store.get(pair.session.id)
    assert old is not None
    pair = await _refresh(play.issuer, pair)
    play.store._rows[old.id] = old  # the store has lost the rotation
    await play.try_(pair)


async def _reuse(play: Play) -> None:
    pair = await play.begin()
    second = await _refresh(play.issuer, pair)
    acknowledge(play.issuer, second)
    play.clock.advance(MINUTE)
    await play.try_(pair)


async def _mismatch(play: Play) -> None:
    await play.try_(await play.begin(), CHROME)


async def _expired(play: Play) -> None:
    pair = await play.begin()
    play.clock.advance(8 * 86_400)
    await play.try_(pair)


async def _revoked(play: Play) -> None:
    pair = await play.begin()
    await play.issuer.revoke(pair.session.id)
    await play.try_(pair)


async def _unknown(play: Play) -> None:
    pair = await play.begin()
    await play.store.purge(play.clock.now * 2)
    await play.try_(pair)


async def _forged(play: Play) -> None:
    await play.begin()
    assert await outcome(play.issuer, "no token of ours") == "refresh_invalid"


async def _store_unavailable(play: Play) -> None:
    pair = await play.begin()
    play.store.failure = OSError("no route to 10.1.2.3")
    await play.try_(pair)


@pytest.mark.parametrize(
    ("play", "verdicts"),
    [
        (_rotate, {"rotate": 1}),
        (_repeat, {"rotate": 1, "repeat": 1}),
        (_late_repeat, {"rotate": 1, "late_repeat": 1}),
        (_ahead, {"rotate": 1, "ahead": 1}),
        (_reuse, {"rotate": 1, "reuse": 1}),
        (_mismatch, {"mismatch": 1}),
        (_expired, {"expired": 1}),
        (_revoked, {"revoked": 1}),
        (_unknown, {"unknown": 1}),
        (_forged, {"forged": 1}),
        (_store_unavailable, {"store_unavailable": 1}),
    ],
)
async def test_a_refresh_is_counted_by_its_verdict(
    seen: Measured, clock: Clock, play: Callable[[Play], Awaitable[None]], verdicts: dict[str, int]
) -> None:
    table = Play(clock)
    await play(table)
    assert seen.read("refreshes") == verdicts
    assert seen.read("logins") == {"success": 1}
    table.store.failure = None
    await table.issuer.aclose()


@pytest.mark.parametrize(
    ("on_ip_change", "verdict", "ended"), [("revoke", "stolen", {"device": 1}), ("step_up", "step_up", {})]
)
async def test_so_is_what_the_policy_makes_of_another_network(
    seen: Measured, clock: Clock, on_ip_change: Any, verdict: str, ended: dict[str, int]
) -> None:
    play = Play(clock, device_policy=DevicePolicy(on_ip_change=on_ip_change))
    await play.try_(await play.begin(), AWAY)
    assert (seen.read("refreshes"), seen.read("sessions.ended")) == ({verdict: 1}, ended)
    await play.issuer.aclose()


@pytest.mark.parametrize(("action", "verdict"), [("revoke", "ended_by_rule"), ("step_up", "step_up")])
async def test_so_is_what_a_rule_finds(seen: Measured, clock: Clock, action: Any, verdict: str) -> None:
    play = Play(clock, device_policy=DevicePolicy(concurrent_networks=action))
    pair = await play.begin()
    await play.try_(pair, AWAY)
    assert seen.read("refreshes") == {verdict: 1}
    assert seen.read("sessions.ended") == ({"concurrent_networks": 1} if action == "revoke" else {})
    assert seen.read("step_ups") == ({"required": 1} if action == "step_up" else {})
    assert seen.read("events")["concurrent_networks"] == 1
    await play.issuer.aclose()


async def test_a_client_in_a_loop_is_counted_at_its_limit(seen: Measured, clock: Clock) -> None:
    play = Play(clock, device_policy=DevicePolicy(refresh_rate=(2, 10)))
    pair = await play.begin()
    for _ in range(2):
        pair = await _refresh(play.issuer, pair)
    for _ in range(3):
        assert await play.try_(pair) == "rate_limited"
    assert seen.read("refreshes") == {"rotate": 2, "rate_limited": 3}
    assert seen.read("rate_limits") == {"refresh": 3}
    await play.issuer.aclose()


async def test_a_subject_that_is_gone_is_no_theft(seen: Measured, clock: Clock) -> None:
    async def nobody(_: str) -> None:
        return None

    play = Play(clock, load_identity=nobody)
    await play.try_(await play.begin())
    assert seen.read("refreshes") == {"no_identity": 1}
    await play.issuer.aclose()


async def test_a_theft_is_one_though_the_session_cannot_be_ended(seen: Measured, clock: Clock) -> None:
    play = Play(clock)
    pair = await play.begin()
    acknowledge(play.issuer, await _refresh(play.issuer, pair))
    play.clock.advance(MINUTE)

    async def fails(*_: Any, **__: Any) -> bool:
        raise ConnectionError

    cast("Any", play.store).revoke = fails
    assert await play.try_(pair) == "store_unavailable"
    assert seen.read("refreshes") == {"rotate": 1, "reuse": 1}
    assert seen.read("events")["reuse_detected"] == 1
    await play.issuer.aclose()


async def test_refreshes_at_once_keep_their_verdicts_apart(seen: Measured, clock: Clock) -> None:
    play = Play(clock)
    pairs = [await play.begin() for _ in range(20)]
    for pair in pairs[:7]:
        await play.issuer.revoke(pair.session.id)
    await asyncio.gather(*(play.try_(pair) for pair in pairs))
    assert seen.read("refreshes") == {"rotate": 13, "revoked": 7}
    await play.issuer.aclose()


# -- logins, step-ups, ends --


async def test_logins_by_outcome(seen: Measured, clock: Clock) -> None:
    policy = DevicePolicy(session_limit=2, on_session_limit="refuse_new")
    play = Play(clock, device_policy=policy, store_timeout=timedelta(milliseconds=100))
    for _ in range(2):
        await play.begin()
        clock.advance(1)
    with pytest.raises(AuthError, match="session_limit"):
        await play.begin()
    play.issuer.login_failed(FIREFOX)
    play.issuer.login_failed(FIREFOX)
    play.issuer.login_failed(FIREFOX)
    play.store.failure = OSError()
    with pytest.raises(StoreUnavailable):
        await play.begin()
    play.store.failure, play.store.hanging = None, True
    with pytest.raises(StoreUnavailable):
        await play.begin()
    leaving = asyncio.create_task(play.begin())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    play.store.hanging = False
    assert seen.read("logins") == {
        "success": 2, "session_limit": 1, "failed": 3, "store_unavailable": 2, "cancelled": 1,
    }  # fmt: skip
    assert seen.read("sessions.ended") == {"session_limit": 1}
    await play.issuer.aclose()


async def test_step_ups_that_are_required_passed_and_failed(seen: Measured, clock: Clock) -> None:
    play = Play(clock, device_policy=DevicePolicy(on_ip_change="step_up"))
    pair = await play.begin()
    assert await play.try_(pair, AWAY) == "step_up_required"
    play.issuer.login_failed(AWAY, pair.session)
    proven = await play.issuer.step_up(pair.refresh_token, device=AWAY, amr=["pwd"])
    await play.issuer.confirm(proven.session.id, amr=["otp"])
    assert seen.read("step_ups") == {"required": 1, "failed": 1, "passed": 2}
    assert seen.read("logins") == {"success": 1}
    assert seen.read("refreshes") == {"step_up": 1, "rotate": 1}  # the step-up has brought a token, too
    await play.issuer.aclose()


async def test_ends_by_reason_and_an_apps_own_reasons_as_one(seen: Measured, clock: Clock) -> None:
    play = Play(clock)
    pairs = [await play.begin() for _ in range(6)]
    await play.issuer.logout(pairs[0].refresh_token)
    await play.issuer.logout(pairs[0].refresh_token)  # ended already
    await play.issuer.revoke(pairs[1].session.id)
    await play.issuer.revoke(pairs[2].session.id, reason=f"{SUBJECT} has called")
    await play.issuer.revoke(pairs[3].session.id, reason="fraud")
    await play.issuer.logout_all(SUBJECT)
    assert seen.read("sessions.ended") == {"logout": 1, "revoked": 1, "other": 2, "logout_all": 2}
    await play.issuer.aclose()


async def test_limits_by_what_they_limit_and_nothing_else(seen: Measured, clock: Clock) -> None:
    play = Play(clock)
    for what in ("account", "address", "address", "step_up", SUBJECT):
        play.issuer.tell(RateLimitReached(at=clock.now, what=what))
    assert seen.read("rate_limits") == {"account": 1, "address": 2, "step_up": 1, "other": 1}
    assert seen.read("events") == {"rate_limited": 5}
    await play.issuer.aclose()


async def test_events_by_name_the_same_whoever_listens(
    seen: Measured, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "jwt_refresh_middleware")  # then the everyday events are made, too
    play = Play(clock)
    await _repeat(play)
    play.clock.advance(MINUTE)
    second = await play.begin()
    await play.try_(second, CHROME)
    await play.try_(second, AWAY)
    travel = ImpossibleTravel(at=clock.now, other=AWAY, other_session_id="x", kilometers=9000, speed=40_000)
    play.issuer.tell(travel)
    assert seen.read("events") == {
        "session_started": 2, "device_mismatch": 1, "device_changed": 1, "impossible_travel": 1,
    }  # fmt: skip
    await play.issuer.aclose()


async def test_what_alarms_begins_at_zero(seen: Measured) -> None:
    points = seen.metrics()["jwt_refresh.events"].data.data_points
    begun = {(point.attributes or {})["jwt_refresh.event"]: cast("Any", point).value for point in points}
    assert begun == dict.fromkeys(
        [
            "reuse_detected",
            "generation_ahead",
            "device_mismatch",
            "concurrent_networks",
            "impossible_travel",
            "rate_limited",
            "store_unavailable",
        ],
        0,
    )


# -- the store --


async def test_each_call_of_the_store_is_timed(seen: Measured, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(telemetry_store, "perf_counter", lambda: next(ticks) * 0.25)
    play = Play(clock)
    pair = await play.begin()
    for _ in range(3):
        pair = await _refresh(play.issuer, pair)
    acknowledge(play.issuer, pair)
    await play.issuer.flush()
    await play.issuer.sessions(SUBJECT)
    await play.issuer.session(pair.session.id)
    await play.issuer.revoke(pair.session.id)
    await play.issuer.logout_all(SUBJECT)
    play.store.failure = OSError()
    await play.try_(pair)
    expected: dict[tuple[str, str], int] = {
        ("add", "success"): 1,
        ("advance", "success"): 3,
        ("advance", "error"): 1,
        ("acknowledge", "success"): 1,
        ("sessions", "success"): 1,
        ("get", "success"): 1,
        ("revoke", "success"): 1,
        ("revoke_subject", "success"): 1,
        ("revocations", "success"): 1,  # at the start
    }
    assert seen.read("store.operation.duration") == expected
    assert seen.sums("store.operation.duration") == {key: count * 0.25 for key, count in expected.items()}
    play.store.failure = None
    await play.issuer.aclose()


async def test_a_call_that_takes_too_long_is_cancelled(seen: Measured, clock: Clock) -> None:
    play = Play(clock, store_timeout=timedelta(milliseconds=100))
    pair = await play.begin()
    play.store.hanging = True
    assert await play.try_(pair) == "store_unavailable"
    assert seen.read("store.operation.duration")["advance", "cancelled"] == 1
    play.store.hanging = False
    await play.issuer.aclose()


class TestAMeasuredStore(StoreSuite):
    """It is a store."""

    @pytest.fixture
    async def store(self, seen: Measured) -> AsyncIterator[MemoryStore]:
        store = measured(MemoryStore())
        assert isinstance(store, MeasuredStore)
        await store.open()
        yield cast("MemoryStore", store)
        await store.close()


class Pushing(MemoryStore):
    """Has more than a store has to have."""

    number = 7

    async def watch(self) -> AsyncGenerator[list[tuple[str, float]], None]:
        yield []

    def __repr__(self) -> str:
        return "<a store>"


async def test_whatever_else_a_store_can_do_it_still_can(seen: Measured) -> None:
    store = Pushing()
    front = measured(store)
    assert isinstance(front, PushedRevocations)
    assert [told async for told in front.watch()] == [[]]
    assert "watch" in vars(front)  # where isinstance looks from Python 3.12 on
    assert (front.number, repr(front)) == (7, "<a store>")
    assert not isinstance(measured(MemoryStore()), PushedRevocations)
    assert measured(front) is front
    with pytest.raises(AttributeError):
        cast("Any", front).nothing_of_the_kind  # noqa: B018


async def test_an_issuer_measures_its_store_once_however_often_it_opens(seen: Measured, clock: Clock) -> None:
    play = Play(clock)
    for _ in range(3):
        async with play.issuer:
            await play.issuer.session("x")
    assert seen.read("store.operation.duration") == {("get", "success"): 3, ("revocations", "success"): 3}


# -- what ended elsewhere --


async def test_how_far_behind_a_process_is_and_how_late_it_learned(seen: Measured) -> None:
    store, here, there = MemoryStore(), Clock(), Clock()
    mine, other = make_issuer(store, here), make_issuer(store, there)
    pairs = [await other.login(SUBJECT) for _ in range(2)]
    assert seen.read("feed.lag") == {(): 0}
    await mine.open()
    here.advance(7)
    assert seen.read("feed.lag") == {(): 7}
    there.advance(1)
    await other.revoke(pairs[0].session.id)
    there.advance(3)
    await other.revoke(pairs[1].session.id)
    await mine.feed._round()
    assert seen.read("revocation.delay") == {(): 2}
    assert seen.sums("revocation.delay") == {(): 6.0 + 3.0}
    there.advance(5)
    assert seen.read("feed.lag") == {(): 9}  # of the one that is further behind
    await other.aclose()
    assert seen.read("feed.lag") == {(): 0}
    here.advance(2)
    assert seen.read("feed.lag") == {(): 2}
    await mine.aclose()
    assert seen.read("feed.lag") == {}


async def test_a_feed_that_is_forgotten_is_not_followed(seen: Measured, clock: Clock) -> None:
    feed = RevocationFeed(MemoryStore(), clock=clock)
    followed = len(telemetry._followed)
    del feed
    gc.collect()
    assert len(telemetry._followed) < followed


async def test_a_gateways_feed_measures_what_it_asks(seen: Measured, clock: Clock) -> None:
    async with RevocationFeed(MemoryStore(), interval=timedelta(days=1), clock=clock):
        assert seen.read("store.operation.duration") == {("revocations", "success"): 1}


# -- spans --


async def test_a_span_for_each_thing_done_and_for_each_call_of_the_store_in_it(seen: Measured, clock: Clock) -> None:
    play = Play(clock, device_policy=DevicePolicy(on_ip_change="step_up"))
    pair = await play.begin()
    await play.try_(pair, AWAY)
    await play.issuer.step_up(pair.refresh_token, device=AWAY)
    spans = seen.spans()
    names = {span.context.span_id: span.name for span in spans}
    told = [
        (span.name, names.get(span.parent.span_id) if span.parent else None, span.kind, dict(span.attributes or {}))
        for span in spans
    ]

    def call(operation: str, parent: str) -> tuple[Any, ...]:
        attributes = {"jwt_refresh.operation": operation, "jwt_refresh.outcome": "success"}
        return f"jwt_refresh.store.{operation}", f"jwt_refresh.{parent}", SpanKind.CLIENT, attributes

    refused = {"jwt_refresh.verdict": "step_up", "error.type": "step_up_required"}
    assert told == [
        call("revocations", "login"),  # it was the first use of the store
        call("add", "login"),
        ("jwt_refresh.login", None, SpanKind.INTERNAL, {"jwt_refresh.outcome": "success"}),
        call("advance", "refresh"),
        ("jwt_refresh.refresh", None, SpanKind.INTERNAL, refused),
        call("get", "step_up"),
        call("advance", "step_up"),
        ("jwt_refresh.step_up", None, SpanKind.INTERNAL, {"jwt_refresh.verdict": "rotate"}),
    ]
    assert {span.status.status_code for span in spans} == {StatusCode.UNSET}  # a refusal is no fault
    assert not any(span.events for span in spans)
    await play.issuer.aclose()


async def test_a_fault_of_the_system_is_one_and_its_message_stays_here(seen: Measured, clock: Clock) -> None:
    play = Play(clock)
    pair = await play.begin()
    play.store.failure = OSError(f"INSERT failed for {SUBJECT}")
    await play.try_(pair)
    call, refresh = seen.spans()[-2:]
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, None)
    assert (call.attributes or {})["error.type"] == "OSError"
    assert (refresh.status.status_code, refresh.status.description) == (StatusCode.ERROR, None)
    assert dict(refresh.attributes or {}) == {
        "jwt_refresh.verdict": "store_unavailable",
        "error.type": "store_unavailable",
    }
    play.store.failure = None
    await play.issuer.aclose()


async def test_what_happens_in_the_background_makes_no_spans(seen: Measured, clock: Clock) -> None:
    play = Play(clock, sync_interval=timedelta(milliseconds=10))
    await play.begin()  # in its context the background begins
    made = len(seen.spans())
    for _ in range(100):
        if seen.read("store.operation.duration")["revocations", "success"] >= 3:
            break
        await asyncio.sleep(0.01)
    assert seen.read("store.operation.duration")["revocations", "success"] >= 3
    assert len(seen.spans()) == made
    await play.issuer.aclose()


async def test_a_span_of_the_app_is_the_parent_and_is_current_again(seen: Measured, clock: Clock) -> None:
    play = Play(clock)
    with seen.tracers.get_tracer("app").start_as_current_span("request") as request:
        pair = await play.begin()
        await _refresh(play.issuer, pair)
        await play.issuer.sessions(SUBJECT)
    ours = [span for span in seen.spans() if span.name != "request"]
    assert {span.context.trace_id for span in ours} == {request.get_span_context().trace_id}
    parents = {span.name: span.parent.span_id for span in ours if span.parent}
    here = request.get_span_context().span_id
    assert [parents[name] == here for name in ("jwt_refresh.refresh", "jwt_refresh.store.sessions")] == [True, True]
    await play.issuer.aclose()


# -- nothing of anybody --


async def test_nobody_and_no_token_is_named_in_what_is_exported(seen: Measured, clock: Clock) -> None:
    play = Play(clock)
    issuer = play.issuer
    pair = await issuer.login(Identity(SUBJECT, ["a-scope"], {"plan": "platinum"}), device=FIREFOX)
    tokens = [pair]
    for device in (FIREFOX, AWAY):
        tokens.append(await _refresh(issuer, tokens[-1], device))
    acknowledge(issuer, tokens[-1])
    clock.advance(MINUTE)
    assert await play.try_(pair, AWAY) == "refresh_invalid"  # stolen
    await issuer.revoke((await play.begin()).session.id, reason=SUBJECT)
    other = await play.begin()
    await issuer.step_up(other.refresh_token, device=AWAY, amr=["a-method"], acr="urn:a-level")
    play.store.failure = OSError(f"{SUBJECT} {pair.refresh_token} {AWAY.ip}")
    await play.try_(other, AWAY)
    text = seen.everything()
    assert "jwt_refresh.refreshes" in text
    assert "jwt_refresh.store.advance" in text
    secrets = [SECRET, SUBJECT, "platinum", "a-scope", "a-method", "urn:a-level", pair.session.id, other.session.id]
    secrets += [str(device.ip) for device in (FIREFOX, AWAY)] + ["Firefox", "Mozilla"]
    for one in (*tokens, other):
        secrets += [one.access_token, one.refresh_token]
        secrets += one.access_token.split(".")
        secrets += one.refresh_token.split(".")
    assert [secret for secret in secrets if len(secret) > 2 and secret in text] == []
    play.store.failure = None
    await issuer.aclose()


async def test_every_metric_is_as_the_table_says(seen: Measured, clock: Clock) -> None:
    play = Play(clock, device_policy=DevicePolicy(on_ip_change="step_up", refresh_rate=(1, 10)))
    pair = await play.begin()
    await play.try_(pair, AWAY)
    await play.try_(await _refresh(play.issuer, pair))
    await play.issuer.revoke(pair.session.id)
    telemetry.refused("token_missing", 401)
    telemetry.learned(0.5)
    made = seen.metrics()
    assert set(made) == {metric.name for metric in METRICS}
    for metric in METRICS:
        one = made[metric.name]
        assert (one.unit, one.description) == (metric.unit, metric.description)
        for point in one.data.data_points:
            assert sorted(point.attributes or {}) == sorted(metric.attributes)
            if metric.kind == "histogram":
                assert cast("Any", point).explicit_bounds == metric.buckets
    assert {span.name for span in seen.spans()} >= {"jwt_refresh.login", "jwt_refresh.refresh"}
    assert all(name.startswith("jwt_refresh.") for name in SPANS)
    await play.issuer.aclose()


# -- with and without OpenTelemetry: each in a process of its own, since providers can be set once --

PLAY = """
import asyncio
from datetime import timedelta
from jwt_refresh_middleware import Issuer, MemoryStore, JWTRefreshMiddleware, telemetry

async def app(scope, receive, send):
    pass

async def play():
    issuer = Issuer("a secret of more than thirty-two bytes, for tests", MemoryStore())
    middleware = JWTRefreshMiddleware(app, issuer=issuer)
    PROVIDERS
    async with issuer:
        pair = await issuer.login("ann")
        pair = await issuer.refresh(pair.refresh_token)
        await issuer.revoke(pair.session.id)
    return issuer, middleware

"""


def run(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_it_everything_works_and_none_of_it_is_imported() -> None:
    program = (
        """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
        + PLAY.replace("PROVIDERS", "pass")
        + """
issuer, middleware = asyncio.run(play())
assert not [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]
assert telemetry.look() is None
assert type(issuer.backing.store) is MemoryStore
assert middleware._remembered == issuer.verifier.remembered.get
print("works")
"""
    )
    assert run(program) == "works\n"


def test_with_the_api_alone_nothing_is_measured_either() -> None:
    program = (
        PLAY.replace("PROVIDERS", "pass")
        + """
import opentelemetry.trace
issuer, middleware = asyncio.run(play())
assert telemetry.look() is None
assert type(issuer.backing.store) is MemoryStore
assert middleware._remembered == issuer.verifier.remembered.get
opentelemetry.trace.set_tracer_provider(opentelemetry.trace.NoOpTracerProvider())
assert telemetry.look() is None
print("works")
"""
    )
    assert run(program) == "works\n"


def test_the_global_providers_are_found_if_they_are_there_when_the_store_opens() -> None:
    program = (
        PLAY.replace("PROVIDERS", "set_up()")
        + """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()

def set_up():
    metrics.set_meter_provider(MeterProvider([reader]))
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracers)

asyncio.run(play())
[resource] = reader.get_metrics_data().resource_metrics
[scope] = resource.scope_metrics
print(scope.scope.name, scope.scope.version)
print(*sorted(metric.name for metric in scope.metrics))
print(*(span.name for span in exporter.get_finished_spans()))
"""
    )
    scope, metrics, spans = run(program).splitlines()
    assert scope == "jwt_refresh_middleware 0.1.0"
    assert metrics.split() == [
        "jwt_refresh.events",
        "jwt_refresh.logins",
        "jwt_refresh.refreshes",
        "jwt_refresh.sessions.ended",
        "jwt_refresh.store.operation.duration",
        "jwt_refresh.token_cache.lookups",
    ]
    assert spans.split() == [
        "jwt_refresh.store.add",
        "jwt_refresh.login",
        "jwt_refresh.store.advance",
        "jwt_refresh.refresh",
    ]


def test_one_of_the_two_providers_will_do(clock: Clock) -> None:
    async def play() -> None:
        table = Play(clock)
        await _rotate(table)
        await table.issuer.aclose()

    readings = Measured()
    with telemetry.using(meter_provider=readings.meters):
        asyncio.run(play())
    assert readings.read("refreshes") == {"rotate": 1}
    with telemetry.using(tracer_provider=readings.tracers):
        asyncio.run(play())
    assert readings.read("refreshes") == {"rotate": 1}
    assert [span.name for span in readings.spans()][-1] == "jwt_refresh.refresh"
