"""Attempts at credentials, over HTTP: counted before they are made, refused with 429, told as events."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from ..attempts import Count
from ..errors import AuthError, InvalidCredentials, RateLimited, StoreUnavailable, TemporaryError
from ..events import RateLimitReached, StoreFailed
from ..issuer import Issuer
from ..login_limits import LoginLimits, StepUpLimit
from ..rounds import Complaints
from ..sessions import Device, Session

T = TypeVar("T")
Ask = Callable[[], Awaitable[T | None]]

_WARN_EVERY = 10.0


class Throttle:
    """Lets credentials be tried as often as the limits allow."""

    def __init__(self, issuer: Issuer, limits: LoginLimits | None) -> None:
        """``limits``: None limits no logins, but step-ups all the same."""
        self._issuer = issuer
        self._limits = limits or StepUpLimit()
        self._complaints = Complaints("the storage of login limits failed")
        self._warned: dict[str, float] = {}

    async def login(self, credentials: Mapping[str, Any], device: Device, ask: Ask[T]) -> T | None:
        """What ``ask`` says to the credentials of a login: None for wrong ones, which is a failure.

        InvalidCredentials counts as None does, and any other refusal (AuthError) as a failure. A TemporaryError, and
        any other exception, is an attempt that was not made: an outage of the user database shuts nobody out.

        Raises:
            RateLimited: there were too many failures; ``ask`` is not called.
            StoreUnavailable: the storage of the limits is away; ``ask`` is not called. Whatever ``ask`` raises, too.
        """
        return await self._made(self._limits.of_login(credentials, device.ip), device, ask, None)

    async def step_up(self, session: Session, device: Device, ask: Ask[T]) -> T | None:
        """The same for a step-up of a session. ``ask`` gives None for the credentials of somebody else, too."""
        return await self._made(self._limits.of_step_up(session.id, device.ip), device, ask, session)

    async def aclose(self) -> None:
        """Close the storage."""
        await self._limits.aclose()

    async def _made(self, counts: list[Count], device: Device, ask: Ask[T], session: Session | None) -> T | None:
        begun: list[Count] = []
        try:
            await self._begin(counts, begun, device, session)
            answer = await self._answer(counts, ask)
            if answer is not None:
                await self._quietly(_succeeded(count) for count in counts)
            return answer
        finally:
            for count in begun:
                count.limit.end(count.key)

    async def _begin(self, counts: list[Count], begun: list[Count], device: Device, session: Session | None) -> None:
        """Count the attempt everywhere, which ``begun`` tells, or nowhere: then it raises."""
        try:
            for count in counts:
                if not await self._stored(count.limit.begin(count.key)):
                    await self._refuse(counts[len(begun) :], device, session)
                begun.append(count)
        except AuthError:
            await self._quietly(count.limit.give_back(count.key) for count in begun)
            raise

    async def _answer(self, counts: list[Count], ask: Ask[T]) -> T | None:
        """What ``ask`` says; if it cannot say anything the attempt is given back. Cancelled, it may have been wrong."""
        try:
            return await ask()
        except InvalidCredentials:
            return None
        except Exception as error:
            if isinstance(error, TemporaryError) or not isinstance(error, AuthError):
                await self._quietly(count.limit.give_back(count.key) for count in counts)
            raise

    async def _refuse(self, counts: list[Count], device: Device, session: Session | None) -> None:
        """The first of ``counts`` is reached: say so, for each other that is, too, and when all of them let one in."""
        longest = 1
        for count in counts:
            wait = await self._stored(count.limit.wait(count.key))
            if wait or count is counts[0]:
                self._tell(count.limit.what, device, session)
                longest = max(longest, wait)
        raise RateLimited(retry_after=longest)

    def _tell(self, what: str, device: Device, session: Session | None) -> None:
        """Whoever tries on is told of each time, but the log not more than every ten seconds."""
        now = time.monotonic()
        quietly = now - self._warned.get(what, -_WARN_EVERY) < _WARN_EVERY
        if not quietly:
            self._warned[what] = now
        subject, session_id = (session.subject, session.id) if session is not None else (None, None)
        at = self._issuer.clock()
        event = RateLimitReached(at=at, subject=subject, session_id=session_id, device=device, what=what)
        self._issuer.tell(event, quietly=quietly)

    async def _stored(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except Exception as error:  # whatever it is: nobody may guess on since the counting fails
            self._complain(error)
            raise StoreUnavailable from error

    async def _quietly(self, ends: Iterable[Awaitable[None]]) -> None:
        """End attempts whose outcome is clear: if that cannot be written they count, and the outcome stands."""
        for end in ends:
            try:
                await end
            except Exception as error:  # noqa: BLE001  whatever it is
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        self._complaints.about(error)
        event = StoreFailed(at=self._issuer.clock(), cause=type(error).__name__)
        self._issuer.tell(event, quietly=True)


async def _succeeded(count: Count) -> None:
    await (count.limit.clear(count.key) if count.clears else count.limit.give_back(count.key))
