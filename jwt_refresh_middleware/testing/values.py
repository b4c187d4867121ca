"""A clock to set, and sessions to keep."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..sessions import Device, Session
from ..stores.base import Advance

NOW = 1_800_000_000.0


class Clock:
    """A clock that stands still until it is moved. Pass it as ``clock=``."""

    def __init__(self, now: float = NOW) -> None:
        """``now``: seconds since the epoch. Default: a day in 2027."""
        self.now = now

    def __call__(self) -> float:
        """The time, in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``; backwards if they are negative."""
        self.now += seconds


def a_session(number: int = 0, **changes: Any) -> Session:
    """A live session; sessions of different numbers are different, four of them share a subject."""
    session = Session(
        id=f"session-{number:04d}",
        subject=f"user-{number // 4}",
        created_at=NOW + number,
        last_used_at=NOW + number,
        expires_at=NOW + 7 * 86_400,
        ends_at=NOW + 30 * 86_400,
        device=Device(ip="203.0.113.7", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"),
        binding="Firefox\n203.0.113.0/24",
        scopes=("read", "write"),
        claims=MappingProxyType({"plan": "pro", "limits": {"notes": [1, 2.5, None, "é\u2028"]}}),
        amr=("pwd", "otp"),
    )
    return replace(session, **changes)


def a_step(session: Session, **changes: Any) -> Advance:
    """The next rotation of a session, a minute after its last."""
    step = Advance(
        session_id=session.id,
        expected=session.generation,
        to=session.generation + 1,
        bindings=(session.binding,),
        now=session.last_used_at + 60,
        expires_at=session.last_used_at + 60 + 7 * 86_400,
        ip="203.0.113.8",
    )
    return replace(step, **changes)
