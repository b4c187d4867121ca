"""What is done about a session that the watching rules doubt: told, marked for a step-up, or ended."""

from collections.abc import Sequence
from dataclasses import replace

from . import events
from .background import EventTeller
from .backing import Backing
from .devices import UNSETTLED, DevicePolicy
from .errors import RefreshInvalid, SessionLimit, StepUpRequired
from .places import Locator
from .sessions import Device, Session
from .stores.base import Advance
from .telemetry import judged
from .watching import MOST_COMPARED, Finding, findings, has_moved, too_many, worst


def in_place(row: Session, **changes: object) -> Advance:
    """A change of a session as it was read that rotates nothing: it happens unless somebody else was faster."""
    step = Advance(
        session_id=row.id,
        expected=row.generation,
        to=row.generation,
        bindings=(row.binding,),
        now=row.last_used_at,
        expires_at=row.expires_at,
    )
    return replace(step, **changes)  # type: ignore[arg-type]


class Doubts:
    """Asks the rules at logins and where a session has moved to another network; never at any other request."""

    def __init__(self, backing: Backing, teller: EventTeller, policy: DevicePolicy, locator: Locator | None) -> None:
        """Raises ValueError for a rule about travels without a locator."""
        if policy.impossible_travel != "off" and locator is None:
            raise ValueError("impossible_travel needs a locator: Issuer(..., locator=GeoIP2Locator(path))")
        self._backing = backing
        self._teller = teller
        self._policy = policy
        self._locator = locator

    async def at_refresh(self, row: Session, device: Device, now: float, *, spent: bool) -> bool:
        """Look at a session that is about to be refreshed from ``device``; ``spent``: by the token before the current.

        Returns whether the refresh goes on; False if the session was changed meanwhile and has to be read again.

        Raises:
            StepUpRequired: a rule wants a proof; the session is marked.
            RefreshInvalid: a rule has ended the session.
            StoreUnavailable: nothing is known.
        """
        if not self._policy.watches_places or not has_moved(self._policy, row, device):
            return True
        store = self._backing.store
        others = await self._backing.ask(store.sessions(row.subject, now=now, most=MOST_COMPARED))
        found = findings(self._policy, self._locator, row, others, device, now)
        gravest = worst(found)
        # Whoever has just proven who they are has left that token to the thief: it is refused, and they are not asked.
        settled = spent and row.standing.auth_time == row.last_used_at
        if gravest is None or gravest.action == "event":
            self._tell(found)
            return True
        if gravest.action == "step_up" and not settled and await self._mark(row, gravest.rule) is None:
            return False
        self._tell(found)
        if gravest.action == "revoke":
            judged("ended_by_rule")
            await self._backing.end(row.id, gravest.rule, row.subject, device=device)
            raise RefreshInvalid(session_over=True)
        self._teller.about(events.StepUpDemanded, row, device, now, reason=gravest.rule)
        raise StepUpRequired

    async def at_login(self, session: Session, device: Device, now: float) -> Session:
        """Look at a session that has just been added; returns it as it is then.

        Raises:
            SessionLimit: there are too many, and it was this one that ended.
            StoreUnavailable: the session is there, but nothing is known of the others.
        """
        policy = self._policy
        if not policy.watches_places and policy.session_limit is None:
            return session
        most = MOST_COMPARED + (policy.session_limit or 0)
        listed = await self._backing.ask(self._backing.store.sessions(session.subject, now=now, most=most))
        if policy.session_limit is not None:
            listed = await self._within_limit(policy.session_limit, session, listed, device, now)
        found = findings(policy, self._locator, session, listed, device, now)
        self._tell(found)
        await self._end_others(session, listed, found, device, now)
        if any(finding.action == "step_up" for finding in found):
            return await self._mark_new(session, device, now, found)
        return session

    async def _end_others(
        self, session: Session, listed: Sequence[Session], found: Sequence[Finding], device: Device, now: float
    ) -> None:
        """End what the rules have found elsewhere, and whatever they find then, until nobody is left there."""
        for _ in listed:
            ended = _ended_by(found)
            if not ended:
                return
            for session_id, rule in ended.items():
                await self._backing.end(session_id, rule, session.subject, device=device)
            listed = [one for one in listed if one.id not in ended]
            found = findings(self._policy, self._locator, session, listed, device, now)

    async def _within_limit(
        self, limit: int, session: Session, listed: Sequence[Session], device: Device, now: float
    ) -> list[Session]:
        """The sessions that are left. It is looked after the login was added: so is it exact for two at once."""
        surplus = too_many(self._policy, limit, session, listed)
        refused = session.id in surplus
        for session_id in surplus:
            await self._backing.end(session_id, "session_limit", session.subject, device=device)
        if surplus:
            self._teller.about(events.SessionLimitReached, session, device, now, limit=limit, refused=refused)
        if refused:
            raise SessionLimit
        return [one for one in listed if one.id not in surplus]

    async def _mark_new(self, session: Session, device: Device, now: float, found: Sequence[Finding]) -> Session:
        """Nobody has its token yet, so nobody but an end of it can be faster."""
        reason = next(finding.rule for finding in found if finding.action == "step_up")
        marked = await self._mark(session, reason)
        if marked is not None:
            self._teller.about(events.StepUpDemanded, session, device, now, reason=reason)
        return marked or session

    async def _mark(self, row: Session, reason: str) -> Session | None:
        """Note that more proof is wanted, so that every refresh asks for it; None if somebody else was faster."""
        standing = replace(row.standing, step_up=reason)
        step = in_place(row, binding=UNSETTLED, standing=standing)
        won, marked = await self._backing.ask(self._backing.store.advance(step))
        return marked if won else None

    def _tell(self, found: Sequence[Finding]) -> None:
        for finding in found:
            self._teller.tell(finding.event)


def _ended_by(found: Sequence[Finding]) -> dict[str, str]:
    """The sessions elsewhere that end, each with the rule that ends it."""
    return {finding.other_session_id: finding.rule for finding in found if finding.action == "revoke"}
