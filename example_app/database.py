"""Users and notes in SQLite. Every call is one statement, and so one transaction: callers share the connection."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    username TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
    text TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS notes_of_user ON notes (username, id);
"""
_LARGEST_ID = 2**63 - 1  # what SQLite can be asked for


class UsernameTaken(Exception):
    """A user of this name exists."""


class NoSuchUser(Exception):
    """The user has been deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account. ``created_at`` is ISO 8601 in UTC."""

    username: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note of one user. ``created_at`` is ISO 8601 in UTC."""

    id: int
    text: str
    created_at: str


class Database:
    """The app's own tables. The sessions' tables may be in the same file."""

    def __init__(self, path: Path) -> None:
        """Opens nothing yet."""
        self._path = path
        self._connection: aiosqlite.Connection | None = None

    async def open(self) -> None:
        """Open the file and create what is missing. Raises sqlite3.Error if the file is no database."""
        connection = await aiosqlite.connect(self._path, isolation_level=None)
        try:
            await connection.execute_fetchall("PRAGMA foreign_keys = ON")
            await connection.executescript(_SCHEMA)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _run(self, statement: str, *values: str | int) -> Sequence[sqlite3.Row]:
        """The rows of one statement, fetched at once: an open cursor would disturb other callers."""
        assert self._connection is not None
        return list(await self._connection.execute_fetchall(statement, values))

    async def add_user(self, username: str, password_hash: str) -> None:
        """Create an account. Raises UsernameTaken."""
        try:
            await self._run("INSERT INTO users (username, password_hash) VALUES (?, ?)", username, password_hash)
        except sqlite3.IntegrityError:
            raise UsernameTaken from None

    async def user(self, username: str) -> User | None:
        """The account of this name."""
        rows = await self._run("SELECT username, created_at FROM users WHERE username = ?", username)
        return User(username=rows[0][0], created_at=rows[0][1]) if rows else None

    async def password_hash(self, username: str) -> str | None:
        """The stored password hash of an account, None if there is no such account."""
        rows = await self._run("SELECT password_hash FROM users WHERE username = ?", username)
        return rows[0][0] if rows else None

    async def delete_user(self, username: str) -> None:
        """Delete an account with all its notes. One that is gone is no error."""
        await self._run("DELETE FROM users WHERE username = ?", username)

    async def notes(self, username: str) -> list[Note]:
        """The notes of a user, newest first."""
        rows = await self._run("SELECT id, text, created_at FROM notes WHERE username = ? ORDER BY id DESC", username)
        return [Note(id=row[0], text=row[1], created_at=row[2]) for row in rows]

    async def add_note(self, username: str, text: str) -> Note:
        """Keep a note. Raises NoSuchUser."""
        insert = "INSERT INTO notes (username, text) VALUES (?, ?) RETURNING id, text, created_at"
        try:
            rows = await self._run(insert, username, text)
        except sqlite3.IntegrityError:
            raise NoSuchUser from None
        return Note(id=rows[0][0], text=rows[0][1], created_at=rows[0][2])

    async def delete_note(self, username: str, note_id: int) -> bool:
        """Delete a note of this user; returns whether there was one."""
        if abs(note_id) > _LARGEST_ID:
            return False
        rows = await self._run("DELETE FROM notes WHERE id = ? AND username = ? RETURNING id", note_id, username)
        return bool(rows)
