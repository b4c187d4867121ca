"""What is kept of events, for those who look later: entries, and what a log that keeps them must do. No token, ever."""

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Protocol, Self

from ..events import Event
from ..sessions import Device

Scalar = str | int | float | bool

EVERYDAY = frozenset({"rotated", "repeated"})
"""The names of the events that come with every refresh: worth keeping, or making, only for who asks for them."""

KEEP = timedelta(days=90)
"""How long entries are kept by default."""

_MOST_CHARACTERS = 255
_NO_DETAILS: Mapping[str, Scalar] = MappingProxyType({})
_COMMON = frozenset(each.name for each in fields(Event))
_numbers = count()
_known: dict[type[Event], tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One event, as it is kept.

    Attributes:
        id: of the entry, at most 64 characters of ASCII; two that :meth:`of` makes are never the same.
        name: what happened: the event's name.
        at: when, in seconds since the epoch.
        subject: whose session it is, None where nobody knows.
        session_id: which session, None where there is none.
        ip: where the request came from, None if that is not known or it was none.
        user_agent: its ``User-Agent``, None as well.
        details: what the event says beside that. Default: nothing.
    """

    id: str
    name: str
    at: float
    subject: str | None = None
    session_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    details: Mapping[str, Scalar] = field(default_factory=lambda: _NO_DETAILS)

    @classmethod
    def of(cls, event: Event) -> Self:
        """The entry of an event, with an id of its own. No text in it is longer than 255 characters."""
        device = event.device or Device()
        return cls(
            id=_new_id(event.at),
            name=event.name,
            at=event.at,
            subject=_short(event.subject),
            session_id=_short(event.session_id),
            ip=_short(device.ip),
            user_agent=_short(device.user_agent),
            details=MappingProxyType(details_of(event)),
        )


def details_of(event: Event) -> dict[str, Scalar]:
    """What ``event`` says beside what every event says, as JSON scalars by the names of its fields.

    A device becomes two, as in ``before_ip`` and ``before_user_agent``; several words become one text with blanks
    between them. What is None is left out, and so is what is none of these.
    """
    said: dict[str, Scalar] = {}
    for name in _own_fields(type(event)):
        value = getattr(event, name)
        if isinstance(value, Device):
            _note(said, f"{name}_ip", value.ip)
            _note(said, f"{name}_user_agent", value.user_agent)
        else:
            _note(said, name, value)
    return said


def _own_fields(kind: type[Event]) -> tuple[str, ...]:
    if kind not in _known:
        _known[kind] = tuple(each.name for each in fields(kind) if each.name not in _COMMON)
    return _known[kind]


def _note(said: dict[str, Scalar], name: str, value: object) -> None:
    if isinstance(value, tuple) and all(isinstance(word, str) for word in value):
        value = " ".join(value) or None
    if isinstance(value, str):
        said[name] = value[:_MOST_CHARACTERS]
    elif isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):  # a bool is an int
        said[name] = value


def _short(text: str | None) -> str | None:
    return None if text is None else text[:_MOST_CHARACTERS]


def _new_id(at: float) -> str:
    """Ids sort as the events came: by the millisecond, in one process also within it; the rest is random."""
    return f"{max(0, int(at * 1000)):011x}{next(_numbers) & 0xFFFFFF:06x}{secrets.token_hex(6)}"


class AuditLog(Protocol):
    """Keeps entries.

    Whatever a method raises costs no request: it is logged, and what was not written is written later. All methods may
    be called concurrently, from any number of processes, and open the log if nobody has. The time is always an
    argument (seconds since the epoch).

    Attributes:
        keep: how long entries are kept; None for ever. Who writes calls :meth:`purge` accordingly.
        everything: whether ``rotated`` and ``repeated`` are wanted too, which come with every refresh.
    """

    @property
    def keep(self) -> timedelta | None:
        """See the class."""

    @property
    def everything(self) -> bool:
        """See the class."""
        ...

    async def open(self) -> None:
        """Make the log ready: connect, create what it needs. Repeated and concurrent calls do it once."""

    async def close(self) -> None:
        """Finish what is under way, let go of every thread and connection. Closing twice is no error."""

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        """Keep ``entries``, all of them or none, in one round trip.

        A call that raised may have done its work: repeated with the same entries, it keeps none of them twice.
        """

    async def entries(
        self,
        *,
        subject: str | None = None,
        session_id: str | None = None,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        most: int = 100,
    ) -> list[AuditEntry]:
        """What was kept, newest first (by ``at``, then by ``id``): at most ``most``.

        Args:
            subject: only what is about this subject.
            session_id: only what is about this session.
            name: only events of this name.
            since: only what happened then or later, in seconds since the epoch.
            until: only what happened before that.
            most: how many at most. Default 100.
        """
        ...

    async def purge(self, before: float) -> int:
        """Delete entries whose ``at`` is not after ``before``; returns how many.

        Does a bounded piece of the work; called again and again until it returns 0 it gets through all.
        """
        ...
