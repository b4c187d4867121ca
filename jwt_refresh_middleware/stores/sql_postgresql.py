"""What PostgreSQL does its own way: one statement for everything, and one for many rotations."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, any_, column, delete, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from .base import Advance
from .sql_statements import STEP_COLUMNS, Ended, Outcome, Statements, named, step_values
from .sql_table import from_row, storable


class PostgreSQLStatements(Statements):
    """Each method is one statement in the happy case, and a transaction by itself.

    A statement that writes to several rows locks them in the order of their ids before it changes any: two such
    statements wait for each other, but never in a circle.
    """

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        c = table.c
        steps, ids = self._given(STEP_COLUMNS)
        locked = self._locked(c.id == any_(ids))
        values, conditions = self.step({name: steps.c[name] for name in STEP_COLUMNS})
        moved = update(table).values(values).where(c.id == locked.c.id, *conditions)
        self._advance = moved.returning(*self.columns)
        self._by_ids = select(*self.columns).where(c.id == any_(ids))

        live = self._locked(*self.of_subject, c.revoked_at.is_(None))
        ended = update(table).values(self.end).where(c.id == live.c.id, c.revoked_at.is_(None))
        self._revoke_subject = ended.returning(c.id, c.expires_at)

        arrived, ids = self._given({"id": "id", "generation": "generation"})
        locked = self._locked(c.id == any_(ids))
        risen = update(table).values(acknowledged=arrived.c.generation).where(c.id == locked.c.id)
        risen = risen.where(c.id == arrived.c.id, c.acknowledged < arrived.c.generation, c.revoked_at.is_(None))
        self._acknowledge = risen

    def _given(self, columns: Mapping[str, str]) -> tuple[Any, ColumnElement[Any]]:
        """Rows of values that are given column by column, and the column of ids among them."""
        arrays = {}
        for name, of_table in columns.items():
            bound = self.bind(name, of_table)
            bound.type = ARRAY(bound.type)
            arrays[name] = bound
        types = [column(name, self.table.c[of_table].type) for name, of_table in columns.items()]
        return func.unnest(*arrays.values()).table_valued(*types).render_derived(name="given"), arrays["id"]

    def _locked(self, *which: ColumnElement[bool]) -> CTE:
        c = self.table.c
        return select(c.id).where(*which).order_by(c.id).with_for_update().cte("locked")

    async def advance_all(self, db: AsyncConnection, steps: Sequence[Advance]) -> list[Outcome]:
        """:meth:`SessionStore.advance` for several sessions, each in one step only."""
        rows = [step_values(step) for step in steps]
        values = named((name, [row[name] for row in rows]) for name in STEP_COLUMNS)
        moved = {row.id: from_row(row) for row in await db.execute(self._advance, values)}
        lost = [row["id"] for row in rows if row["id"] not in moved]
        others = {row.id: from_row(row) for row in await db.execute(self._by_ids, {"b_id": lost})} if lost else {}
        return [(row["id"] in moved, moved.get(row["id"]) or others.get(row["id"])) for row in rows]

    async def acknowledge(self, db: AsyncConnection, generations: Mapping[str, int]) -> None:
        """See :meth:`SessionStore.acknowledge`."""
        ids = [storable(session_id) for session_id in generations]
        await db.execute(self._acknowledge, named({"id": ids, "generation": [*generations.values()]}))

    async def revoke_subject(self, db: AsyncConnection, values: Mapping[str, Any]) -> Ended:
        """See :meth:`Statements.revoke_subject`."""
        return [(row.id, row.expires_at) for row in await db.execute(self._revoke_subject, values)]

    async def delete(self, db: AsyncConnection, which: Select[Any], values: Mapping[str, Any]) -> int:
        """See :meth:`Statements.delete`."""
        free = which.with_for_update(skip_locked=True).cte("free")
        return (await db.execute(delete(self.table).where(self.table.c.id.in_(select(free.c.id))), values)).rowcount
