"""The short form of ``python -m tests.stress``: every phase over every kind of store, and proof that each can fail."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ..kinds import KINDS, Servers
from ..servers import Redis
from . import weaker
from .nursery import Nursery, nursery
from .phases import PHASES, of_kind
from .report import table
from .setting import Setting

pytestmark = pytest.mark.alone

_SECONDS = 0.5
"""Of each phase; all of them run at once, and each does a round of everything in any case."""


@pytest.fixture(scope="module")
def born(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("stress") / "log") as started:
        yield started


@pytest.fixture
def small(born: Nursery, servers: Servers) -> Setting:
    return Setting(
        kind="sqlite",
        url=servers.url("sqlite"),
        nursery=born,
        processes=2,
        clients=8,
        patience=1.0,
        dice=random.Random(1),
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_every_zero_is_one(small: Setting, servers: Servers, kind: str) -> None:
    if reason := Servers.missing(kind):
        pytest.skip(reason)
    setting = replace(small, kind=kind, url=servers.url(kind), processes=1 if kind == "memory" else 2)
    names = [name for name in of_kind(kind) if name != "weaker"]
    found = await asyncio.gather(*(PHASES[name][0](setting, _SECONDS) for name in names))
    results = [result for several in found for result in several]
    assert len(results) == len(names)
    told = f"\n{table(results)}\n{small.nursery.log.read_text()[-3000:]}"
    assert all(zero.trials > 0 for result in results for zero in result.zeros), told
    assert all(result.holds for result in results), told


async def test_every_phase_can_fail(small: Setting) -> None:
    """A harness that cannot fail proves nothing: each seeded fault is found by the phase that is there for it."""

    async def found(fault: str, phase: str, *figures: str) -> None:
        (result,) = await PHASES[phase][0](replace(small, fault=fault), _SECONDS)
        assert all(result.seen(figure) > 0 for figure in figures), (fault, table([result]))
        assert not result.holds

    await asyncio.gather(
        found("no-compare", "barrier", "rounds with two successors", "histories not linearizable"),
        found("read-modify-write", "barrier", "rounds without exactly one rotation"),
        found("loser-refused", "barrier", "false logouts"),
        found("loser-refused", "independent", "lost sessions"),
        found("revoke-nothing", "ends", "survivors of their end"),
        found("forgiving", "thief", "survivors of their end"),
        found("forgets", "crashes", "acknowledged rotations lost"),
    )


@pytest.mark.skipif(bool(Redis.missing()), reason=Redis.missing())
async def test_weak_settings_lose_what_they_are_said_to_lose(small: Setting) -> None:
    _, no_file, lagging = await weaker.run_all(replace(small, kind="redis"), _SECONDS)
    assert no_file.seen("clients locked out") > 0
    assert lagging.seen("acknowledged rotations lost") > 0
    assert lagging.seen("clients locked out") == 0, "who is ahead of the store goes on"
    assert no_file.holds and lagging.holds, "printed, not failed"


def test_the_command_reports_a_fault() -> None:
    words = ["--store", "sqlite", "--phases", "barrier", "--seconds", "0.5", "--processes", "2", "--clients", "8"]
    command = [sys.executable, "-m", "tests.stress", *words, "--fault", "no-compare"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 1, done.stderr
    row = next(line for line in done.stdout.splitlines() if "rounds with two successors" in line)
    assert "FAILED" in row
