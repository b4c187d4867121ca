"""The contract of a session store. Its docstrings are the specification; ``testing.StoreSuite`` proves a store."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..sessions import Session
from ..standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """One rotation, as a compare-and-swap. With ``to`` equal to ``expected`` it is a change without one.

    It happens only if the session exists, is at generation ``expected``, was not revoked, has ``expires_at`` after
    ``now`` and a ``binding`` that is one of ``bindings``.

    Attributes:
        session_id: whose refresh token is rotated.
        expected: the generation it must be at.
        to: the generation it gets.
        bindings: what its ``binding`` may be: one to four values.
        now: becomes ``last_used_at`` (seconds since the epoch).
        expires_at: becomes ``expires_at``, but never later than the session's ``ends_at``.
        ip: becomes the device's address; None leaves it.
        user_agent, binding: become the device's agent and the session's binding; None leaves them.
        standing: becomes the session's; None leaves it.
    """

    session_id: str
    expected: int
    to: int
    bindings: tuple[str, ...]
    now: float
    expires_at: float
    ip: str | None = None
    user_agent: str | None = None
    binding: str | None = None
    standing: Standing | None = None


class RevocationSource(Protocol):
    """The part of a store that a feed of revocations needs. None of it writes."""

    async def open(self) -> None:
        """As in :meth:`SessionStore.open`."""

    async def close(self) -> None:
        """As in :meth:`SessionStore.close`."""

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        """As in :meth:`SessionStore.revocations`."""
        ...


@runtime_checkable
class PiecewisePurge(Protocol):
    """What a store may have beside its contract: it says whether it is through."""

    @property
    def is_purging(self) -> bool:
        """Whether the last :meth:`SessionStore.purge` stopped before the end: the next one goes on from there."""
        ...


@runtime_checkable
class PushedRevocations(Protocol):
    """What a store may have beside its contract: it tells of the end of a session at once."""

    def watch(self) -> AsyncGenerator[list[tuple[str, float]], None]:
        """``(id, revoked_at)`` of sessions as they end, by any process.

        The first value comes as soon as nothing is missed any more; who watches then reads :meth:`revocations` for
        what was before. An empty list says that the connection lives and nothing was missed; one comes at least each
        second. Raises when the connection is lost, or has been silent for a few seconds.
        """
        ...


class SessionStore(Protocol):
    """Keeps sessions.

    Missing is an outcome, an exception is a fault of the system: whatever a method raises is answered with 503, and
    the client's token stays good. A method that returned has made its effect durable; one that raised has had its
    whole effect or none on each session it is about. The time is always an argument (seconds since the epoch), a store
    has no clock of its own. All methods may be called concurrently, from any number of processes. A store may have
    :class:`PushedRevocations` as well.
    """

    async def open(self) -> None:
        """Make the store ready: connect, create or migrate what it needs. Repeated and concurrent calls do it once."""

    async def close(self) -> None:
        """Finish what is under way, opening too, and let go of every thread and connection. Closing twice is no error.

        An opening that took too long is given up and the store closed: what it opens later must not stay open.
        """

    async def add(self, session: Session) -> None:
        """Keep a new session. Raises ValueError if its id is taken."""

    async def get(self, session_id: str) -> Session | None:
        """The session, also if it was revoked or has expired; None if there is none."""

    async def advance(self, step: Advance) -> tuple[bool, Session | None]:
        """The compare-and-swap: of any number of concurrent calls with the same ``expected``, one wins.

        Returns ``(True, the session after the step)``, or ``(False, the session as it is)``, with None for a session
        that does not exist. A session that was revoked is never written to. One round trip.
        """

    async def note_late(self, session_id: str, generation: int) -> bool:
        """Set ``late`` to ``generation`` if the session is at that generation, not acknowledged and not revoked.

        Returns whether it was; False changes nothing.
        """

    async def acknowledge(self, generations: Mapping[str, int]) -> None:
        """Raise ``acknowledged`` of each session to the generation given; it is never lowered.

        Sessions that do not exist or were revoked are left out silently.
        """

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        """End a session. Returns whether this call did it; False for one that is unknown or was ended before."""

    async def revoke_subject(
        self, subject: str, *, reason: str, now: float, keep: str | None = None
    ) -> list[tuple[str, float]]:
        """End every session of ``subject`` but ``keep``. Returns ``(id, expires_at)`` of those that this call ended."""

    async def sessions(self, subject: str, *, now: float, most: int | None = None) -> list[Session]:
        """The sessions of ``subject`` that are neither revoked nor expired at ``now``, oldest first.

        ``most``: only so many, those that began last; what is left out is not read. None for all.
        """

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        """``(id, revoked_at)`` of every session revoked at ``since`` or later, by any process."""

    async def purge(self, before: float) -> int:
        """Delete sessions whose ``expires_at`` is not after ``before``; returns how many.

        Does a bounded piece of the work, so that nobody waits for it; called again and again it gets through all.
        """
