"""What a phase has found, and the Markdown of it."""

import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..servers import program
from .client import Tally

_PROGRAMS = {
    "redis": "redis-server", "redis-cluster": "redis-server", "postgresql": "postgres", "mariadb": "mariadbd",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Zero:
    """A figure that has to be 0: how often it was seen in how many trials.

    ``required`` is False for a setting that is known to be weak: there it is printed, and is no failure.
    """

    name: str
    seen: int
    trials: int
    required: bool = True

    @property
    def holds(self) -> bool:
        """A zero of no trials says nothing, so it does not hold either."""
        return self.seen == 0 and self.trials > 0

    @property
    def verdict(self) -> str:
        if self.required:
            return "ok" if self.holds else "**FAILED**" if self.trials else "**NOT TRIED**"
        return "none seen" if self.holds else "expected"

    @property
    def bound(self) -> str:
        """The rule of three: with 95 % confidence the true rate is below this."""
        if not self.trials:
            return ""
        return f"< {min(1, 3 / self.trials):.2g}" if not self.seen else f"{self.seen / self.trials:.2g} seen"


@dataclass(slots=True)
class Result:
    """What one phase has found."""

    phase: str
    zeros: list[Zero] = field(default_factory=list)
    measured: dict[str, str] = field(default_factory=dict)
    note: str = ""
    examples: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return all(zero.holds for zero in self.zeros if zero.required)

    def seen(self, name: str) -> int:
        """What a figure says."""
        return next(zero.seen for zero in self.zeros if zero.name == name)

    def about(self, tally: Tally, *, seconds: float) -> None:
        """What every phase measures and must not see."""
        self.zeros += [
            Zero("two successors of one token", tally.doubles, tally.ok),
            Zero("answers about somebody else", tally.crossed, tally.ok + tally.used),
            Zero("5xx other than 503", tally.failed, tally.answered),
        ]
        if tally.histories:
            self.zeros.append(Zero("histories not linearizable", tally.histories[False], sum(tally.histories.values())))
        if tally.histories[None]:
            self.measured["histories given up"] = f"{tally.histories[None]}"
        self.measured["refreshes sent"] = f"{tally.sent}"
        self.measured["answers lost / 503"] = f"{tally.lost} / {tally.unavailable}"
        self.measured["p50 / p95 / p99 ms"] = " / ".join(
            f"{quantile(tally.milliseconds, share):.1f}" for share in (0.5, 0.95, 0.99)
        )
        self.measured["refreshes/s"] = f"{tally.answered / seconds:.0f}"
        self.examples += tally.examples


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def table(results: Iterable[Result]) -> str:
    """One row per figure: first those that have to be 0, then what was measured."""
    lines = ["| phase | figure | value | trials | 95 % bound | |", "|---|---|---:|---:|---:|---|"]
    notes = []
    for result in results:
        for zero in result.zeros:
            cells = (result.phase, zero.name, zero.seen, zero.trials, zero.bound, zero.verdict)
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
        lines += [f"| {result.phase} | {name} | {value} | | | |" for name, value in result.measured.items()]
        if result.note:
            notes.append(f"- {result.phase}: {result.note}")
        notes += [f"- {result.phase}, seen: {example}" for example in result.examples]
    return "\n".join([*lines, "", *notes])


def _printed(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")


def _version(kind: str) -> str:
    if kind in _PROGRAMS:
        return _printed(program(_PROGRAMS[kind]) or "", "--version")
    return f"SQLite {sqlite3.sqlite_version}" if kind == "sqlite" else "in memory"


def header(kind: str, seconds: float, processes: int, clients: int, seed: int) -> str:
    """What has to be known to do it again."""
    commit = _printed("git", "rev-parse", "--short", "HEAD")
    changed = " with changes" if commit and _printed("git", "status", "--porcelain") else ""
    return "\n".join(
        [
            f"## Stress: {kind}",
            "",
            f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, commit {commit or 'unknown'}{changed}",
            f"- {_processor() or 'unknown CPU'}, {os.cpu_count()} CPUs; Python {platform.python_version()}",
            f"- {_version(kind)}",
            f"- {processes} processes, {clients} clients, {seconds:g} s, seed {seed}",
            "",
        ]
    )
