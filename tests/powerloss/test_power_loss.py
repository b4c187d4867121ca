"""A power loss takes back nothing that SQLiteStore acknowledged. At length: ``python -m tests.powerloss``.

A recorder between SQLite and the system writes down what is asked of the disk (``recorder.c``), the disk that such a
log may leave when the power goes is built (``disk.py``), and a new issuer looks at it (``reboot.py``).
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from .model import Model
from .proof import Result, prove
from .reboot import Trouble
from .recording import build_recorder, record, why_impossible
from .workload import DATABASE, Task

pytestmark = pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())

Keep = Callable[[str, object], None]


def _keep(record_property: Keep, result: Result) -> None:
    for name in ("images", "operations", "bad", "lost", "seconds"):
        record_property(f"{result.level} {name}", getattr(result, name))


async def test_a_power_loss_takes_back_nothing_that_was_acknowledged(record_property: Keep) -> None:
    result = await prove("FULL", images=450, per_life=150)
    _keep(record_property, result)
    assert result.examples == []
    assert (result.bad, result.lost, result.images, result.lives) == (0, 0, 450, 3)
    assert result.operations > 100


async def test_the_same_harness_finds_what_is_lost_without_the_sync_of_each_commit(record_property: Keep) -> None:
    result = await prove("NORMAL", images=100)
    _keep(record_property, result)
    assert result.bad > 10 and result.lost > 10
    assert result.troubled[Trouble.SPENT] + result.troubled[Trouble.ALIVE] > 0, "and not only in the rows"
    assert Trouble.CORRUPT not in result.troubled, "SQLite promises as much for NORMAL"


async def test_the_same_harness_finds_a_damaged_file_where_nothing_is_synced(record_property: Keep) -> None:
    result = await prove("OFF", images=100)
    _keep(record_property, result)
    assert result.troubled[Trouble.CORRUPT] > 0


def test_what_is_recorded_has_everything_that_can_go_wrong(tmp_path: Path) -> None:
    life = record(tmp_path, build_recorder(tmp_path), Task("FULL", 1, clients=5, steps=6, marks=[]), {})
    opened = [event.content.decode() for event in life.events if event.kind == "O"]
    assert {DATABASE, f"{DATABASE}-journal", f"{DATABASE}-wal", ""} == set(opened), "and the directory is synced"
    unlinked = [event.content.decode() for event in life.events if event.kind == "U"]
    assert f"{DATABASE}-wal" in unlinked, "made anew in the second half"
    restarts = [event for event in life.events if event.kind == "W" and (event.offset, len(event.content)) == (0, 32)]
    assert len(restarts) > 3, "checkpoints, after which the write-ahead log begins again"
    marks = life.marks()
    assert {mark["what"] for mark in marks if mark["returned"]} >= {"login", "refresh", "acknowledge", "logout"}
    model = Model(marks)
    assert sum(bool(known.least["ended"]) for known in model.sessions.values()) > 2
    assert max(known.least["generation"] for known in model.sessions.values()) > 3
