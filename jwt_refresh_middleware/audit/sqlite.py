"""An audit log in an SQLite file, that of the sessions or one of its own: for one machine and any number of workers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from ..concurrency import SingleFlight
from ..stores.group_commit import GroupCommit, Kind
from ..stores.sqlite_files import open_file
from . import KEEP, AuditEntry
from .rows import COLUMNS, DEFAULT_NAME, checked, from_row, key, to_row

T = TypeVar("T")

_PURGE_ROWS = 1000
_TABLE = DEFAULT_NAME
_SCHEMA = (
    f"""CREATE TABLE IF NOT EXISTS {_TABLE} (
        id TEXT NOT NULL PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL, subject TEXT, session_id TEXT, ip TEXT,
        user_agent TEXT, details TEXT)""",
    f"CREATE INDEX IF NOT EXISTS {_TABLE}_at ON {_TABLE} (at)",
    f"CREATE INDEX IF NOT EXISTS {_TABLE}_subject ON {_TABLE} (subject, at) WHERE subject IS NOT NULL",
    f"CREATE INDEX IF NOT EXISTS {_TABLE}_session ON {_TABLE} (session_id) WHERE session_id IS NOT NULL",
)
_ADD = f"INSERT INTO {_TABLE} ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
_GET = f"SELECT {', '.join(COLUMNS)} FROM {_TABLE}"
_PURGE = f"DELETE FROM {_TABLE} WHERE id IN (SELECT id FROM {_TABLE} WHERE at <= ? ORDER BY at LIMIT {_PURGE_ROWS})"


class SQLiteAudit:
    """An :class:`AuditLog` in one SQLite file, in a table of its own, ``jwt_refresh_audit``.

    In the file of the sessions a rotation may have to wait for a batch of entries to be committed, once a second. A
    batch that was written outlives a power loss.

    Attributes:
        keep: as in :class:`AuditLog`.
        everything: as in :class:`AuditLog`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep: timedelta | None = KEEP,
        everything: bool = False,
        busy_timeout: float = 5.0,
    ) -> None:
        """Opens nothing yet.

        Args:
            path: the file, created if missing; its directory must exist. ``:memory:`` for a database of this object.
            keep: how long entries are kept; None for ever. Default 90 days.
            everything: whether ``rotated`` and ``repeated`` are kept too. Default False.
            busy_timeout: seconds to wait for another process's transaction. Default 5.

        Raises:
            ValueError: ``keep`` is no length of time.
        """
        self.path = os.fspath(path)
        self.keep = checked(keep)
        self.everything = everything
        self._busy_timeout = busy_timeout
        self._group: GroupCommit | None = None
        self._opening = SingleFlight()

    def __repr__(self) -> str:
        return f"SQLiteAudit({self.path!r})"

    async def open(self) -> None:
        """See :meth:`AuditLog.open`.

        Raises:
            FileNotFoundError: the file's directory does not exist.
            RuntimeError: WAL is impossible there.
            sqlite3.Error: the file cannot be opened or is no database.
        """
        if self._group is None:
            await self._opening.run(self._open)

    async def _open(self) -> None:
        group = await open_file(self.path, busy_timeout=self._busy_timeout)
        try:
            await group.run(_make_table, Kind.WRITES)
        except BaseException:
            await group.close()
            raise
        self._group = group

    async def close(self) -> None:
        """See :meth:`AuditLog.close`."""
        await self._opening.finish()
        group, self._group = self._group, None
        if group is not None:
            await group.close()

    async def _run(self, work: Callable[[sqlite3.Connection], T], kind: Kind) -> T:
        if self._group is None:
            await self.open()
        assert self._group is not None
        return await self._group.run(work, kind)

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        """See :meth:`AuditLog.write`."""
        rows = [to_row(entry) for entry in entries]
        await self._run(lambda db: db.executemany(_ADD, rows).close(), Kind.WRITES)

    async def entries(
        self,
        *,
        subject: str | None = None,
        session_id: str | None = None,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        most: int = 100,
    ) -> list[AuditEntry]:
        """See :meth:`AuditLog.entries`."""
        wanted = {
            "subject = ?": key(subject),
            "session_id = ?": key(session_id),
            "name = ?": name,
            "at >= ?": since,
            "at < ?": until,
        }
        given: dict[str, Any] = {condition: value for condition, value in wanted.items() if value is not None}
        where = f" WHERE {' AND '.join(given)}" if given else ""
        asked = (f"{_GET}{where} ORDER BY at DESC, id DESC LIMIT ?", (*given.values(), most))
        rows = await self._run(lambda db: db.execute(*asked).fetchall(), Kind.READ)
        return [from_row(row) for row in rows]

    async def purge(self, before: float) -> int:
        """See :meth:`AuditLog.purge`. At most 1000 rows a call, the oldest first."""
        return await self._run(lambda db: db.execute(_PURGE, (before,)).rowcount, Kind.WRITES)


def _make_table(database: sqlite3.Connection) -> None:
    for statement in _SCHEMA:
        database.execute(statement)
