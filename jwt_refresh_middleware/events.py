"""What happened, as frozen values: one class per event, told to ``on_event`` and to ``logging``. No token, ever."""

from dataclasses import dataclass
from typing import ClassVar

from .sessions import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        name: what happened.
        at: when, in seconds since the epoch.
        subject: whose session it is, None where nobody knows.
        session_id: which session, None where there is none.
        device: where the request came from, None if it was not a request.
    """

    name: ClassVar[str]
    alarming: ClassVar[bool] = False
    at: float
    subject: str | None = None
    session_id: str | None = None
    device: Device | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """Somebody logged in."""

    name = "session_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated(Event):
    """A refresh token was exchanged for ``generation``."""

    name = "rotated"
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated(Event):
    """``generation`` was handed out again within the leeway."""

    name = "repeated"
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRepeated(Event):
    """``generation`` was handed out again after the leeway: the first answer never arrived."""

    name = "late_repeated"
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseDetected(Event):
    """A spent token came back; the session was ended. ``presented`` is the token's generation."""

    name = "reuse_detected"
    alarming = True
    presented: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationAhead(Event):
    """A token of ours is newer than the store: it lost writes (a fail-over, an old backup)."""

    name = "generation_ahead"
    alarming = True
    presented: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChanged(Event):
    """A session moved, and the policy allows it. ``before`` is where it was."""

    name = "device_changed"
    before: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMismatched(Event):
    """A refresh was refused since it came from another device."""

    name = "device_mismatch"
    alarming = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpDemanded(Event):
    """A refresh was answered with ``step_up_required``, or a session was marked to be, for ``reason``."""

    name = "step_up_required"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpPassed(Event):
    """The person of a session has proven again who they are, by ``amr``, and reached ``acr`` if that was said."""

    name = "step_up_passed"
    amr: tuple[str, ...] = ()
    acr: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrentNetworks(Event):
    """A subject was in two networks at once: here, and at ``other``, in the session ``other_session_id``."""

    name = "concurrent_networks"
    alarming = True
    other: Device
    other_session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpossibleTravel(Event):
    """A subject was at ``other``, which is ``kilometers`` away: nobody travels at ``speed`` (km/h)."""

    name = "impossible_travel"
    alarming = True
    other: Device
    other_session_id: str
    kilometers: int
    speed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimitReached(Event):
    """A subject logged in with ``limit`` sessions already: the new one was refused, or the oldest was ended."""

    name = "session_limit"
    limit: int
    refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(Event):
    """A session was ended before its time, for ``reason``."""

    name = "revoked"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Event):
    """``authenticate`` did not accept the credentials."""

    name = "login_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitReached(Event):
    """Too often; ``what``: ``refresh`` (of one session), ``account`` or ``address`` (failed logins), ``step_up``."""

    name = "rate_limited"
    alarming = True
    what: str = "refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed(Event):
    """The store did not answer, or raised ``cause`` (the name of an exception)."""

    name = "store_unavailable"
    alarming = True
    cause: str
