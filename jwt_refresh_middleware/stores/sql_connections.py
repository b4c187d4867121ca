"""How work gets done on an engine of the application's: apart from whoever asks for it, and again if need be."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import Pool, QueuePool, StaticPool

T = TypeVar("T")
Work = Callable[[AsyncConnection, bool], Awaitable[T]]
"""What is done on a connection. The flag: an attempt before this one may have happened, nobody knows."""

_ATTEMPTS = 6
_LAST_WORDS = 5.0
_NUDGE = 1.0
_PAUSE = 0.02
_PLACES = 16
_CONFLICTS: frozenset[object] = frozenset({"40001", "40P01", 1020, 1205, 1213})
"""The transaction was rolled back as a whole, for others' sake: serialization failures, deadlocks, waits for a lock.

MySQL's 1205 undoes one statement only; what it was part of is rolled back when its connection goes back.
"""
_LOST: frozenset[object] = frozenset({"57P01", "57P02", "57P05", 1053, 1927, 2006, 2013, 4031})
"""The server ended the connection; a driver may say so before it has noticed that it is closed."""


class Fault(Enum):
    """What an exception says about the work that raised it."""

    CONFLICT = auto()
    """Nothing of it happened; it may succeed the next time."""
    LOST = auto()
    """The connection is gone: the work has happened as a whole or not at all."""
    OTHER = auto()
    """It failed, and would fail again."""


def fault_of(error: Exception) -> Fault:
    """What ``error``, raised by work on a connection, says."""
    lost = isinstance(error, (OSError, EOFError))
    cause: Any = error
    if isinstance(error, DBAPIError):
        lost, cause = error.connection_invalidated, error.orig
    code = getattr(cause, "sqlstate", None) or next(iter(getattr(cause, "args", ())), None)
    if code in _CONFLICTS:
        return Fault.CONFLICT
    if lost or code in _LOST or (isinstance(code, str) and len(code) == 5 and code.startswith("08")):
        return Fault.LOST
    return Fault.OTHER


def _places(pool: Pool) -> int:
    """How many connections are used at once."""
    if isinstance(pool, StaticPool):
        return 1  # SQLite in memory: its one connection is for one at a time, or they share a transaction
    return (pool.size() if isinstance(pool, QueuePool) else 0) or _PLACES


def give_up(task: asyncio.Task[Any]) -> None:
    """Cancel ``task`` until it has noticed: a driver that is just connecting may swallow it once."""
    if not task.done():
        task.cancel()
        task.get_loop().call_later(_NUDGE, give_up, task)


class Connections:
    """Runs work on connections of an engine's pool.

    - Whoever is cancelled leaves at once. The work is cancelled then too, in a task of its own, which sees to it that a
      connection with an answer outstanding is closed and never used again. In SQLite nobody is far away and a thread
      cannot be cancelled: there the work goes on.
    - Work that lost a race against others' transactions is done again.
    - So is work whose connection turns out to be gone: after a restart of the server all that are in the pool are. The
      work is told, since the first attempt may have happened. That costs nothing where nothing is wrong, unlike
      ``pool_pre_ping``, which asks the server before each use; and it helps as well when a server goes in between.
    - At most as many connections are used at once as the pool keeps: its overflow, which is opened for one use and
      costs more than it gives, is left to the application.
    """

    def __init__(self, engine: AsyncEngine, *, autocommit: bool) -> None:
        """``autocommit``: each statement is a transaction, whatever the engine's isolation level is."""
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT") if autocommit else engine
        self._over_network = engine.dialect.name != "sqlite"
        self._most = _places(engine.pool)
        self._places = asyncio.Semaphore(self._most)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Work[T]) -> T:
        """What ``work`` returns; its own exception comes back."""
        task = self.start(self.attempt(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._over_network:
                give_up(task)
            raise

    def start(self, doing: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that :meth:`finish` waits for."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._move_to(loop)
        task = loop.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have gone: then nobody else looks at it

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pooled connections belong to an event loop: those of one that is closed would hang or fail."""
        if self._loop is not None and self._loop.is_closed() and self._over_network:
            self._engine.sync_engine.dispose(close=False)  # for all who share this engine; they cannot be closed either
        self._loop = loop
        self._places = asyncio.Semaphore(self._most)
        self._tasks.clear()

    async def finish(self) -> None:
        """Wait for everything that was started in this event loop; not for ever, if a server does not answer."""
        if self._loop is asyncio.get_running_loop():
            await self._all_done(_LAST_WORDS)
            for task in [*self._tasks]:
                give_up(task)
            await self._all_done(_LAST_WORDS)

    async def _all_done(self, seconds: float) -> None:
        """Wait for all tasks, also those that others leave behind when they end."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._tasks and (left := end - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
            await asyncio.sleep(0)  # so that they are taken out

    async def attempt(self, work: Work[T]) -> T:
        """The same as :meth:`run`, in the task of whoever asks."""
        repeated = False
        for attempt in range(_ATTEMPTS):
            async with self._lent() as connection:
                try:
                    answer = await work(connection, repeated)
                    if connection.in_transaction():  # it has read; a connection that breaks now is seen to as any other
                        await connection.rollback()
                    return answer
                except Exception as error:
                    fault = fault_of(error)
                    if fault is not Fault.CONFLICT and self._over_network and not isinstance(error, IntegrityError):
                        await connection.invalidate()  # whatever state it is in
                    if isinstance(error, DBAPIError):
                        error.hide_parameters = True  # addresses, agents and names do not belong into a log
                    if fault is Fault.OTHER or attempt == _ATTEMPTS - 1:
                        raise
            repeated = repeated or fault is Fault.LOST
            if fault is Fault.CONFLICT:
                await asyncio.sleep(_PAUSE * attempt * random.random())  # noqa: S311  spreads, hides nothing
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[AsyncConnection]:
        """A connection of the pool, and one of the places.

        Making a new one is not given up with whoever asks for it: behind an outage everybody has waited for long, and
        leaves before a connection is made. None would ever be.
        """
        places = self._places
        await places.acquire()
        connecting = self.start(self._connect())
        try:
            connection = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            keeping = self.start(self._keep(connecting, places))
            keeping.get_loop().call_later(_NUDGE, give_up, keeping)
            raise
        except BaseException:
            places.release()
            raise
        try:
            yield connection
        finally:
            try:
                # Asks the server as well, by the pool's rollback. "async with" would let nobody cancel that, and wait
                # for ever if the server falls silent just now.
                await connection.close()
            finally:
                places.release()

    async def _connect(self) -> AsyncConnection:
        return await self._engine.connect()

    async def _keep(self, connecting: asyncio.Task[AsyncConnection], places: asyncio.Semaphore) -> None:
        """Put what was made for somebody who has left into the pool, for the next."""
        try:
            try:
                connection = await connecting
            except asyncio.CancelledError:
                if connecting.cancelled():
                    raise
                connection = connecting.result()  # made just now, all the same
            await connection.close()
        finally:
            places.release()
