"""Noticing the thief: what it says about a session where it and its subject's other sessions are used. No I/O."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from . import events
from .devices import DevicePolicy, Rule
from .places import Locator, distance
from .sessions import Device, Session
from .standing import Place

MOST_COMPARED = 64
"""Of a subject's other sessions, those that began last are compared."""
SIMULTANEOUS = 10.0
"""Seconds: nobody leaves one network, refreshes in another, and has refreshed in the first so shortly before."""
LEAST_KILOMETERS = 100.0
"""A database of addresses is not more exact than that."""
MOST_PLACES = 4
SAME_MOMENT = 10.0
"""Seconds: sessions that began so shortly after one another may have begun at once, by clocks that differ."""

_SEVERITY: tuple[Rule, ...] = ("off", "event", "step_up", "revoke")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule has found.

    Attributes:
        rule: its name.
        action: what the policy says is done about it.
        event: what is told.
        other_session_id: where the subject was as well; the session itself if it was that one.
    """

    rule: Literal["concurrent_networks", "impossible_travel"]
    action: Rule
    event: events.Event
    other_session_id: str


def worst(findings: Iterable[Finding]) -> Finding | None:
    """The finding about which most is done; None if there is none."""
    return max(findings, key=lambda finding: _SEVERITY.index(finding.action), default=None)


def has_moved(policy: DevicePolicy, session: Session, device: Device) -> bool:
    """Whether ``device`` is in another network than the session was; what is not known has not moved."""
    before, here = policy.network(session.device.ip), policy.network(device.ip)
    return before != "" and here not in ("", before)


def moved_places(session: Session) -> tuple[Place, ...]:
    """The places of a session that leaves the one where it is."""
    if not session.device.ip:
        return session.standing.places
    left = Place(ip=session.device.ip, last_used_at=session.last_used_at)
    return (left, *session.standing.places)[:MOST_PLACES]


def too_many(policy: DevicePolicy, limit: int, session: Session, listed: Sequence[Session]) -> list[str]:
    """The ids of those that have to end for ``session``, which has just begun; it may be among them.

    Of logins at the same moment each may have been listed by some of the others only. That all of them come to the same
    order is what makes the limit hold: whoever comes last sees all.

    Args:
        policy: what happens beyond the limit.
        limit: how many may be left.
        session: the new one.
        listed: live sessions of its subject, oldest first, it among them.
    """
    if policy.on_session_limit == "end_oldest":
        return [one.id for one in listed[:-limit]]
    surplus = listed[limit:]
    at_once = all(abs(one.created_at - session.created_at) < SAME_MOMENT for one in surplus)
    return [one.id for one in surplus] if at_once and session not in surplus else [session.id]


def findings(
    policy: DevicePolicy,
    locator: Locator | None,
    session: Session,
    others: Iterable[Session],
    device: Device,
    now: float,
) -> list[Finding]:
    """What the rules find when ``session`` is used from ``device`` at ``now`` (seconds since the epoch).

    Args:
        policy: the rules.
        locator: where addresses are; without it nothing is known of travels.
        session: as it is in the store: where it was until now.
        others: live sessions of the same subject; the session itself may be among them.
        device: where it is used.
        now: seconds since the epoch.
    """
    others = [other for other in others if other.id != session.id]
    found = []
    about: dict[str, Any] = {"at": now, "subject": session.subject, "session_id": session.id, "device": device}
    if policy.concurrent_networks != "off":
        elsewhere = _elsewhere(policy, session, others, device, now)
        if elsewhere is not None:
            event: events.Event = events.ConcurrentNetworks(
                **about, other=elsewhere.device, other_session_id=elsewhere.id
            )
            found.append(_finding("concurrent_networks", policy.concurrent_networks, event, elsewhere))
    if policy.impossible_travel != "off" and locator is not None:
        for there, kilometers, speed in _travels(locator, session, others, device, now):
            if kilometers >= LEAST_KILOMETERS and speed > policy.max_speed:
                event = events.ImpossibleTravel(
                    **about, other=there.device, other_session_id=there.id,
                    kilometers=round(kilometers), speed=round(speed),
                )  # fmt: skip
                found.append(_finding("impossible_travel", policy.impossible_travel, event, there))
                break
    return found


def _finding(
    rule: Literal["concurrent_networks", "impossible_travel"], action: Rule, event: events.Event, other: Session
) -> Finding:
    return Finding(rule=rule, action=action, event=event, other_session_id=other.id)


def _elsewhere(
    policy: DevicePolicy, session: Session, others: Iterable[Session], device: Device, now: float
) -> Session | None:
    """The session that shows its subject to be in another network too; the session itself if it does."""
    here, window = policy.network(device.ip), policy.concurrent_window
    if not here:
        return None
    for other in others:
        if now - other.last_used_at < window and policy.network(other.device.ip) not in ("", here):
            return other
    if not has_moved(policy, session, device):
        return None
    if now - session.last_used_at < SIMULTANEOUS:
        return session
    back = any(now - p.last_used_at < window and policy.network(p.ip) == here for p in session.standing.places)
    return session if back else None


def _travels(
    locator: Locator, session: Session, others: Iterable[Session], device: Device, now: float
) -> Iterator[tuple[Session, float, float]]:
    """From where else its subject would have come: the session there, how far (km) and how fast (km/h)."""
    here = locator.locate(device.ip) if device.ip else None
    if here is None:
        return
    for there in (session, *others):
        place = locator.locate(there.device.ip) if there.device.ip else None
        if place is not None:
            kilometers = distance(place, here)
            yield there, kilometers, kilometers / (max(now - there.last_used_at, 1.0) / 3600)
