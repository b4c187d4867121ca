"""Tests that were missing: each was written since a seeded fault survived all others, or was caught by luck."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncConnection

from jwt_refresh_middleware import Identity, MemoryStore, RevocationFeed, Session, SessionStore
from jwt_refresh_middleware.errors import RefreshExpired, StoreUnavailable, TokenRevoked
from jwt_refresh_middleware.stores.base import Advance
from jwt_refresh_middleware.stores.group_commit import Kind
from jwt_refresh_middleware.stores.redis import RedisStore
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from jwt_refresh_middleware.testing import NOW, Clock, a_session, a_step

from ..kinds import Servers, make_store
from ..rotation.support import FIREFOX, NEVER, Listener, make_issuer, outcome
from ..web.support import Service

DAY = timedelta(days=1)


@pytest.fixture(params=["memory", "sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of the store that a test takes."""
    name: str = request.param
    return name


@pytest.fixture
async def in_a_file(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "sessions.db")
    await store.open()
    yield store
    await store.close()


# The decision, and what follows from it


class AlwaysSlower(MemoryStore):
    """Somebody else always wins, and undoes it."""

    async def advance(self, step: Advance) -> tuple[bool, Session | None]:
        return False, await self.get(step.session_id)


async def test_a_refresh_that_always_loses_is_told_to_try_again() -> None:
    store = AlwaysSlower()
    async with make_issuer(store, Clock()) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        with pytest.raises(StoreUnavailable):
            await issuer.refresh(pair.refresh_token, device=FIREFOX)
        assert await issuer.session(pair.session.id) is not None


class SlowToEnd(MemoryStore):
    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        await asyncio.sleep(0.01)
        return await super().revoke(session_id, reason=reason, now=now)


async def test_reuse_is_answered_once_the_session_has_ended() -> None:
    """However slow the store is: whoever has the answer has no session any more, anywhere."""
    store = SlowToEnd()
    async with make_issuer(store, Clock()) as issuer:
        pairs = [await issuer.login("ann", device=FIREFOX)]
        for _ in range(2):
            pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=FIREFOX))
        assert await outcome(issuer, pairs[0].refresh_token) == "refresh_invalid"
        row = await store.get(pairs[0].session.id)
        assert row is not None
        assert row.revoked_reason == "reuse"
        with pytest.raises(TokenRevoked):
            issuer.verifier.verify(pairs[2].access_token)


class EndsWithoutAnAnswer(MemoryStore):
    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        await super().revoke(session_id, reason=reason, now=now)
        raise ConnectionError("reset")


async def test_a_theft_is_told_of_though_the_store_did_not_answer() -> None:
    """It has ended the session all the same: the next time it is only revoked, and nobody would tell."""
    listener = Listener()
    async with make_issuer(EndsWithoutAnAnswer(), Clock(), listener) as issuer:
        pairs = [await issuer.login("ann", device=FIREFOX)]
        for _ in range(2):
            pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=FIREFOX))
        assert await outcome(issuer, pairs[0].refresh_token) == "store_unavailable"
        assert await outcome(issuer, pairs[0].refresh_token) == "refresh_invalid"
        assert (await listener.names()).count("reuse_detected") == 1


@pytest.mark.parametrize("seconds", [1, 3600])
async def test_the_identity_is_asked_for_at_a_repeat_too(seconds: float) -> None:
    known = {"ann": Identity("ann", ["read", "write"])}

    async def load(subject: str) -> Identity | None:
        return known.get(subject)

    clock = Clock()
    async with make_issuer(MemoryStore(), clock, load_identity=load) as issuer:
        held = await issuer.login("ann", device=FIREFOX)
        await issuer.refresh(held.refresh_token, device=FIREFOX)
        clock.advance(seconds)
        known["ann"] = Identity("ann", ["read"])
        again = await issuer.refresh(held.refresh_token, device=FIREFOX)
        assert issuer.verifier.verify(again.access_token).scopes == ("read",)
        del known["ann"]
        assert await outcome(issuer, held.refresh_token) == "refresh_invalid"


async def test_an_idle_lifetime_that_is_longer_than_the_absolute_one(store: SessionStore) -> None:
    clock = Clock()
    async with make_issuer(store, clock, refresh_ttl=30 * DAY, reauth_after=7 * DAY) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        assert pair.refresh_expires_in == 7 * DAY.total_seconds()
        clock.advance(7 * DAY.total_seconds())
        with pytest.raises(RefreshExpired):
            await issuer.refresh(pair.refresh_token, device=FIREFOX)


async def test_logout_all_ends_sessions_that_idled_too_long(store: SessionStore) -> None:
    """Their access tokens may live on: a session that cannot be refreshed any more can still be used."""
    clock = Clock()
    async with make_issuer(store, clock, refresh_ttl=timedelta(seconds=60)) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        clock.advance(100)
        assert issuer.verifier.verify(pair.access_token).subject == "ann"
        assert await issuer.logout_all("ann") == 0, "it did not live until now"
        with pytest.raises(TokenRevoked):
            issuer.verifier.verify(pair.access_token)


class ForgetsToAnswer(MemoryStore):
    """The answer to the first end is lost."""

    lost = False

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        did = await super().revoke(session_id, reason=reason, now=now)
        if not self.lost:
            self.lost = True
            raise ConnectionError
        return did


async def test_an_end_whose_answer_was_lost_is_known_here_when_it_is_asked_for_again() -> None:
    async with make_issuer(ForgetsToAnswer(), Clock()) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        with pytest.raises(StoreUnavailable):
            await issuer.logout(pair.refresh_token)
        await issuer.logout(pair.refresh_token)
        with pytest.raises(TokenRevoked):
            issuer.verifier.verify(pair.access_token)


# What is learnt of other processes


class Away(MemoryStore):
    away = False

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        if self.away:
            raise ConnectionError
        return await super().revocations(since)


async def test_what_ended_in_a_long_outage_is_read_after_it() -> None:
    """The overlap is a minute; an outage may be longer, and each look that failed has learnt nothing."""
    clock, store = Clock(), Away()
    await store.add(a_session())
    async with RevocationFeed(store, interval=NEVER, clock=clock) as feed:
        store.away = True
        await store.revoke(a_session().id, reason="elsewhere", now=clock())
        for _ in range(5):
            clock.advance(60)
            with pytest.raises(ConnectionError):
                await feed._round()
        store.away = False
        await feed._round()
        assert a_session().id in feed.ended


class ReadSlowly(MemoryStore):
    async def revocations(self, since: float) -> list[tuple[str, float]]:
        await asyncio.sleep(0.05)
        return await super().revocations(since)


async def test_nobody_is_served_before_what_ended_is_known() -> None:
    clock, store = Clock(), ReadSlowly()
    await store.add(a_session())
    await store.revoke(a_session().id, reason="elsewhere", now=clock())
    async with make_issuer(store, clock) as issuer:
        assert a_session().id in issuer.feed.ended


class PushesLater(MemoryStore):
    """What ends before the connection stands is not told of."""

    def __init__(self) -> None:
        super().__init__()
        self.connected = asyncio.Event()

    async def watch(self) -> AsyncGenerator[list[tuple[str, float]], None]:
        await self.connected.wait()
        yield []
        await asyncio.Event().wait()


async def test_what_ended_before_the_push_began_is_read_when_it_begins() -> None:
    clock, store = Clock(), PushesLater()
    await store.add(a_session())
    async with RevocationFeed(store, interval=NEVER, clock=clock) as feed:
        await store.revoke(a_session().id, reason="elsewhere", now=clock())
        store.connected.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert feed.status().pushed
        assert a_session().id in feed.ended


# The stores


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis", "postgresql"])
async def test_purging_asks_when_a_session_ends_and_not_when_it_was_used(kind: str, servers: Servers) -> None:
    if reason := Servers.missing(kind):
        pytest.skip(reason)
    store = make_store(kind, servers.url(kind), secrets.token_hex(4))
    await store.open()
    await store.add(a_session(0, last_used_at=NOW, expires_at=NOW + 100))
    await store.add(a_session(1, last_used_at=NOW + 90, expires_at=NOW + 40))  # its lifetime was shorter
    assert await store.purge(NOW + 50) == 1
    assert await store.get(a_session(0).id) is not None
    await store.close()


async def _keep_busy(store: SQLiteStore) -> "asyncio.Future[None]":
    """Returns when the store's thread is busy: what comes from now on waits, and goes into one batch."""
    loop, began = asyncio.get_running_loop(), asyncio.Event()

    def work(_: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(began.set)
        time.sleep(0.05)

    busy = asyncio.ensure_future(store._run(work, Kind.READ))
    await began.wait()
    return busy


async def test_nobody_is_answered_before_the_commit(in_a_file: SQLiteStore) -> None:
    tasks: list[asyncio.Task[None]] = []
    answered: list[bool] = []

    def look(statement: str) -> None:
        if statement == "COMMIT":
            time.sleep(0.05)  # on the connection's thread: long enough for an answer to arrive
            answered.extend(task.done() for task in tasks)

    await in_a_file._run(lambda db: db.set_trace_callback(look), Kind.READ)
    busy = await _keep_busy(in_a_file)
    tasks += [asyncio.create_task(in_a_file.add(a_session(number))) for number in range(3)]
    await asyncio.gather(busy, *tasks)
    assert answered == [False] * 3


async def test_a_commit_that_fails_fails_everybody_in_the_batch(in_a_file: SQLiteStore) -> None:
    """A foreign key that is only looked at when the transaction ends: an app may have such in the same file."""

    def prepare(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        db.execute("CREATE TABLE children (of INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")

    await in_a_file._run(prepare, Kind.ONE_WRITE)
    busy = await _keep_busy(in_a_file)
    outcomes = await asyncio.gather(
        in_a_file.add(a_session(1)),
        in_a_file._run(lambda db: db.execute("INSERT INTO children VALUES (7)").close(), Kind.WRITES),
        in_a_file.add(a_session(2)),
        return_exceptions=True,
    )
    await busy
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [True] * 3
    assert [await in_a_file.get(a_session(number).id) for number in (1, 2)] == [None, None]
    await in_a_file.add(a_session(1))


@pytest.fixture
async def on_redis(servers: Servers) -> AsyncIterator[RedisStore]:
    if reason := Servers.missing("redis"):
        pytest.skip(reason)
    store = RedisStore(servers.url("redis"), prefix=f"{secrets.token_hex(4)}:")
    await store.open()
    yield store
    await store.close()


async def test_whatever_is_done_to_a_row_it_goes_a_day_after_its_session(on_redis: RedisStore) -> None:
    session = a_session(generation=1, expires_at=NOW + 1000)
    key = on_redis._keys.session(session.id)

    async def left() -> float:
        return float(await on_redis.client.pttl(key)) / 1000

    await on_redis.add(session)
    assert await left() == pytest.approx(1000 + 86_400, abs=60)
    assert await on_redis.note_late(session.id, 1)
    await on_redis.acknowledge({session.id: 1})
    assert await left() == pytest.approx(1000 + 86_400, abs=60)
    assert (await on_redis.advance(a_step(session, expires_at=session.last_used_at + 5060)))[0]
    assert await left() == pytest.approx(5000 + 86_400, abs=60)
    await on_redis.revoke(session.id, reason="test", now=NOW)
    assert await left() == pytest.approx(5000 + 86_400, abs=60)
    assert await on_redis.client.pttl(on_redis._keys.feed(session.id)) > 0


async def test_a_write_that_no_replica_has_does_not_count(servers: Servers) -> None:
    """Was tested before, with a replica, which takes six seconds."""
    if reason := Servers.missing("redis"):
        pytest.skip(reason)
    prefix = f"{secrets.token_hex(4)}:"
    store = RedisStore(servers.url("redis"), prefix=prefix, wait_replicas=1, wait_timeout=0.01)
    try:
        with pytest.raises(RedisError, match="0 of 1"):
            await store.add(a_session())
    finally:
        await store.close()


async def test_the_winner_gets_the_row_as_it_left_it(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else rotates between the commit and the answer: whoever is answered must not be told of that."""
    if reason := Servers.missing("mariadb"):
        pytest.skip(reason)
    store = make_store("mariadb", servers.url("mariadb"), secrets.token_hex(4))
    await store.open()
    await store.add(a_session())
    following = [a_step(a_session(), expected=1, to=2)]
    commit = AsyncConnection.commit

    async def commit_and_let_in(connection: AsyncConnection) -> None:
        await commit(connection)
        while following:
            assert (await store.advance(following.pop()))[0]

    monkeypatch.setattr(AsyncConnection, "commit", commit_and_let_in)
    won, row = await store.advance(a_step(a_session()))
    assert won and row is not None
    assert row.generation == 1
    await store.close()


# The web


async def test_the_loser_of_a_race_is_sent_one_cookie_and_no_other() -> None:
    service = Service()
    tokens = await service.login()
    replies = []
    for _ in range(2):
        service.clock.advance(5)
        replies.append(await service.post("refresh", headers=tokens.by_cookie))
    assert [len(reply.all("set-cookie")) for reply in replies] == [1, 1], "a browser would keep the last one"
    assert service.tokens(replies[1]).refresh == service.tokens(replies[0]).refresh
    await service.aclose()
