"""Every kind of store by its name, and the servers they need: for fixtures, worker processes and the stress command."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from redis.asyncio import RedisCluster
from sqlalchemy.ext.asyncio import create_async_engine

from jwt_refresh_middleware import MemoryStore, SessionStore
from jwt_refresh_middleware.stores.redis import RedisStore
from jwt_refresh_middleware.stores.sqlalchemy import SQLAlchemyStore
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .servers import MariaDB, Postgres, Redis
from .servers import RedisCluster as ClusterServers

KINDS = ("memory", "sqlite", "redis", "redis-cluster", "postgresql", "mariadb")
SHARED = KINDS[1:]
"""Those that several processes can share."""
_SERVERS = {"redis": Redis, "redis-cluster": ClusterServers, "postgresql": Postgres, "mariadb": MariaDB}


class Servers:
    """The servers of one run, each started when it is first needed and all ended together."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._started: dict[str, Redis | ClusterServers | Postgres | MariaDB] = {}
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @staticmethod
    def missing(kind: str) -> str:
        """Why there is no such store here; empty if there is."""
        return _SERVERS[kind].missing() if kind in _SERVERS else ""

    def url(self, kind: str) -> str:
        """Where stores of this kind live; for SQLite a directory, for memory nothing."""
        if kind not in _SERVERS:
            return str(self.directory)
        if kind not in self._started:
            self._started[kind] = self._stack.enter_context(_SERVERS[kind]())
        return self._started[kind].url


class _OwnClient(RedisStore):
    """Brings a client that nobody else uses."""

    async def close(self) -> None:
        await super().close()
        await self.client.aclose()


class _OwnTable(SQLAlchemyStore):
    """Brings its engine and makes its table, as an application does at its start and its migrations do."""

    async def open(self) -> None:
        await self.create_all()
        await super().open()

    async def close(self) -> None:
        await super().close()
        await self.engine.dispose()


def make_store(kind: str, url: str, namespace: str) -> SessionStore:
    """A store of ``kind`` at ``url``, empty unless something has used the ``namespace`` (a short word) before."""
    if kind == "memory":
        return MemoryStore()
    if kind == "sqlite":
        return SQLiteStore(Path(url, f"{namespace}.db"))
    if kind == "redis":
        return RedisStore(url, prefix=f"{namespace}:")
    if kind == "redis-cluster":
        return _OwnClient(RedisCluster.from_url(url), prefix=f"{namespace}:")
    return _OwnTable(create_async_engine(url), table_name=f"sessions_{namespace}")
