"""Looking at a database through the app's own engine: SELECT and SHOW, and the connections are closed afterwards."""

from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..issuer import Issuer
from ..stores.sqlalchemy import SQLAlchemyStore
from .clocks import judged, measured
from .closing import closed
from .findings import Finding
from .store_findings import DURABILITY, REPLICA, TABLES
from .store_sqlite import file_system

_TIMES = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT unix_timestamp(now(6))",
    "mariadb": "SELECT unix_timestamp(now(6))",
}
_SETTINGS = {
    "postgresql": ("SHOW synchronous_commit", "synchronous_commit", ("off",)),
    "mysql": ("SELECT @@innodb_flush_log_at_trx_commit", "innodb_flush_log_at_trx_commit", ("0", "2")),
    "mariadb": ("SELECT @@innodb_flush_log_at_trx_commit", "innodb_flush_log_at_trx_commit", ("0", "2", "3")),
    "sqlite": ("PRAGMA synchronous", "synchronous", ("0", "1")),
}
_REPLICA = {
    "postgresql": "SELECT CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END",
    "mysql": "SELECT @@read_only",
    "mariadb": "SELECT @@read_only",
}


def place(store: SQLAlchemyStore) -> str:
    """Which store it is, for a finding: without password and options, which may hold one."""
    url = store.engine.url
    host = f"{url.host}:{url.port}/" if url.port else f"{url.host}/" if url.host else ""
    return f"SQLAlchemyStore {url.get_backend_name()} {host}{url.database or ''}"


async def look(store: SQLAlchemyStore, issuer: Issuer, where: str) -> AsyncIterator[Finding]:
    """What is wrong with the database."""
    name, database = store.engine.dialect.name, store.engine.url.database
    if name == "sqlite":
        missing, found = _file(database or ":memory:", where)
        for finding in found:
            yield finding
        if missing:
            return
    try:
        try:
            await store.open()
        except RuntimeError as error:
            yield TABLES.found(str(error).partition(":")[0], where)
            return
        async with store.engine.connect() as db:
            for finding in await _settings(db, name, where):
                yield finding
            if name in _TIMES:
                asked = text(_TIMES[name])

                async def there() -> float:
                    return float((await db.execute(asked)).scalar_one())

                for finding in judged(await measured(there, issuer.clock), issuer, where):
                    yield finding
    finally:
        await closed(store.close())
        await closed(store.engine.dispose())


def _file(database: str, where: str) -> tuple[bool, list[Finding]]:
    """Whether there is no file, which connecting would make; and what is wrong with where it is."""
    if database == ":memory:":
        return True, []
    path = Path(database).absolute()
    found = file_system(path, where)
    if path.exists():
        return False, found
    return True, [*found, TABLES.found("the file does not exist", where)]


async def _settings(db: AsyncConnection, name: str, where: str) -> list[Finding]:
    found = []
    question, setting, weak = _SETTINGS[name]
    if (said := await _answer(db, question)) in weak:
        found.append(DURABILITY.found(f"{setting} is {said}", where))
    if name in _REPLICA and await _answer(db, _REPLICA[name]) == "1":
        found.append(REPLICA.found("it takes no writes", where))
    return found


async def _answer(db: AsyncConnection, question: str) -> str | None:
    """What the database says; None where that may not be asked."""
    try:
        return str((await db.execute(text(question))).scalar_one())
    except DBAPIError:
        await db.rollback()
        return None
