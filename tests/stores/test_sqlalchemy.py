import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from jwt_refresh_middleware.stores.sqlalchemy import SQLAlchemyStore
from jwt_refresh_middleware.testing import StoreSuite

from ..kinds import Servers

KINDS = ("postgresql", "mariadb", "aiomysql", "file")


@pytest.fixture(params=KINDS)
def url(request, servers: Servers, tmp_path: Path) -> str:
    kind = request.param
    if kind == "file":
        return f"sqlite+aiosqlite:///{tmp_path}/sessions.db"
    server = "mariadb" if kind == "aiomysql" else kind
    if reason := Servers.missing(server):
        pytest.skip(reason)
    return servers.url(server).replace("asyncmy", "aiomysql" if kind == "aiomysql" else "asyncmy")


@pytest.fixture
async def store(url: str) -> AsyncIterator[SQLAlchemyStore]:
    engine = create_async_engine(url)
    store = SQLAlchemyStore(engine, table_name=f"sessions_{secrets.token_hex(4)}")
    await store.create_all()
    await store.open()
    yield store
    await store.close()
    await engine.dispose()


class TestSQLAlchemyStore(StoreSuite):
    """Over the fixture of this module."""
