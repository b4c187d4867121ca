"""Making the table of sessions, and looking whether it is there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Column, Connection, Table, false, func, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, CreateTable

_PATIENCE = 60


async def create(db: AsyncConnection, table: Table) -> None:
    """Make the table, later columns and indexes, as far as they are missing; of several processes at once, one does it.

    ``db`` must be in autocommit mode; MySQL commits by itself whatever makes something.
    """
    async with _alone(db, f"create {table.fullname}"):
        if not await db.run_sync(lambda c: inspect(c).has_table(table.name, table.schema)):  # or MySQL warns
            await db.execute(CreateTable(table, if_not_exists=True))
        await _add_later_columns(db, table)
        # Looked at one by one: whoever made the table may have died before it came to them.
        made = await db.run_sync(
            lambda c: {index["name"] for index in inspect(c).get_indexes(table.name, table.schema)}
        )
        for index in table.indexes:
            if index.name not in made:
                await db.execute(CreateIndex(index, if_not_exists=db.dialect.name == "sqlite"))


async def _add_later_columns(db: AsyncConnection, table: Table) -> None:
    """What came with later versions may be NULL; where more is missing, it is no table of ours, and left alone."""
    missing = await db.run_sync(_missing, table)
    if not all(column.nullable for column in missing):
        return
    written = db.dialect.ddl_compiler(db.dialect, None)  # type: ignore[arg-type]  # as Alembic does
    name = db.dialect.identifier_preparer.format_table(table)
    for column in missing:
        try:
            await db.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {written.get_column_specification(column)}")
        except DBAPIError:  # in SQLite nobody is kept out: somebody else may have been faster
            if column in await db.run_sync(_missing, table):
                raise


@asynccontextmanager
async def _alone(db: AsyncConnection, what: str) -> AsyncIterator[None]:
    """Nobody else does ``what`` meanwhile. The server lets go of the lock also when the connection ends."""
    if db.dialect.name == "postgresql":
        await db.execute(select(func.pg_advisory_lock(func.hashtext(what))))
        try:
            yield
        finally:
            await db.execute(select(func.pg_advisory_unlock(func.hashtext(what))))
    elif db.dialect.name == "sqlite":
        yield
    else:
        name = what[-64:]
        if (await db.execute(select(func.get_lock(name, _PATIENCE)))).scalar() != 1:
            raise TimeoutError(f"somebody else has been busy for {_PATIENCE} s to {what}")
        try:
            yield
        finally:
            await db.execute(select(func.release_lock(name)))


async def check(db: AsyncConnection, table: Table) -> None:
    """Raises RuntimeError if the table is not there or has not the columns it should have."""
    try:
        await db.execute(select(*table.c).where(false()))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        await db.rollback()
        missing = await db.run_sync(_said_to_be_missing, table)
        if missing:
            raise RuntimeError(
                f"the database has no {missing}: run your migrations, or `await store.create_all()` once"
            ) from None
        raise


def _said_to_be_missing(connection: Connection, table: Table) -> str:
    if not inspect(connection).has_table(table.name, table.schema):
        return f"table {table.fullname}"
    return ", ".join(f"column {table.fullname}.{column.name}" for column in _missing(connection, table))


def _missing(connection: Connection, table: Table) -> list[Column[Any]]:
    """The columns that the table in the database lacks."""
    there = {column["name"] for column in inspect(connection).get_columns(table.name, table.schema)}
    return [column for column in table.c if column.name not in there]
