"""Every phase by its name, and its share of the time."""

import sys
from collections.abc import Awaitable, Callable, Sequence

from . import barrier, crashes, ends, independent, outages, thief, weaker
from .report import Result
from .setting import Setting


def _alone(run: Callable[[Setting, float], Awaitable[Result]]) -> Callable[[Setting, float], Awaitable[list[Result]]]:
    async def alone(setting: Setting, seconds: float) -> list[Result]:
        return [await run(setting, seconds)]

    return alone


PHASES = {
    "barrier": (_alone(barrier.run), 4),
    "independent": (_alone(independent.run), 3),
    "ends": (_alone(ends.run), 3),
    "thief": (_alone(thief.run), 2),
    "crashes": (_alone(crashes.run), 3),
    "outages": (_alone(outages.run), 4),
    "weaker": (weaker.run_all, 2),
}
"""What runs a phase, and its weight."""


def of_kind(kind: str) -> list[str]:
    """The phases that make sense for a kind of store."""
    left_out = {"crashes"} if kind == "memory" else set()
    left_out |= set() if kind in outages.SERVERS else {"outages"}
    left_out |= set() if kind in weaker.KINDS else {"weaker"}
    return [name for name in PHASES if name not in left_out]


async def run_phases(setting: Setting, names: Sequence[str], seconds: float) -> list[Result]:
    """One after the other; the time is shared by weight."""
    total, results = sum(PHASES[name][1] for name in names), []
    for name in names:
        run, weight = PHASES[name]
        print(f"{name} ...", file=sys.stderr, flush=True)
        results += await run(setting, seconds * weight / total)
    return results
