"""What the issuer tells, that it can be opened and closed anyhow, and what a failing store costs: nothing."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware import Device, DevicePolicy, Identity, Issuer, MemoryStore, SessionStore, TokenPair
from jwt_refresh_middleware.errors import RateLimited, StoreUnavailable
from jwt_refresh_middleware.events import (
    DeviceChanged,
    LateRepeated,
    RateLimitReached,
    ReuseDetected,
    Revoked,
    StoreFailed,
)
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from jwt_refresh_middleware.testing import FaultyStore
from tests.rotation.support import FIREFOX, Clock, Listener, acknowledge, make_issuer, outcome

MOVED = Device(ip="198.51.100.1", user_agent=FIREFOX.user_agent)


async def test_events_say_who_where_when_and_what(store: SessionStore, clock: Clock, listener: Listener) -> None:
    async with make_issuer(store, clock, listener) as issuer:
        first = await issuer.login("ann", device=FIREFOX)
        second = await issuer.refresh(first.refresh_token, device=FIREFOX)
        clock.advance(60)
        await issuer.refresh(first.refresh_token, device=FIREFOX)
        third = await issuer.refresh(second.refresh_token, device=MOVED)
        await outcome(issuer, first.refresh_token, MOVED)
        names = [
            "session_started",
            "rotated",
            "late_repeated",
            "device_changed",
            "rotated",
            "reuse_detected",
            "revoked",
        ]
        assert await listener.names() == names
    started, _, late, changed, _, reuse, revoked = listener.events
    assert {event.session_id for event in listener.events} == {third.session.id}
    assert {event.subject for event in listener.events} == {"ann"}
    assert (started.at, late.at, started.device, reuse.device) == (clock.now - 60, clock.now, FIREFOX, MOVED)
    assert isinstance(late, LateRepeated)
    assert late.generation == 1
    assert isinstance(changed, DeviceChanged)
    assert (changed.before, changed.device) == (FIREFOX, MOVED)
    assert isinstance(reuse, ReuseDetected)
    assert (reuse.presented, reuse.generation) == (0, 2)
    assert revoked.name == "revoked"


@pytest.mark.case("J01")
async def test_no_event_and_no_log_holds_a_token(
    store: SessionStore, clock: Clock, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "jwt_refresh_middleware")
    async with make_issuer(store, clock, listener) as issuer:
        pairs = [await issuer.login("ann", device=FIREFOX)]
        for _ in range(2):
            pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=FIREFOX))
        for token in (pairs[0].refresh_token, pairs[2].refresh_token, "forged"):
            await outcome(issuer, token)
        await issuer.aclose()
    said = caplog.text + repr(listener.events)
    assert "reuse_detected" in said
    for pair in pairs:
        assert pair.refresh_token[:52] not in said
        assert pair.access_token[-43:] not in said


async def test_a_client_in_a_loop_is_slowed_down_and_loses_nothing(
    store: SessionStore, clock: Clock, listener: Listener
) -> None:
    async with make_issuer(store, clock, listener, device_policy=DevicePolicy(refresh_rate=(3, 10))) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        for _ in range(3):
            pair = await issuer.refresh(pair.refresh_token, device=FIREFOX)
        with pytest.raises(RateLimited) as caught:
            await issuer.refresh(pair.refresh_token, device=FIREFOX)
        assert caught.value.retry_after == 10
        clock.advance(10)
        assert (await issuer.refresh(pair.refresh_token, device=FIREFOX)).session.generation == 4
        await listener.names()
        assert [event.session_id for event in listener.events if isinstance(event, RateLimitReached)] == [
            pair.session.id
        ]


class Failing:
    """Hands everything to a store; the ``fails_at``-th operation raises, before or after it has had its effect."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.operations, self.fails_at, self.after = 0, 0, False

    def arm(self, fails_at: int, *, after: bool) -> None:
        self.operations, self.fails_at, self.after = 0, fails_at, after

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def operation(*args: Any, **kwargs: Any) -> Any:
            self.operations += 1
            fails = self.operations == self.fails_at
            if fails and not self.after:
                raise sqlite3.OperationalError("disk I/O error")
            answer = await method(*args, **kwargs)
            if fails:
                raise sqlite3.OperationalError("disk I/O error")
            return answer

        return operation


async def _identity(subject: str) -> Identity:
    return Identity(subject)


Step = Callable[[Issuer, Clock], Awaitable[TokenPair]]


async def _rotation(issuer: Issuer, clock: Clock) -> TokenPair:
    return await issuer.login("ann", device=FIREFOX)


async def _repeat(issuer: Issuer, clock: Clock) -> TokenPair:
    held = await issuer.login("ann", device=FIREFOX)
    await issuer.refresh(held.refresh_token, device=FIREFOX)
    return held


async def _late_repeat(issuer: Issuer, clock: Clock) -> TokenPair:
    held = await _repeat(issuer, clock)
    clock.advance(3600)
    return held


async def _move(issuer: Issuer, clock: Clock) -> TokenPair:
    return await issuer.login("ann", device=MOVED)


@pytest.mark.parametrize("options", [{}, {"load_identity": _identity}], ids=["plain", "load_identity"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("prepare", [_rotation, _repeat, _late_repeat, _move])
@pytest.mark.case("H19")
async def test_a_store_that_fails_at_any_operation_costs_nothing(
    store: SessionStore, clock: Clock, listener: Listener, prepare: Step, after: bool, options: dict[str, Any]
) -> None:
    failing, failures = Failing(store), 0
    issuer = make_issuer(failing, clock, listener, **options)  # type: ignore[arg-type]
    while True:
        held = await prepare(issuer, clock)
        failing.arm(failures + 1, after=after)
        got = await outcome(issuer, held.refresh_token)
        failing.arm(0, after=after)
        if isinstance(got, TokenPair):
            break
        assert got == "store_unavailable"
        failures += 1
        again = await issuer.refresh(held.refresh_token, device=FIREFOX)
        further = await issuer.refresh(again.refresh_token, device=FIREFOX)
        assert further.session.generation == again.session.generation + 1
    assert failures >= 1
    names = await listener.names()
    assert names.count("store_unavailable") == failures
    assert not {"reuse_detected", "revoked"} & set(names)
    assert {event.cause for event in listener.events if isinstance(event, StoreFailed)} == {"OperationalError"}
    await issuer.aclose()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("verb", ["login", "logout", "revoke", "logout_all", "sessions", "flush"])
@pytest.mark.case("H19")
async def test_every_verb_says_that_the_store_is_away_and_works_again(
    store: SessionStore, clock: Clock, verb: str, after: bool
) -> None:
    failing = Failing(store)
    issuer = make_issuer(failing, clock)  # type: ignore[arg-type]
    pair = await issuer.refresh((await issuer.login("ann")).refresh_token)
    acknowledge(issuer, pair)
    arguments = {"logout": [pair.refresh_token], "revoke": [pair.session.id], "flush": []}.get(verb, ["ann"])
    failing.arm(1, after=after)
    with pytest.raises(StoreUnavailable):
        await getattr(issuer, verb)(*arguments)
    await getattr(issuer, verb)(*arguments)
    row = await store.get(pair.session.id)
    assert row is not None
    assert (row.revoked_at is not None) == (verb in ("logout", "revoke", "logout_all"))
    assert verb != "flush" or row.acknowledged == 1
    await issuer.aclose()


async def test_a_store_that_hangs_is_a_store_that_is_away(clock: Clock) -> None:
    class Hanging(MemoryStore):
        async def advance(self, step: Any) -> Any:
            await asyncio.Event().wait()

    async with make_issuer(Hanging(), clock, store_timeout=timedelta(milliseconds=5)) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        assert await outcome(issuer, pair.refresh_token) == "store_unavailable"


async def test_a_store_that_cannot_be_opened_is_tried_again(tmp_path: Path, clock: Clock) -> None:
    issuer = make_issuer(SQLiteStore(tmp_path / "later" / "s.db"), clock)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await issuer.login("ann")
    (tmp_path / "later").mkdir()
    assert await issuer.login("ann")
    await issuer.aclose()


@pytest.mark.case("H15")
async def test_forged_tokens_never_touch_the_store(clock: Clock) -> None:
    failing = Failing(MemoryStore())
    issuer = make_issuer(failing, clock)  # type: ignore[arg-type]
    for token in ("", "x", "A" * 52 + "." + "A" * 43, "\ud800"):
        assert await outcome(issuer, token) == "refresh_invalid"
    assert failing.operations == 0


async def test_an_end_says_whose_and_from_where(store: SessionStore, clock: Clock, listener: Listener) -> None:
    async with make_issuer(store, clock, listener) as issuer:
        pairs = [await issuer.login("ann", device=FIREFOX) for _ in range(3)]
        await issuer.logout(pairs[0].refresh_token, device=MOVED)
        await issuer.revoke(pairs[1].session.id, device=MOVED)
        await issuer.logout_all("ann", device=MOVED)
        await listener.names()
    ended = [event for event in listener.events if isinstance(event, Revoked)]
    assert [(event.subject, event.device) for event in ended] == [("ann", MOVED)] * 3
    assert [event.reason for event in ended] == ["logout", "revoked", "logout_all"]


async def test_an_end_is_told_also_if_the_store_cannot_say_whose(clock: Clock, listener: Listener) -> None:
    store = FaultyStore(MemoryStore(), fail_at=4)  # opened, logged in, ended
    async with make_issuer(store, clock, listener) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        assert await issuer.revoke(pair.session.id)
        await listener.names()
    (ended,) = [event for event in listener.events if isinstance(event, Revoked)]
    assert (ended.subject, ended.session_id) == (None, pair.session.id)


async def test_nobody_is_asked_whose_it_was_where_nobody_listens(clock: Clock) -> None:
    store = FaultyStore(MemoryStore(), fail_at=0)
    async with make_issuer(store, clock) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        before = store.operations
        await issuer.revoke(pair.session.id)
        assert store.operations == before + 1
