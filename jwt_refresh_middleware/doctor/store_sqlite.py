"""Looking at an SQLite file: opened read-only, so that not even the files beside it are made."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

from ..issuer import Issuer
from ..stores.sqlite import SCHEMA_VERSION, SQLiteStore
from .clocks import Skew, judged
from .findings import Finding
from .store_findings import NETWORK_FILES, SCHEMA, UNREACHABLE

_MEMORY = ":memory:"
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2", "vboxsf"}
)
_MOUNTS = Path("/proc/self/mountinfo")
_VERSION = "SELECT max(version) FROM jwt_refresh_sessions_schema"


def place(store: SQLiteStore) -> str:
    """Which store it is, for a finding."""
    return f"SQLiteStore {store.path}"


async def look(store: SQLiteStore, issuer: Issuer, where: str) -> AsyncIterator[Finding]:
    """What is wrong with the file."""
    if store.path != _MEMORY:
        for finding in await asyncio.to_thread(_look, Path(store.path), issuer, where):
            yield finding


def _look(written: Path, issuer: Issuer, where: str) -> list[Finding]:
    path = written.absolute()
    found = file_system(path, where) + _file(path, where)
    if path.is_file():  # its clock is that of the file system: it may not have been written to in the future
        found += judged(Skew(max(0.0, path.stat().st_mtime - time.time()), 0.0), issuer, where)
    return found


def file_system(path: Path, where: str, mounts: Path = _MOUNTS) -> list[Finding]:
    """Whether ``path`` is on a network file system, as far as the system tells (Linux does)."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    directory, best, kind = path.parent.resolve(), "", ""
    for line in lines:  # proc(5): the mount point is the fifth word, the type the first after " - "
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ") if len(before.split()) > 4 else ""
        if point and directory.is_relative_to(point) and len(point) >= len(best) and after:
            best, kind = point, after.split()[0]
    is_far = kind in _NETWORK or kind.startswith(("fuse.sshfs", "fuse.gluster"))
    return [NETWORK_FILES.found(f"{best} is {kind}", where)] if is_far else []


def _file(path: Path, where: str) -> list[Finding]:
    if not path.parent.is_dir():
        return [UNREACHABLE.found("its directory does not exist", where)]
    if not path.exists():  # it is made at the start, if that is possible
        possible = os.access(path.parent, os.W_OK | os.X_OK)
        return [] if possible else [UNREACHABLE.found("it cannot be made: its directory is not writable", where)]
    if not os.access(path, os.R_OK | os.W_OK):
        return [UNREACHABLE.found("this account may not read and write it", where)]
    try:
        version = _version(path)
    except sqlite3.Error as error:
        return [UNREACHABLE.found(f"it cannot be read: {error}", where)]
    if version > SCHEMA_VERSION:
        return [SCHEMA.found(f"its schema has version {version}, this package knows up to {SCHEMA_VERSION}", where)]
    return []


def _version(path: Path) -> int:
    """The version of the schema, 0 if there is none yet. Where nobody is writing, without taking any lock."""
    is_used = all(path.with_name(path.name + end).exists() for end in ("-wal", "-shm"))
    how = "mode=ro" if is_used else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=1.0)) as database:
        names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        if ("jwt_refresh_sessions_schema",) not in names:
            return 0
        found: int | None = database.execute(_VERSION).fetchone()[0]
        return found or 0
