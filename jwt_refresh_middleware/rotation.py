"""The rotation: what a refresh does, from the token that came to the pair that answers it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from . import events
from .background import EventTeller
from .backing import Backing
from .devices import DevicePolicy
from .doubts import Doubts, in_place
from .errors import (
    AuthError,
    DeviceMismatch,
    RateLimited,
    RefreshExpired,
    RefreshInvalid,
    StepUpRequired,
    StoreUnavailable,
)
from .limits import RefreshRate
from .pairs import PairWriter
from .proofs import Proof, seen_at, settled
from .refresh import RefreshToken
from .rounds import log
from .sessions import Change, Device, Identity, Session, TokenPair, Verdict, judge
from .standing import Standing
from .stores.base import Advance
from .telemetry import judged
from .values import quick
from .watching import has_moved, moved_places

_ATTEMPTS = 8
"""A refresh that loses a race reads again; more than two rounds have not been seen."""
_ROTATIONS = (Verdict.ROTATE, Verdict.AHEAD)
_GRANTED: dict[Verdict, type[events.Event]] = {
    Verdict.ROTATE: events.Rotated,
    Verdict.REPEAT: events.Repeated,
    Verdict.LATE_REPEAT: events.LateRepeated,
    Verdict.AHEAD: events.GenerationAhead,
}

_advance = quick(Advance)

LoadIdentity = Callable[[str], Awaitable[Identity | None]]


class Rotation:
    """Exchanges refresh tokens: one compare-and-swap in the usual case, the verdict's table where that fails."""

    def __init__(
        self,
        backing: Backing,
        pairs: PairWriter,
        teller: EventTeller,
        doubts: Doubts,
        *,
        policy: DevicePolicy,
        load_identity: LoadIdentity | None,
        clock: Callable[[], float],
        refresh_ttl: float,
        reuse_leeway: float,
        late_repeat: bool,
    ) -> None:
        """All times in seconds; what they mean is said at :class:`Issuer`."""
        self._backing = backing
        self._pairs = pairs
        self._teller = teller
        self._doubts = doubts
        self._policy = policy
        self._rate = RefreshRate(policy.refresh_rate)
        self._load_identity = load_identity
        self._clock = clock
        self._refresh_ttl = refresh_ttl
        self._reuse_leeway = reuse_leeway
        self._late_repeat = late_repeat

    async def refresh(self, refresh_token: str, device: Device, proof: Proof | None = None) -> TokenPair:
        """The new pair. Raises as :meth:`Issuer.refresh` says.

        ``proof``: what the person has just proven: nothing more is asked for then, and the session keeps it.
        """
        token, now, backing = self._pairs.signer.read(refresh_token), self._clock(), self._backing
        wait = self._rate.wait(token.session_id, now)
        if wait:
            self._teller.tell(events.RateLimitReached(at=now, session_id=token.session_id, device=device))
            raise RateLimited(retry_after=wait)
        store = backing.store if backing.is_running() else await backing.ready()
        if self._load_identity is None and proof is None:
            won, row = await backing.ask(store.advance(self._step(token, device, now)))
            if won and row is not None:
                return self._answer(Verdict.ROTATE, row, token, device, now)
        else:
            row = await backing.ask(store.get(token.session_id))
        return await self._settle(row, token, device, now, proof)

    async def _settle(
        self, row: Session | None, token: RefreshToken, device: Device, now: float, proof: Proof | None
    ) -> TokenPair:
        """Judge the row as it is read, act on the verdict, and read again where somebody else was faster."""
        identity: Identity | None = None
        ask, store = self._backing.ask, self._backing.store
        for _ in range(_ATTEMPTS):
            verdict = self._judge(row, token, device, now, proof)
            if row is None or verdict not in _GRANTED:
                judged(verdict.name.lower())
                raise await self._refused(verdict, row, token, device, now)
            if self._load_identity is not None and identity is None:
                identity = await self._identity(row, token, now)
            spent = verdict not in _ROTATIONS
            if proof is None and not await self._doubts.at_refresh(row, device, now, spent=spent):
                row = await ask(store.get(row.id))
                continue
            late = verdict is Verdict.LATE_REPEAT and row.late != row.generation
            if late and not await ask(store.note_late(row.id, row.generation)):
                row = await ask(store.get(row.id))
                continue
            if spent and proof is None:
                return self._answer(verdict, row, token, device, now, identity)
            before = row
            won, row = await ask(store.advance(self._step_from(row, token, device, now, verdict, proof)))
            if won and row is not None:
                return self._answer(verdict, row, token, device, now, identity, before)
        raise StoreUnavailable

    def _judge(
        self, row: Session | None, token: RefreshToken, device: Device, now: float, proof: Proof | None
    ) -> Verdict:
        bound = row.device if row is not None else device
        change = self._policy.compare(bound, device)
        if change is Change.DOUBTED and row is not None and row.standing.settling:
            change = Change.ALLOWED  # it was proven, but not from where
        return judge(
            row,
            token.generation,
            now=now,
            change=change,
            same_device=self._policy.same_device(bound, device),
            reuse_leeway=self._reuse_leeway,
            late_repeat=self._late_repeat,
            acknowledged=self._backing.acknowledgements.known(token.session_id),
            proven=proof is not None,
        )

    def _step(self, token: RefreshToken, device: Device, now: float) -> Advance:
        """The compare-and-swap of the usual case: blind, on what the token says."""
        expected, bindings, end = token.generation, self._policy.bindings(device), now + self._refresh_ttl
        return _advance(token.session_id, expected, expected + 1, bindings, now, end, device.ip, None, None, None)

    def _step_from(
        self, row: Session, token: RefreshToken, device: Device, now: float, verdict: Verdict, proof: Proof | None
    ) -> Advance:
        """The same on top of a row that was read: whatever of the device may have changed moves along.

        A proof that comes with a token that is to be repeated is noted without a rotation.
        """
        seen = seen_at(row, device)
        step = self._step(token, device, now) if verdict in _ROTATIONS else in_place(row, ip=device.ip)
        return replace(
            step,
            expected=row.generation,
            bindings=(row.binding,),
            user_agent=seen.user_agent,
            binding=self._policy.binding(seen),
            standing=self._standing(row, device, proof),
        )

    def _standing(self, row: Session, device: Device, proof: Proof | None) -> Standing | None:
        """What a step changes in it; None for nothing."""
        if proof is not None:
            return proof.standing(settling=False)
        if self._policy.watches_places and has_moved(self._policy, row, device):
            return replace(row.standing, settling=False, places=moved_places(row))
        return settled(row)

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
        judged(verdict.name.lower())
        self._rate.count(row.id, now, rotation=verdict in _ROTATIONS)
        if before is not None:
            if before.device != row.device and before.binding != row.binding:
                self._teller.about(events.DeviceChanged, row, device, now, before=before.device)
            if verdict is Verdict.AHEAD:
                happened = {"presented": token.generation, "generation": before.generation}
                self._teller.about(events.GenerationAhead, row, device, now, **happened)
        if verdict is Verdict.LATE_REPEAT or (verdict is not Verdict.AHEAD and self._teller.listened_to):
            self._teller.about(_GRANTED[verdict], row, device, now, generation=row.generation)
        if identity is not None:
            row = _now_known_as(row, identity)
        return self._pairs.write(row, token.at(row.generation), now)

    async def _refused(
        self, verdict: Verdict, row: Session | None, token: RefreshToken, device: Device, now: float
    ) -> AuthError:
        """Do what a refusal asks for, and return the error that the client gets."""
        if row is None:
            return RefreshInvalid(session_over=True)
        if verdict is Verdict.EXPIRED:
            return RefreshExpired()
        if verdict is Verdict.STEP_UP:
            reason = row.step_up or "device"
            self._teller.about(events.StepUpDemanded, row, device, now, reason=reason)
            return StepUpRequired()
        if verdict in (Verdict.MISMATCH, Verdict.STOLEN):
            self._teller.about(events.DeviceMismatched, row, device, now)
        if verdict is Verdict.MISMATCH:
            return DeviceMismatch()
        if verdict is Verdict.REVOKED:
            self._backing.feed.add(row.id, row.revoked_at or now)
        elif verdict is Verdict.REUSE:
            reuse = events.ReuseDetected(
                at=now, subject=row.subject, session_id=row.id, device=device,
                presented=token.generation, generation=row.generation,
            )  # fmt: skip
            await self._backing.end(row.id, "reuse", row.subject, why=reuse, device=device)
        else:
            await self._backing.end(row.id, "device", row.subject, device=device)
        return RefreshInvalid(session_over=True)

    async def _identity(self, row: Session, token: RefreshToken, now: float) -> Identity:
        """Who the subject is now. Asked, and tried on a token, before anything is written: a failure costs nothing."""
        assert self._load_identity is not None
        try:
            identity = await self._load_identity(row.subject)
            if identity is not None:
                self._pairs.write(_now_known_as(row, identity), token, now)  # claims that are too long raise
        except AuthError:
            raise
        except Exception as error:  # the app's user database is away, say: nobody is logged out for that
            log.exception("load_identity failed")
            raise StoreUnavailable from error
        if identity is None:
            judged("no_identity")
            raise RefreshInvalid
        return identity


def _now_known_as(session: Session, identity: Identity) -> Session:
    return replace(session, scopes=tuple(identity.scopes), claims=identity.claims)
