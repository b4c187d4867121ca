"""What is special about each audit log."""

import asyncio
import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from jwt_refresh_middleware.audit import AuditEntry, redis
from jwt_refresh_middleware.audit.redis import RedisAudit
from jwt_refresh_middleware.audit.sqlalchemy import SQLAlchemyAudit, audit_table
from jwt_refresh_middleware.audit.sqlite import SQLiteAudit
from jwt_refresh_middleware.testing import NOW

from ..kinds import Servers
from .kinds import url_of


def an_entry(number: int, **changes: Any) -> AuditEntry:
    values: dict[str, Any] = {"id": f"{number:06d}", "name": "revoked", "at": NOW + number, "subject": f"user-{number}"}
    return AuditEntry(**values | changes)


# --- SQLite


async def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    audit = SQLiteAudit(tmp_path / "nowhere" / "audit.db")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        await audit.open()
    await audit.close()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "audit.db").write_text("no database at all, but long enough to be looked at" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        await SQLiteAudit(tmp_path / "audit.db").open()


async def test_it_is_durable_and_may_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notes (text TEXT)")
    audit = SQLiteAudit(path)
    await audit.write([an_entry(1)])
    assert audit._group is not None
    assert await audit._group._connection.execute_fetchall("PRAGMA synchronous") == [(2,)]
    assert await audit._group._connection.execute_fetchall("PRAGMA journal_mode") == [("wal",)]
    await audit.close()
    with closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == {"notes", "jwt_refresh_audit"}


async def test_entries_are_found_by_an_index(tmp_path: Path) -> None:
    audit = SQLiteAudit(tmp_path / "audit.db")
    await audit.open()
    with closing(sqlite3.connect(tmp_path / "audit.db")) as database:
        for where, index in (("subject", "subject"), ("session_id", "session"), ("at", "at")):
            sql = f"SELECT * FROM jwt_refresh_audit WHERE {where} = ? ORDER BY at DESC, id DESC LIMIT 9"
            plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", ("x",)))
            assert f"USING INDEX jwt_refresh_audit_{index}" in plan
    await audit.close()


async def test_a_file_that_somebody_is_busy_with_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE notes (text TEXT)")
        database.execute("BEGIN EXCLUSIVE")
        audit = SQLiteAudit(path)
        opening = asyncio.create_task(audit.open())
        await asyncio.sleep(0.1)
        assert not opening.done()
        database.execute("COMMIT")
        await opening
        await audit.close()
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await SQLiteAudit(path, busy_timeout=0.05).open()


async def test_where_wal_is_impossible_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_wal(*_: Any, **options: Any) -> sqlite3.Connection:
        return connect(":memory:", **options)  # as on a network file system, the mode stays what it is

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", without_wal)
    with pytest.raises(RuntimeError, match="cannot use SQLite's WAL mode"):
        await SQLiteAudit(tmp_path / "audit.db").open()


async def test_many_instances_open_one_file_at_once(tmp_path: Path) -> None:
    audits = [SQLiteAudit(tmp_path / "audit.db") for _ in range(8)]
    await asyncio.gather(*(audit.write([an_entry(number)]) for number, audit in enumerate(audits)))
    assert len(await audits[0].entries()) == 8
    await asyncio.gather(*(audit.close() for audit in audits))


def test_a_process_that_never_closes_it_can_exit(tmp_path: Path) -> None:
    program = f"""
import asyncio
from jwt_refresh_middleware.audit.sqlite import SQLiteAudit
asyncio.run(SQLiteAudit({str(tmp_path / "audit.db")!r}).open())
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


# --- Redis


@pytest.fixture
def url(servers: Servers) -> str:
    return url_of("redis", servers)


@pytest.fixture
def prefix() -> str:
    return f"{secrets.token_hex(4)}:"


@pytest.mark.parametrize("decode_responses", [False, True])
@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_client_of_ones_own_stays_open(url: str, prefix: str, decode_responses: bool, protocol: int) -> None:
    client = Redis.from_url(url, decode_responses=decode_responses, protocol=protocol)
    audit = RedisAudit(client, prefix=prefix)
    odd = an_entry(1, user_agent="\ud800 é \0")
    await audit.write([odd])
    assert await audit.entries() == [odd]
    assert await audit.purge(NOW + 1) == 1
    await audit.close()
    assert await client.ping()
    await client.aclose()


async def test_two_keys_of_one_slot_and_one_of_them_only_for_an_hour(url: str, prefix: str) -> None:
    audit = RedisAudit(url, prefix=prefix)
    await audit.write([an_entry(1), an_entry(2)])
    async with Redis.from_url(url, decode_responses=True) as client:
        keys = sorted([key async for key in client.scan_iter(f"{prefix}*")])
        assert keys == [f"{prefix}{{audit}}", f"{prefix}{{audit}}:000001:000002"]
        assert await client.ttl(keys[0]) == -1
        assert 3590 < await client.ttl(keys[1]) <= 3600
    await audit.close()


async def test_a_reader_of_the_stream_gets_json(url: str, prefix: str) -> None:
    audit = RedisAudit(url, prefix=prefix)
    await audit.write([an_entry(1, details={"reason": "logout"})])
    async with Redis.from_url(url, decode_responses=True) as client:
        ((ident, fields),) = await client.xrange(f"{prefix}{{audit}}")
    assert ident == f"{int(NOW + 1) * 1000}-0"
    assert fields == {
        "entry": '{"id":"000001","name":"revoked","at":1800000001.0,"subject":"user-1","details":{"reason":"logout"}}'
    }
    await audit.close()


async def test_of_more_than_most_the_oldest_go(url: str, prefix: str) -> None:
    audit = RedisAudit(url, prefix=prefix, most=1000)
    for first in range(0, 5000, 500):
        await audit.write([an_entry(first + number) for number in range(500)])
    kept = await audit.entries(most=5000)
    assert 1000 <= len(kept) < 1200
    assert [int(entry.id) for entry in kept] == [*range(4999, 4999 - len(kept), -1)]
    await audit.close()


async def test_it_looks_so_far_back_and_no_farther(url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (redis._MOST_READ, redis._PAGE) == (100_000, 1000)
    monkeypatch.setattr(redis, "_MOST_READ", 300)
    monkeypatch.setattr(redis, "_PAGE", 100)
    audit = RedisAudit(url, prefix=prefix)
    await audit.write([an_entry(number) for number in range(400)])
    assert [entry.id for entry in await audit.entries(subject="user-100")] == ["000100"]
    assert await audit.entries(subject="user-99") == []
    await audit.close()


async def test_what_came_an_hour_late_is_found(url: str, prefix: str) -> None:
    audit = RedisAudit(url, prefix=prefix)
    await audit.write([an_entry(3500)])
    await audit.write([an_entry(0)])
    await audit.write([an_entry(20_000)])
    assert [entry.id for entry in await audit.entries(until=NOW + 1)] == ["000000"]
    assert [entry.id for entry in await audit.entries(since=NOW, until=NOW + 4000)] == ["003500", "000000"]
    assert [entry.id for entry in await audit.entries(since=NOW + 10_000)] == ["020000"]
    await audit.close()


def test_a_prefix_has_no_braces() -> None:
    with pytest.raises(ValueError, match="no braces"):
        RedisAudit("redis://localhost", prefix="{x}:")


async def test_more_at_once_than_it_has_connections(url: str, prefix: str) -> None:
    audit = RedisAudit(url, prefix=prefix)
    await asyncio.gather(*(audit.write([an_entry(number)]) for number in range(100)))
    assert len(await audit.entries(most=200)) == 100
    await audit.close()


# --- SQLAlchemy


@pytest.fixture(params=["postgresql", "mariadb", "sqlalchemy-sqlite"])
async def engine(request: pytest.FixtureRequest, servers: Servers) -> Any:
    made = create_async_engine(url_of(request.param, servers))
    yield made
    await made.dispose()


@pytest.fixture
def name() -> str:
    return f"audit_{secrets.token_hex(4)}"


async def test_a_table_that_is_not_there_is_named(engine: AsyncEngine, name: str) -> None:
    audit = SQLAlchemyAudit(engine, table_name=name)
    with pytest.raises(RuntimeError, match=f"no table {name}.*create_all"):
        await audit.open()
    await audit.create_all()
    await audit.create_all()
    await audit.open()
    await audit.close()


async def test_a_table_made_by_ones_own_metadata(engine: AsyncEngine, name: str) -> None:
    metadata = MetaData()
    table = audit_table(metadata, name)
    assert audit_table(metadata, name) is table
    async with engine.begin() as db:
        await db.run_sync(metadata.create_all)
    audit = SQLAlchemyAudit(engine, table_name=name, metadata=metadata)
    assert audit.table is table
    await audit.open()
    await audit.write([an_entry(1)])
    assert await audit.entries() == [an_entry(1)]
    await audit.close()


async def test_a_batch_is_all_or_nothing(engine: AsyncEngine, name: str) -> None:
    audit = SQLAlchemyAudit(engine, table_name=name)
    await audit.create_all()
    too_long = an_entry(2, id="x" * 1000) if engine.dialect.name != "sqlite" else an_entry(2, name=None)
    with pytest.raises(Exception, match=r"too long|Too long|NOT NULL"):
        await audit.write([an_entry(1), too_long, an_entry(3)])
    assert await audit.entries() == []
    await audit.close()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "AUTOCOMMIT"])
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_whatever_the_engines_isolation_level_is(kind: str, level: str, servers: Servers, name: str) -> None:
    engine = create_async_engine(url_of(kind, servers), isolation_level=level)
    audit = SQLAlchemyAudit(engine, table_name=name)
    await audit.create_all()
    batches = [[an_entry(10 * batch + number) for number in range(10)] for batch in range(20)]
    await asyncio.gather(*(audit.write(batch) for batch in batches), *(audit.write(batch) for batch in batches))
    assert len(await audit.entries(most=500)) == 200
    assert sum(await asyncio.gather(*(audit.purge(NOW + 99) for _ in range(4)))) == 100
    await audit.close()
    await engine.dispose()


async def test_the_engine_stays_open(engine: AsyncEngine, name: str) -> None:
    audit = SQLAlchemyAudit(engine, table_name=name)
    await audit.create_all()
    await audit.write([an_entry(1)])
    await audit.close()
    async with engine.connect() as db:
        assert (await db.execute(text("SELECT 1"))).scalar() == 1


def test_another_database_is_refused() -> None:
    engine: Any = SimpleNamespace(dialect=SimpleNamespace(name="oracle"))
    with pytest.raises(ValueError, match="oracle is not supported"):
        SQLAlchemyAudit(engine)


async def test_its_password_is_not_in_the_repr() -> None:
    engine = create_async_engine("postgresql+asyncpg://ann:hidden@localhost/app")
    assert "hidden" not in repr(SQLAlchemyAudit(engine))
