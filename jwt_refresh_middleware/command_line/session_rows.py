"""A session as it is shown."""

from typing import Any

from ..sessions import Session
from .words import iso, iso_or_none


def row(session: Session, now: float) -> dict[str, Any]:
    """A session as JSON. The keys are documented, and stay."""
    return {
        "id": session.id,
        "subject": session.subject,
        "state": state_of(session, now),
        "generation": session.generation,
        "created_at": iso(session.created_at),
        "last_used_at": iso(session.last_used_at),
        "expires_at": iso(session.expires_at),
        "ends_at": iso(session.ends_at),
        "auth_time": iso(session.auth_time),
        "ip": session.device.ip,
        "user_agent": session.device.user_agent,
        "scopes": [*session.scopes],
        "amr": [*session.authenticated_by],
        "acr": session.acr,
        "step_up": session.step_up,
        "revoked_at": iso_or_none(session.revoked_at),
        "revoked_reason": session.revoked_reason,
    }


def state_of(session: Session, now: float) -> str:
    """``live``, ``ended`` or ``expired``."""
    if session.revoked_at is not None:
        return "ended"
    return "live" if session.is_live(now) else "expired"
