"""What all apps of the matrix are made of: the same issuer around each, the same things to do inside.

The process reads from its environment: ``MATRIX_STORE``, the path of a database (else sessions are in memory);
``MATRIX_CLOSED``, a file that is written when the store was closed; ``MATRIX_STARTUP_FAILS``, if the app's own startup
is to fail; ``MATRIX_KEYS``, a file of keys (else HS256 with the tests' secret).
"""

import asyncio
import hashlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from jwt_refresh_middleware import Issuer, MemoryStore, SessionStore
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from tests.web.support import check_password

from .keys import keys

PUBLIC = ["/open", "/gates/*", "/told"]
FIRST, LAST = b"the first piece\n", b"the last piece\n"

told: list[str] = []
"""What happened in the app; ``GET /told`` shows it."""

_gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)


def start() -> None:
    """The startup of each app that has one."""
    told.append("started")
    if "MATRIX_STARTUP_FAILS" in os.environ:
        raise RuntimeError("the app cannot start")


def open_gate(name: str) -> None:
    """Let go on whoever waits at a gate: how a test says what happens after what."""
    _gates[name].set()


async def gate(name: str) -> None:
    await _gates[name].wait()


async def pieces(name: str) -> AsyncIterator[bytes]:
    """Two pieces, the second of which is not made before the gate is opened."""
    yield FIRST
    await gate(name)
    yield LAST


async def endless(name: str) -> AsyncIterator[bytes]:
    """A stream that only ends with its reader."""
    try:
        while True:
            yield FIRST
            await asyncio.sleep(0.01)
    finally:
        told.append(f"{name} ended")


async def broken() -> AsyncIterator[bytes]:
    """A stream that fails after its beginning."""
    yield FIRST
    raise LookupError("broken off")


async def later(name: str) -> None:
    """A background task."""
    await gate(name)
    told.append(f"{name} done")


def who(scope: Any) -> dict[str, Any]:
    """What ``GET /me`` says, by the framework's own view of the scope."""
    return seen(scope["user"], scope["auth"])


def seen(user: Any, auth: Any) -> dict[str, Any]:
    return {"who": user.identity, "scopes": list(auth.scopes), "session": user.token.session_id}


def visitor(user: Any) -> str:
    return str(user.identity) if user.is_authenticated else "anonymous"


class Measure:
    """What came of an upload."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._length = 0

    def add(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self._length += len(chunk)

    def result(self) -> dict[str, Any]:
        return {"length": self._length, "sha256": self._hash.hexdigest()}


class _Database(SQLiteStore):
    async def close(self) -> None:
        await super().close()
        Path(os.environ["MATRIX_CLOSED"]).write_text("closed\n")


def options() -> dict[str, Any]:
    """The middleware's own, the same around every app."""
    path = os.environ.get("MATRIX_STORE")
    store: SessionStore = _Database(path) if path else MemoryStore()
    issuer = Issuer(keys(os.environ.get("MATRIX_KEYS")), store)
    return {"issuer": issuer, "authenticate": check_password, "public": PUBLIC}
