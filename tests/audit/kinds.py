"""Every kind of audit log by its name."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import RedisCluster
from sqlalchemy.ext.asyncio import create_async_engine

from jwt_refresh_middleware.audit import AuditLog
from jwt_refresh_middleware.audit.memory import MemoryAudit
from jwt_refresh_middleware.audit.redis import RedisAudit
from jwt_refresh_middleware.audit.sqlalchemy import SQLAlchemyAudit
from jwt_refresh_middleware.audit.sqlite import SQLiteAudit

from ..kinds import Servers

KINDS = ("memory", "sqlite", "redis", "redis-cluster", "postgresql", "mariadb", "aiomysql", "sqlalchemy-sqlite")
SHARED = KINDS[1:]
"""Those that several processes can share."""


def url_of(kind: str, servers: Servers) -> str:
    """Where logs of this kind live. Skips the test if there is no such server here."""
    server = "mariadb" if kind == "aiomysql" else kind
    if reason := Servers.missing(server):
        pytest.skip(reason)
    url = servers.url(server)
    if kind == "sqlalchemy-sqlite":
        return f"sqlite+aiosqlite:///{url}/audit.db"
    return url.replace("asyncmy", "aiomysql") if kind == "aiomysql" else url


@asynccontextmanager
async def a_log(kind: str, url: str, namespace: str, **options: Any) -> AsyncIterator[AuditLog]:
    """A log of ``kind`` at ``url``, empty unless something has used the ``namespace`` before, closed afterwards."""
    async with AsyncExitStack() as stack:
        log: AuditLog
        if kind == "memory":
            log = MemoryAudit(**options)
        elif kind == "sqlite":
            log = SQLiteAudit(Path(url, f"{namespace}.db"), **options)
        elif kind == "redis":
            log = RedisAudit(url, prefix=f"{namespace}:", **options)
        elif kind == "redis-cluster":
            client = RedisCluster.from_url(url)
            stack.push_async_callback(client.aclose)
            log = RedisAudit(client, prefix=f"{namespace}:", **options)
        else:
            engine = create_async_engine(url)
            stack.push_async_callback(engine.dispose)
            log = SQLAlchemyAudit(engine, table_name=f"audit_{namespace}", **options)
            await log.create_all()
        stack.push_async_callback(log.close)
        yield log
