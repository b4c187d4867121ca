"""What an issuer does beside its requests: it tells events, to ``logging``, to an audit log and to a callback."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from .audit import EVERYDAY, AuditLog, details_of
from .audit.writer import AuditWriter
from .backlog import Backlog
from .events import Event
from .rounds import log
from .sessions import Device, Session
from .telemetry import told

_MOST_WAITING = 10_000
_LAST_WORDS = 5.0
_NOBODY = Device()


class EventTeller:
    """Tells events, in order. None of those who are told can delay or break anything, however slow or broken."""

    def __init__(self, callback: Callable[[Event], Awaitable[None]] | None, audit: AuditLog | None = None) -> None:
        """Starts nothing yet.

        Args:
            callback: awaited with each event, in the background; its exceptions are logged and go no further.
            audit: where events are kept.
        """
        self._callback = callback
        self._audit = AuditWriter(audit) if audit is not None else None
        self._always = callback is not None or (audit is not None and audit.everything)
        self._waiting: Backlog[Event] = Backlog("on_event does not keep up", _MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether somebody makes something of events: then it is worth asking the store whose session ended."""
        return self._callback is not None or self._audit is not None

    @property
    def listened_to(self) -> bool:
        """Whether it is worth making an event of an everyday thing."""
        return self._always or log.isEnabledFor(logging.DEBUG)

    def begin(self, clock: Callable[[], float]) -> None:
        """Open the audit log, in the background, and see to its retention; ``clock``: seconds since the epoch."""
        if self._audit is not None:
            self._audit.begin(clock)

    def tell(self, event: Event, *, quietly: bool = False) -> None:
        """Pass ``event`` on; returns at once. ``quietly``: whatever it is, the log has it for debugging only."""
        level = logging.DEBUG if quietly else level_of(event)
        if log.isEnabledFor(level):
            _write_line(level, event)
        if self._audit is not None:
            self._audit.add(event)
        told(event)
        if self._callback is None:
            return
        self._waiting.append(event)
        if self._task is None or self._task.done() or self._task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.create_task(self._deliver(self._callback))

    def about(self, kind: type[Event], session: Session, device: Device, at: float, **more: Any) -> None:
        """Pass on the event of ``kind`` that happened to ``session``."""
        self.tell(kind(at=at, subject=session.subject, session_id=session.id, device=device, **more))

    async def _deliver(self, callback: Callable[[Event], Awaitable[None]]) -> None:
        task = asyncio.current_task()
        while len(self._waiting):
            (event,) = self._waiting.take(1)
            try:
                await callback(event)
            except (KeyboardInterrupt, SystemExit):
                raise  # the process is told to end
            # Somebody else's code: it must not break a login. It may also have been cancelled by whoever it asked.
            except BaseException:
                if task is not None and task.cancelling():
                    raise
                log.exception("on_event failed for %s", event.name)

    async def finish(self) -> None:
        """Wait until everything is told, and written to the audit log; at most five seconds."""
        writing = asyncio.create_task(self._audit.finish()) if self._audit is not None else None
        task = self._task
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([task], timeout=_LAST_WORDS)
            task.cancel()
        self._waiting.complain()
        if writing is not None:
            await writing


def level_of(event: Event) -> int:
    """WARNING for what is alarming, DEBUG for what comes with every refresh, INFO for the rest."""
    if event.alarming:
        return logging.WARNING
    return logging.DEBUG if event.name in EVERYDAY else logging.INFO


def _write_line(level: int, event: Event) -> None:
    """One line for people, and fields for machines. Nothing that comes from a client can begin a line of its own."""
    device = event.device or _NOBODY
    line = ("%s subject=%r session=%r ip=%r", event.name, event.subject, event.session_id, device.ip)
    told = {
        "event": event.name,
        "at": event.at,
        "subject": _on_one_line(event.subject),
        "session_id": _on_one_line(event.session_id),
        "ip": _on_one_line(device.ip),
        "user_agent": _on_one_line(device.user_agent),
        "details": {name: _on_one_line(value) for name, value in details_of(event).items()},
    }
    try:
        log.log(level, *line, extra=told)
    except KeyError:  # the application's own record factory has set one of these already
        log.log(level, *line)


def _on_one_line(value: Any) -> Any:
    """``value``; if it is text, with whatever is no printable character written as an escape."""
    return value if not isinstance(value, str) or value.isprintable() else repr(value)[1:-1]
