"""The issuer: logs people in, rotates their refresh tokens and ends their sessions. Knows no HTTP."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self, TypeVar

from . import events
from .access import DEFAULT_ISSUER, MAX_LEEWAY, Minter, Verifier
from .acknowledgements import Acknowledgements
from .background import EventTeller, Rounds, log
from .concurrency import Deadline, SingleFlight
from .devices import DevicePolicy
from .errors import AuthError, DeviceMismatch, RateLimited, RefreshExpired, RefreshInvalid, StoreUnavailable
from .keys import KeyRing, key_ring
from .limits import RefreshRate
from .refresh import RefreshSigner, RefreshToken
from .revocation import RevocationList
from .sessions import Device, Identity, Session, TokenPair, Verdict, judge
from .stores.base import Advance, SessionStore

T = TypeVar("T")

_ATTEMPTS = 8
"""A refresh that loses a race reads again; more than two rounds have not been seen."""
_FEED_OVERLAP = 30.0
"""Seconds that each look at the revocations goes back: a slow commit or another clock hides nothing."""
_PURGE_EVERY = 60
_KEEP_EXPIRED = 86_400.0
"""An expired session is kept for a day, so that its client learns ``refresh_expired``."""


def _at_least(value: timedelta, name: str, least: float) -> float:
    seconds = value.total_seconds()
    if seconds < least:
        raise ValueError(f"{name} must be at least {least:g} s, not {seconds:g} s")
    return seconds


class Issuer:
    """Owns the sessions of a service. Opens its store on first use; close it with :meth:`aclose` or ``async with``."""

    def __init__(
        self,
        secret: KeyRing | str | Sequence[str],
        store: SessionStore,
        *,
        issuer: str = DEFAULT_ISSUER,
        audience: str | None = None,
        access_ttl: timedelta = timedelta(minutes=15),
        refresh_ttl: timedelta = timedelta(days=7),
        reauth_after: timedelta = timedelta(days=30),
        reuse_leeway: timedelta = timedelta(seconds=10),
        late_repeat: bool = True,
        load_identity: Callable[[str], Awaitable[Identity | None]] | None = None,
        device_policy: DevicePolicy | None = None,
        on_event: Callable[[events.Event], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
        sync_interval: timedelta = timedelta(seconds=1),
        store_timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        """Nothing is opened and no task is started yet.

        Args:
            secret: text of at least 32 bytes, or several, newest first (the first signs, all verify), or a KeyRing.
            store: where sessions are kept.
            issuer: claim ``iss``. Default ``jwt-refresh-middleware``.
            audience: claim ``aud``. Default: the issuer.
            access_ttl: life of an access token, at least 1 s, in whole seconds. Default 15 minutes.
            refresh_ttl: idle lifetime of a session: slides at every refresh. Default 7 days.
            reauth_after: absolute lifetime of a session: never moves. Default 30 days.
            reuse_leeway: how long after a rotation the token before it is answered again. Default 10 seconds.
            late_repeat: whether an answer that never arrived may be asked for again later. Default True.
            load_identity: asked at every refresh for who the subject is now; None refuses the refresh. Default: the
                scopes and claims of the login persist.
            device_policy: how sessions are bound to devices. Default :meth:`DevicePolicy.roaming`.
            on_event: awaited with every event, in the background.
            clock: seconds since the epoch.
            sync_interval: how often acknowledgements are written and other processes' revocations read. Default 1 s.
            store_timeout: how long the store may take before a request is answered with 503. Default 5 s.

        Raises:
            ValueError: a weak secret or a lifetime that is too short.
        """
        keys = key_ring(secret)
        self.store = store
        self.access_ttl = int(_at_least(access_ttl, "access_ttl", 1))
        self.refresh_ttl = _at_least(refresh_ttl, "refresh_ttl", 1)
        self.reauth_after = _at_least(reauth_after, "reauth_after", 1)
        self._reuse_leeway = _at_least(reuse_leeway, "reuse_leeway", 0)
        self._late_repeat = late_repeat
        self._load_identity = load_identity
        self._policy = device_policy or DevicePolicy()
        self._rate = RefreshRate(self._policy.refresh_rate)
        self.clock = clock
        self._deadline = Deadline(_at_least(store_timeout, "store_timeout", 0.001))
        self._revoked = RevocationList(self.access_ttl + MAX_LEEWAY)
        self.verifier = Verifier(keys, issuer=issuer, audience=audience, clock=clock, revoked=self._revoked.ended)
        self._minter = Minter(keys, issuer=issuer, audience=self.verifier.audience)
        self._signer = RefreshSigner(keys)
        self.acknowledgements = Acknowledgements()
        self._events = EventTeller(on_event)
        self._rounds = Rounds(self._round, _at_least(sync_interval, "sync_interval", 0.01))
        self._opening = SingleFlight()
        self.opened_in: asyncio.AbstractEventLoop | None = None
        """The event loop in which the store is open and the background task runs; None while it is closed."""
        self._feed_from = 0.0
        self._round_number = 0

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Open the store, load the revocations and start the background task. Repeated calls do it once.

        Raises whatever the store raises.
        """
        if self.opened_in is not asyncio.get_running_loop():
            await self._opening.run(self._open)

    async def _open(self) -> None:
        await self.store.open()
        await self._read_feed(self.clock() - self._revoked.keep)
        self._rounds.start()
        self.opened_in = asyncio.get_running_loop()

    async def aclose(self) -> None:
        """Write pending acknowledgements, tell the last events, close the store. Closing twice is no error."""
        if self.opened_in is None:
            return
        await self._rounds.stop()
        self.opened_in = None
        try:
            await self.flush()
        except StoreUnavailable:
            log.warning("acknowledgements could not be written at shutdown")
        await self._events.finish()
        await self.store.close()

    async def flush(self) -> None:
        """Write pending acknowledgements now; otherwise that happens each second. Raises StoreUnavailable."""
        pending = self.acknowledgements.take()
        if pending:
            try:
                await self._ask(self.store.acknowledge(pending))
            except BaseException:
                self.acknowledgements.put_back(pending)
                raise

    async def login(
        self,
        subject: str | Identity,
        *,
        device: Device | None = None,
        scopes: Sequence[str] = (),
        claims: Mapping[str, Any] | None = None,
        amr: Sequence[str] = (),
    ) -> TokenPair:
        """Start a session: always a new one (ASVS 7.2.4).

        Args:
            subject: the account, or an :class:`Identity` that says the rest as well.
            device: where the request came from. Default: nothing is known.
            scopes: as in :class:`Identity`.
            claims: as in :class:`Identity`.
            amr: as in :class:`Identity`.

        Raises:
            ValueError: the identity is not valid, or its claims do not fit into a token.
            StoreUnavailable: the session could not be kept.
        """
        if not isinstance(subject, Identity):
            subject = Identity(subject, scopes, claims or {}, amr)
        elif scopes or claims or amr:
            raise TypeError("scopes, claims and amr belong into the Identity")
        device, token, now = device or Device(), RefreshToken.first(), self.clock()
        session = Session(
            id=token.session_id,
            subject=subject.subject,
            created_at=now,
            last_used_at=now,
            expires_at=now + min(self.refresh_ttl, self.reauth_after),
            ends_at=now + self.reauth_after,
            device=device,
            binding=self._policy.binding(device),
            scopes=tuple(subject.scopes),
            claims=subject.claims,
            amr=tuple(subject.amr),
        )
        pair = self._pair(session, token, now)
        await self._ready()
        await self._ask(self.store.add(session))
        self._tell(events.SessionStarted, session, device)
        return pair

    async def refresh(self, refresh_token: str, *, device: Device | None = None) -> TokenPair:
        """Exchange a refresh token for a new pair.

        Raises:
            RefreshInvalid: forged, unknown, spent, revoked, or ``load_identity`` knows the subject no more.
            RefreshExpired: the idle or absolute lifetime is over.
            DeviceMismatch: the device policy refused.
            RateLimited: too many refreshes of this session.
            StoreUnavailable: nothing was lost; try again.
        """
        token = self._signer.read(refresh_token)
        device, now = device or Device(), self.clock()
        try:
            self._rate.check(token.session_id, now)
        except RateLimited:
            self._events.tell(events.RateLimitReached(at=now, session_id=token.session_id, device=device))
            raise
        await self._ready()
        if self._load_identity is None:
            won, row = await self._advance(token, token.generation, device, now)
            if won and row is not None:
                return self._answer(Verdict.ROTATE, row, token, device, now)
        else:
            row = await self._ask(self.store.get(token.session_id))
        return await self._settle(row, token, device, now)

    async def _settle(self, row: Session | None, token: RefreshToken, device: Device, now: float) -> TokenPair:
        """Judge the row as it is read, act on the verdict, and read again where somebody else was faster."""
        identity: Identity | None = None
        for _ in range(_ATTEMPTS):
            verdict = self._judge(row, token, device, now)
            if row is None or verdict not in _GRANTED:
                raise await self._refused(verdict, row, token, device, now)
            if self._load_identity is not None and identity is None:
                identity = await self._identity(row.subject)
            if verdict is Verdict.REPEAT:
                return self._answer(verdict, row, token, device, now, identity)
            if verdict is Verdict.LATE_REPEAT:
                noted = row.late == row.generation
                if noted or await self._ask(self.store.note_late(row.id, row.generation)):
                    return self._answer(verdict, row, token, device, now, identity)
                row = await self._ask(self.store.get(row.id))
                continue
            before = row
            won, row = await self._advance(token, row.generation, device, now, row)
            if won and row is not None:
                return self._answer(verdict, row, token, device, now, identity, before)
        raise StoreUnavailable

    def _judge(self, row: Session | None, token: RefreshToken, device: Device, now: float) -> Verdict:
        bound = row.device if row is not None else device
        return judge(
            row,
            token.generation,
            now=now,
            change=self._policy.compare(bound, device),
            same_device=self._policy.same_device(bound, device),
            reuse_leeway=self._reuse_leeway,
            late_repeat=self._late_repeat,
            acknowledged=self.acknowledgements.known(token.session_id),
        )

    async def _advance(
        self, token: RefreshToken, expected: int, device: Device, now: float, row: Session | None = None
    ) -> tuple[bool, Session | None]:
        """The compare-and-swap: blind in the usual case, on top of the row that was read where that failed."""
        step = Advance(
            session_id=token.session_id,
            expected=expected,
            to=token.generation + 1,
            bindings=self._policy.bindings(device) if row is None else (row.binding,),
            now=now,
            expires_at=now + self.refresh_ttl,
            ip=device.ip,
        )
        if row is not None and row.device.user_agent:
            step = replace(step, user_agent=device.user_agent)
        if row is not None:
            seen = Device(ip=device.ip or row.device.ip, user_agent=step.user_agent or row.device.user_agent)
            step = replace(step, binding=self._policy.binding(seen))
        return await self._ask(self.store.advance(step))

    def _answer(
        self,
        verdict: Verdict,
        row: Session,
        token: RefreshToken,
        device: Device,
        now: float,
        identity: Identity | None = None,
        before: Session | None = None,
    ) -> TokenPair:
        """The pair of the row's generation, which is the successor of the token that came."""
        self._rate.count(row.id, now, rotation=verdict in (Verdict.ROTATE, Verdict.AHEAD))
        if before is not None and before.device != row.device and before.binding != row.binding:
            self._tell(events.DeviceChanged, row, device, before=before.device)
        if verdict is Verdict.AHEAD and before is not None:
            happened = {"presented": token.generation, "generation": before.generation}
            self._tell(events.GenerationAhead, row, device, **happened)
        elif self._events.listened_to:
            self._tell(_GRANTED[verdict], row, device, generation=row.generation)
        if identity is not None:
            row = replace(row, scopes=tuple(identity.scopes), claims=identity.claims, amr=row.amr)
        return self._pair(row, token.at(row.generation), now)

    async def _refused(
        self, verdict: Verdict, row: Session | None, token: RefreshToken, device: Device, now: float
    ) -> AuthError:
        """Do what a refusal asks for, and return the error that the client gets."""
        if row is None:
            return RefreshInvalid(session_over=True)
        if verdict is Verdict.EXPIRED:
            return RefreshExpired()
        if verdict in (Verdict.MISMATCH, Verdict.STOLEN):
            self._tell(events.DeviceMismatched, row, device)
        if verdict is Verdict.MISMATCH:
            return DeviceMismatch()
        if verdict is Verdict.REUSE:
            found = {"presented": token.generation, "generation": row.generation}
            self._tell(events.ReuseDetected, row, device, **found)
        if verdict is Verdict.REVOKED:
            self._revoked.add(row.id, row.revoked_at or now)
        else:
            await self._end(row.id, "reuse" if verdict is Verdict.REUSE else "device", subject=row.subject)
        return RefreshInvalid(session_over=True)

    async def _identity(self, subject: str) -> Identity:
        assert self._load_identity is not None
        try:
            identity = await self._load_identity(subject)
        except AuthError:
            raise
        except Exception as error:  # the app's user database is away: nobody is logged out for that
            log.error("load_identity failed: %s", type(error).__name__)
            raise StoreUnavailable from error
        if identity is None:
            raise RefreshInvalid
        return identity

    def _pair(self, session: Session, token: RefreshToken, now: float) -> TokenPair:
        issued_at = int(now)
        expires_at = max(issued_at + 1, min(issued_at + self.access_ttl, int(session.ends_at)))
        claims: dict[str, Any] = {"amr": list(session.amr)} if session.amr else {}
        access_token = self._minter.mint(
            session.claims,
            subject=session.subject,
            issued_at=issued_at,
            expires_at=expires_at,
            sid=session.id,
            gen=token.generation,
            auth_time=int(session.created_at),
            scope=" ".join(session.scopes),
            **claims,
        )
        return TokenPair(
            access_token=access_token,
            refresh_token=self._signer.write(token),
            expires_in=expires_at - issued_at,
            refresh_expires_in=max(0, int(session.expires_at - now)),
            session=session,
        )

    async def logout(self, refresh_token: str) -> None:
        """End the session of a refresh token of any generation. Unknown and spent tokens are no error (RFC 7009, 2.2).

        Raises StoreUnavailable.
        """
        session_id = self.session_id_of(refresh_token)
        if session_id is not None:
            await self.revoke(session_id, reason="logout")

    async def revoke(self, session_id: str, reason: str = "revoked") -> bool:
        """End a session; returns whether this call did it. Its access tokens are refused here at once.

        Raises StoreUnavailable.
        """
        return await self._end(session_id, reason)

    async def _end(self, session_id: str, reason: str, subject: str | None = None) -> bool:
        now = self.clock()
        await self._ready()
        ended = await self._ask(self.store.revoke(session_id, reason=reason, now=now))
        if ended:
            self._ended(session_id, reason, subject, now)
        return ended

    def _ended(self, session_id: str, reason: str, subject: str | None, now: float) -> None:
        self._revoked.add(session_id, now)
        self._events.tell(events.Revoked(at=now, subject=subject, session_id=session_id, reason=reason))

    async def logout_all(self, subject: str, keep: str | None = None, *, reason: str = "logout_all") -> int:
        """End every session of ``subject`` but the one with the id ``keep``; returns how many lived until now.

        Raises StoreUnavailable.
        """
        now = self.clock()
        await self._ready()
        ended = await self._ask(self.store.revoke_subject(subject, reason=reason, now=now, keep=keep))
        for session_id, _ in ended:
            self._ended(session_id, reason, subject, now)
        return sum(expires_at > now for _, expires_at in ended)

    async def sessions(self, subject: str) -> list[Session]:
        """The live sessions of ``subject``, oldest first. Raises StoreUnavailable."""
        await self._ready()
        return await self._ask(self.store.sessions(subject, now=self.clock()))

    async def session(self, session_id: str) -> Session | None:
        """One live session, or None. Raises StoreUnavailable."""
        await self._ready()
        row = await self._ask(self.store.get(session_id))
        return row if row is not None and row.is_live(self.clock()) else None

    async def session_of(self, refresh_token: str) -> Session | None:
        """The live session that a current refresh token, or the one before it, belongs to; else None.

        Raises StoreUnavailable.
        """
        token = self._read(refresh_token)
        row = await self.session(token.session_id) if token is not None else None
        return row if row is not None and token is not None and token.generation >= row.generation - 1 else None

    def session_id_of(self, refresh_token: str) -> str | None:
        """The id of the session that a refresh token of ours names, of any generation; else None. No I/O."""
        token = self._read(refresh_token)
        return token.session_id if token is not None else None

    def _read(self, refresh_token: str) -> RefreshToken | None:
        try:
            return self._signer.read(refresh_token)
        except RefreshInvalid:
            return None

    def login_failed(self, device: Device) -> None:
        """Tell the event of a refused login."""
        self._events.tell(events.LoginFailed(at=self.clock(), device=device))

    def _tell(self, kind: type[events.Event], session: Session, device: Device, **more: Any) -> None:
        self._events.tell(kind(at=self.clock(), subject=session.subject, session_id=session.id, device=device, **more))

    async def _ready(self) -> None:
        if self.opened_in is not asyncio.get_running_loop():
            await self._ask(self.open())

    async def _ask(self, answer: Awaitable[T]) -> T:
        """What the store answers. Whatever it raises, or if it does not answer, is one error: try again."""
        try:
            return await self._deadline.wait(answer)
        except Exception as error:  # a fault of the system, whatever it is; never a reason to log anybody out
            log.error("the session store failed: %s: %s", type(error).__name__, error)
            self._events.tell(events.StoreFailed(at=self.clock(), cause=type(error).__name__))
            raise StoreUnavailable from error

    async def _round(self) -> None:
        """Each second: tell the store what arrived here, learn what ended elsewhere, now and then clean up."""
        await self.flush()
        await self._read_feed(self._feed_from)
        self._revoked.prune(self.clock())
        self._round_number += 1
        if self._round_number % _PURGE_EVERY == 0:
            await self._purge()

    async def _read_feed(self, since: float) -> None:
        now = self.clock()
        self._revoked.update(await self.store.revocations(since))
        self._feed_from = now - _FEED_OVERLAP

    async def _purge(self) -> None:
        await self.store.purge(self.clock() - max(_KEEP_EXPIRED, self._revoked.keep))


_GRANTED: dict[Verdict, type[events.Event]] = {
    Verdict.ROTATE: events.Rotated,
    Verdict.REPEAT: events.Repeated,
    Verdict.LATE_REPEAT: events.LateRepeated,
    Verdict.AHEAD: events.GenerationAhead,
}
