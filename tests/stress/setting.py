"""What the phases of one run have in common."""

import random
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from .fleet import Fleet, Server
from .nursery import Nursery
from .server import Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where the sessions are kept, how many work on them, and where chance comes from.

    ``patience`` (seconds): the shortest leeway in which clients can be expected to try again on this machine; phases
    that wait for the end of a leeway wait for it.
    """

    kind: str
    url: str
    nursery: Nursery
    processes: int = 4
    clients: int = 50
    patience: float = 3.0
    fault: str = ""
    dice: random.Random = field(default_factory=random.Random)

    def fleet(self, **options: Any) -> Fleet:
        """A fleet over a store that is empty yet."""
        options.setdefault("url", self.url)
        setup = Setup(kind=self.kind, namespace=f"s{secrets.token_hex(4)}", fault=self.fault, **options)
        return Fleet(self.nursery, setup, self.processes)

    def any_of(self, fleet: Fleet) -> Server:
        return self.dice.choice(fleet.servers)


class Stopwatch:
    """How much of a phase's time is left; ``goes_on`` is true at least once, since no trials prove nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.monotonic()
        self._rounds = 0

    def goes_on(self, least: int = 1) -> bool:
        """Whether to begin another round: until the time is over, and ``least`` times in any case."""
        self._rounds += 1
        return self._rounds <= least or not self.is_over()

    def is_over(self, before: float = 0.0) -> bool:
        return self.elapsed >= self._seconds - before

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began
