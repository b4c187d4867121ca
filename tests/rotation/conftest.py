"""Fixtures: every test of rotation that takes ``store`` runs over each embedded store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jwt_refresh_middleware import MemoryStore, SessionStore
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .support import Clock, Listener


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SessionStore]:
    made: SessionStore = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "sessions.db")
    yield made
    await made.close()
