"""One life of the workload, with everything it asked of the disk."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .disk import Disk, Event, Image, read_log
from .model import Mark
from .workload import DATABASE, Task

_HERE = Path(__file__).parent
_PATIENCE = 120.0


def why_impossible() -> str:
    """Why nothing can be recorded on this machine; empty where it can."""
    if sys.platform != "linux":
        return "the recorder needs Linux (LD_PRELOAD)"
    return "" if _compiler() else "the recorder needs a C compiler (cc or gcc)"


def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


def build_recorder(directory: Path) -> Path:
    """Compile ``recorder.c`` into ``directory``."""
    built, compiler = directory / "recorder.so", _compiler()
    assert compiler is not None, why_impossible()
    source = str(_HERE / "recorder.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(built), source, "-ldl", "-lpthread"], check=True)
    return built


def write_image(directory: Path, image: Image) -> str:
    """A new directory with the files of an image in it; returns the database's path."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir()
    for name, content in image.items():
        (directory / name).write_bytes(content)
    return str(directory / DATABASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What stood on the disk when it began, what was asked of the disk, and what its clients remembered before."""

    start: Image
    memory: list[Mark]
    events: list[Event]

    def marks(self, upto: int | None = None) -> list[Mark]:
        """All marks up to a point of the log, the memory included."""
        return self.memory + [mark_of(event) for event in self.events[:upto] if event.kind == "M"]


def mark_of(event: Event) -> Mark:
    """The remark that an event is."""
    mark: Mark = json.loads(event.content)
    return mark


def record(directory: Path, recorder: Path, task: Task, start: Image) -> Life:
    """Run the workload on what ``start`` holds, under the recorder."""
    place = directory.resolve() / "recorded"
    task, log = task._replace(path=write_image(place, start)), directory / "log"
    log.unlink(missing_ok=True)
    watched = {"LD_PRELOAD": str(recorder), "RECORDER_DIRECTORY": str(place), "RECORDER_LOG": str(log)}
    subprocess.run(
        [sys.executable, "-m", f"{__package__}.workload"],
        input=json.dumps(task).encode(),
        cwd=_HERE.parents[1],
        env=os.environ | watched,
        timeout=_PATIENCE,
        check=True,
    )
    life = Life(start=start, memory=task.marks, events=read_log(log.read_bytes()))
    _check_complete(life, place, syncs=task.level != "OFF")
    return life


def _check_complete(life: Life, place: Path, *, syncs: bool) -> None:
    """The files that the log makes are the real ones: nothing was written past the recorder."""
    disk = Disk(life.start)
    for event in life.events:
        disk.apply(event)
    real = {path.name: path.read_bytes() for path in place.iterdir() if not path.name.endswith("-shm")}
    assert disk.seen() == real, "SQLite changed its files by calls that the recorder does not know"
    assert any(event.kind == "S" for event in life.events) or not syncs, "nothing was synced, or it was not seen"
