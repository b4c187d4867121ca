"""What goes on beside the requests, and what a store that is half broken may not spoil."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from jwt_refresh_middleware import Identity, Issuer, MemoryStore
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
