"""Who writes events to an audit log: in the background, in batches, again if need be, and in nobody's way."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from ..backlog import Backlog
from ..events import Event, StoreFailed
from ..rounds import Complaints, log
from . import EVERYDAY, AuditEntry, AuditLog

T = TypeVar("T")

_MOST_WAITING = 10_000
_MOST_AT_ONCE = 250
_ENOUGH = 100
_INTERVAL = 1.0
_PATIENCE = 5.0
_LAST_WORDS = 5.0
_PURGE_EVERY = 60.0
_PIECES = 5
_OUTAGE_EVERY = 10.0


class AuditWriter:
    """Writes what it is given each second, or as soon as 100 events wait, and at the end.

    A batch that could not be written is tried again each second. Meanwhile 10 000 events wait; of more, the oldest are
    dropped. What a crash of the process loses is what waited.
    """

    def __init__(self, audit: AuditLog) -> None:
        """Writes nothing yet."""
        self._audit = audit
        self._everything = audit.everything
        self._waiting: Backlog[Event] = Backlog("the audit log does not keep up with the events", _MOST_WAITING)
        self._batch: list[AuditEntry] = []
        self._is_writing = False
        self._is_ending = False
        self._clock: Callable[[], float] | None = None
        self._purge_at = time.monotonic() + _PURGE_EVERY
        self._outage_at = -_OUTAGE_EVERY
        self._complaints = Complaints("the audit log failed")
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def begin(self, clock: Callable[[], float]) -> None:
        """Open the log and see to its retention from now on; ``clock`` gives seconds since the epoch."""
        self._clock = clock
        self._see_to_it()

    def add(self, event: Event) -> None:
        """Have ``event`` written, if it is one of those that are kept; returns at once."""
        if (event.name in EVERYDAY and not self._everything) or self._is_known(event):
            return
        if self._waiting.is_full and self._batch and not self._is_writing:
            self._waiting.lose(len(self._batch))  # it is older than all that waits
            self._batch = []
        self._waiting.append(event)
        self._see_to_it()
        if len(self._waiting) == _ENOUGH:
            self._wake.set()

    def _is_known(self, event: Event) -> bool:
        """An outage of the store fails every request: one event in ten seconds says it."""
        if not isinstance(event, StoreFailed):
            return False
        now = time.monotonic()
        if now - self._outage_at < _OUTAGE_EVERY:
            return True
        self._outage_at = now
        return False

    def _see_to_it(self) -> None:
        """Have a task in this event loop that writes; one of a loop that is gone is left behind."""
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            self._is_ending = self._is_writing = False
            self._wake = asyncio.Event()
            self._task = asyncio.create_task(self._go_on(self._wake))

    async def finish(self) -> None:
        """Write what waits, and stop. Takes at most five seconds."""
        if len(self._waiting) or self._batch:
            self._see_to_it()
        task, self._task = self._task, None
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            self._is_ending = True
            self._wake.set()
            await asyncio.wait([task], timeout=_LAST_WORDS)
            task.cancel()
        self._waiting.complain()
        left = len(self._waiting) + len(self._batch)
        if left:
            log.error("the audit log has not got %d events: they are lost if the process ends now", left)

    async def _go_on(self, wake: asyncio.Event) -> None:
        await self._attempt(self._audit.open)
        while not self._is_ending:
            with suppress(TimeoutError):
                async with asyncio.timeout(_INTERVAL):
                    await wake.wait()
            wake.clear()
            if await self._flush():
                await self._purge()
        if not await self._flush():
            await self._flush()  # the first attempt may have found out no more than that a connection was gone

    async def _flush(self) -> bool:
        """Write all that waits; returns whether that worked."""
        while self._batch or len(self._waiting):
            # The same batch until it is written: so the log can tell that it has it already.
            self._batch = self._batch or [AuditEntry.of(event) for event in self._waiting.take(_MOST_AT_ONCE)]
            batch, self._is_writing = self._batch, True
            try:
                written, _ = await self._attempt(partial(self._audit.write, batch))
            finally:
                self._is_writing = False
            if not written:
                return False
            self._batch = []
        return True

    async def _purge(self) -> None:
        """Now and then delete what was kept for long enough: some pieces now, the next ones in the next round."""
        keep, now = self._audit.keep, time.monotonic()
        if keep is None or self._clock is None or now < self._purge_at:
            return
        before = self._clock() - keep.total_seconds()
        for _ in range(_PIECES):
            _, deleted = await self._attempt(partial(self._audit.purge, before))
            if not deleted:
                self._purge_at = now + _PURGE_EVERY
                return

    async def _attempt(self, work: Callable[[], Awaitable[T]]) -> tuple[bool, T | None]:
        """Whether ``work`` was done within five seconds, and what it gave. What it raises is complained of."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return True, await work()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._complaints.about(RuntimeError("it was cancelled, but not by us"))
        except Exception as error:  # noqa: BLE001  whatever it is: it must not break a login
            self._complaints.about(error)
        return False, None
