"""Stores are looked at without being written to, for a bounded time, and are closed afterwards."""

import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as Client
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from jwt_refresh_middleware import Issuer, MemoryStore
from jwt_refresh_middleware.doctor.clocks import Skew, judged, measured
from jwt_refresh_middleware.doctor.findings import Finding
from jwt_refresh_middleware.doctor.store_looks import look
from jwt_refresh_middleware.doctor.store_sqlite import file_system
from jwt_refresh_middleware.stores.redis import RedisStore
from jwt_refresh_middleware.stores.sqlalchemy import SQLAlchemyStore
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from ..kinds import Servers
from ..servers import DatabaseServer, Postgres, Redis

SECRET = "0123456789abcdef" * 2


async def findings(store: Any, *, patience: float = 20, **options: Any) -> list[Finding]:
    return await look(Issuer(SECRET, store, **options), patience=patience, environ={})


async def ids(store: Any, **options: Any) -> list[str]:
    return [finding.check for finding in await findings(store, **options)]


def started(server: type[DatabaseServer], *options: str) -> DatabaseServer:
    if reason := server.missing():
        pytest.skip(reason)
    return server(*options)


async def test_nothing_is_asked_of_a_store_that_is_not_ours() -> None:
    assert await ids(MemoryStore()) == []


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert await ids(SQLiteStore(tmp_path / "sessions.db")) == []
    assert [*tmp_path.iterdir()] == []


async def test_a_file_in_no_directory(tmp_path: Path) -> None:
    assert await ids(SQLiteStore(tmp_path / "nowhere" / "sessions.db")) == ["store.unreachable"]


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").write_text("certainly no database, " * 100)
    assert await ids(SQLiteStore(tmp_path / "sessions.db")) == ["store.unreachable"]


@pytest.mark.parametrize("is_in_use", [True, False])
async def test_a_file_in_order_stays_as_it_is(tmp_path: Path, is_in_use: bool) -> None:
    store = SQLiteStore(tmp_path / "sessions.db")
    await store.open()
    if not is_in_use:
        await store.close()
    try:
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
        assert await ids(SQLiteStore(tmp_path / "sessions.db")) == []
        after = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
        assert after == before
        assert is_in_use or [*after] == ["sessions.db"]
    finally:
        await store.close()


async def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "sessions.db")
    await store.open()
    await store.close()
    with sqlite3.connect(tmp_path / "sessions.db") as database:
        database.execute("UPDATE jwt_refresh_sessions_schema SET version = 99")
    database.close()
    assert await ids(store) == ["store.schema"]


@pytest.mark.parametrize(
    ("kind", "expected"), [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("ext4", False), ("overlay", False)]
)
def test_network_file_systems(tmp_path: Path, kind: str, expected: bool) -> None:
    mounts = tmp_path / "mountinfo"
    home = tmp_path.resolve()
    lines = ["22 1 8:1 / / rw - ext4 /dev/sda1 rw", f"40 22 0:50 / {home} rw,noatime shared:1 - {kind} far:/away rw"]
    mounts.write_text("\n".join(lines))
    assert bool(file_system(tmp_path / "sessions.db", "here", mounts)) == expected
    assert file_system(Path("/elsewhere/sessions.db"), "here", mounts) == []
    assert file_system(tmp_path / "sessions.db", "here", tmp_path / "no-such-file") == []


async def test_redis_in_order(servers: Servers) -> None:
    if reason := servers.missing("redis"):
        pytest.skip(reason)
    store = RedisStore(servers.url("redis"), prefix="doctor:")
    assert await ids(store) == []
    assert not any(one.is_connected for one in store.client.connection_pool._available_connections)


async def test_a_client_of_the_apps_is_left_without_connections(servers: Servers) -> None:
    if reason := servers.missing("redis"):
        pytest.skip(reason)
    client = Client.from_url(servers.url("redis"))
    assert await ids(RedisStore(client)) == []
    assert not any(one.is_connected for one in client.connection_pool._available_connections)
    await client.aclose()


async def test_redis_that_evicts_and_forgets() -> None:
    with started(Redis, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "no") as server:
        found = await findings(RedisStore(server.url))
        assert [(one.check, one.severity) for one in found] == [("store.evicts", "error"), ("store.forgets", "warning")]
        assert b"db0" not in server.say("INFO keyspace")  # nothing was written
        assert await ids(RedisStore(server.url), clock=lambda: time.time() - 4) == [
            "store.evicts",
            "store.forgets",
            "store.clock",
        ]
        server.say(f"REPLICAOF 127.0.0.1 {server.port + 1}")
        assert "store.replica" in await ids(RedisStore(server.url))
        server.pause()
        try:
            [silent] = await findings(RedisStore(server.url, timeout=600), patience=1)
            assert (silent.check, silent.summary) == ("store.unreachable", "no answer within 1 s")
        finally:
            server.resume()


async def test_postgresql(tmp_path: Path) -> None:
    with started(Postgres, "synchronous_commit=off") as server:
        engine = create_async_engine(server.url)
        missing = await findings(SQLAlchemyStore(engine))
        assert [one.check for one in missing] == ["store.tables"]
        await SQLAlchemyStore(engine).create_all()
        await engine.dispose()
        found = await findings(SQLAlchemyStore(engine), clock=lambda: time.time() + 3600)
        assert [(one.check, one.severity) for one in found] == [
            ("store.durability", "warning"),
            ("store.clock", "error"),
        ]
        assert "behind" in found[1].summary
        assert engine.pool.checkedin() == engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_sqlite_by_sqlalchemy(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/app.db")
    assert await ids(SQLAlchemyStore(engine)) == ["store.tables"]
    assert [*tmp_path.iterdir()] == []
    await SQLAlchemyStore(engine).create_all()
    assert await ids(SQLAlchemyStore(engine)) == []

    @event.listens_for(engine.sync_engine, "connect")
    def hasty(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    assert await ids(SQLAlchemyStore(engine)) == ["store.durability"]
    await engine.dispose()


class Clocks:
    """Two clocks, and a network between them that takes its time, without anybody waiting for it."""

    def __init__(self, ahead: float, there: list[float], back: float) -> None:
        self.now = 1000.0
        self._ahead = ahead
        self._there = there
        self._back = back

    def here(self) -> float:
        return self.now

    async def ask(self) -> float:
        self.now += self._there.pop(0)
        said = self.now + self._ahead
        self.now += self._back
        return said


@pytest.mark.parametrize("ahead", [5.0, -5.0, 0.0])
async def test_the_skew_is_measured_against_the_middle_of_the_quickest_round_trip(ahead: float) -> None:
    clocks = Clocks(ahead, [0.4, 3.0, 0.1, 2.0, 0.7], back=0.1)
    skew = await measured(clocks.ask, clocks.here, clocks.here)
    assert skew.seconds == pytest.approx(ahead)
    assert skew.unsure == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.5, []), (-1.0, []), (1.2, []), (1.5, ["warning"]), (-8.0, ["warning"]), (-30.0, ["error"]), (11.0, ["error"])],
)
def test_how_bad_a_skew_is(seconds: float, expected: list[str]) -> None:
    issuer = Issuer(SECRET, MemoryStore(), reuse_leeway=timedelta(seconds=10))
    assert [one.severity for one in judged(Skew(seconds, 0.25), issuer, "here")] == expected
