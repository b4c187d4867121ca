"""The proof: record lives of the workload, let the power go at many moments of each, and look at what is left."""

import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .disk import Arrival, Disk, Image
from .model import Mark, Model
from .reboot import Findings, Trouble, examine
from .recording import Life, build_recorder, mark_of, record
from .workload import Task

Crash = tuple[int, Arrival, int]
"""After how many events of the log, what arrived of the unsynced, and which draw of it."""

_DRAWS = {Arrival.NONE: 1, Arrival.ALL: 1, Arrival.WRITES: 2, Arrival.SECTORS: 3, Arrival.TORN: 2}
_SIMPLE = (Arrival.NONE, Arrival.ALL)
_EXAMPLES = 5
_LINE = 6
"""Lives that follow each other on one disk; then a new one begins, before its many sessions take all the time. Where
less than FULL is asked of the disk, each life has a new one: damage that nobody noticed must not stop the workload."""


@dataclass(kw_only=True)
class Result:
    """What was found at one level of ``PRAGMA synchronous``.

    Attributes:
        level: the level.
        lives: recorded runs of the workload; with FULL most go on from an image that the one before left.
        events: what was asked of the disk in all of them, the marks included.
        operations: acknowledged logins, rotations, late repeats, acknowledgements and ends in all of them.
        images: disks after a crash that were examined.
        possible: different crashes that could have been examined in these lives.
        troubled: images by what was wrong with them.
        bad: images with any trouble at all.
        lost: acknowledged operations that were gone, over all images.
        examples: a few of the troubles in words, with the life and the crash that showed them.
        seconds: how long it took.
    """

    level: str
    lives: int = 0
    events: int = 0
    operations: int = 0
    images: int = 0
    possible: int = 0
    troubled: Counter[Trouble] = field(default_factory=Counter)
    bad: int = 0
    lost: int = 0
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def upper_bound(self) -> float:
        """Where nothing was found: with 95 % confidence, less than this share of such images is bad (3/N)."""
        return 3 / max(self.images, 1)

    def _note(self, where: str, found: Findings) -> None:
        self.images += 1
        self.lost += found.lost
        self.bad += bool(found.troubles)
        self.troubled.update(found.troubles.keys())
        for trouble, details in found.troubles.items():
            if len(self.examples) < _EXAMPLES:
                self.examples.append(f"{where}: {trouble}: {details}")


async def prove(
    level: str = "FULL",
    *,
    images: int | None = None,
    seconds: float | None = None,
    per_life: int = 400,
    clients: int = 5,
    steps: int = 6,
    seed: int = 1,
) -> Result:
    """Examine ``images`` disks, or as many as ``seconds`` allow for, ``per_life`` of each recorded life.

    Args:
        level: FULL leaves the store as it is; NORMAL and OFF are set behind its back, to show what is found then.
        images: how many to examine.
        seconds: when to begin no further life.
        per_life: how many crashes to try before the next life begins, on one of the disks that they left.
        clients: how many share the two workers.
        steps: what each of them does in each half of a life.
        seed: of everything that is left to chance, but for SQLite's salts, the tokens and the threads' timing.
    """
    assert images is not None or seconds is not None
    result, began = Result(level=level), time.monotonic()
    end = began + seconds if seconds is not None else float("inf")
    most = images if images is not None else 10**9
    with tempfile.TemporaryDirectory(dir=_fast_directory()) as name:
        recorder = build_recorder(Path(name))
        start: Image = {}
        memory: list[Mark] = []
        while result.images < most and time.monotonic() < end:
            if result.lives % _LINE == 0 or level != "FULL":
                start, memory = {}, []
            life_seed = seed * 1000 + result.lives
            life = record(Path(name), recorder, Task(level, life_seed, clients, steps, memory), start)
            trial = _Trial(life, Path(name) / "image", result, random.Random(life_seed))
            await trial.run(min(per_life, most - result.images))
            start, memory = trial.survivor
    result.seconds = time.monotonic() - began
    return result


def _fast_directory() -> str | None:
    """Memory where there is some: what is durable is known from the log, no real disk need be waited for."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


class _Trial:
    """The crashes of one life."""

    def __init__(self, life: Life, place: Path, result: Result, chance: random.Random) -> None:
        self._life = life
        self._place = place
        self._result = result
        self._chance = chance
        self.survivor: tuple[Image, list[Mark]] = ({}, [])
        """A disk to go on with that had no trouble, and the marks up to its crash; a new one if there was none."""

    async def run(self, most: int) -> None:
        """Examine up to ``most`` images, in the order of the log."""
        crashes = self._crashes()
        chosen = sorted(self._choose(crashes, most), key=lambda crash: crash[0])
        self._result.lives += 1
        self._result.possible += len(crashes)
        self._result.events += len(self._life.events)
        disk, model, at = Disk(self._life.start), Model(self._life.memory), 0
        before = model.acknowledged
        heir = self._chance.randrange(len(chosen) // 2, len(chosen))
        for number, (point, arrival, draw) in enumerate(chosen):
            for event in self._life.events[at:point]:
                disk.apply(event)
                if event.kind == "M":
                    model.apply(mark_of(event))
            at = point
            image = disk.after_crash(arrival, random.Random(f"{point} {arrival} {draw}"))
            found = await examine(self._place, image, model, self._chance)
            self._result._note(f"life {self._result.lives}, event {point}, {arrival.name} {draw}", found)
            if not found.troubles and number <= heir:
                self.survivor = image, self._life.marks(point)
        self._result.operations += model.acknowledged - before

    def _crashes(self) -> list[Crash]:
        """Every point of the log, with every draw where anything was under way."""
        disk, crashes = Disk(self._life.start), []
        for point, event in enumerate(self._life.events, 1):
            disk.apply(event)
            if disk.is_settled():
                crashes.append((point, Arrival.ALL, 0))
            else:
                crashes += [(point, arrival, draw) for arrival, draws in _DRAWS.items() for draw in range(draws)]
        return crashes

    def _choose(self, crashes: list[Crash], most: int) -> list[Crash]:
        """A sample; half of it the hardest: only what was synced is there, right after an acknowledgement or a sync."""
        if len(crashes) <= most:
            return crashes
        hardest = [crash for crash in crashes if crash[1] in _SIMPLE and self._life.events[crash[0] - 1].kind in "MS"]
        chosen = set(self._chance.sample(hardest, min(len(hardest), most // 2)))
        rest = [crash for crash in crashes if crash not in chosen]
        return [*chosen, *self._chance.sample(rest, most - len(chosen))]
