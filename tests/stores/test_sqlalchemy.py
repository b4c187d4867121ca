import asyncio
import random
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, event, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from jwt_refresh_middleware import Device, Session
from jwt_refresh_middleware.standing import NO_STANDING, Standing
from jwt_refresh_middleware.stores import sql_batches, sql_connections
from jwt_refresh_middleware.stores.sql_connections import Fault, fault_of
from jwt_refresh_middleware.stores.sql_table import to_row
from jwt_refresh_middleware.stores.sqlalchemy import SQLAlchemyStore, sessions_table
from jwt_refresh_middleware.testing import NOW, StoreSuite, a_session, a_step

from ..kinds import Servers
from ..proxy import Proxy, at_port, port_of
from ..servers import MariaDB, Postgres

KINDS = ("postgresql", "asyncmy", "aiomysql", "sqlite")
SERVERS = {"postgresql": Postgres, "mariadb": MariaDB}
_ROOT = Path(__file__).parents[2]
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


def url_of(kind: str, servers: Servers, tmp_path: Path) -> str:
    if kind == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/sessions.db"
    server = "postgresql" if kind == "postgresql" else "mariadb"
    if reason := Servers.missing(server):
        pytest.skip(reason)
    return servers.url(server).replace("asyncmy", "aiomysql" if kind == "aiomysql" else "asyncmy")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> str:
    return url_of(request.param, servers, tmp_path)


@pytest.fixture
def postgresql(servers: Servers, tmp_path: Path) -> str:
    return url_of("postgresql", servers, tmp_path)


@pytest.fixture
def name() -> str:
    return f"sessions_{secrets.token_hex(4)}"


@asynccontextmanager
async def a_store(url: str, name: str, **options: Any) -> AsyncIterator[SQLAlchemyStore]:
    """One with an engine of its own, both closed afterwards, and nothing borrowed from the pool by then."""
    engine = create_async_engine(url, **options)
    store = SQLAlchemyStore(engine, table_name=name)
    await store.create_all()
    await store.open()
    try:
        yield store
    finally:
        await store.close()
        borrowed = 0 if isinstance(engine.pool, NullPool) else engine.pool.checkedout()  # type: ignore[attr-defined]
        await engine.dispose()
    assert borrowed == 0


@asynccontextmanager
async def by_a_cable(url: str, name: str) -> AsyncIterator[tuple[SQLAlchemyStore, Proxy]]:
    """A store whose server may fall silent, and the line to it; there is one connection for all."""
    async with Proxy(port_of(url)) as line, a_store(at_port(url, line.port), name, pool_size=1) as store:
        yield store, line


@pytest.fixture
async def store(url: str, name: str) -> AsyncIterator[SQLAlchemyStore]:
    async with a_store(url, name) as store:
        yield store


async def query(engine: AsyncEngine, sql: str) -> list[Any]:
    async with engine.connect() as db:
        return [*(await db.execute(text(sql))).all()]


async def do(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as db:
        for statement in statements:
            await db.execute(text(statement))


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, "it never did"
        await asyncio.sleep(0.05)


async def nothing_is_lent(store: SQLAlchemyStore) -> None:
    """Wait until every connection of the pool is back in it, or closed."""

    async def all_are_back() -> bool:
        return store.engine.pool.checkedout() == 0  # type: ignore[attr-defined, no-any-return]

    await eventually(all_are_back, 5)


class TestSQLAlchemyStore(StoreSuite):
    """Over the fixture of this module: PostgreSQL, MariaDB with both drivers, SQLite in a file."""


class TestSQLAlchemyStoreInMemory(StoreSuite):
    """SQLite in memory has one connection, which all callers share."""

    @pytest.fixture
    async def store(self, name: str) -> AsyncIterator[SQLAlchemyStore]:
        engine = create_async_engine("sqlite+aiosqlite://")
        store = SQLAlchemyStore(engine, table_name=name)
        await store.create_all()
        yield store
        await store.close()
        await engine.dispose()


class TestSQLAlchemyStoreSerializable(StoreSuite):
    """On an engine that the application has set to the strictest level."""

    @pytest.fixture(params=["postgresql", "asyncmy"])
    async def store(self, request: Any, servers: Servers, tmp_path: Path, name: str) -> AsyncIterator[SQLAlchemyStore]:
        url = url_of(request.param, servers, tmp_path)
        async with a_store(url, name, isolation_level="SERIALIZABLE") as store:
            yield store


class TestSQLAlchemyStoreAutocommit(StoreSuite):
    """On an engine without transactions, where MariaDB's rotation has to bring its own."""

    @pytest.fixture
    async def store(self, servers: Servers, tmp_path: Path, name: str) -> AsyncIterator[SQLAlchemyStore]:
        async with a_store(url_of("asyncmy", servers, tmp_path), name, isolation_level="AUTOCOMMIT") as store:
            yield store


class TestSQLAlchemyStoreServerSerializable(StoreSuite):
    """The server's own default is what a statement outside of a transaction gets: conflicts are errors there."""

    @pytest.fixture
    async def store(self, postgresql: str, name: str) -> AsyncIterator[SQLAlchemyStore]:
        settings = {"server_settings": {"default_transaction_isolation": "serializable"}}
        async with a_store(postgresql, name, connect_args=settings) as store:
            yield store


# The table


async def test_without_its_table_it_says_what_to_do(url: str, name: str) -> None:
    engine = create_async_engine(url)
    store = SQLAlchemyStore(engine, table_name=name)
    with pytest.raises(RuntimeError, match=rf"no table {name}.*await store\.create_all\(\)"):
        await store.open()
    await do(engine, f"CREATE TABLE {name} (id VARCHAR(50) PRIMARY KEY, subject VARCHAR(50))")
    with pytest.raises(RuntimeError, match=rf"column {name}\.expires_on.*migrations"):
        await store.open()
    await do(engine, f"DROP TABLE {name}")
    await store.create_all()
    await store.open()
    await store.close()
    await store.close()
    await engine.dispose()


async def test_several_make_the_table_at_once(url: str, name: str) -> None:
    engines = [create_async_engine(url) for _ in range(6)]
    stores = [SQLAlchemyStore(engine, table_name=name) for engine in engines]
    await asyncio.gather(*(store.create_all() for store in stores))
    await asyncio.gather(*(store.open() for store in stores))
    async with engines[0].connect() as db:
        made = await db.run_sync(lambda connection: inspect(connection).get_indexes(name))
    assert {index["name"] for index in made} == {f"{name}_{what}" for what in ("subject", "expires_on", "revoked_at")}
    for store in stores:
        await store.close()
        await store.engine.dispose()


async def test_makes_the_indexes_that_somebody_who_died_left_out(store: SQLAlchemyStore) -> None:
    index, on = f"{store.table.name}_revoked_at", ""
    if store.engine.dialect.name == "mysql":
        on = f" ON {store.table.name}"
    await do(store.engine, f"DROP INDEX {index}{on}")
    await store.create_all()
    async with store.engine.connect() as db:
        made = await db.run_sync(lambda connection: inspect(connection).get_indexes(store.table.name))
    assert index in {index["name"] for index in made}


def the_table_of_before(name: str) -> Table:
    """As the first version made it: without what came later."""
    columns = [column for column in sessions_table(MetaData(), name).columns if column.name != "standing"]
    return Table(name, MetaData(), *(column._copy() for column in columns))


async def test_a_table_of_the_first_version_gets_what_came_later_and_its_sessions_live_on(url: str, name: str) -> None:
    engines = [create_async_engine(url) for _ in range(6)]
    stores = [SQLAlchemyStore(engine, table_name=name) for engine in engines]
    table = the_table_of_before(name)
    sessions = [a_session(number) for number in range(3)]
    async with engines[0].begin() as db:
        await db.run_sync(table.create)
        rows = [to_row(session) for session in sessions]
        await db.execute(insert(table), [{column.name: row[column.name] for column in table.c} for row in rows])
    with pytest.raises(RuntimeError, match=rf"no column {name}\.standing: run your migrations.*create_all"):
        await stores[0].open()
    await asyncio.gather(*(store.create_all() for store in stores))
    await stores[0].create_all()
    await asyncio.gather(*(store.open() for store in stores))
    store = stores[0]
    assert await store.sessions("user-0", now=NOW) == sessions
    won, moved = await store.advance(a_step(sessions[0], standing=Standing(step_up="é", acr="gold")))
    assert won
    assert moved is not None
    assert moved.standing == Standing(step_up="é", acr="gold")
    assert await stores[1].get(sessions[0].id) == moved
    won, moved = await store.advance(a_step(sessions[1]))
    assert won
    assert moved is not None
    assert moved.standing == NO_STANDING
    assert await store.revoke(sessions[2].id, reason="test", now=NOW) is True
    for each in stores:
        await each.close()
        await each.engine.dispose()


@pytest.mark.parametrize("faster", [True, False], ids=["somebody else was faster", "it cannot be"])
async def test_in_sqlite_a_column_may_be_there_by_the_time_it_is_added(
    servers: Servers, tmp_path: Path, name: str, faster: bool
) -> None:
    async with a_store(url_of("sqlite", servers, tmp_path), name) as store:
        await do(store.engine, f"ALTER TABLE {name} DROP COLUMN standing")

        def disturb(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> tuple[str, Any]:
            if statement.startswith("ALTER"):
                if faster:
                    cursor.execute(statement)
                else:
                    statement = "ALTER TABLE not_there ADD COLUMN x"
            return statement, parameters

        event.listen(store.engine.sync_engine, "before_cursor_execute", disturb, retval=True)
        with nullcontext() if faster else pytest.raises(DBAPIError):
            await store.create_all()
        event.remove(store.engine.sync_engine, "before_cursor_execute", disturb)
        await store.create_all()
        await store.add(a_session())
        assert await store.get(a_session().id) == a_session()


async def test_a_column_that_was_added_is_as_one_that_was_made(url: str, name: str) -> None:
    described = []
    async with a_store(url, name) as store:
        for _ in ("made", "added"):
            async with store.engine.connect() as db:
                columns = await db.run_sync(lambda connection: inspect(connection).get_columns(name))
            (found,) = (column for column in columns if column["name"] == "standing")
            described.append({key: str(value) for key, value in found.items()})
            await do(store.engine, f"DROP TABLE {name}")
            async with store.engine.begin() as db:
                await db.run_sync(the_table_of_before(name).create)
            await store.create_all()
        await store.open()
    made, added = described
    assert made == added


async def test_a_table_of_somebody_else_is_left_alone(store: SQLAlchemyStore) -> None:
    name = store.table.name
    await do(
        store.engine, f"DROP TABLE {name}", f"CREATE TABLE {name} (id VARCHAR(50) PRIMARY KEY, subject VARCHAR(9))"
    )
    with suppress(DBAPIError):  # it has nothing that could be indexed
        await store.create_all()
    async with store.engine.connect() as db:
        columns = await db.run_sync(lambda connection: inspect(connection).get_columns(name))
    assert [column["name"] for column in columns] == ["id", "subject"]


async def test_shares_metadata_with_the_application(url: str, name: str) -> None:
    metadata = MetaData()
    notes = Table(f"notes_{name}", metadata, Column("id", Integer, primary_key=True), Column("text", String(50)))
    table = sessions_table(metadata, name)
    engine = create_async_engine(url)
    async with engine.begin() as db:
        await db.run_sync(metadata.create_all)
        await db.execute(insert(notes).values(id=1, text="mine"))
    store = SQLAlchemyStore(engine, metadata=metadata, table_name=name)
    assert store.table is table
    await store.create_all()
    await store.open()
    await store.add(a_session())
    assert await store.get(a_session().id) == a_session()
    async with engine.connect() as db:
        assert (await db.execute(select(notes.c.text))).scalars().all() == ["mine"]
        compared = await db.run_sync(lambda connection: inspect(connection).get_columns(name))
    assert {column["name"] for column in compared} == {column.name for column in table.c}
    await store.close()
    await engine.dispose()


async def test_lives_in_another_schema(postgresql: str, name: str) -> None:
    engine = create_async_engine(postgresql)
    await do(engine, f'CREATE SCHEMA "{name} of mine"')
    store = SQLAlchemyStore(engine, schema=f"{name} of mine", table_name='quo"ted %s')
    with pytest.raises(RuntimeError, match=f"{name} of mine"):
        await store.open()
    await store.create_all()
    await do(engine, f'ALTER TABLE "{name} of mine"."quo""ted %s" DROP COLUMN standing')
    await store.create_all()
    await store.create_all()
    await store.open()
    await store.add(a_session())
    assert (await store.advance(a_step(a_session())))[0] is True
    assert len(await store.revoke_subject("user-0", reason="test", now=NOW)) == 1
    await store.acknowledge({a_session().id: 1})
    assert await store.purge(NOW * 2) == 1
    await store.close()
    await engine.dispose()


def test_a_schema_of_the_metadata_is_found_again() -> None:
    metadata = MetaData(schema="mine")
    assert sessions_table(metadata) is sessions_table(metadata) is metadata.tables["mine.jwt_refresh_sessions"]
    assert sessions_table(metadata, schema="other") is not sessions_table(metadata)


async def test_reading_takes_no_right_to_write(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name) as store:
        await store.add(a_session())
        await store.revoke(a_session().id, reason="test", now=NOW)
        await do(store.engine, f"CREATE ROLE {name} LOGIN", f"GRANT SELECT ON {name} TO {name}")
        reader = SQLAlchemyStore(create_async_engine(postgresql.replace("tests@", f"{name}@")), table_name=name)
        await reader.open()
        assert await reader.revocations(NOW) == [(a_session().id, NOW)]
        with pytest.raises(DBAPIError, match="permission denied"):
            await reader.add(a_session(1))
        await reader.close()
        await reader.engine.dispose()
        await do(store.engine, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


async def test_no_secret_and_nobody_s_data_in_what_is_shown(postgresql: str, name: str) -> None:
    engine = create_async_engine(postgresql.replace("tests@", "tests:hunter2@"))
    store = SQLAlchemyStore(engine, table_name=name)
    assert name in repr(store)
    assert "hunter2" not in repr(store)
    with pytest.raises(DBAPIError) as caught:
        await store.add(a_session())
    assert "does not exist" in str(caught.value)
    for secret in ("hunter2", "203.0.113.7", "user-0"):
        assert secret not in str(caught.value)
    with pytest.raises(DBAPIError) as caught:
        await store.advance(a_step(a_session()))
    assert "203.0.113" not in str(caught.value)
    await store.close()
    await engine.dispose()
    with pytest.raises(ValueError, match="oracle"):
        SQLAlchemyStore(_Elsewhere())  # type: ignore[arg-type]


class _Elsewhere:
    class dialect:  # noqa: N801
        name = "oracle"


# What is kept


async def test_keeps_every_number_and_character(store: SQLAlchemyStore) -> None:
    source = random.Random(5)
    texts = [
        "ä€𝄞😀\u2028",
        "nul\x00 in it",
        "half \ud83d",
        "\x1a",
        "\x1a0000",
        "'\"\\%s :x $1",
        " ",
        "a  ",
        "e\u0301",
        "\n\t",
    ]
    for number, some in enumerate(texts):
        times = {
            name: source.choice((source.uniform(0, 4e9), round(source.uniform(1e9, 2e9), 6), NOW + source.random()))
            for name in ("created_at", "last_used_at", "expires_at", "ends_at")
        }
        session = a_session(number, device=Device(ip=some, user_agent=some * (255 // len(some))), binding=some, **times)
        session = replace(session, id=f"{number}{some}", subject=some, amr=("é",), generation=2**31 - 1)
        await store.add(session)
        assert await store.get(session.id) == session
        step = a_step(session, to=7, bindings=("no", some), binding=f"{some}{some}", user_agent=some, ip=some, now=0.1)
        assert (await store.advance(step))[0] is True
        moved = await store.get(session.id)
        assert moved is not None
        assert (moved.binding, moved.device, moved.last_used_at) == (some * 2, Device(ip=some, user_agent=some), 0.1)
        assert await store.revoke(session.id, reason=some, now=times["ends_at"]) is True
        moved = await store.get(session.id)
        assert moved is not None
        assert (moved.revoked_at, moved.revoked_reason) == (times["ends_at"], some)
        assert (session.id, times["ends_at"]) in await store.revocations(times["ends_at"])


async def test_similar_names_are_different_ones(store: SQLAlchemyStore) -> None:
    names = ["a", "A", "á", "a\u0301", "a ", " a", "a\x00", "a\n", "\uff41", "ª", "ß", "ss", "😀", "😁", "a\u200b"]
    for number, one in enumerate(names):
        await store.add(a_session(number, id=one, subject=one, binding=one))
    for one in names:
        assert [session.id for session in await store.sessions(one, now=NOW)] == [one]
        others = tuple(name for name in names if name != one)
        for some in zip(*[iter(others)] * 4, strict=False):
            assert (await store.advance(a_step(a_session(id=one, binding=one), bindings=some)))[0] is False
        assert (await store.advance(a_step(a_session(id=one), bindings=(*others[:3], one))))[0] is True
    assert [row[0] for row in await store.revoke_subject("a", reason="test", now=NOW)] == ["a"]
    await store.acknowledge({"A": 1, "a ": 1})
    arrived = {one: session.acknowledged for one in names if (session := await store.get(one)) is not None}
    assert arrived == {one: 1 if one in ("A", "a ") else -1 for one in names}


async def test_subjects_of_the_greatest_length(store: SQLAlchemyStore) -> None:
    for number, character in enumerate("a😀"):
        session = a_session(number, subject=character * 255)
        await store.add(session)
        assert await store.sessions(session.subject, now=NOW) == [session]


async def test_a_match_counts_also_if_nothing_changes(store: SQLAlchemyStore) -> None:
    session = a_session(generation=4)
    await store.add(session)
    assert [await store.note_late(session.id, 4) for _ in range(3)] == [True] * 3
    same = a_step(session, to=4, now=session.last_used_at, expires_at=session.expires_at, ip=session.device.ip)
    assert await store.advance(same) == (True, replace(session, late=4))


async def test_sessions_of_the_same_moment_have_an_order(store: SQLAlchemyStore) -> None:
    for number in (2, 0, 3, 1):
        await store.add(a_session(number, created_at=NOW))
    listed = [session.id for session in await store.sessions("user-0", now=NOW)]
    assert listed == [a_session(number).id for number in range(4)]


# Cleaning


async def add_many(store: SQLAlchemyStore, sessions: list[Session]) -> None:
    for first in range(0, len(sessions), 500):
        await asyncio.gather(*(store.add(session) for session in sessions[first : first + 500]))


@pytest.mark.parametrize("days", [0, 3], ids=["today", "days ago"])
async def test_purges_in_bounded_pieces(postgresql: str, name: str, days: int) -> None:
    async with a_store(postgresql, name) as store:
        end = NOW + days * 86_400
        await add_many(store, [a_session(number, expires_at=NOW + number % 2) for number in range(2500)])
        deleted = [await store.purge(end) for _ in range(4)]
        assert max(deleted) <= 2000
        assert sum(deleted) == (2500 if days else 1250)
        assert sum([await store.purge(end + 1) for _ in range(3)]) == (0 if days else 1250)
        assert await query(store.engine, f"SELECT count(*) FROM {name}") == [(0,)]


async def test_purging_waits_for_nobody(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name) as store:
        for number in range(4):
            await store.add(a_session(number, expires_at=NOW))
        async with store.engine.begin() as busy:
            await busy.execute(text(f"SELECT 1 FROM {name} WHERE id = '{a_session(1).id}' FOR UPDATE"))
            assert await asyncio.wait_for(store.purge(NOW + 86_400), 5) == 3
        assert await store.purge(NOW + 86_400) == 1


# PostgreSQL: round trips, size, batches


async def test_a_rotation_is_one_round_trip(postgresql: str, name: str) -> None:
    async with by_a_cable(postgresql, name) as (store, line):
        await store.add(a_session())
        counts = []
        for generation in range(5):
            line.count_from_here()
            assert (await store.advance(a_step(a_session(generation=generation))))[0] is True
            counts.append(line.chunks)
        assert counts[1:] == [1] * 4
        line.count_from_here()
        step = a_step(a_session(generation=9))
        outcomes = [await store.advance(step), await store.advance(step)]
        assert [won for won, _ in outcomes] == [False, False]
        line.count_from_here()
        await store.advance(step)
        assert line.chunks == 2, "that it was not, and what it is"
        for work in (store.revocations(0), store.sessions("user-0", now=NOW), store.get("x")):
            await work
        for work in (store.revocations(0), store.sessions("user-0", now=NOW), store.get("x")):
            line.count_from_here()
            await work
            assert line.chunks == 1


async def test_rotations_that_wait_share_a_statement(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name) as store:
        sessions = [a_session(number) for number in range(300)]
        await add_many(store, sessions)
        statements = []
        event.listen(store.engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        outcomes = await asyncio.gather(*(store.advance(a_step(session)) for session in sessions))
        assert all(won for won, _ in outcomes)
        assert [row.id for _, row in outcomes if row] == [session.id for session in sessions]
        assert len(statements) == 3, "the first alone, 256 together, and the rest"
        del statements[:]
        twice = [a_step(session, expected=g, to=g + 1) for session in sessions[:10] for g in (1, 2, 3)]
        outcomes = await asyncio.gather(*(store.advance(step) for step in twice))
        assert [won for won, _ in outcomes] == [True] * 30, "steps of one session follow each other"
        assert len(statements) <= 6


async def test_a_rotation_seldom_touches_an_index_and_a_row_is_small(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name) as store:
        sessions = [
            a_session(
                number,
                id=secrets.token_urlsafe(16),
                subject=f"5f0c9a52-7b1e-4c39-9d54-{number // 4:012x}",
                device=Device(ip=f"203.0.{number >> 8}.{number & 255}", user_agent=AGENT),
                binding=f"Chrome\n203.0.{number >> 8}.0/24",
                scopes=("read",),
                claims={},
                amr=(),
            )
            for number in range(4000)
        ]
        await add_many(store, sessions)
        random.Random(3).shuffle(sessions)
        for turn in (0, 1):  # on the same day
            for first in range(0, len(sessions), 50):
                some = sessions[first : first + 50]
                steps = (a_step(s, expected=turn, to=turn + 1, expires_at=s.expires_at + 60 + 900 * turn) for s in some)
                assert all(won for won, _ in await asyncio.gather(*(store.advance(step) for step in steps)))
        [(size,)] = await query(store.engine, f"SELECT pg_total_relation_size('{name}')")
        assert size / len(sessions) <= 500, "of so few rows; python -m tests.benchmarks.memory measures many"
        counted = f"SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '{name}'"

        async def all_are_counted() -> bool:
            [(updates, _)] = await query(store.engine, counted)
            return bool(updates == 2 * len(sessions))

        await eventually(all_are_counted)
        [(updates, hot)] = await query(store.engine, counted)
        assert hot / updates > 0.9


# Several processes at once


async def test_races_have_one_winner_and_no_deadlock(url: str, name: str) -> None:
    async with a_store(url, name) as one, a_store(url, name) as two:
        sqlite = one.engine.dialect.name == "sqlite"
        sessions = [a_session(number, generation=0) for number in range(24)]
        await add_many(one, sessions)
        stop, wins = time.monotonic() + 1, dict.fromkeys((session.id for session in sessions), 0)

        async def rotate(store: SQLAlchemyStore, seed: int) -> None:
            source = random.Random(seed)
            while time.monotonic() < stop:
                row = await store.get(source.choice(sessions).id)
                assert row is not None
                won, now = await store.advance(a_step(row, expires_at=NOW + source.random() * 7 * 86_400))
                assert now is not None
                wins[row.id] += won

        async def disturb(store: SQLAlchemyStore, seed: int) -> None:
            source = random.Random(seed)
            while time.monotonic() < stop:
                some = source.sample(sessions, 12)
                await store.acknowledge({session.id: source.randrange(5) for session in some})
                await store.purge(NOW - 1)
                await store.revoke_subject(f"user-{source.randrange(40)}", reason="test", now=NOW)
                if sqlite:
                    await asyncio.sleep(0.05)

        work = [rotate(store, seed) for seed in range(2 if sqlite else 8) for store in (one, two)]
        await asyncio.gather(*work, disturb(one, 98), disturb(two, 99))
        for session in sessions:
            row = await one.get(session.id)
            assert row is not None
            assert row.generation == wins[session.id]
        assert sum(wins.values()) > 24


async def test_ending_and_rotating_the_same_sessions_all_at_once(url: str, name: str) -> None:
    async with a_store(url, name) as one, a_store(url, name) as two:
        for turn in range(5):
            sessions = [a_session(number, id=f"{turn}-{number}", subject=f"s{turn}") for number in range(30)]
            await add_many(one, sessions)
            shuffled = random.Random(turn).sample(sessions, 30)
            ended = [store.revoke_subject(f"s{turn}", reason="test", now=NOW) for store in (one, two)]
            steps = [store.advance(a_step(session)) for session in shuffled for store in (one, two)]
            arrived = [store.acknowledge({session.id: 0 for session in shuffled}) for store in (one, two)]
            outcomes = await asyncio.gather(*ended, *steps, *arrived)
            assert sorted(ended[0] for some in outcomes[:2] for ended in some) == sorted(
                session.id for session in sessions
            )
            for session in sessions:
                row = await one.get(session.id)
                assert row is not None
                assert row.revoked_at == NOW
            assert await two.sessions(f"s{turn}", now=NOW) == []


def test_what_an_error_means() -> None:
    def error(code: object, lost: bool = False) -> DBAPIError:
        return OperationalError("SELECT", {}, _Cause(code), connection_invalidated=lost)

    for code in ("40001", "40P01", 1213, 1205, 1020):
        assert fault_of(error(code)) is Fault.CONFLICT
        assert fault_of(_Cause(code)) is Fault.CONFLICT
    for code in ("57P01", "08006", 2013, 1927):
        assert fault_of(error(code)) is Fault.LOST
    assert fault_of(error("22000", lost=True)) is Fault.LOST
    for lost in (ConnectionResetError(), EOFError(), asyncio.IncompleteReadError(b"", 3), BrokenPipeError()):
        assert fault_of(lost) is Fault.LOST
    for other in (error("53100"), error(1114), error("08 is no code"), ValueError(), ValueError("x")):
        assert fault_of(other) is Fault.OTHER


class _Cause(Exception):
    """As asyncpg says it, and as the MySQL drivers do."""

    def __init__(self, code: object) -> None:
        super().__init__(code if isinstance(code, int) else "text")
        if isinstance(code, str):
            self.sqlstate = code


# What goes wrong


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[Postgres | MariaDB]:
    """One of the test's own, to be stopped."""
    kind = SERVERS[request.param]
    if reason := kind.missing():
        pytest.skip(reason)
    with kind() as started:
        yield started


async def test_heals_when_the_server_comes_back(server: Postgres | MariaDB, name: str) -> None:
    async with a_store(server.url, name) as store:
        await store.add(a_session())
        await asyncio.gather(*(store.get(a_session().id) for _ in range(20)))  # several connections are in the pool
        for end in (server.kill, server.stop):
            end()
            with pytest.raises((OSError, DBAPIError)):
                await store.get(a_session().id)
            server.start()
            outcomes = await asyncio.gather(*(store.get(a_session().id) for _ in range(20)))
            assert outcomes == [a_session()] * 20, "nobody notices that every connection was dead"
        for generation, end in enumerate((server.kill, server.stop)):
            await asyncio.gather(*(store.get(a_session().id) for _ in range(20)))
            end()
            server.start()  # while nobody asked
            assert (await store.advance(a_step(a_session(generation=generation))))[0] is True
            assert await store.revoke_subject("nobody", reason="test", now=NOW) == []
            assert await store.purge(NOW - 1) == 0


async def test_a_server_that_hangs_holds_nobody_up_for_good(server: Postgres | MariaDB, name: str) -> None:
    async with a_store(server.url, name, pool_size=2, max_overflow=0) as store:
        sessions = [a_session(number) for number in range(8)]
        await add_many(store, sessions)
        server.pause()
        started = time.monotonic()
        work = [store.advance(a_step(session)) for session in sessions]
        work += [store.get(session.id) for session in sessions]  # type: ignore[misc]
        outcomes = await asyncio.gather(*(asyncio.wait_for(one, 0.3) for one in work), return_exceptions=True)
        assert all(isinstance(outcome, TimeoutError) for outcome in outcomes)
        assert time.monotonic() - started < 1.5
        server.resume()
        for session in sessions:
            row = await asyncio.wait_for(store.get(session.id), 10)
            assert row is not None
            won, _ = await asyncio.wait_for(store.advance(a_step(row)), 10)
            assert won is True
        await store.close()
        assert store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_connections_that_somebody_ends_are_replaced(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name, pool_size=4) as store, a_store(postgresql, name) as other:
        await add_many(store, [a_session(number) for number in range(8)])
        ending = f"""SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND query LIKE '%{name}%'"""
        lost = 0
        for number in range(8):
            lost += (await query(other.engine, ending))[0][0]
            await asyncio.sleep(0.01 * (number % 3))
            assert (await store.advance(a_step(a_session(number))))[0] is True
            assert await store.revoke(a_session(number).id, reason="test", now=NOW) is True
        assert lost >= 8


async def test_what_an_attempt_before_has_done_is_not_reported_as_somebody_else_s(store: SQLAlchemyStore) -> None:
    """The connection is lost after the work was committed: the next attempt finds it done."""
    lose: list[bool] = []
    run = store._connections.attempt

    async def losing(work: Any) -> Any:
        async def twice(db: Any, _: bool) -> Any:
            await work(db, False)
            await db.rollback()
            return await work(db, True)

        return await run(twice if lose else work)

    store._connections.attempt = losing  # type: ignore[method-assign]
    lose.append(True)
    for number in range(5):
        await store.add(a_session(number))
    assert await store.revoke(a_session(4).id, reason="test", now=NOW) is True
    ended = await store.revoke_subject("user-0", reason="all", now=NOW + 1, keep=a_session(0).id)
    assert sorted(session_id for session_id, _ in ended) == [a_session(number).id for number in (1, 2, 3)]
    step = a_step(a_session(0))
    won, row = await store.advance(step)
    assert won is False
    assert row is not None
    assert (row.generation, row.last_used_at) == (step.to, step.now), "the issuer repeats its answer"
    assert await store.note_late(a_session(0).id, 1) is True
    with pytest.raises(ValueError, match="exists"):
        await store.add(a_session(0, subject="somebody else"))
    lose.clear()
    with pytest.raises(ValueError, match="exists"):
        await store.add(a_session(1))
    assert await store.revoke(a_session(4).id, reason="test", now=NOW) is False


async def test_a_cancelled_caller_does_not_stop_the_others(store: SQLAlchemyStore) -> None:
    sessions = [a_session(number) for number in range(12)]
    await add_many(store, sessions)
    tasks = [asyncio.create_task(store.advance(a_step(session))) for session in sessions]
    await asyncio.sleep(0)
    for number in (0, 3, 11):
        tasks[number].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, asyncio.CancelledError) if number in (0, 3, 11) else outcome[0] is True  # type: ignore[index]


async def test_cancelled_at_any_moment_it_leaves_nothing_behind(store: SQLAlchemyStore) -> None:
    session = a_session()
    await store.add(session)
    for number in range(30):
        step = a_step(session)
        tasks = [
            asyncio.create_task(work)
            for work in (
                store.advance(step),
                store.get(session.id),
                store.acknowledge({session.id: session.generation}),
            )
        ]
        await asyncio.sleep(number * 0.0002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        row = await asyncio.wait_for(store.get(session.id), 10)
        assert row is not None
        assert row.generation in (session.generation, step.to), "it has happened, or it has not"
        session = row
    await store.close()  # in SQLite what was cancelled goes on
    row = await store.get(session.id)
    assert row is not None
    assert (await store.advance(a_step(row)))[0] is True


async def test_work_under_way_is_finished_at_close(url: str, name: str) -> None:
    async with a_store(url, name) as store:
        sessions = [a_session(number) for number in range(20)]
        await add_many(store, sessions)
        steps = [asyncio.create_task(store.advance(a_step(session))) for session in sessions]
        steps += [
            asyncio.create_task(store.advance(a_step(replace(session, generation=1)))) for session in sessions[:5]
        ]
        await asyncio.sleep(0)
        await store.close()
        await store.engine.dispose()
        outcomes = [won for won, _ in await asyncio.gather(*steps)]
        assert outcomes.count(True) >= 20, "all are answered; a later step may have come before its earlier one"
        assert await store.get(sessions[0].id) is not None, "it may be used again"


async def test_a_batch_that_takes_long_does_not_hold_up_the_next(
    postgresql: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_batches, "_PATIENCE", 0.1)
    async with a_store(postgresql, name) as store:
        for number in range(3):
            await store.add(a_session(number))
        async with store.engine.begin() as busy:
            await busy.execute(text(f"SELECT 1 FROM {name} WHERE id = '{a_session(0).id}' FOR UPDATE"))
            blocked = asyncio.create_task(store.advance(a_step(a_session(0))))
            await asyncio.sleep(0)
            assert (await asyncio.wait_for(store.advance(a_step(a_session(1))), 5))[0] is True
            left = asyncio.create_task(store.advance(a_step(a_session(0))))
            await asyncio.sleep(0.05)
            left.cancel()
            assert (await asyncio.wait_for(store.advance(a_step(a_session(2))), 5))[0] is True
            assert not blocked.done()
        assert (await blocked)[0] is True


async def test_closing_while_it_opens_asks_for_nothing_afterwards(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name) as made:
        store = SQLAlchemyStore(made.engine, table_name=name)
        asked = []
        event.listen(made.engine.sync_engine, "checkout", lambda *_: asked.append(name))
        opening = asyncio.create_task(store.open())
        await asyncio.sleep(0)
        opening.cancel()  # before anything of it is under way
        await store.close()
        before = len(asked)
        await asyncio.sleep(0.1)
        assert len(asked) == before


async def test_a_driver_that_swallows_a_cancellation_is_told_again(
    postgresql: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_connections, "_NUDGE", 0.05)
    swallowed = asyncio.Event()

    async def deaf(db: AsyncConnection, repeated: bool) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        swallowed.set()
        await asyncio.sleep(60)

    async with a_store(postgresql, name) as store:
        task = asyncio.create_task(store._connections.run(deaf))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.wait_for(swallowed.wait(), 5)
        await nothing_is_lent(store)


@pytest.mark.parametrize("kind", ["asyncmy", "aiomysql"])
async def test_a_connection_is_given_back_also_if_the_server_falls_silent_just_then(
    kind: str, servers: Servers, tmp_path: Path, name: str
) -> None:
    """The pool's rollback is one more round trip, of which nobody knows who asked."""
    async with by_a_cable(url_of(kind, servers, tmp_path), name) as (store, line):

        async def its_last_words(db: AsyncConnection, repeated: bool) -> None:
            await db.rollback()
            line.deaf = True

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store._connections.run(its_last_words), 0.2)
        await nothing_is_lent(store)
        line.deaf = False
        assert await store.get("x") is None


@pytest.mark.parametrize("kind", ["postgresql", "asyncmy", "aiomysql"])
async def test_a_connection_that_is_being_made_is_for_the_next_one(
    kind: str, servers: Servers, tmp_path: Path, name: str
) -> None:
    """Otherwise a crowd that has waited for long, and leaves soon, would never have a connection again."""
    async with by_a_cable(url_of(kind, servers, tmp_path), name) as (store, line):
        await store.engine.dispose()
        line.delay = 0.02
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.get("x"), 0.01)

        async def made() -> bool:
            return store.engine.pool.checkedin() == 1  # type: ignore[attr-defined, no-any-return]

        await eventually(made, 5)
        line.delay = 0.0
        await store.engine.dispose()
        line.deaf = True
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.get("x"), 0.01)
        await nothing_is_lent(store)
        line.deaf = False
        assert await store.get("x") is None


async def test_a_batch_that_fails_tells_everybody_in_it(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name) as store:
        await add_many(store, [a_session(number) for number in range(5)])
        await do(store.engine, f"ALTER TABLE {name} RENAME TO {name}_x")
        work = (store.advance(a_step(a_session(number))) for number in range(5))
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert all(isinstance(outcome, DBAPIError) for outcome in outcomes)
        await do(store.engine, f"ALTER TABLE {name}_x RENAME TO {name}")
        assert (await store.advance(a_step(a_session())))[0] is True


def test_lives_in_one_event_loop_after_the_other(url: str, name: str) -> None:
    """Where nobody disposes of the engine in between, the connections of the loop that is gone are left to it."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.stores.three_loops", url, name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "all three\n"), done.stderr


async def test_an_engine_without_a_pool(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name, poolclass=NullPool) as store:
        await add_many(store, [a_session(number) for number in range(40)])
        outcomes = await asyncio.gather(*(store.advance(a_step(a_session(number))) for number in range(40)))
        assert all(won for won, _ in outcomes)


async def test_uses_no_more_connections_than_the_pool_keeps(postgresql: str, name: str) -> None:
    async with a_store(postgresql, name, pool_size=2) as store:
        opened = []
        event.listen(store.engine.sync_engine, "connect", lambda *_: opened.append(None))
        await add_many(store, [a_session(number) for number in range(60)])
        await asyncio.gather(*(store.get(a_session(number).id) for number in range(60)))
        assert len(opened) <= 2
