"""One start for many callers, one deadline for many waits, and an end for tasks that do not listen."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_NUDGE = 0.1
"""Seconds after which a task that goes on is told again that it was cancelled."""


class SingleFlight:
    """Runs a coroutine function once for all callers that come while it runs; a failure is theirs together.

    A run of an event loop that is gone is forgotten. Cancelling a caller does not cancel the run.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def run(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for the run under way, or begin one."""
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = self._task = asyncio.create_task(start())
            task.add_done_callback(_look_at)
        await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait until no run is under way, however it ends."""
        task = self._task
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([task])


async def stop_task(task: "asyncio.Task[Any]") -> None:
    """Cancel ``task`` until it is done; one of another event loop is left behind.

    A client that is just connecting, or whose clean-up raises something else, may swallow that it was cancelled.
    """
    while not task.done() and task.get_loop() is asyncio.get_running_loop():
        task.cancel()
        await asyncio.wait([task], timeout=_NUDGE)


def _look_at(task: asyncio.Task[None]) -> None:
    """Those who waited may have gone: then a failure is nobody's, and no news."""
    if not task.cancelled():
        task.exception()


class Deadline:
    """Ends waits that take longer than ``seconds``.

    What :func:`asyncio.timeout` does, with one timer for all waits instead of one for each: since all of them may
    take equally long, the oldest is always the next to be over. That is a tenth of the price.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waits: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def wait(self, answer: Awaitable[T], instead: Callable[[Exception], Exception] | None = None) -> T:
        """What ``answer`` gives. Raises TimeoutError after the time is over; not to be nested within one task.

        Any exception, that one too, is replaced by what ``instead`` makes of it.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(self._seconds, self._look, loop)
        self._waits[task] = loop.time() + self._seconds
        cancelled_before = task.cancelling()
        try:
            return await answer
        except asyncio.CancelledError:
            if task in self._overdue:
                self._overdue.discard(task)
                if task.uncancel() <= cancelled_before:
                    late = TimeoutError()
                    if instead is None:
                        raise late from None
                    raise instead(late) from late
            raise
        except Exception as error:
            if instead is None:
                raise
            raise instead(error) from error
        finally:
            self._waits.pop(task, None)
            if self._overdue and task in self._overdue:  # the answer made something else of the cancellation
                self._overdue.discard(task)
                task.uncancel()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel what is overdue, and look again when the next may be; stop looking when nothing waits."""
        now = loop.time()
        following: float | None = None
        for task, end in [*self._waits.items()]:
            if task.get_loop() is not loop:
                del self._waits[task]  # its loop is gone, and it with it
            elif end > now:
                following = end
                break
            else:
                del self._waits[task]
                self._overdue.add(task)
                task.cancel()
        if following is not None:
            loop.call_at(following, self._look, loop)
        elif self._loop is loop:
            self._loop = None
