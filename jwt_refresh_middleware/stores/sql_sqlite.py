"""What SQLite does its own way."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, Table, cast, delete, func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from .base import Advance
from .sql_statements import STEP_COLUMNS, Ended, Outcome, Statements, named, step_values
from .sql_table import DAY, from_row


class SQLiteStatements(Statements):
    """One statement for everything that writes: a transaction that reads first would fail if another one writes."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        values, conditions = self.step({name: self.bind(name, column) for name, column in STEP_COLUMNS.items()})
        self._advance = update(table).values(values).where(*conditions).returning(*self.columns)
        ended = update(table).values(self.end).where(*self.of_subject, table.c.revoked_at.is_(None))
        self._revoke_subject = ended.returning(table.c.id, table.c.expires_at)

    def least(self, one: ColumnElement[Any], two: ColumnElement[Any]) -> ColumnElement[Any]:
        """The smaller of two numbers."""
        return func.min(one, two)

    def day(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """As :func:`day_of`. SQLite can be built without floor()."""
        return cast(time / DAY, Integer)

    async def advance(self, db: AsyncConnection, step: Advance) -> Outcome:
        """See :meth:`SessionStore.advance`."""
        row = (await db.execute(self._advance, named(step_values(step)))).one_or_none()
        await db.commit()
        return (True, from_row(row)) if row is not None else (False, await self.get(db, step.session_id))

    async def revoke_subject(self, db: AsyncConnection, values: Mapping[str, Any]) -> Ended:
        """See :meth:`Statements.revoke_subject`."""
        ended = (await db.execute(self._revoke_subject, values)).all()
        await db.commit()
        return [(row.id, row.expires_at) for row in ended]

    async def delete(self, db: AsyncConnection, which: Select[Any], values: Mapping[str, Any]) -> int:
        """See :meth:`Statements.delete`."""
        return (await db.execute(delete(self.table).where(self.table.c.id.in_(which)), values)).rowcount
