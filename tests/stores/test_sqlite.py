import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

import pytest

from jwt_refresh_middleware import Device
from jwt_refresh_middleware.standing import NO_STANDING, Standing
from jwt_refresh_middleware.stores.group_commit import Kind
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from jwt_refresh_middleware.testing import NOW, StoreSuite, a_session, a_step

PRO = MappingProxyType({"plan": "pro"})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "sessions.db")
    await store.open()
    yield store
    await store.close()


class TestSQLiteStore(StoreSuite):
    """Over the fixture of this module."""


class TestSQLiteStoreInMemory(StoreSuite):
    @pytest.fixture
    async def store(self) -> AsyncIterator[SQLiteStore]:
        store = SQLiteStore(":memory:")
        await store.open()
        yield store
        await store.close()


async def test_is_durable_by_default(store: SQLiteStore) -> None:
    async def pragma(name: str) -> object:
        return await store._run(lambda db: db.execute(f"PRAGMA {name}").fetchone()[0], Kind.READ)

    assert await pragma("journal_mode") == "wal"
    assert await pragma("synchronous") == 2  # FULL
    assert await pragma("busy_timeout") == 5000


async def test_survives_being_closed_and_opened_again(tmp_path: Path) -> None:
    first, second = SQLiteStore(tmp_path / "x.db"), SQLiteStore(tmp_path / "x.db")
    await first.add(a_session())
    await first.close()
    await first.close()
    assert await second.get(a_session().id) == a_session()
    await second.close()
    assert await first.get(a_session().id) == a_session()
    await first.close()


async def test_opens_once_for_concurrent_first_uses(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "x.db")
    before = set(threading.enumerate())
    await asyncio.gather(*(store.add(a_session(number)) for number in range(20)))
    (started,) = set(threading.enumerate()) - before
    await store.close()
    started.join(5)
    assert not started.is_alive()


async def test_closing_while_it_opens_leaves_nothing_open(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "x.db")
    before = set(threading.enumerate())
    in_the_way = sqlite3.connect(store.path, isolation_level=None)
    in_the_way.execute("BEGIN EXCLUSIVE")
    opening = asyncio.create_task(store.open())
    while not (started := set(threading.enumerate()) - before):
        await asyncio.sleep(0.001)
    opening.cancel()  # it took too long
    closing = asyncio.create_task(store.close())
    await asyncio.wait([opening])
    in_the_way.close()
    await closing
    for thread in started:
        thread.join(5)
        assert not thread.is_alive()


async def test_two_stores_on_one_file_see_each_other(store: SQLiteStore) -> None:
    other = SQLiteStore(store.path)
    await store.add(a_session())
    outcomes = await asyncio.gather(*(s.advance(a_step(a_session())) for s in (store, other) for _ in range(25)))
    assert [won for won, _ in outcomes].count(True) == 1
    await other.revoke(a_session().id, reason="test", now=NOW)
    assert await store.revocations(NOW) == [(a_session().id, NOW)]
    await other.close()


async def test_shares_the_file_with_tables_of_the_app(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE sessions (mine TEXT)")
        database.execute("PRAGMA user_version = 42")
    database.close()
    store = SQLiteStore(path)
    await store.add(a_session())
    await store.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (42,)
        assert database.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
    database.close()


async def test_refuses_a_newer_schema(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "x.db")
    await store.open()
    await store._run(lambda db: db.execute("UPDATE jwt_refresh_sessions_schema SET version = 99").close())
    await store.close()
    with pytest.raises(RuntimeError, match="version 99"):
        await store.open()


_VERSION_1 = (
    "CREATE TABLE jwt_refresh_sessions_schema (version INTEGER NOT NULL)",
    "INSERT INTO jwt_refresh_sessions_schema (version) VALUES (1)",
    """CREATE TABLE jwt_refresh_sessions (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, generation INTEGER NOT NULL,
        created_at REAL NOT NULL, last_used_at REAL NOT NULL, expires_at REAL NOT NULL, ends_at REAL NOT NULL,
        ip TEXT, user_agent TEXT, binding TEXT NOT NULL, scopes TEXT, claims TEXT, amr TEXT,
        acknowledged INTEGER NOT NULL, late INTEGER NOT NULL, revoked_at REAL, revoked_reason TEXT)""",
    "CREATE INDEX jwt_refresh_sessions_subject ON jwt_refresh_sessions (subject)",
    "CREATE INDEX jwt_refresh_sessions_revoked ON jwt_refresh_sessions (revoked_at) WHERE revoked_at IS NOT NULL",
)
_ADD_1 = """INSERT INTO jwt_refresh_sessions (id, subject, generation, created_at, last_used_at, expires_at, ends_at,
    ip, user_agent, binding, scopes, claims, amr, acknowledged, late) VALUES (?, 'user-0', 0, ?, ?, ?, ?,
    '203.0.113.7', 'curl/8.0', 'curl', 'read write', '{"plan":"pro"}', 'pwd', -1, -1)"""


async def test_a_file_of_the_first_version_is_migrated_and_its_sessions_live_on(tmp_path: Path) -> None:
    sessions = [
        a_session(n, device=Device(ip="203.0.113.7", user_agent="curl/8.0"), binding="curl", amr=("pwd",), claims=PRO)
        for n in range(3)
    ]
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as old:
        for statement in _VERSION_1:
            old.execute(statement)
        for s in sessions:
            old.execute(_ADD_1, (s.id, s.created_at, s.last_used_at, s.expires_at, s.ends_at))
    stores = [SQLiteStore(tmp_path / "x.db") for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    store = stores[0]
    assert await store.sessions("user-0", now=NOW) == sessions
    won, moved = await store.advance(a_step(sessions[0]))
    assert won
    assert moved is not None
    assert moved.standing == NO_STANDING
    won, moved = await store.advance(a_step(moved, standing=Standing(step_up="somewhere else")))
    assert won
    assert await stores[1].get(sessions[0].id) == moved
    assert await store.revoke(sessions[1].id, reason="test", now=NOW) is True
    for each in stores:
        await each.close()
    with closing(sqlite3.connect(tmp_path / "x.db")) as database:
        kept = database.execute("SELECT id, standing FROM jwt_refresh_sessions ORDER BY id").fetchall()
        versions = database.execute("SELECT version FROM jwt_refresh_sessions_schema").fetchall()
    assert kept == [(sessions[0].id, '{"s":"somewhere else"}'), (sessions[1].id, None), (sessions[2].id, None)]
    assert versions == [(1,), (2,)], "migrated once"


async def test_says_what_is_wrong_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="directory"):
        await SQLiteStore(tmp_path / "missing" / "x.db").open()
    (tmp_path / "text.db").write_text("this is not a database, it only has the length of one" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        await SQLiteStore(tmp_path / "text.db").open()


async def test_one_failing_piece_of_work_leaves_its_neighbours_alone(store: SQLiteStore) -> None:
    await store.add(a_session(1))
    outcomes = await asyncio.gather(
        store.add(a_session(0)), store.add(a_session(1)), store.add(a_session(2)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert [await store.get(a_session(number).id) is not None for number in range(3)] == [True, True, True]


async def test_a_batch_that_cannot_be_committed_fails_whole(store: SQLiteStore) -> None:
    await store.add(a_session(0))

    def roll_back(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")

    outcomes = await asyncio.gather(
        store.add(a_session(1)), store._run(roll_back, Kind.WRITES), store.add(a_session(2)), return_exceptions=True
    )
    failed = [outcome for outcome in outcomes if isinstance(outcome, sqlite3.Error)]
    kept = [await store.get(a_session(number).id) is not None for number in (1, 2)]
    assert len(failed) >= 2, "those in the transaction that was rolled back have to know"
    assert [isinstance(outcomes[0], sqlite3.Error), isinstance(outcomes[2], sqlite3.Error)] == [not k for k in kept]


async def test_a_locked_file_is_an_error_and_no_loss(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "x.db", busy_timeout=0.05)
    await store.add(a_session())
    blocker = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await store.advance(a_step(a_session()))
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (await store.advance(a_step(a_session())))[0] is True
    await store.close()


async def test_a_cancelled_caller_does_not_stop_the_others(store: SQLiteStore) -> None:
    await store.add(a_session(0))
    tasks = [asyncio.create_task(store.add(a_session(number))) for number in range(1, 10)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [None] * 8
    assert await store.get(a_session(9).id) is not None


async def test_work_that_waits_at_close_is_done(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "x.db")
    await store.open()
    adding = [asyncio.create_task(store.add(a_session(number))) for number in range(20)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*adding)
    assert [await store.get(a_session(number).id) is not None for number in range(20)] == [True] * 20
    await store.close()


def test_lives_in_one_event_loop_after_the_other(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "x.db")
    asyncio.run(store.add(a_session(0)))

    async def lost() -> None:
        asyncio.ensure_future(store.add(a_session(1)))  # noqa: RUF006  its loop is closed under it
        await asyncio.sleep(0)

    asyncio.run(lost())
    assert asyncio.run(store.get(a_session(0).id)) == a_session(0)
    asyncio.run(store.close())


async def test_purges_in_bounded_pieces(store: SQLiteStore) -> None:
    for first in range(0, 2500, 500):
        sessions = [a_session(n, expires_at=NOW + (n % 2)) for n in range(first, first + 500)]
        await asyncio.gather(*(store.add(session) for session in sessions))
    assert [await store.purge(NOW) for _ in range(4)] == [500, 500, 250, 0]
    assert sum([await store.purge(NOW + 1) for _ in range(3)]) == 1250
    assert await store.sessions("user-1", now=0) == []
