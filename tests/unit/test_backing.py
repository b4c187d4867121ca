"""What goes on beside the requests, and what a store that is half broken may not spoil."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from jwt_refresh_middleware import Identity, Issuer, MemoryStore, RevocationFeed, Session
from jwt_refresh_middleware.backing import Backing
from jwt_refresh_middleware.errors import StoreUnavailable, TokenRevoked
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from jwt_refresh_middleware.testing import Clock

SECRET = "a secret of more than thirty-two bytes, for tests"
QUICK = {"sync_interval": timedelta(milliseconds=10), "store_timeout": timedelta(milliseconds=50)}


class HangsOnce(MemoryStore):
    """Its feed does not answer the second time it is asked."""

    asked = 0

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        self.asked += 1
        if self.asked == 2:
            await asyncio.Event().wait()
        return await super().revocations(since)


class CannotAcknowledge(MemoryStore):
    async def acknowledge(self, generations: Mapping[str, int]) -> None:
        raise OSError("the disk is full")


async def refused_within(issuer: Issuer, token: str, seconds: float = 5) -> bool:
    for _ in range(int(seconds / 0.01)):
        try:
            issuer.verifier.verify(token)
        except TokenRevoked:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_feed_that_hangs_once_does_not_end_the_rounds() -> None:
    store = HangsOnce()
    async with Issuer(SECRET, store, **QUICK) as here:
        pair = await here.login("ann")
        while store.asked < 2:
            await asyncio.sleep(0.01)
        await store.revoke(pair.session.id, reason="elsewhere", now=here.clock())
        assert await refused_within(here, pair.access_token)


async def test_a_store_that_cannot_be_written_is_still_read() -> None:
    store = CannotAcknowledge()
    async with Issuer(SECRET, store, **QUICK) as here:
        pair = await here.refresh((await here.login("ann")).refresh_token)
        here.acknowledge(here.verifier.verify(pair.access_token))
        await store.revoke(pair.session.id, reason="elsewhere", now=here.clock())
        assert await refused_within(here, pair.access_token)


async def test_an_identity_that_does_not_fit_into_a_token_costs_nothing() -> None:
    claims = {"x": "y" * 9000}

    async def load(subject: str) -> Identity:
        return Identity(subject, claims=claims)

    store = MemoryStore()
    issuer = Issuer(SECRET, store, load_identity=load, clock=Clock())
    first = await issuer.login("ann")
    with pytest.raises(StoreUnavailable):
        await issuer.refresh(first.refresh_token)
    row = await store.get(first.session.id)
    assert row is not None
    assert row.generation == 0
    claims["x"] = "short again"
    assert (await issuer.refresh(first.refresh_token)).session.generation == 1


async def test_thousands_that_wait_when_the_store_is_closed_are_answered(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "x.db")
    await store.open()
    waiting = [asyncio.ensure_future(store.revoke("nobody", reason="test", now=1.0)) for _ in range(6000)]
    await asyncio.sleep(0)
    await store.close()
    async with asyncio.timeout(20):
        assert set(await asyncio.gather(*waiting)) == {False}
    await store.close()


class SlowlyAcknowledges(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[Mapping[str, int]] = []
        self.may_go_on = asyncio.Event()

    async def acknowledge(self, generations: Mapping[str, int]) -> None:
        await self.may_go_on.wait()
        await super().acknowledge(generations)
        self.told.append(generations)


async def test_a_flush_beside_another_waits_until_everything_is_told() -> None:
    store = SlowlyAcknowledges()
    async with Issuer(SECRET, store, sync_interval=timedelta(days=1)) as issuer:
        pairs = [await issuer.refresh((await issuer.login(name)).refresh_token) for name in ("ann", "ben")]
        flushes = []
        for pair in pairs:
            issuer.acknowledge(issuer.verifier.verify(pair.access_token))
            flushes.append(asyncio.create_task(issuer.flush()))
            await asyncio.sleep(0.01)
        flushes.append(asyncio.create_task(issuer.flush()))
        await asyncio.sleep(0.01)
        assert not any(flush.done() for flush in flushes)
        store.may_go_on.set()
        await flushes[2]
        assert [[*told] for told in store.told] == [[pair.session.id] for pair in pairs]
        await asyncio.gather(*flushes)


async def test_a_flush_whose_caller_has_gone_is_finished() -> None:
    store = SlowlyAcknowledges()
    async with Issuer(SECRET, store, sync_interval=timedelta(days=1)) as issuer:
        pair = await issuer.refresh((await issuer.login("ann")).refresh_token)
        issuer.acknowledge(issuer.verifier.verify(pair.access_token))
        flush = asyncio.create_task(issuer.flush())
        await asyncio.sleep(0.01)
        flush.cancel()
        await asyncio.wait([flush])
        store.may_go_on.set()
        await issuer.flush()
        assert len(store.told) == 1


class Silent(MemoryStore):
    """Does not answer when it is opened, until it does."""

    def __init__(self) -> None:
        super().__init__()
        self.is_silent = True
        self.closed = 0

    async def open(self) -> None:
        if self.is_silent:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1
        raise OSError("nobody there")


async def test_a_store_that_is_silent_at_the_start_is_not_waited_for() -> None:
    store, options = Silent(), {**QUICK, "sync_interval": timedelta(days=1)}
    issuer = Issuer(SECRET, store, **options)
    async with asyncio.timeout(2):
        with pytest.raises(TimeoutError):
            await issuer.open()
        assert store.closed == 1
        with pytest.raises(StoreUnavailable):
            await issuer.login("ann")
        store.is_silent = False
        await asyncio.sleep(0.1)
        assert await issuer.login("ann"), "the attempt that hung holds up nobody who comes later"


class SlowlyOpens(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_open = asyncio.Event(), asyncio.Event()
        self.is_open = False

    async def open(self) -> None:
        self.begun.set()
        await self.may_open.wait()
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False


@pytest.mark.parametrize("kind", [lambda store: Issuer(SECRET, store).backing, RevocationFeed], ids=["issuer", "feed"])
async def test_closing_while_it_opens_closes_what_was_opened(
    kind: Callable[[SlowlyOpens], Backing | RevocationFeed],
) -> None:
    store = SlowlyOpens()
    it = kind(store)
    opening = asyncio.create_task(it.open())
    await store.begun.wait()
    closing = asyncio.create_task(it.close())
    await asyncio.sleep(0.01)
    store.may_open.set()
    await asyncio.gather(opening, closing)
    assert (it.is_running(), store.is_open) == (False, False)


async def test_a_gateway_does_not_wait_either() -> None:
    store = Silent()
    feed = RevocationFeed(store, interval=QUICK["sync_interval"], timeout=QUICK["store_timeout"])
    async with asyncio.timeout(2):
        with pytest.raises(TimeoutError):
            await feed.open()
        with pytest.raises(StoreUnavailable):
            await feed.ready()
        store.is_silent = False
        await asyncio.sleep(0.1)
        await feed.ready()
        await feed.leave()


async def test_an_outage_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Away(MemoryStore):
        async def add(self, session: Session) -> None:
            raise ConnectionError("away")

    async with Issuer(SECRET, Away(), **QUICK) as issuer:
        for _ in range(50):
            with pytest.raises(StoreUnavailable):
                await issuer.login("ann")
    assert caplog.text.count("the session store failed: ConnectionError: away") == 1
    assert len(caplog.records) == 1
