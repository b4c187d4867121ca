"""The issuer: logs people in, rotates their refresh tokens and ends their sessions. Knows no HTTP."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

from . import events
from .access import DEFAULT_ISSUER, MAX_LEEWAY, AccessToken
from .audit import AuditLog
from .background import EventTeller
from .backing import Backing
from .devices import DevicePolicy
from .doubts import Doubts
from .errors import RefreshInvalid, SessionLimit
from .feed import RevocationFeed
from .issuer_settings import IssuerSettings
from .keyring import KeyRing, key_ring
from .pairs import PairWriter
from .places import CarefulLocator, Locator
from .proofs import Proof, Proofs
from .refresh import RefreshToken
from .rotation import LoadIdentity, Rotation
from .sessions import Device, Identity, Session, TokenPair, is_clean
from .standing import NO_STANDING, Standing
from .stores.base import SessionStore
from .telemetry import work
from .values import seconds
from .verifier import Verifier


class Issuer:
    """Owns the sessions of a service. Opens its store on first use; close it with :meth:`aclose` or ``async with``.

    Attributes:
        verifier: checks access tokens with the same keys, and refuses those of sessions that ended.
        feed: the sessions that ended, here or elsewhere; its ``status()`` says how far this process is behind.
        backing: the store, and what this process knows beside it.
        locator: says where addresses are, None if nobody does.
        clock: seconds since the epoch.
        settings: the rest of what it was told.
    """

    # Longer than 40 lines: every option is written once, with its default and what it means.
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
        load_identity: LoadIdentity | None = None,
        device_policy: DevicePolicy | None = None,
        on_event: Callable[[events.Event], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
        sync_interval: timedelta = timedelta(seconds=1),
        store_timeout: timedelta = timedelta(seconds=5),
        client_id: str | None = None,
        locator: Locator | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        """Nothing is opened and no task is started yet.

        Args:
            secret: text of at least 32 bytes, or several, newest first (the first signs, all verify), or a KeyRing that
                can sign.
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
            client_id: claim ``client_id`` of the access tokens (RFC 9068, 2.2), which some libraries ask for. Default:
                there is none.
            locator: says where addresses are, for the list of sessions and the rule ``impossible_travel``. Default:
                nobody knows.
            audit: where events are kept; opens and closes with the store. Default: nowhere.

        Raises:
            ValueError: a weak secret, keys that cannot sign, a lifetime that is too short, or a rule about travels
                without a locator.
        """
        keys = key_ring(secret)
        self.clock = clock
        self._policy = device_policy or DevicePolicy()
        self._refresh_ttl = seconds(refresh_ttl, "refresh_ttl", least=1)
        self._reauth_after = seconds(reauth_after, "reauth_after", least=1)
        life = int(seconds(access_ttl, "access_ttl", least=1))
        self.locator = CarefulLocator(locator) if locator is not None else None
        self._events = EventTeller(on_event, audit)
        longest = timedelta(seconds=life + MAX_LEEWAY)
        keys.serve(clock=clock, access_ttl=longest.total_seconds())
        self.feed = RevocationFeed(
            store, access_ttl=longest, interval=sync_interval, timeout=store_timeout, clock=clock
        )
        self.backing = Backing(
            store,
            self._events,
            feed=self.feed,
            access_ttl=longest.total_seconds(),
            keys=keys.source,
            clock=clock,
            sync_interval=seconds(sync_interval, "sync_interval", least=0.01),
            timeout=seconds(store_timeout, "store_timeout", least=0.001),
            audit=audit,
        )
        self.verifier = Verifier(keys, issuer=issuer, audience=audience, clock=clock, revoked=self.feed.ended)
        fixed = {"iss": issuer, "aud": self.verifier.audience}
        if client_id is not None:
            fixed["client_id"] = _clean(client_id)
        self._pairs = PairWriter(keys, fixed=fixed, access_ttl=life)
        self._doubts = Doubts(self.backing, self._events, self._policy, self.locator)
        self._proofs = Proofs(self.backing, self._events, self._policy, clock)
        self._rotation = Rotation(
            self.backing,
            self._pairs,
            self._events,
            self._doubts,
            policy=self._policy,
            load_identity=load_identity,
            clock=clock,
            refresh_ttl=self._refresh_ttl,
            reuse_leeway=seconds(reuse_leeway, "reuse_leeway", least=0),
            late_repeat=late_repeat,
        )
        self.settings = IssuerSettings(
            access_ttl=life,
            refresh_ttl=self._refresh_ttl,
            reauth_after=self._reauth_after,
            reuse_leeway=reuse_leeway.total_seconds(),
            store_timeout=store_timeout.total_seconds(),
            device_policy=self._policy,
            on_event=on_event,
        )

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Open the store, load the revocations and start the background task. Repeated calls do it once.

        Raises whatever the store raises, and TimeoutError if it takes longer than ``store_timeout``.
        """
        await self.backing.open()

    async def aclose(self) -> None:
        """Write pending acknowledgements, tell the last events, close the store. Closing twice is no error."""
        await self.backing.close()

    async def flush(self) -> None:
        """Write pending acknowledgements now; otherwise that happens each second. Raises StoreUnavailable."""
        await self.backing.flush()

    def acknowledge(self, token: AccessToken) -> None:
        """Take note that a client holds the generation ``token`` was issued with. The middleware does it by itself.

        Known to this process at once, to the store with the next :meth:`flush`.
        """
        self.backing.acknowledgements.note(token)

    # Longer than 40 lines with its arguments and errors; the work is one value and three calls.
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
            SessionLimit: the subject has as many sessions as the policy lets it have.
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
            expires_at=now + min(self._refresh_ttl, self._reauth_after),
            ends_at=now + self._reauth_after,
            device=device,
            binding=self._policy.binding(device),
            scopes=tuple(subject.scopes),
            claims=subject.claims,
            amr=tuple(subject.amr),
            standing=NO_STANDING if subject.acr is None else Standing(acr=subject.acr),
        )
        pair = self._pairs.write(session, token, now)
        with work("login"):
            store = await self.backing.ready()
            try:
                await self.backing.ask(store.add(session))
                stands = await self._doubts.at_login(session, device, now)
            except SessionLimit:  # it was kept, and has ended
                raise
            except BaseException:  # whether it was kept is not known; nobody has its tokens, and it must not count
                self.backing.abandon(session.id)
                raise
        self._events.about(events.SessionStarted, session, device, now)
        return pair if stands is session else replace(pair, session=stands)

    async def refresh(self, refresh_token: str, *, device: Device | None = None) -> TokenPair:
        """Exchange a refresh token for a new pair.

        Raises:
            RefreshInvalid: forged, unknown, spent, revoked, or ``load_identity`` knows the subject no more.
            RefreshExpired: the idle or absolute lifetime is over.
            DeviceMismatch: the device policy refused.
            StepUpRequired: the policy or a rule wants a proof first, see :meth:`step_up`; nothing has changed.
            RateLimited: too many refreshes of this session.
            StoreUnavailable: nothing was lost; try again.
        """
        with work("refresh"):
            return await self._rotation.refresh(refresh_token, device or Device())

    async def step_up(
        self, refresh_token: str, *, device: Device | None = None, amr: Sequence[str] = (), acr: str | None = None
    ) -> TokenPair:
        """Exchange a refresh token whose person has just authenticated again (RFC 9470): you have checked that.

        As :meth:`refresh`, but nothing more is asked for, ``auth_time`` is now, and so is where the session lives.

        Args:
            refresh_token: the session's.
            device: where the request came from. Default: nothing is known.
            amr: how the person authenticated (RFC 8176). Default: that is not said.
            acr: the authentication context that was reached. Default: none; what was reached before is over.

        Raises:
            ValueError: a malformed amr or acr.
            AuthError: as in :meth:`refresh`, but for StepUpRequired.
        """
        proof, device = Proof.checked(self.clock(), amr, acr), device or Device()
        with work("step_up"):
            pair = await self._rotation.refresh(refresh_token, device, proof)
        self._proofs.tell(pair.session, device, proof)
        return pair

    async def confirm(
        self, session_id: str, *, amr: Sequence[str] = (), acr: str | None = None, device: Device | None = None
    ) -> Session | None:
        """Note that the person of a session has just authenticated again, by a step of your own: a second factor, say.

        The session's next refresh is no longer answered with ``step_up_required``, and its access tokens say so from
        then on. Returns the session; None if it does not live.

        Args:
            session_id: the session's.
            amr: how the person authenticated (RFC 8176). Default: that is not said.
            acr: the authentication context that was reached. Default: none; what was reached before is over.
            device: where the person is, so that the session lives there. Default: the next refresh says that.

        Raises:
            ValueError: a malformed amr or acr.
            DeviceMismatch: the device policy refuses ``device``; nothing was noted.
            StoreUnavailable: it was not noted.
        """
        return await self._proofs.confirm(session_id, Proof.checked(self.clock(), amr, acr), device)

    def access_only(self, session: Session) -> tuple[str, int]:
        """An access token of a session as it stands, without a refresh token, and its life in seconds.

        It says that its holder has the session's generation: for a client that may not have that yet, whose answer was
        lost, ``replace(session, generation=…)`` by what its own access token says. ``load_identity`` is not asked.

        Raises ValueError if the session's claims do not fit into a token.
        """
        return self._pairs.access(session, session.generation, self.clock())

    async def logout(self, refresh_token: str, *, device: Device | None = None) -> None:
        """End the session of a refresh token of any generation. Unknown and spent tokens are no error (RFC 7009, 2.2).

        ``device``: where the request came from, for the event. Raises StoreUnavailable.
        """
        session_id = self.session_id_of(refresh_token)
        if session_id is not None:
            await self.revoke(session_id, reason="logout", device=device)

    async def revoke(self, session_id: str, reason: str = "revoked", *, device: Device | None = None) -> bool:
        """End a session; returns whether this call did it. Its access tokens are refused here at once.

        ``device``: where the request came from, for the event. Raises StoreUnavailable.
        """
        return await self.backing.end(session_id, reason, device=device)

    async def logout_all(
        self, subject: str, keep: str | None = None, *, reason: str = "logout_all", device: Device | None = None
    ) -> int:
        """End every session of ``subject`` but the one with the id ``keep``; returns how many lived until now.

        ``device``: where the request came from, for the events. Raises StoreUnavailable.
        """
        return await self.backing.end_all(subject, reason, keep, device)

    async def sessions(self, subject: str) -> list[Session]:
        """The live sessions of ``subject``, oldest first. Raises StoreUnavailable."""
        store = await self.backing.ready()
        return await self.backing.ask(store.sessions(subject, now=self.clock()))

    async def session(self, session_id: str) -> Session | None:
        """One live session, or None. Raises StoreUnavailable."""
        store = await self.backing.ready()
        row = await self.backing.ask(store.get(session_id))
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
            return self._pairs.signer.read(refresh_token)
        except RefreshInvalid:
            return None

    def login_failed(self, device: Device, session: Session | None = None) -> None:
        """Tell the event of refused credentials: of a login, or of a step-up of ``session``."""
        subject, session_id = (session.subject, session.id) if session is not None else (None, None)
        self.tell(events.LoginFailed(at=self.clock(), subject=subject, session_id=session_id, device=device))

    def tell(self, event: events.Event, *, quietly: bool = False) -> None:
        """Pass an event on, to ``on_event``, ``logging`` and the audit; ``quietly``: it is no warning in the log."""
        self._events.tell(event, quietly=quietly)


def _clean(client_id: str) -> str:
    if not is_clean(client_id):
        raise ValueError("client_id is text without control characters")
    return client_id
