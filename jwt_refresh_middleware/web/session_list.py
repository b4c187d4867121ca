"""What a person is shown of their sessions, so that they find the one that is not theirs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any

from starlette.concurrency import run_in_threadpool

from ..labels import device_label
from ..places import Locator
from ..sessions import Session

MOST_DESCRIBED = 100
"""Of a subject's sessions, those that were used last get a label and a place. Nobody reads more; it bounds the work."""


async def shown(sessions: Sequence[Session], *, current: str | None, locator: Locator | None) -> list[dict[str, Any]]:
    """The members of each session, in the order of ``sessions``. ``current``: the id of the one that asks."""
    described = nlargest(MOST_DESCRIBED, sessions, key=lambda session: session.last_used_at)
    labels = await run_in_threadpool(_labels, described)  # the first ones take 100 ms
    places = _places(described, locator)
    return [_shown(one, labels.get(one.id), places.get(one.id), one.id == current) for one in sessions]


def _labels(sessions: Sequence[Session]) -> dict[str, str | None]:
    return {session.id: device_label(session.device.user_agent) for session in sessions}


def _places(sessions: Sequence[Session], locator: Locator | None) -> dict[str, str | None]:
    if locator is None:
        return {}
    located = {session.id: locator.locate(session.device.ip) for session in sessions if session.device.ip}
    return {session_id: place.name for session_id, place in located.items() if place is not None}


def _shown(session: Session, device: str | None, place: str | None, current: bool) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": iso_time(session.created_at),
        "last_used_at": iso_time(session.last_used_at),
        "expires_at": iso_time(session.expires_at),
        "authenticated_at": iso_time(session.auth_time),
        "ip": session.device.ip,
        "user_agent": session.device.user_agent,
        "device": device,
        "place": place,
        "step_up": session.step_up is not None,
        "current": current,
    }


def iso_time(seconds: float) -> str:
    """ISO 8601 in UTC: ``2026-11-23T15:41:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
