"""What is looked at when a token is explained, and what it is held against: values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...key_states import Held
from ...keyring import KeyRing

Result = Literal["passed", "refused", "not checked"]

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at.

    Attributes:
        name: what is looked at; stable, for programs.
        result: what came of it.
        detail: why, for people.
    """

    name: str
    result: Result
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What a token is held against. Nothing but the token itself, unless it is said.

    Attributes:
        now: seconds since the epoch.
        leeway: tolerance for clocks, in seconds.
        issuer: what ``iss`` must be; None: whatever it is.
        audience: what ``aud`` must be or hold; None: whatever it is.
        keys: what has to have signed it; None: no signature is checked.
        ended: whether the session of the token has ended; None if nobody knows.
    """

    now: float
    leeway: float = 0.0
    issuer: str | None = None
    audience: str | None = None
    keys: KeyRing | None = None
    ended: bool | None = None


def check(name: str, is_right: bool, right: str, wrong: str) -> Check:
    """Passed or refused, with what is said then."""
    return Check(name, "passed" if is_right else "refused", right if is_right else wrong)


def short(value: Any) -> str:
    """A value of the token, as JSON, cut where it is long."""
    try:
        text = json.dumps(value)
    except (RecursionError, ValueError):
        return "something deep"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def named(header: Mapping[str, Any], keys: KeyRing) -> list[Held]:
    """The keys that a header names: all of them, where it names none."""
    if "kid" not in header:
        return [*keys.held]
    return [one for one in keys.held if one.key.kid == header["kid"]]
