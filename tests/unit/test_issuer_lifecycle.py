"""An issuer opens on first use, closes twice, outlives event loops, and keeps in step with its store by itself."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from jwt_refresh_middleware import Issuer, MemoryStore, SessionStore, TokenPair
from jwt_refresh_middleware.errors import TokenRevoked
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from tests.rotation.support import FIREFOX, Clock, Listener, acknowledge, make_issuer, outcome

SOON = timedelta(milliseconds=10)


class Counting(MemoryStore):
    """Counts how often it was opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.closed = 0

    async def open(self) -> None:
        self.opened += 1
        await asyncio.sleep(0)

    async def close(self) -> None:
        self.closed += 1


async def test_the_first_uses_open_it_once(clock: Clock) -> None:
    store = Counting()
    issuer = make_issuer(store, clock)
    await asyncio.gather(*(issuer.login("ann") for _ in range(20)), issuer.open(), issuer.open())
    assert (store.opened, len(await issuer.sessions("ann"))) == (1, 20)
    await issuer.aclose()


async def test_closing_twice_or_unopened_is_no_error(clock: Clock) -> None:
    store = Counting()
    issuer = make_issuer(store, clock)
    await issuer.aclose()
    assert store.closed == 0
    await issuer.login("ann")
    await issuer.aclose()
    await issuer.aclose()
    assert store.closed == 1


async def test_it_opens_again_after_it_was_closed(store: SessionStore, clock: Clock) -> None:
    issuer = make_issuer(store, clock)
    pair = await issuer.login("ann", device=FIREFOX)
    await issuer.aclose()
    pair = await issuer.refresh(pair.refresh_token, device=FIREFOX)
    assert pair.session.generation == 1
    await issuer.aclose()


async def test_closing_writes_and_tells_what_is_left(store: SessionStore, clock: Clock, listener: Listener) -> None:
    async with make_issuer(store, clock, listener) as issuer:
        pair = await issuer.refresh((await issuer.login("ann")).refresh_token)
        acknowledge(issuer, pair)
    assert [event.name for event in listener.events] == ["session_started", "rotated"]
    row = await store.get(pair.session.id)
    assert row is not None
    assert row.acknowledged == 1


@pytest.mark.parametrize("closed_between", [False, True])
@pytest.mark.parametrize("in_a_file", [False, True])
def test_one_issuer_in_two_event_loops_one_after_the_other(
    tmp_path: Path, clock: Clock, listener: Listener, in_a_file: bool, closed_between: bool
) -> None:
    store: SessionStore = SQLiteStore(tmp_path / "s.db") if in_a_file else MemoryStore()
    issuer = make_issuer(store, clock, listener)

    async def first() -> TokenPair:
        pair = await issuer.login("ann", device=FIREFOX)
        if closed_between:
            await issuer.aclose()
        return pair

    async def second(pair: TokenPair) -> TokenPair:
        answers = await asyncio.gather(*(issuer.refresh(pair.refresh_token, device=FIREFOX) for _ in range(5)))
        return answers[0]

    async def last(pair: TokenPair) -> None:
        assert len(await issuer.sessions("ann")) == 1
        await issuer.logout(pair.refresh_token)
        await issuer.aclose()

    pair = asyncio.run(second(asyncio.run(first())))
    assert pair.session.generation == 1
    asyncio.run(last(pair))
    assert {"session_started", "rotated", "revoked"} <= {event.name for event in listener.events}


def test_the_background_moves_on_when_its_loop_has_stopped(tmp_path: Path, clock: Clock) -> None:
    """A loop that was stopped, not closed, looks alive; what ends elsewhere has to be learnt all the same."""
    path = tmp_path / "s.db"
    here = make_issuer(SQLiteStore(path), clock, sync_interval=SOON)
    stopped = asyncio.new_event_loop()
    pair = stopped.run_until_complete(here.login("ann"))

    async def used_again() -> None:
        assert len(await here.sessions("ann")) == 1
        async with make_issuer(SQLiteStore(path), clock) as elsewhere:
            await elsewhere.revoke(pair.session.id)
        async with asyncio.timeout(10):
            while pair.session.id not in here.feed.ended:
                await asyncio.sleep(0.005)
        await here.aclose()

    asyncio.run(used_again())
    stopped.close()


async def test_it_serves_a_second_loop_while_its_own_runs(tmp_path: Path, clock: Clock) -> None:
    store = SQLiteStore(tmp_path / "s.db")
    async with make_issuer(store, clock, sync_interval=SOON) as issuer:
        pair = await issuer.login("ann")

        async def refresh() -> bool:
            answers = await asyncio.gather(*(issuer.refresh(pair.refresh_token) for _ in range(5)))
            return {answer.session.generation for answer in answers} == {1}

        assert await asyncio.to_thread(asyncio.run, refresh())
        assert await refresh()
        acknowledge(issuer, await issuer.refresh(pair.refresh_token))

        async def written() -> bool:
            row = await store.get(pair.session.id)
            return row is not None and row.acknowledged == 1

        await _soon(written)


async def _soon(condition: object) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_acknowledgements_are_written_in_the_background(store: SessionStore, clock: Clock) -> None:
    async with make_issuer(store, clock, sync_interval=SOON) as issuer:
        pair = await issuer.refresh((await issuer.login("ann")).refresh_token)
        acknowledge(issuer, pair)

        async def written() -> bool:
            row = await store.get(pair.session.id)
            return row is not None and row.acknowledged == 1

        await _soon(written)


async def test_what_ended_elsewhere_is_learnt_in_the_background(store: SessionStore, clock: Clock) -> None:
    here, elsewhere = make_issuer(store, clock, sync_interval=SOON), make_issuer(store, clock)
    pair = await here.login("ann", device=FIREFOX)
    await elsewhere.revoke(pair.session.id)

    async def refused() -> bool:
        try:
            here.verifier.verify(pair.access_token)
        except TokenRevoked:
            return True
        return False

    await _soon(refused)
    for issuer in (here, elsewhere):
        await issuer.aclose()


@pytest.mark.case("H18")
async def test_what_ended_before_the_start_is_known_from_the_start(store: SessionStore, clock: Clock) -> None:
    before = make_issuer(store, clock)
    pair = await before.login("ann")
    await before.revoke(pair.session.id)
    clock.advance(899)
    after = make_issuer(store, clock)
    assert after.verifier.verify(pair.access_token), "it cannot know before it is open"
    await after.open()
    with pytest.raises(TokenRevoked):
        after.verifier.verify(pair.access_token)
    await after.aclose()
    await before.aclose()


async def test_a_session_that_was_refused_as_revoked_is_revoked_here(store: SessionStore, clock: Clock) -> None:
    here, elsewhere = make_issuer(store, clock), make_issuer(store, clock)
    pair = await here.login("ann", device=FIREFOX)
    await elsewhere.revoke(pair.session.id)
    assert here.verifier.verify(pair.access_token)
    assert await outcome(here, pair.refresh_token) == "refresh_invalid"
    with pytest.raises(TokenRevoked):
        here.verifier.verify(pair.access_token)
    await here.aclose()
    await elsewhere.aclose()


async def test_old_sessions_are_purged_in_the_background_a_day_after_their_end(
    store: SessionStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.backing._PURGE_EVERY", 1)
    issuer: Issuer = make_issuer(store, clock, sync_interval=SOON, refresh_ttl=timedelta(seconds=100))
    old = await issuer.login("ann", device=FIREFOX)
    clock.advance(86_400)
    young = await issuer.login("ann", device=FIREFOX)
    await asyncio.sleep(0.05)
    assert await outcome(issuer, old.refresh_token) == "refresh_expired", "its client still learns why"
    clock.advance(100)

    async def gone() -> bool:
        return await store.get(old.session.id) is None

    await _soon(gone)
    assert await outcome(issuer, old.refresh_token) == "refresh_invalid"
    assert await outcome(issuer, young.refresh_token) == "refresh_expired"
    await issuer.aclose()
