"""What an issuer does beside its requests: it tells events."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from .audit import AuditLog
from .events import Event
from .rounds import log
from .sessions import Device, Session

_MOST_WAITING = 10_000
_LAST_WORDS = 5.0


class EventTeller:
    """Tells events to ``logging`` and, in order and in the background, to a callback that may be slow or broken."""

    def __init__(self, callback: Callable[[Event], Awaitable[None]] | None, audit: AuditLog | None = None) -> None:
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
            except Exception:  # noqa: BLE001  somebody else's code: it must not break a login
                log.exception("on_event failed for %s", event.name)

    async def finish(self) -> None:
        """Wait until everything is told, at most five seconds."""
        task = self._task
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([task], timeout=_LAST_WORDS)
            task.cancel()
