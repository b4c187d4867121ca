"""Work in the background, again and again, and a log that an outage does not fill."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from .concurrency import stop_task

log = logging.getLogger("jwt_refresh_middleware")

_COMPLAIN_EVERY = 10.0


class Complaints:
    """Logs errors: of each kind one in ten seconds, and how many there were since. An outage fails every request."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._last: dict[str, float] = {}
        self._unsaid: Counter[str] = Counter()

    def about(self, error: Exception) -> None:
        """Say, or count, that ``error`` happened."""
        kind, now = type(error).__name__, time.monotonic()
        if now - self._last.get(kind, -_COMPLAIN_EVERY) < _COMPLAIN_EVERY:
            self._unsaid[kind] += 1
            return
        self._last[kind] = now
        more = self._unsaid.pop(kind, 0)
        log.error("%s: %s: %s%s", self._what, kind, error, f" (and {more} more since the last line)" if more else "")


class Rounds:
    """Calls ``work`` every ``interval`` seconds until stopped. What it raises is logged once until it works again."""

    def __init__(self, work: Callable[[], Awaitable[None]], interval: float) -> None:
        self._work = work
        self._interval = interval
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the running event loop; a task of a loop that is gone is left behind."""
        self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        """End the task, if it belongs to the running loop."""
        task, self._task = self._task, None
        if task is not None:
            await stop_task(task)

    async def _go_on(self) -> None:
        failing, task = False, asyncio.current_task()
        while task is not None and not task.cancelling():  # a store may raise something else when it is cancelled
            await asyncio.sleep(self._interval)
            try:
                await self._work()
                failing = False
            except Exception as error:  # noqa: BLE001  the store is away: the next round tries again
                if not failing:
                    log.warning("background work failed, it is tried again each second: %s", type(error).__name__)
                failing = True
