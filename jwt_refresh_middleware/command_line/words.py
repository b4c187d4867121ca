"""Times and texts as people read them. Pure functions."""

import math
import re
from datetime import UTC, datetime

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_TOKEN = re.compile(r"[\w-]{10,}\.[\w-]{16,}(\.[\w-]*)*|eyJ[\w-]{8,}(\.[\w-]*)*")
_CREDENTIALS = re.compile(r"(://)[^\s'\"]*@")


def iso(seconds: float) -> str:
    """A time in ISO 8601, UTC, by the second."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # somebody wrote a time that no calendar has
        return f"{seconds:g}"


def iso_or_none(seconds: float | None) -> str | None:
    """As :func:`iso`; None stays None."""
    return None if seconds is None else iso(seconds)


def length(seconds: float) -> str:
    """A length of time in its largest unit, rounded down: ``3 minutes``."""
    seconds = abs(seconds)
    for name, size in _UNITS:
        if seconds >= size:
            number = math.floor(seconds / size)
            return f"{number} {name}{'' if number == 1 else 's'}"
    return "less than a second"


def from_now(at: float, now: float) -> str:
    """When ``at`` is, seen from ``now``: ``3 minutes ago``, ``in 2 days``."""
    return f"{length(now - at)} ago" if at <= now else f"in {length(at - now)}"


def printable(text: str) -> str:
    """``text`` on one line, whatever cannot be printed written as an escape: a client may have chosen it."""
    return text if text.isprintable() else repr(text)[1:-1]


def scrubbed(text: str) -> str:
    """``text`` without what looks like a token, or like a password in a URL."""
    return _CREDENTIALS.sub(r"\1…@", _TOKEN.sub("…", text))
