"""Bytes per session in SQLite, everything included: indexes, device, and the file's free space.

``python -m tests.benchmarks.memory [--sessions 50000]``

Sizes are taken at a tenth and at all of the sessions; the slope between them is printed, and what the whole file takes
per session after every session was rotated once. Four sessions share a subject of 36 characters; the user agent is a
browser's of 111 characters; the address is IPv4.
"""

import argparse
import asyncio
import contextlib
import os
import sqlite3
import tempfile

from jwt_refresh_middleware import Device, Issuer
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .common import SECRET, banner, table

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


def device(number: int) -> Device:
    return Device(ip=f"203.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", user_agent=AGENT)


async def measure(sessions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/sessions.db"

        def size() -> int:
            return os.path.getsize(path)

        def checkpoint() -> None:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, "not all was moved"

        async with Issuer(SECRET, SQLiteStore(path)) as issuer:
            sizes, tokens = {}, []
            for first in range(0, sessions, 1000):
                logins = (
                    issuer.login(f"5f0c9a52-7b1e-4c39-9d54-{number // 4:012x}", device=device(number), scopes=["read"])
                    for number in range(first, first + 1000)
                )
                tokens += [pair.refresh_token for pair in await asyncio.gather(*logins)]
                if first + 1000 in (sessions // 10, sessions):
                    checkpoint()
                    sizes[first + 1000] = size()
            slope = (sizes[sessions] - sizes[sessions // 10]) / (sessions - sessions // 10)
            for first in range(0, sessions, 1000):
                batch = range(first, first + 1000)
                await asyncio.gather(*(issuer.refresh(tokens[number], device=device(number)) for number in batch))
            checkpoint()
            rotated = size() / sessions
    table(
        ["sessions", "bytes per session", "after rotating all once", "to reach"],
        [[sessions, f"{slope:.0f}", f"{rotated:.0f}", "<= 450"]],
    )


def main(sessions: int = 50_000) -> None:
    banner("Bytes per session in SQLite", "aiosqlite")
    asyncio.run(measure(sessions))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50_000)
    main(parser.parse_args().sessions)
