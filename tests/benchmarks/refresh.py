"""Refreshes per second over ASGI on SQLite with ``synchronous=FULL``, against the bare storage statement.

``python -m tests.benchmarks.refresh [--rounds 15] [--seconds 0.5] [--sessions 10000]``

floor: ``UPDATE … RETURNING`` through aiosqlite, one call per rotation, no HTTP, no tokens. The row is what one would
write by hand: the hashes of the current and the last token, and indexes to list a subject's sessions and to purge.
Ours: ``POST /auth/refresh`` with a JSON body through the whole middleware. Each worker owns its sessions and always
presents the newest token, so every call must succeed (checked). Floor and ours take turns within each round; the median
of the ratios is printed.

The second table is a forged token: right shape, wrong signature.
"""

import argparse
import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiosqlite
from starlette.applications import Starlette

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from jwt_refresh_middleware.web.incoming import Incoming

from .common import SECRET, App, banner, median, physical_limit, post, scope, table

DEVICE = Incoming(scope(None)).device()  # where the refreshes come from, too
CLIENTS = (1, 32, 256)
TARGETS = {1: 0.6, 32: 2.5, 256: 2.5}
SCHEMA = (
    """CREATE TABLE floor (id BLOB PRIMARY KEY, subject TEXT NOT NULL, hash BLOB NOT NULL, hash_before BLOB,
    generation INTEGER NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX floor_subject ON floor (subject)",
    "CREATE INDEX floor_expires_at ON floor (expires_at)",
)
ROTATE = """UPDATE floor SET hash_before = hash, hash = ?, generation = generation + 1, expires_at = ?
    WHERE id = ? AND hash = ? AND expires_at > ? RETURNING subject, generation"""
LIFETIME = 7 * 86_400

Worker = Callable[[int, int], AsyncIterator[None]]


def own(worker: int, workers: int, sessions: int) -> AsyncIterator[int]:
    """The sessions of one worker, round and round."""

    async def numbers() -> AsyncIterator[int]:
        mine = range(worker, sessions, workers)
        while True:
            for number in mine:
                yield number

    return numbers()


async def floor_worker(path: str, sessions: int) -> tuple[Worker, aiosqlite.Connection]:
    connection = await aiosqlite.connect(path, isolation_level=None)
    await connection.execute_fetchall("PRAGMA journal_mode = WAL")
    await connection.execute_fetchall("PRAGMA synchronous = FULL")
    for statement in SCHEMA:
        await connection.execute_fetchall(statement)
    ids = [secrets.token_bytes(16) for _ in range(sessions)]
    hashes = [secrets.token_bytes(32) for _ in range(sessions)]
    now = int(time.time())
    rows = [(ids[n], f"user-{n // 4}", hashes[n], None, 0, now + LIFETIME + n) for n in range(sessions)]
    await connection.execute_fetchall("BEGIN")
    await connection.executemany("INSERT INTO floor VALUES (?, ?, ?, ?, ?, ?)", rows)
    await connection.commit()

    async def work(worker: int, workers: int) -> AsyncIterator[None]:
        async for number in own(worker, workers, sessions):
            now, fresh = int(time.time()), secrets.token_bytes(32)
            values = (fresh, now + LIFETIME, ids[number], hashes[number], now)
            assert list(await connection.execute_fetchall(ROTATE, values)), "the floor lost a rotation"
            hashes[number] = fresh
            yield

    return work, connection


async def our_worker(app: App, issuer: Issuer, sessions: int) -> Worker:
    pairs = []
    for first in range(0, sessions, 1000):
        numbers = range(first, min(first + 1000, sessions))
        logins = (issuer.login(f"user-{number // 4}", device=DEVICE) for number in numbers)
        pairs += await asyncio.gather(*logins)
    tokens = [pair.refresh_token for pair in pairs]

    async def work(worker: int, workers: int) -> AsyncIterator[None]:
        async for number in own(worker, workers, sessions):
            status, answer = await post(app, "/auth/refresh", {"refresh_token": tokens[number]})
            assert status == 200, (status, answer)
            tokens[number] = answer["refresh_token"]
            yield

    return work


async def rate(work: Worker, clients: int, seconds: float) -> float:
    """Calls per second of ``clients`` workers at once."""
    done, stop = 0, time.perf_counter() + seconds

    async def run(worker: int) -> None:
        nonlocal done
        async for _ in work(worker, clients):
            done += 1
            if time.perf_counter() > stop:
                return

    started = time.perf_counter()
    await asyncio.gather(*(run(worker) for worker in range(clients)))
    return done / (time.perf_counter() - started)


async def forged(app: App, count: int = 2000) -> float:
    """Microseconds for the whole answer to a forged refresh token."""
    token = "A" * 52 + "." + "A" * 43
    started = time.perf_counter_ns()
    for _ in range(count):
        status, _ = await post(app, "/auth/refresh", {"refresh_token": token})
        assert status == 401, status
    return (time.perf_counter_ns() - started) / count / 1000


def counted(store: SQLiteStore) -> list[None]:
    """Grows by one with everything that is asked of the store's file from now on."""
    group, asked = store._group, []  # type: ignore[var-annotated]
    assert group is not None
    run = group.run

    def counting(*arguments: Any) -> Any:
        asked.append(None)
        return run(*arguments)

    group.run = counting  # type: ignore[method-assign]
    return asked


async def measure(rounds: int, seconds: float, sessions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(f"{folder}/ours.db")
        unlimited = DevicePolicy(refresh_rate=None)
        async with Issuer(SECRET, store, device_policy=unlimited) as issuer:
            app = JWTRefreshMiddleware(Starlette(), issuer=issuer)
            floor, connection = await floor_worker(f"{folder}/floor.db", sessions)
            ours = await our_worker(app, issuer, sessions)
            rows = [await compare(floor, ours, clients, rounds, seconds) for clients in CLIENTS]
            table(["clients", "floor, calls/s", "ours, refreshes/s", "ours / floor", "range", "to reach"], rows)
            await connection.close()
        await measure_forged(f"{folder}/forged.db", rounds)


async def compare(floor: Worker, ours: Worker, clients: int, rounds: int, seconds: float) -> list[str]:
    floors, rates = [], []
    for _ in range(rounds):
        floors.append(await rate(floor, clients, seconds))
        rates.append(await rate(ours, clients, seconds))
    ratios = [mine / bare for mine, bare in zip(rates, floors, strict=True)]
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    figures = (f"{median(floors):.0f}", f"{median(rates):.0f}", f"{median(ratios):.2f}")
    return [str(clients), *figures, spread, f">= {TARGETS[clients]}"]


async def measure_forged(path: str, rounds: int) -> None:
    store = SQLiteStore(path)
    async with Issuer(SECRET, store, sync_interval=timedelta(hours=1)) as issuer:  # the background does not count
        app = JWTRefreshMiddleware(Starlette(), issuer=issuer)
        await forged(app, 200)
        asked = counted(store)
        spent = [await forged(app) for _ in range(rounds)]
        operations = len(asked)
        await issuer.sessions("nobody")
        assert len(asked) == operations + 1, "the count does not count"
    limit = median(physical_limit(2000) for _ in range(rounds))
    row = [f"{median(spent):.0f}", f"{limit:.1f}", str(operations)]
    table(
        ["forged refresh token, us", "limit, us", "store operations"],
        [row, ["<= 60", "", "0"]],
    )


def main(rounds: int = 15, seconds: float = 0.5, sessions: int = 10_000) -> None:
    banner(f"Refreshes on SQLite, synchronous=FULL, {rounds} rounds x {seconds:g} s", "aiosqlite", "itsdangerous")
    asyncio.run(measure(rounds, seconds, sessions))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--sessions", type=int, default=10_000)
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.seconds, arguments.sessions)
