"""What an issuer does beside its requests: it tells events, and each second it and its store catch up."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

from .concurrency import stop_task
from .events import Event
from .sessions import Device, Session

log = logging.getLogger("jwt_refresh_middleware")

_MOST_WAITING = 10_000
_LAST_WORDS = 5.0
_COMPLAIN_EVERY = 10.0


class EventTeller:
    """Tells events to ``logging`` and, in order and in the background, to a callback that may be slow or broken."""

    def __init__(self, callback: Callable[[Event], Awaitable[None]] | None) -> None:
        """``callback``: awaited with each event; its exceptions are logged and go no further."""
        self._callback = callback
        self._waiting: deque[Event] = deque(maxlen=_MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    @property
    def listened_to(self) -> bool:
        """Whether it is worth making an event of an everyday thing."""
        return self._callback is not None or log.isEnabledFor(logging.DEBUG)

    def tell(self, event: Event, *, quietly: bool = False) -> None:
        """Pass ``event`` on; returns at once. ``quietly``: whatever it is, it is no warning in the log."""
        level = logging.WARNING if event.alarming and not quietly else logging.DEBUG
        log.log(level, "%s subject=%r session=%s", event.name, event.subject, event.session_id)
        if self._callback is None:
            return
        if len(self._waiting) == _MOST_WAITING:
            log.error("on_event does not keep up: the oldest of %d events is dropped", _MOST_WAITING)
        self._waiting.append(event)
        if self._task is None or self._task.done() or self._task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.create_task(self._deliver(self._callback))

    def about(self, kind: type[Event], session: Session, device: Device, at: float, **more: Any) -> None:
        """Pass on the event of ``kind`` that happened to ``session``."""
        self.tell(kind(at=at, subject=session.subject, session_id=session.id, device=device, **more))

    async def _deliver(self, callback: Callable[[Event], Awaitable[None]]) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            try:
                await callback(event)
            except Exception:  # somebody else's code: it must not break a login
                log.exception("on_event failed for %s", event.name)

    async def finish(self) -> None:
        """Wait until everything is told, at most five seconds."""
        task = self._task
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([task], timeout=_LAST_WORDS)
            task.cancel()


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
