"""What a store does on one connection, in statements that every database takes; the modules beside it have the rest."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    Table,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..sessions import Session
from .base import Advance
from .sql_table import COLUMNS, DAY, day_of, from_row, storable, storable_or_none, stored, to_row

PURGE_ROWS = 1000
_ACKNOWLEDGE_ROWS = 200
_MOST_BINDINGS = 4
_LEFT_IF_NOT_SAID = ("ip", "user_agent", "binding", "standing")
_NOBODY = "\x1a"  # no stored id: this character is never alone in one

Outcome = tuple[bool, Session | None]
Ended = list[tuple[str, float]]


class Statements:
    """What a store does on one connection; each method is one transaction, and is whole when it returns.

    ``repeated`` says that an attempt of the same may have happened before. Not everything can be asked of all
    databases: :meth:`least`, :meth:`day`, :meth:`advance`, :meth:`revoke_subject` and :meth:`delete` are theirs.
    """

    autocommit = True
    """Whether each statement is a transaction by itself: one round trip, without BEGIN and COMMIT."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.columns = [table.c[name] for name in COLUMNS]
        c = table.c
        self.by_id = select(*self.columns).where(c.id == bindparam("b_id"))
        self._add = insert(table)
        self._note_late = (
            update(table)
            .values(late=c.generation)
            .where(c.id == bindparam("b_id"), c.generation == bindparam("b_generation"))
            .where(c.acknowledged < c.generation, c.revoked_at.is_(None))
        )
        self.end = {
            "revoked_at": self.bind("now", "revoked_at"),
            "revoked_reason": self.bind("reason", "revoked_reason"),
        }
        ended_so = [c[name] == value for name, value in self.end.items()]
        self.of_subject = [c.subject == bindparam("b_subject"), c.id != bindparam("b_keep")]
        self._revoke = update(table).values(self.end).where(c.id == bindparam("b_id"), c.revoked_at.is_(None))
        self._revoked_so = select(c.id).where(c.id == bindparam("b_id"), *ended_so)
        self._subject_revoked_so = select(c.id, c.expires_at).where(*self.of_subject, *ended_so)
        live = [c.revoked_at.is_(None), c.expires_at > bindparam("b_now"), c.ends_at > bindparam("b_now")]
        self._sessions = select(*self.columns).where(c.subject == bindparam("b_subject"), *live)
        newest_first = self._sessions.order_by(c.created_at.desc(), c.id.desc())
        self._newest_sessions = newest_first.limit(bindparam("b_most", type_=Integer))
        self._sessions = self._sessions.order_by(c.created_at, c.id)
        self._revocations = select(c.id, c.revoked_at).where(c.revoked_at >= bindparam("b_since"))
        self._prepare_purge()

    def _prepare_purge(self) -> None:
        c = self.table.c
        over = c.expires_at <= bindparam("b_before")
        self._over_for_days = select(c.id).where(c.expires_on < bindparam("b_day"), over).limit(PURGE_ROWS)
        piece = select(c.id).where(c.id > bindparam("b_after")).order_by(c.id).limit(PURGE_ROWS).subquery()
        self._piece = select(func.max(piece.c.id), func.count()).select_from(piece)
        self._over_in_piece = select(c.id).where(c.id > bindparam("b_after"), c.id <= bindparam("b_upto"), over)

    def bind(self, name: str, column: str) -> BindParameter[Any]:
        """A value that is given at execution, of the type of a column."""
        return bindparam(f"b_{name}", type_=self.table.c[column].type)

    def least(self, one: ColumnElement[Any], two: ColumnElement[Any]) -> ColumnElement[Any]:
        """The smaller of two numbers."""
        return func.least(one, two)

    def day(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """As :func:`day_of`."""
        return func.floor(time / DAY)

    def step(self, given: Mapping[str, ColumnElement[Any]]) -> tuple[dict[str, Any], list[ColumnElement[bool]]]:
        """What an :class:`Advance`, with values ``given``, sets, and the conditions under which it may."""
        c = self.table.c
        end = self.least(given["expires_at"], c.ends_at)
        values: dict[str, Any] = {name: func.coalesce(given[name], c[name]) for name in _LEFT_IF_NOT_SAID}
        values |= {
            "generation": given["to"],
            "last_used_at": given["now"],
            "expires_at": end,
            "expires_on": self.day(end),
        }
        allowed = [given[f"binding_{number}"] for number in range(_MOST_BINDINGS)]
        return values, [
            c.id == given["id"],
            c.generation == given["expected"],
            c.revoked_at.is_(None),
            c.expires_at > given["now"],
            c.binding.in_(allowed),
        ]

    async def advance(self, db: AsyncConnection, step: Advance) -> Outcome:
        """See :meth:`SessionStore.advance`."""
        raise NotImplementedError

    async def revoke_subject(self, db: AsyncConnection, values: Mapping[str, Any]) -> Ended:
        """End what ``of_subject`` selects; returns id and expiry of each, as they are stored."""
        raise NotImplementedError

    async def delete(self, db: AsyncConnection, which: Select[Any], values: Mapping[str, Any]) -> int:
        """Delete what ``which`` selects and nobody else has locked; returns how many."""
        raise NotImplementedError

    async def add(self, db: AsyncConnection, session: Session, repeated: bool) -> None:
        """See :meth:`SessionStore.add`."""
        try:
            await db.execute(self._add, to_row(session))
            await db.commit()
        except IntegrityError:
            await db.rollback()
            if repeated and await self.get(db, session.id) == session:
                return
            raise ValueError("a session with this id exists") from None

    async def get(self, db: AsyncConnection, session_id: str) -> Session | None:
        """See :meth:`SessionStore.get`."""
        row = (await db.execute(self.by_id, {"b_id": storable(session_id)})).one_or_none()
        return None if row is None else from_row(row)

    async def note_late(self, db: AsyncConnection, session_id: str, generation: int) -> bool:
        """See :meth:`SessionStore.note_late`."""
        noted = await db.execute(self._note_late, {"b_id": storable(session_id), "b_generation": generation})
        await db.commit()
        return noted.rowcount == 1

    async def acknowledge(self, db: AsyncConnection, generations: Mapping[str, int]) -> None:
        """See :meth:`SessionStore.acknowledge`. A few hundred rows in one statement, and in the order of their ids."""
        c = self.table.c
        rows = sorted((storable(session_id), generation) for session_id, generation in generations.items())
        for first in range(0, len(rows), _ACKNOWLEDGE_ROWS):
            some = dict(rows[first : first + _ACKNOWLEDGE_ROWS])
            arrived = case(some, value=c.id)
            raise_them = update(self.table).values(acknowledged=arrived)
            await db.execute(raise_them.where(c.id.in_(some), c.acknowledged < arrived, c.revoked_at.is_(None)))
            await db.commit()

    async def revoke(self, db: AsyncConnection, session_id: str, reason: str, now: float, repeated: bool) -> bool:
        """See :meth:`SessionStore.revoke`."""
        values = {"b_id": storable(session_id), "b_now": now, "b_reason": storable(reason)}
        revoked = (await db.execute(self._revoke, values)).rowcount == 1
        await db.commit()
        if repeated and not revoked:  # then the attempt before this one did it, if it was ended just so
            revoked = (await db.execute(self._revoked_so, values)).one_or_none() is not None
        return revoked

    async def revoke_all(
        self, db: AsyncConnection, subject: str, reason: str, now: float, keep: str | None, repeated: bool
    ) -> Ended:
        """See :meth:`SessionStore.revoke_subject`."""
        kept = _NOBODY if keep is None else storable(keep)
        values = {"b_subject": storable(subject), "b_keep": kept, "b_now": now, "b_reason": storable(reason)}
        ended = await self.revoke_subject(db, values)
        if repeated:
            ended = [(row.id, row.expires_at) for row in await db.execute(self._subject_revoked_so, values)]
        return [(stored(session_id), expires_at) for session_id, expires_at in ended]

    async def sessions(self, db: AsyncConnection, subject: str, now: float, most: int | None) -> list[Session]:
        """See :meth:`SessionStore.sessions`."""
        values = {"b_subject": storable(subject), "b_now": now}
        if most is None:
            return [from_row(row) for row in await db.execute(self._sessions, values)]
        rows = (await db.execute(self._newest_sessions, {**values, "b_most": most})).all()
        return [from_row(row) for row in reversed(rows)]

    async def revocations(self, db: AsyncConnection, since: float) -> Ended:
        """See :meth:`SessionStore.revocations`."""
        rows = await db.execute(self._revocations, {"b_since": since})
        return [(stored(row.id), row.revoked_at) for row in rows]

    async def purge(self, db: AsyncConnection, before: float, after: str) -> tuple[int, str]:
        """See :meth:`SessionStore.purge`. Returns how many, and where the next call goes on.

        What expired on a day that is over is found by the index on days. What expired on the same day as ``before`` is
        found by a walk through the table, a piece each call: the index would show what expires later that day as well.
        """
        values: dict[str, Any] = {"b_before": before, "b_day": day_of(before), "b_after": after}
        deleted = await self.delete(db, self._over_for_days, values)
        if deleted < PURGE_ROWS:
            upto, seen = (await db.execute(self._piece, values)).one()
            if seen:
                deleted += await self.delete(db, self._over_in_piece, values | {"b_upto": upto})
            after = upto if seen == PURGE_ROWS else ""
        await db.commit()
        return deleted, after


def step_values(step: Advance) -> dict[str, Any]:
    """The values of one step, by the names that :meth:`Statements.step` gives them."""
    allowed = [storable(binding) for binding in step.bindings]
    allowed += allowed[:1] * (_MOST_BINDINGS - len(allowed))
    return {
        "id": storable(step.session_id),
        "expected": step.expected,
        "to": step.to,
        "now": step.now,
        "expires_at": step.expires_at,
        "ip": storable_or_none(step.ip),
        "user_agent": storable_or_none(step.user_agent),
        "binding": storable_or_none(step.binding),
        "standing": None if step.standing is None else step.standing.text(),
    } | {f"binding_{number}": binding for number, binding in enumerate(allowed)}


STEP_COLUMNS: Mapping[str, str] = {
    "id": "id",
    "expected": "generation",
    "to": "generation",
    "now": "last_used_at",
    "expires_at": "expires_at",
    "ip": "ip",
    "user_agent": "user_agent",
    "binding": "binding",
    "standing": "standing",
} | {f"binding_{number}": "binding" for number in range(_MOST_BINDINGS)}
"""Each value of a step, and the column whose type it has."""


def named(values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Values by the names of their parameters."""
    return {f"b_{name}": value for name, value in dict(values).items()}
