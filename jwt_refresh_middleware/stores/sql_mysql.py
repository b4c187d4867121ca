"""What MySQL and MariaDB do their own way: they do not return what was updated or deleted."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, Table, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from .base import Advance
from .sql_statements import STEP_COLUMNS, Ended, Outcome, Statements, named, step_values
from .sql_table import from_row


class MySQLStatements(Statements):
    """Transactions in which rows are read that are locked by then.

    A statement's count is of rows that matched, also if nothing about them changed: SQLAlchemy asks for that whenever
    it connects.
    """

    autocommit = False  # switching it on and off again would take more round trips than a COMMIT

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        c = table.c
        values, conditions = self.step({name: self.bind(name, column) for name, column in STEP_COLUMNS.items()})
        self._advance = update(table).values(values).where(*conditions)
        which = c.id.in_(bindparam("b_ids", expanding=True))
        live = select(c.id, c.expires_at).where(*self.of_subject, c.revoked_at.is_(None))
        self._live_of_subject = live.order_by(c.id).with_for_update()
        self._revoke_those = update(table).values(self.end).where(which, c.revoked_at.is_(None))
        self._delete_those = delete(table).where(which)

    async def advance(self, db: AsyncConnection, step: Advance) -> Outcome:
        """See :meth:`SessionStore.advance`."""
        await _in_one_transaction(db)
        values = named(step_values(step))
        won = (await db.execute(self._advance, values)).rowcount == 1
        row = (await db.execute(self.by_id, values)).one_or_none()
        await db.commit()
        return won, None if row is None else from_row(row)

    async def revoke_subject(self, db: AsyncConnection, values: Mapping[str, Any]) -> Ended:
        """See :meth:`Statements.revoke_subject`."""
        await _read_committed(db)
        live = (await db.execute(self._live_of_subject, values)).all()
        if live:
            await db.execute(self._revoke_those, {**values, "b_ids": [row.id for row in live]})
        await db.commit()
        return [(row.id, row.expires_at) for row in live]

    async def delete(self, db: AsyncConnection, which: Select[Any], values: Mapping[str, Any]) -> int:
        """See :meth:`Statements.delete`."""
        await _read_committed(db)
        locked = (await db.execute(which.with_for_update(skip_locked=True), values)).scalars().all()
        deleted = (await db.execute(self._delete_those, {"b_ids": locked})).rowcount if locked else 0
        await db.commit()
        return deleted


async def _read_committed(db: AsyncConnection) -> None:
    """What follows is a transaction that locks the rows it finds and nothing between them, whatever the engine's is.

    The level is of this transaction only. One that has to be set back when the connection returns to its pool would
    cost the pool that connection if it broke just then.
    """
    await db.rollback()
    await db.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    await db.exec_driver_sql("START TRANSACTION")


async def _in_one_transaction(db: AsyncConnection) -> None:
    """What follows is a transaction, also where the engine is set to AUTOCOMMIT.

    Of which level does not matter: it locks one row by its key, so the usual case is spared three round trips.
    """
    connection = (await db.get_raw_connection()).dbapi_connection
    if connection is not None and db.dialect.detect_autocommit_setting(connection):
        await db.exec_driver_sql("START TRANSACTION")
