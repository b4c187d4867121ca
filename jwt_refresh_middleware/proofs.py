"""What a person has just proven, and what that changes in a session: nothing else moves ``auth_time`` and ``acr``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from . import events
from .background import EventTeller
from .backing import Backing
from .devices import UNSETTLED, DevicePolicy
from .doubts import in_place
from .errors import DeviceMismatch, StoreUnavailable
from .sessions import Change, Device, Identity, Session
from .standing import Standing

_ATTEMPTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How a person has authenticated just now.

    It takes the place of what was proven before, whole: a session that was strong does not stay so by a password alone.

    Attributes:
        at: when, in seconds since the epoch.
        amr: by what (RFC 8176); empty if that is not said.
        acr: the authentication context that was reached; None if that is not said.
    """

    at: float
    amr: tuple[str, ...] = ()
    acr: str | None = None

    @classmethod
    def checked(cls, at: float, amr: Sequence[str], acr: str | None) -> "Proof":
        """A proof of values that are what an :class:`Identity` takes. Raises ValueError, TypeError."""
        who = Identity("-", amr=amr, acr=acr)
        return cls(at=at, amr=tuple(who.amr), acr=who.acr)

    def standing(self, *, settling: bool) -> Standing:
        """The standing of a session whose person has given this proof. What was doubted before is settled."""
        return Standing(auth_time=self.at, amr=self.amr, acr=self.acr, settling=settling)


class Proofs:
    """Notes proofs that come without a refresh token: from a step of the app's own, a second factor say."""

    def __init__(self, backing: Backing, teller: EventTeller, policy: DevicePolicy, clock: Callable[[], float]) -> None:
        self._backing = backing
        self._teller = teller
        self._policy = policy
        self._clock = clock

    async def confirm(self, session_id: str, proof: Proof, device: Device | None) -> Session | None:
        """The session with the proof noted; None if it does not live. Raises DeviceMismatch, StoreUnavailable.

        ``device``: where the person is; None lets the next refresh say that.
        """
        store = await self._backing.ready()
        for _ in range(_ATTEMPTS):
            row = await self._backing.ask(store.get(session_id))
            if row is None or not row.is_live(self._clock()):
                return None
            if device is not None and self._policy.compare(row.device, device) in (Change.REFUSED, Change.STOLEN):
                self._teller.about(events.DeviceMismatched, row, device, proof.at)
                raise DeviceMismatch
            step = in_place(row, standing=proof.standing(settling=device is None), **self._place(row, device))
            won, row = await self._backing.ask(store.advance(step))
            if won and row is not None:
                self.tell(row, device or row.device, proof)
                return row
        raise StoreUnavailable

    def tell(self, row: Session, device: Device, proof: Proof) -> None:
        """Tell that the person of a session has given a proof."""
        how = {"amr": row.authenticated_by, "acr": row.acr}
        self._teller.about(events.StepUpPassed, row, device, proof.at, **how)

    def _place(self, row: Session, device: Device | None) -> dict[str, object]:
        """What changes in a step: the session is where the person is."""
        if device is None:
            return {"binding": UNSETTLED}
        seen = seen_at(row, device)
        return {"ip": seen.ip, "user_agent": seen.user_agent, "binding": self._policy.binding(seen)}


def seen_at(row: Session, device: Device) -> Device:
    """The device of a session that is used from ``device``: what that does not say, or never said, stays."""
    agent = device.user_agent if row.device.user_agent else None
    return Device(ip=device.ip or row.device.ip, user_agent=agent or row.device.user_agent)


def settled(row: Session) -> Standing | None:
    """The standing of a session whose place is known again; None if nothing changes."""
    return replace(row.standing, settling=False) if row.standing.settling else None
