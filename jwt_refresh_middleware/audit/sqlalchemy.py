"""An audit log in a table in PostgreSQL, MySQL, MariaDB or SQLite, on an engine of SQLAlchemy's."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, Double, Index, MetaData, String, Table, Text, bindparam, delete, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import Insert

from ..concurrency import SingleFlight
from ..stores.sql_connections import Connections
from ..stores.sql_schema import check, create
from . import KEEP, AuditEntry
from .rows import COLUMNS, DEFAULT_NAME, KEY, checked, from_row, key, to_row

__all__ = ["SQLAlchemyAudit", "audit_table"]

_PURGE_ROWS = 1000
_DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}


# Bytes are compared, nothing else: on PostgreSQL that also saves the indexes from a new version of the C library.
_SHORT = String(64).with_variant(String(64, collation="C"), "postgresql")
_KEY = String(KEY).with_variant(String(KEY, collation="C"), "postgresql")
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def audit_table(metadata: MetaData, name: str = DEFAULT_NAME, *, schema: str | None = None) -> Table:
    """The table of entries, in your metadata: for your migrations, or ``metadata.create_all``.

    Args:
        metadata: where it is declared; a table of that name that is there already is returned as it is.
        name: of the table. Default ``jwt_refresh_audit``.
        schema: where the table is. Default: the metadata's.
    """
    where = schema or metadata.schema
    known = metadata.tables.get(f"{where}.{name}" if where else name)
    if known is not None:
        return known
    options: dict[str, Any] = {
        f"{dialect}_{option}": value for dialect in ("mysql", "mariadb") for option, value in _MYSQL.items()
    }
    table = Table(
        name,
        metadata,
        Column("id", _SHORT, primary_key=True),
        Column("at", Double(), nullable=False),
        Column("name", _SHORT, nullable=False),
        Column("subject", _KEY),
        Column("session_id", _KEY),
        Column("ip", _TEXT),
        Column("user_agent", _TEXT),
        Column("details", _TEXT.with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")),
        schema=schema,
        **options,
    )
    Index(f"{name}_at", table.c.at)
    Index(f"{name}_subject", table.c.subject, table.c.at)
    Index(f"{name}_session_id", table.c.session_id)
    return table


def _insert(table: Table, dialect: str) -> Insert:
    """Adds a row, unless there is one with its id."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=["id"])
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=["id"])
    adding = mysql.insert(table)
    return adding.on_duplicate_key_update(id=adding.inserted.id)  # INSERT IGNORE would let pass other faults too


class SQLAlchemyAudit:
    """An :class:`AuditLog` in a table of your database.

    The table is made by your migrations (:func:`audit_table` puts it into your metadata), or by :meth:`create_all`.
    The engine stays yours: it may be that of the sessions, and :meth:`close` does not dispose of it.

    Attributes:
        engine: the engine.
        table: the table.
        keep: as in :class:`AuditLog`.
        everything: as in :class:`AuditLog`.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        keep: timedelta | None = KEEP,
        everything: bool = False,
        table_name: str = DEFAULT_NAME,
        metadata: MetaData | None = None,
        schema: str | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            engine: for ``postgresql+asyncpg``, ``mysql+asyncmy``, ``mysql+aiomysql`` or ``sqlite+aiosqlite``.
            keep: how long entries are kept; None for ever. Default 90 days.
            everything: whether ``rotated`` and ``repeated`` are kept too. Default False.
            table_name: as in :func:`audit_table`.
            metadata: where the table is declared. Default: a metadata of its own.
            schema: as in :func:`audit_table`.

        Raises:
            ValueError: the engine is for another database, or ``keep`` is no length of time.
        """
        dialect = engine.dialect.name
        if dialect not in _DIALECTS:
            raise ValueError(f"{dialect} is not supported; one of {', '.join(_DIALECTS)} is")
        self.engine = engine
        self.table = audit_table(metadata if metadata is not None else MetaData(), table_name, schema=schema)
        self.keep = checked(keep)
        self.everything = everything
        # On PostgreSQL a batch is a transaction by itself; elsewhere it may be several, or one for each row.
        self._connections = Connections(engine, autocommit=dialect == "postgresql")
        self._insert = _insert(self.table, dialect)
        self._over = (
            select(self.table.c.id).where(self.table.c.at <= bindparam("b_before")).order_by(self.table.c.at)
        ).limit(_PURGE_ROWS)
        self._delete = delete(self.table).where(self.table.c.id.in_(bindparam("b_ids", expanding=True)))
        self._opening = SingleFlight()
        self._is_open = False

    def __repr__(self) -> str:
        return f"SQLAlchemyAudit({self.engine.url!r}, table_name={self.table.fullname!r})"

    async def create_all(self) -> None:
        """Make the table and its indexes, as far as they are missing. Several processes may do it at once."""
        await self._connections.run(lambda db, _: self._create(db))

    async def _create(self, db: AsyncConnection) -> None:
        await create(db, self.table)
        await db.commit()

    async def open(self) -> None:
        """See :meth:`AuditLog.open`. Creates nothing.

        Raises:
            RuntimeError: the table is not there, or not as it should be.
        """
        if not self._is_open:
            await self._opening.run(self._open)

    async def _open(self) -> None:
        await self._connections.run(lambda db, _: check(db, self.table))
        self._is_open = True

    async def close(self) -> None:
        """See :meth:`AuditLog.close`. The engine is not disposed of: whoever made it does that, after this."""
        await self._connections.finish()
        await self._opening.finish()

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        """See :meth:`AuditLog.write`."""
        rows = [dict(zip(COLUMNS, to_row(entry), strict=True)) for entry in entries]
        if rows:
            await self._connections.run(lambda db, _: self._write(db, rows))

    async def _write(self, db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
        await db.execute(self._insert, rows)
        await db.commit()

    async def entries(
        self,
        *,
        subject: str | None = None,
        session_id: str | None = None,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        most: int = 100,
    ) -> list[AuditEntry]:
        """See :meth:`AuditLog.entries`."""
        c = self.table.c
        asked = select(*(c[column] for column in COLUMNS)).order_by(c.at.desc(), c.id.desc()).limit(most)
        for column, value in ((c.subject, key(subject)), (c.session_id, key(session_id)), (c.name, name)):
            if value is not None:
                asked = asked.where(column == value)
        if since is not None:
            asked = asked.where(c.at >= since)
        if until is not None:
            asked = asked.where(c.at < until)
        return await self._connections.run(lambda db, _: _read(db, asked))

    async def purge(self, before: float) -> int:
        """See :meth:`AuditLog.purge`. At most 1000 rows a call, the oldest first."""
        return await self._connections.run(lambda db, _: self._purge(db, before))

    async def _purge(self, db: AsyncConnection, before: float) -> int:
        ids = sorted((await db.execute(self._over, {"b_before": before})).scalars())
        if not ids:
            return 0
        deleted = (await db.execute(self._delete, {"b_ids": ids})).rowcount
        await db.commit()
        return deleted


async def _read(db: AsyncConnection, asked: Any) -> list[AuditEntry]:
    return [from_row(row) for row in (await db.execute(asked)).all()]
