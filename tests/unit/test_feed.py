"""What a process learns of sessions that ended elsewhere, and how it goes on when it cannot ask."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, MemoryStore, RevocationFeed, Verifier
from jwt_refresh_middleware.errors import StoreUnavailable, TokenRevoked
from jwt_refresh_middleware.stores.base import PushedRevocations
from jwt_refresh_middleware.testing import Clock, a_session

SECRET = "a secret of more than thirty-two bytes, for tests"
OFTEN, NEVER = timedelta(milliseconds=10), timedelta(days=1)


class Pushing(MemoryStore):
    """A store that tells of an end at once, as long as its cable is plugged in."""

    def __init__(self) -> None:
        super().__init__()
        self.plugged = asyncio.Event()
        self.plugged.set()
        self.watchers: list[asyncio.Queue[list[tuple[str, float]] | None]] = []
        self.read: list[float] = []

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        did = await super().revoke(session_id, reason=reason, now=now)
        if did and self.plugged.is_set():
            self.say([(session_id, now)])
        return did

    def say(self, words: list[tuple[str, float]] | None) -> None:
        for watcher in self.watchers:
            watcher.put_nowait(words)

    def unplug(self) -> None:
        self.plugged.clear()
        self.say(None)

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        self.read.append(since)
        return await super().revocations(since)

    async def watch(self) -> AsyncGenerator[list[tuple[str, float]], None]:
        if not self.plugged.is_set():
            raise ConnectionError
        queue: asyncio.Queue[list[tuple[str, float]] | None] = asyncio.Queue()
        self.watchers.append(queue)
        try:
            yield []
            while (words := await queue.get()) is not None:
                yield words
            raise ConnectionError
        finally:
            self.watchers.remove(queue)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
async def store() -> Pushing:
    store = Pushing()
    for number in range(8):
        await store.add(a_session(number))
    return store


async def end(store: MemoryStore, number: int, at: float) -> str:
    ident = a_session(number).id
    assert await store.revoke(ident, reason="elsewhere", now=at)
    return ident


def test_only_a_store_that_can_push_is_watched() -> None:
    assert isinstance(Pushing(), PushedRevocations)
    assert not isinstance(MemoryStore(), PushedRevocations)


async def test_what_ended_before_is_known_from_the_start(store: Pushing) -> None:
    clock = Clock()
    old, recent = await end(store, 0, clock() - 901), await end(store, 1, clock() - 899)
    async with RevocationFeed(store, interval=NEVER, clock=clock) as feed:
        assert dict(feed.ended) == {recent: clock() - 899}
        assert old not in feed.ended
        status = feed.status()
        assert (status.behind, status.learned, status.lag_worst) == (0, 0, None), "it was not told of it, it read it"


async def test_a_pushed_end_is_known_at_once(store: Pushing) -> None:
    clock = Clock()
    async with RevocationFeed(store, interval=NEVER, clock=clock) as feed:
        await until(lambda: feed.status().pushed)
        clock.advance(5)
        ident = await end(store, 0, clock() - 0.25)
        await until(lambda: ident in feed.ended)
        status = feed.status()
        assert (status.learned, status.lag_median, status.lag_worst) == (1, 0.25, 0.25)
        assert status.behind == 0
        clock.advance(3)
        assert feed.status().behind == 3
        store.say([])
        await until(lambda: feed.status().behind == 0)
    assert not store.watchers, "it let go of the store"


async def test_what_ended_while_the_cable_was_out_is_read_afterwards(store: Pushing) -> None:
    clock = Clock()
    async with RevocationFeed(store, interval=timedelta(milliseconds=200), clock=clock) as feed:
        await until(lambda: feed.status().pushed)
        began = clock()
        store.read.clear()
        store.unplug()
        ident = await end(store, 0, clock())
        await until(lambda: not feed.status().pushed)
        store.plugged.set()
        await until(lambda: feed.status().pushed)
        assert ident in feed.ended
        assert min(store.read) == began - 60, "it looks back a minute further than it was in step"


async def test_while_the_cable_is_out_the_store_is_asked(store: Pushing) -> None:
    store.plugged.clear()
    async with RevocationFeed(store, interval=OFTEN) as feed:
        assert not feed.status().pushed
        ident = await end(store, 0, 2e9)
        await until(lambda: ident in feed.ended)
        assert not feed.status().pushed


async def test_a_store_that_pushes_is_asked_now_and_then_all_the_same(store: Pushing) -> None:
    async with RevocationFeed(store, interval=OFTEN) as feed:
        await until(lambda: feed.status().pushed)
        store.watchers.clear()  # it believes to be in step, and is told nothing
        ident = await end(store, 0, 2e9)
        await until(lambda: ident in feed.ended)
    # Closing went well though the watched store's own clean-up raised: its list of watchers is empty.


async def test_what_no_access_token_can_be_alive_of_is_forgotten() -> None:
    clock, store = Clock(), MemoryStore()
    async with RevocationFeed(store, interval=OFTEN, access_ttl=timedelta(minutes=5), clock=clock) as feed:
        feed.add("s", clock())
        clock.advance(301)
        await until(lambda: not feed.ended)


async def test_an_end_of_ones_own_is_nothing_to_learn(store: Pushing) -> None:
    issuer = Issuer(SECRET, store, sync_interval=NEVER)
    async with issuer:
        await until(lambda: issuer.feed.status().pushed)
        pair = await issuer.login("ann")
        assert await issuer.revoke(pair.session.id)
        for _ in range(5):
            await asyncio.sleep(0)
        assert pair.session.id in issuer.feed.ended
        assert issuer.feed.status().behind < 60


async def test_lags_are_counted(store: Pushing) -> None:
    clock = Clock()
    async with RevocationFeed(store, interval=NEVER, clock=clock) as feed:
        await until(lambda: feed.status().pushed)
        clock.advance(10)
        store.say([(f"s{number}", clock() - number / 100) for number in range(200)])
        await until(lambda: feed.status().learned)
        status = feed.status()
        assert status.learned == 200
        assert (status.lag_median, status.lag_p99) == (pytest.approx(1.0), pytest.approx(1.98))
        assert status.lag_worst == pytest.approx(1.99)
        store.say([("from the future", clock() + 5)])
        await until(lambda: feed.status().learned == 201)
        assert min(feed._lags) == 0, "another machine's clock is ahead"


async def test_a_verifier_with_a_feed_refuses_what_ended(store: Pushing) -> None:
    issuer = Issuer(SECRET, store)
    async with issuer, RevocationFeed(store, interval=NEVER) as feed:
        gateway = Verifier(SECRET, feed=feed)
        pair = await issuer.login("ann")
        assert gateway.verify(pair.access_token).subject == "ann"
        await until(lambda: feed.status().pushed)
        await issuer.revoke(pair.session.id)
        await until(lambda: pair.session.id in feed.ended)
        with pytest.raises(TokenRevoked):
            gateway.verify(pair.access_token)


async def test_a_store_that_is_away_at_the_start(store: Pushing) -> None:
    class Away(MemoryStore):
        away = True

        async def revocations(self, since: float) -> list[tuple[str, float]]:
            if self.away:
                raise ConnectionError("nobody there")
            return await super().revocations(since)

    away = Away()
    feed = RevocationFeed(away, interval=NEVER)
    with pytest.raises(ConnectionError):
        await feed.open()
    with pytest.raises(StoreUnavailable):
        await feed.ready()
    assert not feed.is_running()
    assert feed.status().behind == float("inf")
    await feed.close()
    away.away = False
    await feed.ready()
    assert feed.is_running()
    await feed.close()
    await feed.close()
    assert not feed.is_running()


@pytest.mark.parametrize(
    "options", [{"interval": timedelta(0)}, {"access_ttl": timedelta(0)}, {"timeout": timedelta(0)}], ids=str
)
def test_lengths_that_cannot_work(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        RevocationFeed(MemoryStore(), **options)


async def test_a_store_that_swallows_its_cancellation_is_left_all_the_same() -> None:
    class Deaf(Pushing):
        async def watch(self) -> AsyncGenerator[list[tuple[str, float]], None]:
            yield []
            for _ in range(3):
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            await asyncio.Event().wait()

    feed = RevocationFeed(Deaf(), interval=NEVER)
    await feed.open()
    await until(lambda: feed.status().pushed)
    async with asyncio.timeout(5):
        await feed.close()
