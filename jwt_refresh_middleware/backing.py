"""The store behind an issuer: opened once, asked with a deadline, and kept in step with other processes."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from . import events
from .acknowledgements import Acknowledgements
from .audit import AuditLog
from .background import EventTeller
from .concurrency import Deadline, SingleFlight
from .errors import StoreUnavailable
from .feed import RevocationFeed
from .key_states import Source
from .rounds import Complaints, Rounds, log
from .sessions import Device
from .stores.base import SessionStore
from .telemetry_store import measured

T = TypeVar("T")

_PURGE_EVERY = 60
_MOST_ABANDONED = 1000
_KEEP_EXPIRED = 86_400.0
"""An expired session is kept for a day, so that its client learns ``refresh_expired``."""


def _never() -> bool:
    return False


class Backing:
    """A store, and what one process knows beside it: sessions that ended, and generations that arrived.

    Attributes:
        store: the store itself.
        feed: sessions that ended here or elsewhere.
        acknowledgements: generations that were seen to arrive here.
        is_running: whether the store is open and the event loop runs in which the background task lives.
    """

    def __init__(
        self,
        store: SessionStore,
        teller: EventTeller,
        *,
        feed: RevocationFeed,
        access_ttl: float,
        keys: Source | None,
        clock: Callable[[], float],
        sync_interval: float,
        timeout: float,
        audit: AuditLog | None = None,
    ) -> None:
        """All times in seconds.

        ``feed``: of the same store; ``access_ttl``: the longest life of an access token; ``keys``: what changes the
        issuer's keys from outside; ``audit``: what the teller writes to, closed with the store.
        """
        self.store = store
        self.feed = feed
        self._keys = keys
        self.acknowledgements = Acknowledgements()
        self.is_running: Callable[[], bool] = _never
        self._teller = teller
        self._audit = audit
        self._clock = clock
        self._deadline = Deadline(timeout)
        self._keep_expired = max(_KEEP_EXPIRED, access_ttl)
        self._rounds = Rounds(self._round, sync_interval)
        self._opening = SingleFlight()
        self._flushing = SingleFlight()
        self._more_arrived = False
        self._complaints = Complaints("the session store failed")
        self._round_number = 0
        self._abandoned: deque[str] = deque(maxlen=_MOST_ABANDONED)

    async def open(self) -> None:
        """Open the store, load the revocations and start the background task; once, however often it is called.

        Raises whatever the store raises, and TimeoutError.
        """
        if not self.is_running():
            await self._opening.run(self._open)

    async def _open(self) -> None:
        self.store = measured(self.store)
        await self.feed.open()
        if self._keys is not None:
            await self._keys.open()
        self._teller.begin(self._clock)
        self._rounds.start()
        self.is_running = asyncio.get_running_loop().is_running

    async def close(self) -> None:
        """Write pending acknowledgements, tell the last events, close the store. Closing twice is no error."""
        await self._opening.finish()
        if self.is_running is _never:
            return
        self.is_running = _never
        await self._rounds.stop()
        await self.feed.leave()
        if self._keys is not None:
            await self._keys.close()
        try:
            await self.flush()
        except StoreUnavailable:
            log.warning("acknowledgements could not be written at shutdown")
        await self._teller.finish()
        await self._close_audit()
        await self.store.close()

    async def _close_audit(self) -> None:
        """Close the log that the teller has written to. A broken one does not keep the store from being closed."""
        if self._audit is not None:
            try:
                await self._deadline.wait(self._audit.close())
            except Exception as error:  # noqa: BLE001  whatever it is, there is nothing more to do
                log.warning("the audit log could not be closed: %s", type(error).__name__)

    async def ready(self) -> SessionStore:
        """The store, opened if nobody has yet. Raises StoreUnavailable."""
        if not self.is_running():
            await self.ask(self.open())
        return self.store

    def ask(self, answer: Awaitable[T]) -> Awaitable[T]:
        """What the store answers. Whatever it raises, or if it does not answer, is one error: try again."""
        return self._deadline.wait(answer, self._failed)

    def _failed(self, error: Exception) -> StoreUnavailable:
        """A fault of the system, whatever it is; never a reason to log anybody out."""
        self._complaints.about(error)
        self._teller.tell(events.StoreFailed(at=self._clock(), cause=type(error).__name__), quietly=True)
        return StoreUnavailable()

    async def end(
        self,
        session_id: str,
        reason: str,
        subject: str | None = None,
        why: events.Event | None = None,
        device: Device | None = None,
    ) -> bool:
        """End a session, in the store and here; returns whether this call did it. Raises StoreUnavailable.

        ``why`` is told too, unless others have ended it: two who find a theft at once tell of one. ``device``: where
        the request came from that ends it.
        """
        now = self._clock()
        store = await self.ready()
        try:
            ended = await self.ask(store.revoke(session_id, reason=reason, now=now))
        except BaseException:
            if why is not None:  # it may have ended it: then nobody finds it alive again, and nobody else tells
                self._teller.tell(why)
            raise
        if ended:
            if why is not None:
                self._teller.tell(why)
            if subject is None and self._teller.is_kept:
                subject = await self._subject_of(session_id)
            self._ended(session_id, reason, subject, now, device)
        else:  # by another process, or by an attempt of ours whose answer was lost: here it is known from now on too
            self.feed.add(session_id, now)
        return ended

    async def _subject_of(self, session_id: str) -> str | None:
        """Whose session it was; None if that cannot be said now. It has ended, whatever comes of this."""
        try:
            row = await self.ask(self.store.get(session_id))
        except StoreUnavailable:
            return None
        return row.subject if row is not None else None

    async def end_all(self, subject: str, reason: str, keep: str | None, device: Device | None = None) -> int:
        """End every session of ``subject`` but ``keep``; returns how many lived until now. Raises StoreUnavailable."""
        now = self._clock()
        store = await self.ready()
        ended = await self.ask(store.revoke_subject(subject, reason=reason, now=now, keep=keep))
        for session_id, _ in ended:
            self._ended(session_id, reason, subject, now, device)
        return sum(expires_at > now for _, expires_at in ended)

    def abandon(self, session_id: str) -> None:
        """Have a session ended in the background, if it is there: one that nobody has been given the tokens of."""
        self._abandoned.append(session_id)

    async def _end_abandoned(self) -> None:
        while self._abandoned:
            await self._deadline.wait(self.store.revoke(self._abandoned[0], reason="abandoned", now=self._clock()))
            self._abandoned.popleft()

    def _ended(self, session_id: str, reason: str, subject: str | None, now: float, device: Device | None) -> None:
        self.feed.add(session_id, now)
        ended = events.Revoked(at=now, subject=subject, session_id=session_id, device=device, reason=reason)
        self._teller.tell(ended)

    async def flush(self) -> None:
        """Tell the store what arrived here until now, also what somebody else is just telling it.

        Raises StoreUnavailable; then it is told the next time.
        """
        self._more_arrived = True
        await self._flushing.run(self._flush)

    async def _flush(self) -> None:
        while self._more_arrived:
            self._more_arrived = False
            pending = self.acknowledgements.take()
            if pending:
                try:
                    await self.ask(self.store.acknowledge(pending))
                except BaseException:
                    self.acknowledgements.put_back(pending)
                    raise

    async def _round(self) -> None:
        """Each second: tell the store what arrived here and what is nobody's, and now and then clean up."""
        await self.flush()
        await self._end_abandoned()
        self._round_number += 1
        if self._round_number % _PURGE_EVERY == 0:
            await self._deadline.wait(self.store.purge(self._clock() - self._keep_expired))
