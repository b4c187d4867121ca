"""Group commit: everything that waits for one SQLite connection shares a thread hop, a transaction and an fsync."""

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
Outcome = tuple[Any, Exception | None]
Job = tuple[Work, "Kind", "asyncio.Future[Any]"]

_BATCH = 1000


class Kind(Enum):
    """What a piece of work does to the database."""

    READ = auto()
    """It reads."""
    ONE_WRITE = auto()
    """It writes with one statement, which is a transaction by itself where nothing else waits."""
    WRITES = auto()
    """It needs a transaction around it."""


class GroupCommit:
    """Runs functions on the thread of an aiosqlite connection, many in one transaction.

    One batch is under way at a time. The next one begins when everybody who was answered by the last one has had
    their turn, so that they are in it too: the two threads share the interpreter, and overlapping small batches would
    mostly wait for each other. The connection must be in autocommit mode (``isolation_level=None``).
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._waiting: deque[Job] = deque()
        self._driver: asyncio.AbstractEventLoop | None = None
        """The event loop that sees to the next batch; one that is gone is replaced by the next caller's."""

    def run(self, work: Callable[[sqlite3.Connection], T], kind: Kind) -> "asyncio.Future[T]":
        """What ``work`` returns, once the transaction it was part of is durable. Its own exception comes back.

        ``work`` fetches everything before it returns: an open cursor would disturb its neighbours.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append((work, kind, future))
        if self._driver is not loop:
            self._driver = loop
            self._begin()
        return future

    async def close(self) -> None:
        """Do what still waits, then close the connection."""
        while self._waiting:
            await self._connection._execute(self._drain)  # type: ignore[no-untyped-call]
        await self._connection.close()

    def _begin(self) -> None:
        # aiosqlite has no public way to run a function on its thread; all its own calls put one into this queue.
        self._connection._tx.put_nowait((None, self._drain))

    def _next(self) -> None:
        """On the event loop, after those who were answered had their turn."""
        if self._waiting:
            self._begin()
        elif self._driver is asyncio.get_running_loop():
            self._driver = None

    def _drain(self) -> None:
        """On the connection's thread: commit what waits, then answer each event loop with one wake-up."""
        batch: list[Job] = []
        while self._waiting and len(batch) < _BATCH:
            batch.append(self._waiting.popleft())
        answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
        for (_, _, future), outcome in zip(batch, _transact(self._connection, batch), strict=True):
            answers.setdefault(future.get_loop(), []).append((future, outcome))
        if self._driver is not None:
            answers.setdefault(self._driver, [])
        for loop, delivery in answers.items():
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(self._deliver, loop, delivery)

    def _deliver(self, loop: asyncio.AbstractEventLoop, delivery: list[tuple["asyncio.Future[Any]", Outcome]]) -> None:
        for future, (result, error) in delivery:
            if future.done():  # the caller was cancelled; the work happened all the same
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        if loop is self._driver:
            loop.call_soon(self._next)


def _transact(connection: aiosqlite.Connection, batch: Sequence[Job]) -> list[Outcome]:
    """The outcome of every job, after one transaction around all of them; all fail if it cannot be committed."""
    database = None
    try:
        database = connection._conn
        alone = len(batch) == 1 and batch[0][1] is Kind.ONE_WRITE
        if alone or all(kind is Kind.READ for _, kind, _ in batch):
            return [_attempt(work, database) for work, _, _ in batch]
        database.execute("BEGIN IMMEDIATE")
        outcomes: list[Outcome] = []
        for work, _, _ in batch:
            outcomes.append(_attempt(work, database))
            if not database.in_transaction:  # a full disk, say, rolls back by itself
                raise outcomes[-1][1] or sqlite3.OperationalError("the transaction was rolled back")
        database.execute("COMMIT")
    except Exception as error:  # noqa: BLE001  whatever it was, nothing of the batch happened, and every caller learns it
        if database is not None and database.in_transaction:
            database.execute("ROLLBACK")
        return [(None, error)] * len(batch)
    return outcomes


def _attempt(work: Work, database: sqlite3.Connection) -> Outcome:
    try:
        return work(database), None
    except Exception as error:  # noqa: BLE001  handed to the caller whose work it is; its neighbours go on
        return None, error
