"""Sessions in PostgreSQL, MySQL, MariaDB or SQLite, on an engine of SQLAlchemy's that the application has anyway."""

from collections.abc import Mapping, Sequence

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from ..concurrency import SingleFlight
from ..sessions import Session
from .base import Advance
from .sql_batches import Batches
from .sql_connections import Connections
from .sql_mysql import MySQLStatements
from .sql_postgresql import PostgreSQLStatements
from .sql_schema import check, create
from .sql_sqlite import SQLiteStatements
from .sql_statements import Outcome, Statements
from .sql_table import DEFAULT_NAME, sessions_table

__all__ = ["SQLAlchemyStore", "sessions_table"]

_STATEMENTS: Mapping[str, type[Statements]] = {
    "postgresql": PostgreSQLStatements,
    "mysql": MySQLStatements,
    "mariadb": MySQLStatements,
    "sqlite": SQLiteStatements,
}


class SQLAlchemyStore:
    """A :class:`SessionStore` in a table of your database.

    The table is made by your migrations (:func:`sessions_table` puts it into your metadata), or by
    :meth:`create_all`. The engine stays yours: it may be shared with the application, whatever its isolation level is,
    and :meth:`close` does not dispose of it.

    Attributes:
        engine: the engine.
        table: the table.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        table_name: str = DEFAULT_NAME,
        metadata: MetaData | None = None,
        schema: str | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            engine: for ``postgresql+asyncpg``, ``mysql+asyncmy``, ``mysql+aiomysql`` or ``sqlite+aiosqlite``.
            table_name: as in :func:`sessions_table`.
            metadata: where the table is declared. Default: a metadata of its own.
            schema: as in :func:`sessions_table`.

        Raises:
            ValueError: the engine is for another database.
        """
        kind = _STATEMENTS.get(engine.dialect.name)
        if kind is None:
            raise ValueError(f"{engine.dialect.name} is not supported; one of {', '.join(_STATEMENTS)} is")
        self.engine = engine
        self.table = sessions_table(metadata if metadata is not None else MetaData(), table_name, schema=schema)
        self._do = kind(self.table)
        self._connections = Connections(engine, autocommit=self._do.autocommit)
        self._batches: Batches | None = None
        if isinstance(self._do, PostgreSQLStatements):
            self._batches = Batches(self._advance_all, self._connections.start)
        self._opening = SingleFlight()
        self._is_open = False
        self._purged_upto = ""

    def __repr__(self) -> str:
        return f"SQLAlchemyStore({self.engine.url!r}, table_name={self.table.fullname!r})"

    async def create_all(self) -> None:
        """Make the table and its indexes, as far as they are missing. Several processes may do it at once.

        A table that an earlier version of the package has made gets the columns that came later.
        """
        await self._connections.run(lambda db, _: create(db, self.table))

    async def open(self) -> None:
        """See :meth:`SessionStore.open`. Creates nothing: an account that may only read will do.

        Raises:
            RuntimeError: the table is not there, or not as it should be.
        """
        if not self._is_open:
            await self._opening.run(self._open)

    async def _open(self) -> None:
        await self._connections.run(lambda db, _: check(db, self.table))
        self._is_open = True

    async def close(self) -> None:
        """See :meth:`SessionStore.close`. The engine is not disposed of: whoever made it does that, after this."""
        if self._batches is not None:
            await self._batches.finish()
        await self._connections.finish()
        await self._opening.finish()

    async def add(self, session: Session) -> None:
        """See :meth:`SessionStore.add`."""
        await self._connections.run(lambda db, repeated: self._do.add(db, session, repeated))

    async def get(self, session_id: str) -> Session | None:
        """See :meth:`SessionStore.get`."""
        return await self._connections.run(lambda db, _: self._do.get(db, session_id))

    async def advance(self, step: Advance) -> Outcome:
        """See :meth:`SessionStore.advance`."""
        if self._batches is not None:
            return await self._batches.run(step)
        return await self._connections.run(lambda db, _: self._do.advance(db, step))

    async def _advance_all(self, steps: Sequence[Advance]) -> list[Outcome]:
        do = self._do
        assert isinstance(do, PostgreSQLStatements)
        return await self._connections.attempt(lambda db, _: do.advance_all(db, steps))

    async def note_late(self, session_id: str, generation: int) -> bool:
        """See :meth:`SessionStore.note_late`."""
        return await self._connections.run(lambda db, _: self._do.note_late(db, session_id, generation))

    async def acknowledge(self, generations: Mapping[str, int]) -> None:
        """See :meth:`SessionStore.acknowledge`."""
        if generations:
            await self._connections.run(lambda db, _: self._do.acknowledge(db, generations))

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        """See :meth:`SessionStore.revoke`."""
        return await self._connections.run(lambda db, repeated: self._do.revoke(db, session_id, reason, now, repeated))

    async def revoke_subject(
        self, subject: str, *, reason: str, now: float, keep: str | None = None
    ) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revoke_subject`."""
        return await self._connections.run(
            lambda db, repeated: self._do.revoke_all(db, subject, reason, now, keep, repeated)
        )

    async def sessions(self, subject: str, *, now: float, most: int | None = None) -> list[Session]:
        """See :meth:`SessionStore.sessions`."""
        return await self._connections.run(lambda db, _: self._do.sessions(db, subject, now, most))

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revocations`."""
        return await self._connections.run(lambda db, _: self._do.revocations(db, since))

    async def purge(self, before: float) -> int:
        """See :meth:`SessionStore.purge`. At most 2000 rows a call; what another process is busy with is left to it."""
        after = self._purged_upto
        deleted, self._purged_upto = await self._connections.run(lambda db, _: self._do.purge(db, before, after))
        return deleted

    @property
    def is_purging(self) -> bool:
        """See :class:`PiecewisePurge`."""
        return self._purged_upto != ""
