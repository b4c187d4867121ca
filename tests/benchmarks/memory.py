"""Bytes per session in each store, everything included: indexes, device, and free space in the file or table.

``python -m tests.benchmarks.memory [--sessions 50000] [--only redis]``

Sizes are taken at a tenth and at all of the sessions; the slope between them is printed, and what everything takes per
session after every session was rotated once. SQLite: the file. PostgreSQL: the table with its indexes
(``pg_total_relation_size``). Redis: ``used_memory`` of the server. Four sessions share a subject of 36 characters; the
user agent is a browser's of 111 characters; the address is IPv4.
"""

import argparse
import asyncio
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from jwt_refresh_middleware import Device, Issuer, SessionStore
from jwt_refresh_middleware.stores.redis import RedisStore
from jwt_refresh_middleware.stores.sqlalchemy import SQLAlchemyStore
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from ..servers import MariaDB, Postgres
from ..servers import Redis as RedisServer
from .common import SECRET, banner, table

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
_AT_ONCE = 100
Size = Callable[[], Awaitable[int]]


def device(number: int) -> Device:
    return Device(ip=f"203.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", user_agent=AGENT)


@asynccontextmanager
async def in_sqlite() -> AsyncIterator[tuple[SessionStore, Size]]:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/sessions.db"

        async def size() -> int:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, "not all was moved"
            return os.path.getsize(path)

        yield SQLiteStore(path), size


@asynccontextmanager
async def in_redis() -> AsyncIterator[tuple[SessionStore, Size]]:
    with RedisServer("--appendonly", "no") as server:
        client = Redis.from_url(server.url)

        async def size() -> int:
            return int((await client.info("memory"))["used_memory"])

        yield RedisStore(server.url), size
        await client.aclose()


@asynccontextmanager
async def in_postgres() -> AsyncIterator[tuple[SessionStore, Size]]:
    with Postgres() as server:
        engine = create_async_engine(server.url)
        store = SQLAlchemyStore(engine)
        await store.create_all()

        async def size() -> int:
            async with engine.connect() as connection:
                asked = text("SELECT pg_total_relation_size('jwt_refresh_sessions')")
                return int((await connection.execute(asked)).scalar_one())

        yield store, size
        await engine.dispose()


@asynccontextmanager
async def in_mariadb() -> AsyncIterator[tuple[SessionStore, Size]]:
    with MariaDB("--innodb-stats-persistent=0") as server:
        engine = create_async_engine(server.url)
        store = SQLAlchemyStore(engine)
        await store.create_all()

        async def size() -> int:
            async with engine.connect() as connection:
                await connection.execute(text("ANALYZE TABLE jwt_refresh_sessions"))
                asked = text(
                    "SELECT data_length + index_length FROM information_schema.tables "
                    "WHERE table_schema = 'tests' AND table_name = 'jwt_refresh_sessions'"
                )
                return int((await connection.execute(asked)).scalar_one())

        yield store, size
        await engine.dispose()


PLACES = {
    "sqlite": (in_sqlite, "<= 450"),
    "redis": (in_redis, "<= 500"),
    "postgresql": (in_postgres, "<= 450"),
    "mariadb": (in_mariadb, ""),
}


async def measure(name: str, sessions: int) -> list[object]:
    make, target = PLACES[name]
    async with make() as (store, size), Issuer(SECRET, store) as issuer:
        sizes, tokens = {0: await size()}, []
        for first in range(0, sessions, _AT_ONCE):
            logins = (
                issuer.login(f"5f0c9a52-7b1e-4c39-9d54-{number // 4:012x}", device=device(number), scopes=["read"])
                for number in range(first, first + _AT_ONCE)
            )
            tokens += [pair.refresh_token for pair in await asyncio.gather(*logins)]
            if first + _AT_ONCE in (sessions // 10, sessions):
                sizes[first + _AT_ONCE] = await size()
        slope = (sizes[sessions] - sizes[sessions // 10]) / (sessions - sessions // 10)
        for first in range(0, sessions, _AT_ONCE):
            batch = range(first, first + _AT_ONCE)
            await asyncio.gather(*(issuer.refresh(tokens[number], device=device(number)) for number in batch))
        rotated = (await size() - sizes[0]) / sessions
    return [name, sessions, f"{slope:.0f}", f"{rotated:.0f}", target]


async def run(sessions: int, only: str) -> None:
    rows = [await measure(name, sessions) for name in PLACES if only in ("", name)]
    table(["store", "sessions", "bytes per session", "after rotating all once", "to reach"], rows)


def main(sessions: int = 50_000, only: str = "") -> None:
    banner("Bytes per session", "aiosqlite", "redis", "sqlalchemy")
    asyncio.run(run(sessions, only))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50_000)
    parser.add_argument("--only", default="", choices=["", *PLACES])
    arguments = parser.parse_args()
    main(arguments.sessions, arguments.only)
