"""Sessions in one SQLite file: the embedded default, for one machine and any number of worker processes.

WAL, so that readers and the writer do not wait for each other, and ``synchronous=FULL``, since a commit that a power
loss takes back would bring a spent token to life. The fsync that this costs is shared: all work that waits while one
transaction commits goes into the next one together (group commit).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ..concurrency import SingleFlight
from ..encoding import json_text
from ..sessions import NO_CLAIMS, Device, Session
from ..standing import NO_STANDING, read_standing
from ..values import quick
from .base import Advance
from .group_commit import GroupCommit, Kind
from .sqlite_files import open_file

T = TypeVar("T")

_device = quick(Device)
_session = quick(Session)

SCHEMA_VERSION = 2
_PURGE_ROWS = 1000
_MOST_BINDINGS = 4
_ALL = -1  # as a limit
_TABLE = "jwt_refresh_sessions"
_COLUMNS = (
    "id, subject, generation, created_at, last_used_at, expires_at, ends_at, ip, user_agent, binding, scopes, claims, "
    "amr, acknowledged, late, revoked_at, revoked_reason, standing"
)
_MIGRATIONS = (  # one tuple of statements per version; what was released is never edited
    (
        f"""CREATE TABLE {_TABLE} (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, generation INTEGER NOT NULL,
            created_at REAL NOT NULL, last_used_at REAL NOT NULL, expires_at REAL NOT NULL, ends_at REAL NOT NULL,
            ip TEXT, user_agent TEXT, binding TEXT NOT NULL, scopes TEXT, claims TEXT, amr TEXT,
            acknowledged INTEGER NOT NULL, late INTEGER NOT NULL, revoked_at REAL, revoked_reason TEXT)""",
        f"CREATE INDEX {_TABLE}_subject ON {_TABLE} (subject)",
        # Nothing that moves at a rotation is indexed; the feed's index holds the few revoked rows only.
        f"CREATE INDEX {_TABLE}_revoked ON {_TABLE} (revoked_at) WHERE revoked_at IS NOT NULL",
    ),
    (f"ALTER TABLE {_TABLE} ADD COLUMN standing TEXT",),
)
# Plain placeholders only: newer Pythons take numbered ones for named ones, and refuse them.
_ADD = f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_GET = f"SELECT {_COLUMNS} FROM {_TABLE} WHERE id = ?"
# What is read back is what the step does not say itself: a column read takes longer than a column written.
_IF_AS_EXPECTED = """WHERE id = ? AND generation = ? AND revoked_at IS NULL AND expires_at > ?
    AND (binding = ? OR binding IN (?, ?, ?))
    RETURNING subject, created_at, expires_at, ends_at, ip, user_agent, binding, scopes, claims, amr, acknowledged,
    late, standing"""
_ADVANCE = f"""UPDATE {_TABLE} SET generation = ?, last_used_at = ?, expires_at = min(?, ends_at), ip = coalesce(?, ip)
    {_IF_AS_EXPECTED}"""
_ADVANCE_AND_MOVE = f"""UPDATE {_TABLE} SET generation = ?, last_used_at = ?, expires_at = min(?, ends_at),
    ip = coalesce(?, ip), user_agent = coalesce(?, user_agent), binding = coalesce(?, binding),
    standing = coalesce(?, standing) {_IF_AS_EXPECTED}"""
_NOTE_LATE = f"""UPDATE {_TABLE} SET late = generation
    WHERE id = ? AND generation = ? AND acknowledged < generation AND revoked_at IS NULL"""
_ACKNOWLEDGE = f"UPDATE {_TABLE} SET acknowledged = ? WHERE id = ? AND acknowledged < ? AND revoked_at IS NULL"
_REVOKE = f"UPDATE {_TABLE} SET revoked_at = ?, revoked_reason = ? WHERE id = ? AND revoked_at IS NULL"
_REVOKE_SUBJECT = f"""UPDATE {_TABLE} SET revoked_at = ?, revoked_reason = ?
    WHERE subject = ? AND id IS NOT ? AND revoked_at IS NULL RETURNING id, expires_at"""
_SESSIONS = f"""SELECT {_COLUMNS} FROM {_TABLE} WHERE subject = ? AND revoked_at IS NULL AND expires_at > ?
    ORDER BY created_at DESC, id DESC LIMIT ?"""
_REVOCATIONS = f"SELECT id, revoked_at FROM {_TABLE} WHERE revoked_at >= ?"
_PURGE_UPTO = f"SELECT max(seq), count(*) FROM (SELECT seq FROM {_TABLE} WHERE seq > ? ORDER BY seq LIMIT ?)"
_PURGE = f"DELETE FROM {_TABLE} WHERE seq > ? AND seq <= ? AND expires_at <= ?"


class SQLiteStore:
    """A :class:`SessionStore` in one SQLite file, with tables of its own that may share the file with yours.

    The schema is created and migrated by itself. Other processes learn of an ended session when their issuer asks
    for :meth:`revocations`, each second by default.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0) -> None:
        """Opens nothing yet.

        Args:
            path: the file, created if missing; its directory must exist. ``:memory:`` for a database of this object.
            busy_timeout: seconds to wait for another process's transaction. Default 5.
        """
        self.path = os.fspath(path)
        self._busy_timeout = busy_timeout
        self._group: GroupCommit | None = None
        self._opening = SingleFlight()
        self._purged_upto = 0

    def __repr__(self) -> str:
        return f"SQLiteStore({self.path!r})"

    async def open(self) -> None:
        """See :meth:`SessionStore.open`.

        Raises:
            FileNotFoundError: the file's directory does not exist.
            RuntimeError: the schema is newer than this version of the package, or WAL is impossible there.
            sqlite3.Error: the file cannot be opened or is no database.
        """
        if self._group is None:
            await self._opening.run(self._open)

    async def _open(self) -> None:
        group = await open_file(self.path, busy_timeout=self._busy_timeout)
        try:
            await group.run(_migrate, Kind.WRITES)
        except BaseException:
            await group.close()
            raise
        self._group = group

    async def close(self) -> None:
        """See :meth:`SessionStore.close`."""
        await self._opening.finish()
        group, self._group = self._group, None
        if group is not None:
            await group.close()

    async def _run(self, work: Callable[[sqlite3.Connection], T], kind: Kind = Kind.ONE_WRITE) -> T:
        group = self._group or await self._opened()
        return await group.run(work, kind)

    async def _opened(self) -> GroupCommit:
        await self.open()
        assert self._group is not None
        return self._group

    async def add(self, session: Session) -> None:
        """See :meth:`SessionStore.add`."""
        row = _to_row(session)
        try:
            await self._run(lambda db: db.execute(_ADD, row).close())
        except sqlite3.IntegrityError:
            raise ValueError("a session with this id exists") from None

    async def get(self, session_id: str) -> Session | None:
        """See :meth:`SessionStore.get`."""
        rows = await self._run(lambda db: db.execute(_GET, (session_id,)).fetchall(), Kind.READ)
        return _from_row(rows[0]) if rows else None

    async def advance(self, step: Advance) -> tuple[bool, Session | None]:
        """See :meth:`SessionStore.advance`."""
        session_id, to, now, allowed = step.session_id, step.to, step.now, step.bindings
        if len(allowed) < _MOST_BINDINGS:
            allowed += allowed[:1] * (_MOST_BINDINGS - len(allowed))
        moved: tuple[str | None, ...] = ()
        statement = _ADVANCE
        if step.user_agent is not None or step.binding is not None or step.standing is not None:
            standing = None if step.standing is None else step.standing.text()
            statement, moved = _ADVANCE_AND_MOVE, (step.user_agent, step.binding, standing)
        values = (to, now, step.expires_at, step.ip, *moved, session_id, step.expected, now, *allowed)

        def work(db: sqlite3.Connection) -> tuple[bool, list[Any]]:
            won = db.execute(statement, values).fetchall()
            return (True, won) if won else (False, db.execute(_GET, (session_id,)).fetchall())

        group = self._group or await self._opened()
        won, rows = await group.run(work, Kind.ONE_WRITE)
        if won:  # what the step says itself was not read back
            subject, created_at, expires_at, ends_at, *rest, stands = rows[0]
            rows = [(session_id, subject, to, created_at, now, expires_at, ends_at, *rest, None, None, stands)]
        return won, _from_row(rows[0]) if rows else None

    async def note_late(self, session_id: str, generation: int) -> bool:
        """See :meth:`SessionStore.note_late`."""
        return await self._run(lambda db: db.execute(_NOTE_LATE, (session_id, generation)).rowcount) == 1

    async def acknowledge(self, generations: Mapping[str, int]) -> None:
        """See :meth:`SessionStore.acknowledge`."""
        rows = [(generation, session_id, generation) for session_id, generation in generations.items()]
        await self._run(lambda db: db.executemany(_ACKNOWLEDGE, rows).close(), Kind.WRITES)

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        """See :meth:`SessionStore.revoke`."""
        return await self._run(lambda db: db.execute(_REVOKE, (now, reason, session_id)).rowcount) == 1

    async def revoke_subject(
        self, subject: str, *, reason: str, now: float, keep: str | None = None
    ) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revoke_subject`."""
        return await self._run(lambda db: db.execute(_REVOKE_SUBJECT, (now, reason, subject, keep)).fetchall())

    async def sessions(self, subject: str, *, now: float, most: int | None = None) -> list[Session]:
        """See :meth:`SessionStore.sessions`."""
        values = (subject, now, _ALL if most is None else most)
        rows = await self._run(lambda db: db.execute(_SESSIONS, values).fetchall(), Kind.READ)
        return [_from_row(row) for row in reversed(rows)]

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revocations`."""
        return await self._run(lambda db: db.execute(_REVOCATIONS, (since,)).fetchall(), Kind.READ)

    async def purge(self, before: float) -> int:
        """See :meth:`SessionStore.purge`. Walks through the table by insertion order, 1000 rows a call."""
        start = self._purged_upto

        def work(db: sqlite3.Connection) -> tuple[int, int]:
            upto, seen = db.execute(_PURGE_UPTO, (start, _PURGE_ROWS)).fetchone()
            deleted = db.execute(_PURGE, (start, upto, before)).rowcount if seen else 0
            return deleted, upto if seen == _PURGE_ROWS else 0

        deleted, self._purged_upto = await self._run(work, Kind.WRITES)
        return deleted

    @property
    def is_purging(self) -> bool:
        """See :class:`PiecewisePurge`."""
        return self._purged_upto > 0


def _migrate(database: sqlite3.Connection) -> None:
    database.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE}_schema (version INTEGER NOT NULL)")
    row = database.execute(f"SELECT max(version) FROM {_TABLE}_schema").fetchone()
    version = row[0] or 0
    if version > SCHEMA_VERSION:
        raise RuntimeError(f"the sessions' schema has version {version}; this package knows up to {SCHEMA_VERSION}")
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            database.execute(statement)
    if version < SCHEMA_VERSION:
        database.execute(f"INSERT INTO {_TABLE}_schema (version) VALUES (?)", (SCHEMA_VERSION,))


def _to_row(session: Session) -> tuple[Any, ...]:
    return (
        session.id,
        session.subject,
        session.generation,
        session.created_at,
        session.last_used_at,
        session.expires_at,
        session.ends_at,
        session.device.ip,
        session.device.user_agent,
        session.binding,
        " ".join(session.scopes) or None,
        json_text(dict(session.claims)) if session.claims else None,
        " ".join(session.amr) or None,
        session.acknowledged,
        session.late,
        session.revoked_at,
        session.revoked_reason,
        None if session.standing == NO_STANDING else session.standing.text(),
    )


def _from_row(row: tuple[Any, ...]) -> Session:
    scopes, claims, amr = row[10:13]
    return _session(
        *row[:7],
        _device(row[7], row[8]),
        row[9],
        tuple(scopes.split()) if scopes else (),
        MappingProxyType(json.loads(claims)) if claims else NO_CLAIMS,
        tuple(amr.split()) if amr else (),
        *row[13:17],
        read_standing(row[17]),
    )
