"""A store that fails on demand, and everything a client does while it fails."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from ..errors import RefreshInvalid, StoreUnavailable, TokenRevoked
from ..issuer import Issuer
from ..sessions import Device, Session, TokenPair
from ..stores.base import Advance, SessionStore
from .values import Clock

T = TypeVar("T")

_FIREFOX = Device(ip="203.0.113.7", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")


class FaultyStore:
    """Another store, but for one operation that raises. Closing it leaves the other open.

    Attributes:
        operations: how many there were so far; opening and closing do not count.
    """

    def __init__(self, store: SessionStore, *, fail_at: int, after: bool = False) -> None:
        """``fail_at``: which operation raises ConnectionError, from 1; ``after``: once its work is done."""
        self._store = store
        self._fail_at = fail_at
        self._after = after
        self.operations = 0

    async def _try(self, operation: Callable[[], Awaitable[T]]) -> T:
        self.operations += 1
        fails = self.operations == self._fail_at
        if fails and not self._after:
            raise ConnectionError("the request did not reach the store")
        answer = await operation()
        if fails:
            raise ConnectionError("the store's answer was lost")
        return answer

    async def open(self) -> None:
        """See :meth:`SessionStore.open`."""
        await self._store.open()

    async def close(self) -> None:
        """Nothing: the other store is closed by whoever made it."""

    async def add(self, session: Session) -> None:
        """See :meth:`SessionStore.add`."""
        await self._try(lambda: self._store.add(session))

    async def get(self, session_id: str) -> Session | None:
        """See :meth:`SessionStore.get`."""
        return await self._try(lambda: self._store.get(session_id))

    async def advance(self, step: Advance) -> tuple[bool, Session | None]:
        """See :meth:`SessionStore.advance`."""
        return await self._try(lambda: self._store.advance(step))

    async def note_late(self, session_id: str, generation: int) -> bool:
        """See :meth:`SessionStore.note_late`."""
        return await self._try(lambda: self._store.note_late(session_id, generation))

    async def acknowledge(self, generations: Mapping[str, int]) -> None:
        """See :meth:`SessionStore.acknowledge`."""
        await self._try(lambda: self._store.acknowledge(generations))

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        """See :meth:`SessionStore.revoke`."""
        return await self._try(lambda: self._store.revoke(session_id, reason=reason, now=now))

    async def revoke_subject(
        self, subject: str, *, reason: str, now: float, keep: str | None = None
    ) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revoke_subject`."""
        return await self._try(lambda: self._store.revoke_subject(subject, reason=reason, now=now, keep=keep))

    async def sessions(self, subject: str, *, now: float, most: int | None = None) -> list[Session]:
        """See :meth:`SessionStore.sessions`."""
        return await self._try(lambda: self._store.sessions(subject, now=now, most=most))

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revocations`."""
        return await self._try(lambda: self._store.revocations(since))

    async def purge(self, before: float) -> int:
        """See :meth:`SessionStore.purge`."""
        return await self._try(lambda: self._store.purge(before))


async def _again(work: Callable[[], Awaitable[T]], attempts: int) -> T:
    """What a client does: it was answered 503, so it tries the same again."""
    for _ in range(attempts - 1):
        try:
            return await work()
        except StoreUnavailable:
            continue
    return await work()


# Longer than 40 lines: one life of a session, told from its beginning to its end.
async def live_a_life(issuer: Issuer, clock: Clock, subject: str, *, attempts: int = 2) -> None:
    """A session from its login to its end, asking for everything that needs the store.

    Whoever is told that the store is unavailable tries the same again, with the same token, at most ``attempts`` times.
    Raises AssertionError, or the AuthError that the client got, if anything of it was lost: a session, a rotation, an
    end.
    """
    device = _FIREFOX

    async def refresh(pair: TokenPair) -> TokenPair:
        return await _again(lambda: issuer.refresh(pair.refresh_token, device=device), attempts)

    first = await _again(lambda: issuer.login(subject, device=device), attempts)
    second = await refresh(first)
    assert second.session.generation == 1, second.session
    repeated = await refresh(first)  # another tab, or the answer was lost
    assert repeated.refresh_token == second.refresh_token, "a second successor"
    clock.advance(60)
    third = await refresh(second)
    clock.advance(60)
    late = await refresh(second)  # the answer was lost, and nobody has seen that it arrived
    assert late.refresh_token == third.refresh_token, "a second successor"
    issuer.acknowledge(issuer.verifier.verify(third.access_token))
    await _again(issuer.flush, attempts)
    assert await _again(lambda: issuer.session(first.session.id), attempts) is not None
    fourth = await refresh(third)
    confirmed = await _again(lambda: issuer.confirm(first.session.id, amr=["otp"], device=device), attempts)
    assert confirmed is not None, "a session that does not live"
    clock.advance(60)
    fifth = await _again(lambda: issuer.step_up(fourth.refresh_token, device=device, amr=["otp"], acr="gold"), attempts)
    proven = await _again(lambda: issuer.session(first.session.id), attempts)
    assert proven is not None, "a session that was lost"
    assert (proven.auth_time, proven.authenticated_by, proven.acr) == (clock(), ("otp",), "gold"), "a proof was lost"
    other = await _again(lambda: issuer.login(subject, device=device), attempts)
    assert other.session.id in {one.id for one in await _again(lambda: issuer.sessions(subject), attempts)}
    await _again(lambda: issuer.logout(fifth.refresh_token), attempts)
    await _again(lambda: issuer.logout_all(subject), attempts)
    assert await _again(lambda: issuer.sessions(subject), attempts) == []
    for pair in (fifth, other):
        try:
            await refresh(pair)
            raise AssertionError("an end that was lost")
        except RefreshInvalid:
            pass
        try:
            issuer.verifier.verify(pair.access_token)
            raise AssertionError("an access token that outlived its session")
        except TokenRevoked:
            pass
