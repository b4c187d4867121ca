"""How far the clock of a store is from the app's."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..issuer import Issuer
from .findings import Finding
from .store_findings import SKEW

_ATTEMPTS = 5
_TOLERATED = 1.0


@dataclass(frozen=True, slots=True)
class Skew:
    """``seconds``: how far the other clock is ahead; ``unsure``: how much of that may be the way there and back."""

    seconds: float
    unsure: float


async def measured(
    ask: Callable[[], Awaitable[float]], clock: Callable[[], float], ticks: Callable[[], float] = time.monotonic
) -> Skew:
    """The skew by the quickest of a few answers, as if it had been given in the middle of its round trip.

    Args:
        ask: for the other clock.
        clock: the app's.
        ticks: seconds of any origin, that never go back.
    """
    best: Skew | None = None
    for _ in range(_ATTEMPTS):
        began, here = ticks(), clock()
        there = await ask()
        took = ticks() - began
        if best is None or took / 2 < best.unsure:
            best = Skew(there - (here + took / 2), took / 2)
    assert best is not None
    return best


def judged(skew: Skew, issuer: Issuer, where: str) -> list[Finding]:
    """What to say of it: nothing while it may be less than a second."""
    least = abs(skew.seconds) - skew.unsure
    if least <= _TOLERATED:
        return []
    direction = "ahead of" if skew.seconds > 0 else "behind"
    summary = f"its clock is {abs(skew.seconds):.1f} s {direction} the app's"
    too_much = max(issuer.settings.reuse_leeway, _TOLERATED)
    return [SKEW.found(summary, where, severity="error" if least > too_much else "warning")]
