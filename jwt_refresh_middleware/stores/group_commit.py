"""Group commit: everything that waits for one SQLite connection shares a thread hop, a transaction and an fsync."""

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
Outcome = tuple[Any, Exception | None]

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work
    writes: bool
    future: "asyncio.Future[Any]"


class GroupCommit:
    """Runs functions on the thread of an aiosqlite connection, many in one transaction.

    While one batch is committed the next one gathers. The connection must be in autocommit mode
    (``isolation_level=None``). Bound to no event loop: every caller is answered in its own.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._waiting: deque[_Job] = deque()
        self._scheduled = False

    async def run(self, work: Callable[[sqlite3.Connection], T], *, writes: bool = True) -> T:
        """What ``work`` returns, once the transaction it was part of is durable. Its own exception comes back.

        ``work`` fetches everything before it returns: an open cursor would disturb its neighbours.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Job(work, writes, future))
        if not self._scheduled:
            self._scheduled = True
            try:
                # aiosqlite has no public way to run a function on its thread; _execute is what all its own calls use.
                await self._connection._execute(self._drain)  # type: ignore[no-untyped-call]
            except ValueError as error:  # the connection is closed: nothing will drain the queue any more
                self._scheduled = False
                self._fail_waiting(error)
        return await future

    def _fail_waiting(self, error: Exception) -> None:
        while self._waiting:
            job = self._waiting.popleft()
            _deliver_to(job.future.get_loop(), [(job.future, (None, error))])

    def _drain(self) -> None:
        """On the connection's thread: commit what waits, then answer each event loop with one wake-up."""
        self._scheduled = False
        database = self._connection._conn
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH))]
            answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
            for job, outcome in zip(batch, _transact(database, batch), strict=True):
                answers.setdefault(job.future.get_loop(), []).append((job.future, outcome))
            for loop, delivery in answers.items():
                _deliver_to(loop, delivery)


def _transact(database: sqlite3.Connection, batch: Sequence[_Job]) -> list[Outcome]:
    """The outcome of every job, after one transaction around all of them; all fail if it cannot be committed."""
    if not any(job.writes for job in batch):
        return [_attempt(job.work, database) for job in batch]
    try:
        database.execute("BEGIN IMMEDIATE")
        outcomes = []
        for job in batch:
            outcomes.append(_attempt(job.work, database))
            if not database.in_transaction:  # a full disk, say, rolls back by itself
                raise outcomes[-1][1] or sqlite3.OperationalError("the transaction was rolled back")
        database.execute("COMMIT")
    except Exception as error:  # noqa: BLE001  whatever it was, nothing of the batch has happened, and every caller learns it
        if database.in_transaction:
            database.execute("ROLLBACK")
        return [(None, error)] * len(batch)
    return outcomes


def _attempt(work: Work, database: sqlite3.Connection) -> Outcome:
    try:
        return work(database), None
    except Exception as error:  # noqa: BLE001  handed to the caller whose work it is; its neighbours go on
        return None, error


def _deliver_to(loop: asyncio.AbstractEventLoop, delivery: list[tuple["asyncio.Future[Any]", Outcome]]) -> None:
    with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there any more
        loop.call_soon_threadsafe(_deliver, delivery)


def _deliver(delivery: list[tuple["asyncio.Future[Any]", Outcome]]) -> None:
    for future, (result, error) in delivery:
        if future.done():  # the caller was cancelled; the work happened all the same
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
