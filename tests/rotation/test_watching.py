"""Two places at once, journeys nobody makes, too many sessions: what is done about them, over every store."""

import asyncio
from typing import Any

import pytest

from jwt_refresh_middleware import Device, DevicePolicy, Issuer, Session, SessionStore
from jwt_refresh_middleware.doubts import in_place
from jwt_refresh_middleware.errors import SessionLimit, StoreUnavailable
from jwt_refresh_middleware.events import ConcurrentNetworks, Revoked, SessionLimitReached, StepUpDemanded
from jwt_refresh_middleware.places import Location
from jwt_refresh_middleware.stores.memory import MemoryStore
from jwt_refresh_middleware.testing import FaultyStore

from .support import FIREFOX, Clock, Listener, make_issuer, outcome

HOME = FIREFOX
AWAY = Device(ip="198.51.100.1", user_agent=FIREFOX.user_agent)
THIRD = Device(ip="192.0.2.1", user_agent=FIREFOX.user_agent)


def watching(store: SessionStore, clock: Clock, listener: Listener | None = None, **policy: Any) -> Issuer:
    locator = policy.pop("locator", None)
    policy = DevicePolicy(refresh_rate=None, **policy)
    return make_issuer(store, clock, listener, device_policy=policy, locator=locator)


async def test_a_session_in_two_networks_at_once_has_to_prove_itself(
    store: SessionStore, clock: Clock, listener: Listener
) -> None:
    issuer = watching(store, clock, listener, concurrent_networks="step_up")
    pair = await issuer.login("ann", device=HOME)
    clock.advance(5)
    assert await outcome(issuer, pair.refresh_token, AWAY) == "step_up_required"
    # Whoever holds the token is asked from now on, wherever they are and however late: one of them is a thief.
    clock.advance(3600)
    for device in (HOME, AWAY, THIRD):
        assert await outcome(issuer, pair.refresh_token, device) == "step_up_required"
    row = await issuer.session(pair.session.id)
    assert row is not None
    assert (row.step_up, row.generation, row.device) == ("concurrent_networks", 0, HOME)
    proven = await issuer.step_up(pair.refresh_token, device=HOME, amr=["pwd"])
    assert proven.session.step_up is None
    on = await issuer.refresh(proven.refresh_token, device=HOME)
    assert await outcome(issuer, pair.refresh_token, AWAY) == "refresh_invalid"  # the thief's token is spent
    assert await outcome(issuer, on.refresh_token, HOME) == "refresh_invalid"
    names = await listener.names()
    assert names[:3] == ["session_started", "concurrent_networks", "step_up_required"]
    assert names.count("concurrent_networks") == 1
    found, demanded = listener.events[1:3]
    assert isinstance(found, ConcurrentNetworks)
    assert (found.other, found.other_session_id, found.device) == (HOME, row.id, AWAY)
    assert isinstance(demanded, StepUpDemanded)
    assert demanded.reason == "concurrent_networks"
    await issuer.aclose()


async def test_a_spent_token_from_elsewhere_within_the_leeway_is_noticed(store: SessionStore, clock: Clock) -> None:
    issuer = watching(store, clock, concurrent_networks="step_up")
    held = await issuer.login("ann", device=HOME)
    clock.advance(1000)
    new = await issuer.refresh(held.refresh_token, device=HOME)
    clock.advance(2)
    assert await outcome(issuer, held.refresh_token, AWAY) == "step_up_required"
    assert await outcome(issuer, new.refresh_token, HOME) == "step_up_required"
    await issuer.aclose()


async def test_the_token_that_a_proof_has_spent_does_not_have_the_owner_asked_again(
    store: SessionStore, clock: Clock, listener: Listener
) -> None:
    issuer = watching(store, clock, listener, concurrent_networks="step_up")
    stolen = await issuer.login("ann", device=HOME)
    clock.advance(5)
    assert await outcome(issuer, stolen.refresh_token, AWAY) == "step_up_required"
    proven = await issuer.step_up(stolen.refresh_token, device=HOME)
    clock.advance(2)
    for _ in range(2):
        assert await outcome(issuer, stolen.refresh_token, AWAY) == "step_up_required"
    row = await issuer.session(stolen.session.id)
    assert row is not None
    assert row.step_up is None
    on = await issuer.refresh(proven.refresh_token, device=HOME)
    assert on.session.generation == 2
    assert (await listener.names()).count("concurrent_networks") == 3
    clock.advance(1)  # a rotation that was no proof: whoever has the token before it may have both
    assert await outcome(issuer, proven.refresh_token, AWAY) == "step_up_required"
    assert await outcome(issuer, on.refresh_token, HOME) == "step_up_required"
    await issuer.aclose()


async def test_a_phone_that_moves_is_left_alone_and_one_that_hops_back_is_not(
    store: SessionStore, clock: Clock, listener: Listener
) -> None:
    issuer = watching(store, clock, listener, concurrent_networks="step_up")
    pair = await issuer.login("ann", device=HOME)
    for device in (AWAY, THIRD):
        clock.advance(600)
        pair = await issuer.refresh(pair.refresh_token, device=device)
    assert [place.ip for place in pair.session.standing.places] == [AWAY.ip, HOME.ip]
    clock.advance(299)
    assert await outcome(issuer, pair.refresh_token, AWAY) == "step_up_required"  # left 899 s ago
    pair = await issuer.step_up(pair.refresh_token, device=AWAY)
    assert pair.session.standing.places == ()  # what was before the proof does not count any more
    clock.advance(100)
    pair = await issuer.refresh(pair.refresh_token, device=THIRD)
    assert "concurrent_networks" in await listener.names()
    await issuer.aclose()


async def test_a_login_elsewhere_is_marked_while_another_session_is_in_use(
    store: SessionStore, clock: Clock, listener: Listener
) -> None:
    issuer = watching(store, clock, listener, concurrent_networks="step_up")
    first = await issuer.login("ann", device=HOME)
    clock.advance(60)
    near = await issuer.login("ann", device=HOME)
    assert near.session.step_up is None
    second = await issuer.login("ann", device=AWAY)
    assert second.session.step_up == "concurrent_networks"
    assert (await issuer.session(second.session.id)) == second.session
    assert await outcome(issuer, second.refresh_token, AWAY) == "step_up_required"
    await issuer.refresh(first.refresh_token, device=HOME)  # the one that was there goes on
    await issuer.login("bob", device=AWAY)  # somebody else's place is nobody's concern
    clock.advance(900)
    late = await issuer.login("ann", device=THIRD)  # nothing is in use any more
    assert late.session.step_up is None
    names = await listener.names()
    assert names.count("concurrent_networks") == 1
    assert names.count("session_started") == 5
    assert names.count("step_up_required") == 2  # when it was marked, and when it was refused
    await issuer.aclose()


async def test_a_rule_may_only_tell(store: SessionStore, clock: Clock, listener: Listener) -> None:
    issuer = watching(store, clock, listener, concurrent_networks="event")
    pair = await issuer.login("ann", device=HOME)
    moved = await issuer.refresh(pair.refresh_token, device=AWAY)
    other = await issuer.login("ann", device=THIRD)
    assert (moved.session.step_up, other.session.step_up) == (None, None)
    await issuer.refresh(moved.refresh_token, device=AWAY)
    assert (await listener.names()).count("concurrent_networks") == 2
    await issuer.aclose()


async def test_a_rule_may_end_the_session_that_moved(store: SessionStore, clock: Clock, listener: Listener) -> None:
    issuer = watching(store, clock, listener, concurrent_networks="revoke")
    pair = await issuer.login("ann", device=HOME)
    assert await outcome(issuer, pair.refresh_token, AWAY) == "refresh_invalid"
    assert await issuer.session(pair.session.id) is None
    assert await listener.names() == ["session_started", "concurrent_networks", "revoked"]
    ended = listener.events[2]
    assert isinstance(ended, Revoked)
    assert ended.reason == "concurrent_networks"
    await issuer.aclose()


async def test_a_login_elsewhere_may_end_the_others(store: SessionStore, clock: Clock) -> None:
    issuer = watching(store, clock, concurrent_networks="revoke")
    first = await issuer.login("ann", device=HOME)
    await issuer.login("ann", device=HOME)
    bobs = await issuer.login("bob", device=HOME)
    second = await issuer.login("ann", device=AWAY)
    assert [session.id for session in await issuer.sessions("ann")] == [second.session.id]
    near = await issuer.login("ann", device=AWAY)
    assert {session.id for session in await issuer.sessions("ann")} == {second.session.id, near.session.id}
    assert await outcome(issuer, first.refresh_token, HOME) == "refresh_invalid"
    await issuer.refresh(second.refresh_token, device=AWAY)
    await issuer.refresh(bobs.refresh_token, device=HOME)
    await issuer.aclose()


async def test_where_addresses_are_not_compared_a_move_is_seen_all_the_same(store: SessionStore, clock: Clock) -> None:
    issuer = watching(store, clock, ip="off", concurrent_networks="step_up")
    pair = await issuer.login("ann", device=HOME)
    assert await outcome(issuer, pair.refresh_token, AWAY) == "step_up_required"
    await issuer.aclose()


class Atlas:
    def locate(self, ip: str) -> Location | None:
        places = {HOME.ip: Location(latitude=52.5, longitude=13.4), AWAY.ip: Location(latitude=-33.9, longitude=151.2)}
        return places.get(ip)


async def test_nobody_travels_that_fast(store: SessionStore, clock: Clock, listener: Listener) -> None:
    issuer = watching(store, clock, listener, impossible_travel="step_up", locator=Atlas())
    pair = await issuer.login("ann", device=HOME)
    clock.advance(3600)
    assert await outcome(issuer, pair.refresh_token, AWAY) == "step_up_required"  # 16 000 km
    pair = await issuer.step_up(pair.refresh_token, device=AWAY)
    clock.advance(86_400)
    pair = await issuer.refresh(pair.refresh_token, device=HOME)
    assert (await listener.names()).count("impossible_travel") == 1
    await issuer.aclose()


def test_a_rule_about_travels_needs_to_know_where_places_are() -> None:
    with pytest.raises(ValueError, match="locator"):
        watching(MemoryStore(), Clock(), impossible_travel="event")


@pytest.mark.case("H23")
async def test_the_oldest_makes_room(store: SessionStore, clock: Clock, listener: Listener) -> None:
    issuer = watching(store, clock, listener, session_limit=2)
    pairs = []
    for _ in range(4):
        clock.advance(1)
        pairs.append(await issuer.login("ann", device=HOME))
        await issuer.login("bob", device=HOME)
    kept = [session.id for session in await issuer.sessions("ann")]
    assert kept == [pair.session.id for pair in pairs[2:]]
    assert await outcome(issuer, pairs[0].refresh_token) == "refresh_invalid"
    await listener.names()
    reached = [event for event in listener.events if isinstance(event, SessionLimitReached)]
    assert [(event.limit, event.refused) for event in reached] == [(2, False)] * 4
    assert {event.subject for event in reached} == {"ann", "bob"}
    await issuer.aclose()


async def test_what_makes_room_is_nowhere_any_more(store: SessionStore, clock: Clock, listener: Listener) -> None:
    issuer = watching(store, clock, listener, session_limit=1, concurrent_networks="event")
    await issuer.login("ann", device=HOME)
    clock.advance(1)
    await issuer.login("ann", device=AWAY)
    assert "concurrent_networks" not in await listener.names()
    await issuer.aclose()


@pytest.mark.case("H23")
async def test_or_the_new_one_is_refused(store: SessionStore, clock: Clock, listener: Listener) -> None:
    issuer = watching(store, clock, listener, session_limit=2, on_session_limit="refuse_new")
    pairs = []
    for _ in range(2):
        clock.advance(1)
        pairs.append(await issuer.login("ann", device=HOME))
    clock.advance(1)
    with pytest.raises(SessionLimit) as caught:
        await issuer.login("ann", device=HOME)
    assert caught.value.status == 403
    assert len(await issuer.sessions("ann")) == 2
    assert await listener.names() == ["session_started", "session_started", "revoked", "session_limit"]
    await issuer.logout(pairs[0].refresh_token)
    await issuer.login("ann", device=HOME)
    await issuer.aclose()


@pytest.mark.parametrize("on_limit", ["end_oldest", "refuse_new"])
async def test_logins_at_the_same_moment_do_not_get_past_the_limit(
    store: SessionStore, clock: Clock, on_limit: str
) -> None:
    issuer = watching(store, clock, session_limit=3, on_session_limit=on_limit)
    outcomes = await asyncio.gather(*(issuer.login("ann", device=HOME) for _ in range(12)), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert all(isinstance(one, SessionLimit) for one in refused)
    live = {session.id for session in await issuer.sessions("ann")}
    granted = {one.session.id for one in outcomes if not isinstance(one, BaseException)}
    assert len(live) == 3
    assert live <= granted
    await issuer.aclose()


async def test_a_login_that_failed_does_not_count(clock: Clock) -> None:
    """It was kept, but nobody has been given its tokens: it is ended in the background."""
    memory = MemoryStore()
    issuer = watching(memory, clock, session_limit=1, on_session_limit="refuse_new")
    for operation, after in ((1, True), (2, False)):
        faulty = FaultyStore(memory, fail_at=1 + operation, after=after)  # opening is the first
        failing = watching(faulty, clock, session_limit=1, on_session_limit="refuse_new")
        with pytest.raises(StoreUnavailable):
            await failing.login("ann", device=HOME)
        assert len(await memory.sessions("ann", now=clock.now)) == 1
        await failing.backing._round()
        assert await memory.sessions("ann", now=clock.now) == []
        await failing.aclose()
    await issuer.login("ann", device=HOME)
    await issuer.aclose()


class Overtaken(MemoryStore):
    """The owner refreshes while somebody else's refresh is being looked at."""

    async def sessions(self, subject: str, *, now: float, most: int | None = None) -> list[Session]:
        listed = await super().sessions(subject, now=now, most=most)
        for row in listed:
            if row.generation == 0 and row.created_at < now:
                await self.advance(in_place(row, to=1, now=now))
        return listed


async def test_somebody_faster_is_noticed(clock: Clock, listener: Listener) -> None:
    store = Overtaken()
    issuer = watching(store, clock, listener, concurrent_networks="step_up")
    pair = await issuer.login("ann", device=HOME)
    clock.advance(5)
    assert await outcome(issuer, pair.refresh_token, AWAY) == "step_up_required"
    row = await store.get(pair.session.id)
    assert row is not None
    assert (row.generation, row.step_up) == (1, "concurrent_networks")
    assert (await listener.names()).count("concurrent_networks") == 1
    await issuer.aclose()


async def test_what_watching_costs_in_store_operations(clock: Clock) -> None:
    counted: dict[str, list[int]] = {}
    for name, policy in {"none": {}, "all": {"concurrent_networks": "event", "session_limit": 9}}.items():
        store = FaultyStore(MemoryStore(), fail_at=0)
        issuer = watching(store, clock, **policy)
        await issuer.open()
        before = store.operations
        pair = await issuer.login("ann", device=HOME)
        costs = [store.operations - before]
        for device in (HOME, AWAY, AWAY):
            clock.advance(1000)
            before = store.operations
            pair = await issuer.refresh(pair.refresh_token, device=device)
            costs.append(store.operations - before)
        counted[name] = costs
        await issuer.aclose()
    assert counted == {"none": [1, 1, 2, 1], "all": [2, 1, 3, 1]}
