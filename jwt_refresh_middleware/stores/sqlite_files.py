"""Opening an SQLite file that several processes write to: for the sessions, and for the audit log."""

import asyncio
import sqlite3
import time
from pathlib import Path

import aiosqlite

from .group_commit import GroupCommit


async def open_file(path: str, *, busy_timeout: float) -> GroupCommit:
    """A connection to the file, created if missing, in WAL mode with full durability; ``:memory:`` for none.

    Args:
        path: the file; its directory must exist.
        busy_timeout: seconds to wait for another process's transaction.

    Raises:
        FileNotFoundError: the directory does not exist.
        RuntimeError: WAL is impossible there.
        sqlite3.Error: the file cannot be opened or is no database.
    """
    opening = aiosqlite.Connection(lambda: _connect(path, busy_timeout), 64)
    opening._thread.daemon = True  # where nobody closes it, the process can still exit
    try:
        connection = await opening
    except BaseException:
        await asyncio.to_thread(opening._thread.join, busy_timeout)  # or it may answer a loop that is closed
        raise
    try:
        await connection._execute(_prepare, connection._conn, path, busy_timeout)  # type: ignore[no-untyped-call]
    except BaseException:
        await connection.close()
        raise
    return GroupCommit(connection)


def _connect(path: str, busy_timeout: float) -> sqlite3.Connection:
    if path != ":memory:" and not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(f"the directory of {path} does not exist")
    return sqlite3.connect(path, isolation_level=None, timeout=busy_timeout)


def _prepare(database: sqlite3.Connection, path: str, patience: float) -> None:
    """WAL and full durability, while other processes may be doing the same."""
    deadline = time.monotonic() + patience
    while True:
        try:
            mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError:  # switching to WAL does not wait for other connections by itself
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal" and path != ":memory:":
        raise RuntimeError(f"{path} cannot use SQLite's WAL mode (a network file system?)")
    database.execute("PRAGMA synchronous = FULL")
