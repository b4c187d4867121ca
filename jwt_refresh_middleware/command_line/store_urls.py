"""From a URL to a store: what ``--store`` and ``--audit`` mean. The only place that knows which driver is for what.

No part of a URL is ever in an error, since it may hold a password: not in ours, and not by way of a driver's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import unquote

from ..stores.base import SessionStore
from ..stores.sqlite import SCHEMA_VERSION, SQLiteStore
from .options import DEFAULT_PREFIX, DEFAULT_TIMEOUT
from .refused import Failed, Refused

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..audit import AuditLog

T = TypeVar("T")

_EXTRA = {"redis": "redis", "sqlalchemy": "sqlalchemy", "asyncpg": "postgresql", "asyncmy": "mysql"}
_REDIS = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
_SQL = {
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "mysql+asyncmy": "mysql+asyncmy",
    "mysql+aiomysql": "mysql+aiomysql",
    "mariadb": "mariadb+asyncmy",
    "mariadb+asyncmy": "mariadb+asyncmy",
    "mariadb+aiomysql": "mariadb+aiomysql",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}
"""What may stand before ``://``, and what SQLAlchemy is given for it."""
_SESSIONS, _AUDIT = "jwt_refresh_sessions", "jwt_refresh_audit"
_PATIENCE = 0.8
"""How much of the time a driver has: what it says of its failure is worth more than that time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where sessions or audit entries are kept.

    Attributes:
        url: as somebody has written it; may hold a password.
        prefix: of the names of keys in Redis. Default: the store's own.
        table: its name, or SCHEMA.NAME; None for the usual one.
        timeout: seconds that anything may take there. Default 10.
    """

    url: str
    prefix: str = DEFAULT_PREFIX
    table: str | None = None
    timeout: float = DEFAULT_TIMEOUT

    @property
    def scheme(self) -> str:
        """What stands before ``://``; empty for a path."""
        before, colon, _ = self.url.partition("://")
        return before.lower() if colon else ""

    @property
    def path(self) -> Path | None:
        """The file, where it is one of SQLite's: three slashes and a relative path, four and an absolute one."""
        if self.scheme in ("sqlite", "sqlite+aiosqlite"):
            return Path(unquote(self.url.partition("://")[2].partition("?")[0].removeprefix("/")))
        return None if self.scheme else Path(self.url)

    def __repr__(self) -> str:
        return f"Place({self.scheme or 'a path'})"


class _Closable(Protocol):
    async def close(self) -> None: ...


C = TypeVar("C", bound=_Closable)


@asynccontextmanager
async def _closing(made: C) -> AsyncIterator[C]:
    """As :func:`contextlib.aclosing`, whose objects have an ``aclose``."""
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def opened_store(place: Place) -> AsyncIterator[SessionStore]:
    """The store at ``place``, not opened yet, and closed afterwards with whatever it needed.

    Raises:
        Refused: no URL of a store.
        Failed: there is no such file, or it holds no sessions; a driver is missing.
    """
    if place.scheme in ("", "sqlite"):
        assert place.path is not None
        _look_at_file(place.path, f"{_SESSIONS}_schema", version=True)
        async with _closing(SQLiteStore(place.path, busy_timeout=place.timeout * _PATIENCE)) as in_file:
            yield in_file
    elif place.scheme in _REDIS:
        async with _redis_client(place) as client:
            from ..stores.redis import RedisStore

            made = _built(lambda: RedisStore(client, prefix=place.prefix, timeout=place.timeout))
            async with _closing(made) as in_redis:
                yield in_redis
    else:
        async with _engine(place) as engine:
            from ..stores.sqlalchemy import SQLAlchemyStore

            schema, name = _table(place)
            async with _closing(SQLAlchemyStore(engine, table_name=name or _SESSIONS, schema=schema)) as in_table:
                yield in_table


@asynccontextmanager
async def opened_audit(place: Place) -> AsyncIterator[AuditLog]:
    """The audit log at ``place``, closed afterwards. Errors as in :func:`opened_store`. It drops no entry of others."""
    if place.scheme in ("", "sqlite"):
        assert place.path is not None
        _look_at_file(place.path, _AUDIT)
        from ..audit.sqlite import SQLiteAudit

        async with _closing(SQLiteAudit(place.path, keep=None, busy_timeout=place.timeout * _PATIENCE)) as in_file:
            yield in_file
    elif place.scheme in _REDIS:
        async with _redis_client(place) as client:
            from ..audit.redis import RedisAudit

            most = 1_000_000_000  # how many are kept is up to the service
            made = _built(lambda: RedisAudit(client, keep=None, most=most, prefix=place.prefix, timeout=place.timeout))
            async with _closing(made) as in_redis:
                yield in_redis
    else:
        async with _engine(place, _AUDIT) as engine:
            from ..audit.sqlalchemy import SQLAlchemyAudit

            async with _closing(SQLAlchemyAudit(engine, keep=None)) as in_table:
                yield in_table


def _look_at_file(path: Path, table: str, *, version: bool = False) -> None:
    """Whether it is there and has the table. Nothing is made or migrated by a command: that is the service's."""
    if not path.is_file():
        raise Failed(f"{path}: there is no such file, and none is made")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            found = database.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
            asked = f"SELECT max(version) FROM {table}"  # noqa: S608  a name of ours
            said = database.execute(asked).fetchone() if found and version else None
    except sqlite3.Error as error:
        raise Failed(f"{path}: {error}") from None
    if not found:
        raise Failed(f"{path}: there is no table {table.removesuffix('_schema')} in this file")
    if said is not None and said != (SCHEMA_VERSION,):
        raise Failed(
            f"{path}: its schema has version {said[0]}, and this package works with {SCHEMA_VERSION}; "
            "a service of the same version migrates it when it starts"
        )


@asynccontextmanager
async def _redis_client(place: Place) -> AsyncIterator[Any]:
    """A client of its own, with one attempt and a time limit."""
    with_extra("redis")
    from redis.asyncio import Redis, RedisCluster
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    patience = place.timeout * _PATIENCE
    limits: dict[str, Any] = {"socket_timeout": patience, "socket_connect_timeout": patience}
    client: Any
    if place.scheme.endswith("+cluster"):
        url = place.url.replace("+cluster", "", 1)
        client = _built(lambda: RedisCluster.from_url(url, **limits))
    else:
        client = _built(lambda: Redis.from_url(place.url, retry=Retry(NoBackoff(), 0), max_connections=16, **limits))
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def _engine(place: Place, table: str | None = None) -> AsyncIterator[AsyncEngine]:
    """An engine of its own. Raises Refused for a URL of another kind. ``table``: what must be in a file of SQLite's."""
    known = _SQL.get(place.scheme)
    if known is None:
        raise Refused(f"a store has a URL of one of these: sqlite, {', '.join([*_REDIS, *_SQL])}; or it is a path")
    if known.endswith("asyncmy") and place.scheme in ("mysql", "mariadb") and find_spec("asyncmy") is None:
        known = known.replace("asyncmy", "aiomysql") if find_spec("aiomysql") is not None else known
    with_extra("sqlalchemy", known.partition("+")[2])
    if place.path is not None:
        _look_at_file(place.path, table or _table(place)[1] or _SESSIONS)
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = _built(lambda: create_async_engine(known + place.url[len(place.scheme) :]))
    try:
        yield engine
    finally:
        await engine.dispose()


def _table(place: Place) -> tuple[str | None, str | None]:
    schema, _, name = (place.table or "").rpartition(".")
    return schema or None, name or None


def with_extra(*modules: str) -> None:
    """Raise Failed, with what to install, if one of them is not there."""
    for module in modules:
        if find_spec(module) is None:
            extra = _EXTRA.get(module)
            what = f"jwt-refresh-middleware[{extra}]" if extra else module
            raise Failed(f"this store needs {module}: pip install '{what}'")


def _built(make: Callable[[], T]) -> T:
    """What ``make`` makes of a URL. What a library says of one that it cannot read may quote a password."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001  each of these libraries has its own
        raise Failed(f"the URL of the store cannot be used: {type(error).__name__}") from None
