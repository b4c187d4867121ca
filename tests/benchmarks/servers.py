"""Refreshes per second over ASGI on Redis, PostgreSQL and MariaDB, against the bare statement of the same library.

``python -m tests.benchmarks.servers [--rounds 7] [--seconds 0.7] [--sessions 10000] [--only redis]``

Redis floor: one ``EVALSHA`` per rotation through redis-py with 32 connections. The script is what one would write by
hand: compare the token's hash, write the new one, prolong the key. PostgreSQL floor: one ``UPDATE … RETURNING`` per
rotation through an asyncpg pool of 16, committed with ``synchronous_commit=on``. MariaDB floor: one ``UPDATE`` whose
count is checked through an asyncmy pool of 16, in autocommit; it has no ``RETURNING``. No HTTP, no tokens in any.
Ours: ``POST /auth/refresh`` with a JSON body through the whole middleware, to the same server. Floor and ours take
turns within each round; the median of the ratios is printed. The servers are started for it and write through: Redis
with ``appendfsync everysec``, which is its default once it has an append-only file, and ``always``.
"""

import argparse
import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

import asyncmy
import asyncpg
from redis.asyncio import BlockingConnectionPool, Redis
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware, SessionStore
from jwt_refresh_middleware.stores.redis import RedisStore
from jwt_refresh_middleware.stores.sqlalchemy import SQLAlchemyStore

from ..servers import MariaDB, Postgres
from ..servers import Redis as RedisServer
from .common import SECRET, banner, median, table
from .refresh import LIFETIME, Worker, our_worker, own, rate

CLIENTS = (1, 32, 256)
TARGET = {32: ">= 0.6", 256: ">= 0.6"}
ROTATE_IN_REDIS = """
local row = redis.call('HMGET', KEYS[1], 'hash', 'subject')
if row[1] ~= ARGV[1] then return false end
redis.call('HSET', KEYS[1], 'hash', ARGV[2], 'before', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return row[2]
"""
TABLE = """CREATE TABLE floor (id uuid PRIMARY KEY, subject text NOT NULL, hash bytea NOT NULL, hash_before bytea,
    generation int NOT NULL, expires_at bigint NOT NULL)"""
TABLE_IN_MARIADB = """CREATE TABLE floor (id binary(16) PRIMARY KEY, subject varchar(64) NOT NULL,
    hash binary(32) NOT NULL, hash_before binary(32), generation int NOT NULL, expires_at bigint NOT NULL,
    KEY (subject))"""
ROTATE_IN_MARIADB = """UPDATE floor SET hash_before = hash, hash = %s, generation = generation + 1, expires_at = %s
    WHERE id = %s AND hash = %s AND expires_at > %s"""
ROTATE = """UPDATE floor SET hash_before = hash, hash = $1, generation = generation + 1, expires_at = $2
    WHERE id = $3 AND hash = $4 AND expires_at > $5 RETURNING subject, generation"""


@asynccontextmanager
async def redis_floor(port: int, sessions: int) -> AsyncIterator[Worker]:
    """One script per rotation."""
    pool = BlockingConnectionPool(host="127.0.0.1", port=port, max_connections=32, timeout=30)
    client = Redis(connection_pool=pool)
    sha = await client.script_load(ROTATE_IN_REDIS)
    keys = [f"floor:{secrets.token_hex(16)}" for _ in range(sessions)]
    hashes = [secrets.token_bytes(32) for _ in range(sessions)]
    pipeline = client.pipeline(transaction=False)
    for number, key in enumerate(keys):
        pipeline.hset(key, mapping={"hash": hashes[number], "subject": f"user-{number // 4}", "generation": 0})
        pipeline.expire(key, LIFETIME)
        if number % 1000 == 999:
            await pipeline.execute()
    await pipeline.execute()

    async def work(worker: int, workers: int) -> AsyncIterator[None]:
        async for number in own(worker, workers, sessions):
            fresh = secrets.token_bytes(32)
            won = await client.evalsha(sha, 1, keys[number], hashes[number], fresh, LIFETIME)
            assert won is not None, "the floor lost a rotation"
            hashes[number] = fresh
            yield

    yield work
    await client.aclose()
    await pool.disconnect()


@asynccontextmanager
async def postgres_floor(port: int, sessions: int) -> AsyncIterator[Worker]:
    """One statement and commit per rotation."""
    dsn = f"postgresql://tests@127.0.0.1:{port}/postgres"
    async with asyncpg.create_pool(dsn, min_size=16, max_size=16) as pool:
        await pool.execute(TABLE)
        await pool.execute("CREATE INDEX ON floor (subject)")
        ids = [uuid.uuid4() for _ in range(sessions)]
        hashes = [secrets.token_bytes(32) for _ in range(sessions)]
        end = int(time.time()) + LIFETIME
        rows = [(ids[number], f"user-{number // 4}", hashes[number], None, 0, end) for number in range(sessions)]
        await pool.copy_records_to_table("floor", records=rows)

        async def work(worker: int, workers: int) -> AsyncIterator[None]:
            async for number in own(worker, workers, sessions):
                now, fresh = int(time.time()), secrets.token_bytes(32)
                won = await pool.fetchrow(ROTATE, fresh, now + LIFETIME, ids[number], hashes[number], now)
                assert won is not None, "the floor lost a rotation"
                hashes[number] = fresh
                yield

        yield work


@asynccontextmanager
async def mariadb_floor(port: int, sessions: int) -> AsyncIterator[Worker]:
    """One statement, which commits by itself, per rotation."""
    where = {"host": "127.0.0.1", "port": port, "user": "tests", "db": "tests", "autocommit": True}
    async with asyncmy.create_pool(minsize=16, maxsize=16, **where) as pool:

        async def run(statement: str, values: tuple[object, ...] = ()) -> int:
            async with pool.acquire() as connection, connection.cursor() as cursor:
                count: int = await cursor.execute(statement, values)
                return count

        await run(TABLE_IN_MARIADB)
        ids = [secrets.token_bytes(16) for _ in range(sessions)]
        hashes = [secrets.token_bytes(32) for _ in range(sessions)]
        end = int(time.time()) + LIFETIME
        rows = [(ids[number], f"user-{number // 4}", hashes[number], end) for number in range(sessions)]
        async with pool.acquire() as connection, connection.cursor() as cursor:
            added = "INSERT INTO floor VALUES (%s, %s, %s, NULL, 0, %s)"
            for first in range(0, sessions, 1000):
                await cursor.executemany(added, rows[first : first + 1000])

        async def work(worker: int, workers: int) -> AsyncIterator[None]:
            async for number in own(worker, workers, sessions):
                now, fresh = int(time.time()), secrets.token_bytes(32)
                values = (fresh, now + LIFETIME, ids[number], hashes[number], now)
                assert await run(ROTATE_IN_MARIADB, values) == 1, "the floor lost a rotation"
                hashes[number] = fresh
                yield

        yield work


async def measure(
    name: str,
    store: SessionStore,
    make_floor: AbstractAsyncContextManager[Worker],
    target: Mapping[int, str],
    rounds: int,
    seconds: float,
    sessions: int,
) -> list[list[str]]:
    rows = []
    async with Issuer(SECRET, store, device_policy=DevicePolicy(refresh_rate=None)) as issuer, make_floor as floor:
        ours = await our_worker(JWTRefreshMiddleware(Starlette(), issuer=issuer), issuer, sessions)
        for clients in CLIENTS:
            floors, rates = [], []
            for _ in range(rounds):
                floors.append(await rate(floor, clients, seconds))
                rates.append(await rate(ours, clients, seconds))
            ratios = [mine / bare for mine, bare in zip(rates, floors, strict=True)]
            spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
            figures = [f"{median(floors):.0f}", f"{median(rates):.0f}", f"{median(ratios):.2f}", spread]
            rows.append([name, str(clients), *figures, target.get(clients, "")])
    return rows


async def run(rounds: int, seconds: float, sessions: int, only: str) -> None:
    rows = []
    for fsync in ("everysec", "always"):
        if only in "redis":
            with RedisServer("--appendfsync", fsync) as server:
                port = urlsplit(server.url).port or 0
                store = RedisStore(server.url)
                floor = redis_floor(port, sessions)
                rows += await measure(f"Redis, AOF {fsync}", store, floor, TARGET, rounds, seconds, sessions)
    for kind, title, start, make_floor, target in (
        ("postgresql", "PostgreSQL", Postgres, postgres_floor, TARGET),
        ("mariadb", "MariaDB", MariaDB, mariadb_floor, {}),
    ):
        if only in kind:
            with start() as server:
                engine = create_async_engine(server.url)
                made = SQLAlchemyStore(engine)
                await made.create_all()
                rows += await measure(title, made, make_floor(server.port, sessions), target, rounds, seconds, sessions)
                await engine.dispose()
    table(["store", "clients", "floor, calls/s", "ours, refreshes/s", "ours / floor", "range", "to reach"], rows)


def main(rounds: int = 7, seconds: float = 0.7, sessions: int = 10_000, only: str = "") -> None:
    banner(f"Refreshes on servers, {rounds} rounds x {seconds:g} s", "redis", "hiredis", "asyncpg", "sqlalchemy")
    asyncio.run(run(rounds, seconds, sessions, only))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--only", default="", choices=["", "redis", "postgresql", "mariadb"])
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.seconds, arguments.sessions, arguments.only)
