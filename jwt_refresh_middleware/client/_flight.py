"""One refresh at a time, for whoever waits: threads, asyncio tasks of any loop, trio tasks.

A lock of asyncio belongs to one loop, and one of threads must not be held over an ``await``. So nobody waits for a lock
here: the first caller starts a flight, the others wait for its end, each in its own way.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

_LOOK_UP = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Landing:
    """How a flight ended.

    Attributes:
        error: what each who waited for it gets.
        abandoned: it never arrived: its event loop was closed under it, or its thread interrupted. Or it was no
            refresh, and came to nothing. Somebody else starts again.
    """

    error: Exception | None = None
    abandoned: bool = False


class Flight:
    """A refresh under way."""

    def __init__(self, flights: "Flights") -> None:
        self.flights = flights
        self.thread, self.process = threading.get_ident(), os.getpid()
        self.task: asyncio.Task[None] | None = None
        """Held here, as a loop keeps only a weak reference to its tasks."""
        self._end: Future[Landing] = Future()
        self._end.set_running_or_notify_cancel()  # one who stops to wait cannot cancel it any more

    @property
    def is_over(self) -> bool:
        """Whether nobody needs to wait for it: it landed, its loop was closed, or it is the other side of a fork."""
        is_stranded = self.task is not None and self.task.get_loop().is_closed()
        return self._end.done() or is_stranded or self.process != os.getpid()

    def land(self, landing: Landing) -> None:
        """Tell all who wait. Only the first landing counts."""
        if not self._end.done():
            self._end.set_result(landing)

    def wait(self) -> Landing:
        """In a thread. It looks up from time to time, as a loop that is closed tells nobody."""
        while True:
            try:
                return self._end.result(_LOOK_UP)
            except TimeoutError:
                if self.is_over and not self._end.done():
                    return Landing(abandoned=True)

    async def wait_async(self) -> Landing:
        """In a task. To cancel it is harmless."""
        trio = running_trio()
        if trio is None:
            return await asyncio.wrap_future(self._end)
        event, token = trio.Event(), trio.lowlevel.current_trio_token()

        def tell(_: object) -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(event.set)

        self._end.add_done_callback(tell)
        await event.wait()
        return self._end.result()


boarded: ContextVar[tuple[Flight, ...]] = ContextVar("boarded", default=())
"""The flights that this code is part of: a callback of them that makes requests must not wait for them."""


class Flights:
    """At most one at a time."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()  # held for a few attributes only, never over I/O
        self._current: Flight | None = None

    def join(self, is_needed: Callable[[], bool]) -> tuple[Flight | None, bool]:
        """The flight to wait for and whether the caller is to fly it; None if there is nothing to do any more."""
        with self._mutex:
            if self._current is not None and not self._current.is_over:
                return self._current, False
            if not is_needed():
                return None, False
            self._current = Flight(self)
            return self._current, True

    def end(self, flight: Flight, landing: Landing) -> None:
        """Called for each flight, however it ended; a second time does nothing."""
        with self._mutex:
            if self._current is flight:
                self._current = None
        flight.land(landing)


def running_trio() -> Any:
    """The module trio, if this is one of its tasks. It is not imported for that."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_task() else None
