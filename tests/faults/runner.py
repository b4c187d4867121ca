"""Applies faults to copies of the package, one at a time, and says which of them the tests notice."""

import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Self

from .fault import Fault

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "jwt_refresh_middleware"
_SECONDS = 30.0
_SECONDS_OF_A_HANG = 2.5
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "node_modules")
# No more plugins than the tests need, which the nursery has: to look for others takes as long as a test.
_ARGUMENTS = (
    "-x", "-q", "-p", "no:cacheprovider", "-p", "no:leaks", "--tb=short",
)  # fmt: skip


class Said(Enum):
    """What the tests said of a fault."""

    CAUGHT = "caught"
    """A test failed."""
    SURVIVED = "SURVIVED"
    """All tests passed."""
    BROKEN = "BROKEN"
    """It cannot be said: the package could not be imported, a fixture failed, a test is not there, it hung."""
    SKIPPED = "SKIPPED"
    """Nothing failed, but not every test ran: a server is missing here."""


_WORST_FIRST = (Said.BROKEN, Said.CAUGHT, Said.SKIPPED, Said.SURVIVED)
"""Of several runs of the package without a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a run of tests.

    Attributes:
        said: the verdict.
        by: the test that failed, or what is broken.
        seconds: how long it took.
        detail: what the test said.
    """

    said: Said
    by: str
    seconds: float
    detail: str


def judge(answer: dict[str, Any], *, hangs: bool) -> Outcome:
    """The verdict on a run: only a test that itself failed has noticed something."""
    failed, errors = answer.get("failed", []), answer.get("errors", [])
    if answer["hung"]:
        said, words = (Said.CAUGHT, "it hangs") if hangs else (Said.BROKEN, "it hangs")
    elif answer["code"] == 1 and failed and not answer["errors"]:
        said, words = Said.CAUGHT, failed[0]
    elif answer["code"] == 0 and not answer["skipped"]:
        said, words = Said.SURVIVED, ""
    elif answer["code"] == 0:
        said, words = Said.SKIPPED, ""
    else:
        said, words = Said.BROKEN, (errors or failed or [f"pytest ended with {answer['code']}: {answer['output']}"])[0]
    by, _, detail = words.partition(": ")
    return Outcome(said=said, by=by, seconds=answer["seconds"], detail=detail)


class Bed:
    """A nursery, and a copy of the sound package that is its own: one module at a time is another one there."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        """``directory``: what the copy is called; it need not be there yet."""
        self.directory = directory
        command = [sys.executable, "-P", str(Path(__file__).with_name("nursery.py"))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd="/")

    def close(self) -> None:
        self._process.communicate()

    @contextmanager
    def holding(self, fault: Fault, sound: Path) -> Iterator[Path]:
        """The copy with ``fault`` in it; afterwards it is sound again, and nothing else is left in there."""
        if not self.directory.exists():
            shutil.copytree(sound, self.directory, copy_function=os.link)  # none is written to, some are replaced
        module, original = self.directory / PACKAGE / fault.file, sound / PACKAGE / fault.file
        text = fault.applied_to(original.read_text("utf-8"))
        changed = original.stat().st_mtime + 10  # a compiled module of the same size and second would count
        module.unlink()  # of this name, that is: the sound file has another
        try:
            module.write_text(text, "utf-8")
            os.utime(module, (changed, changed))
            yield self.directory
        finally:
            module.unlink()
            os.link(original, module)
            for left in {*self.directory.iterdir()} - {self.directory / one.name for one in sound.iterdir()}:
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def tested(self, order: dict[str, Any]) -> dict[str, Any]:
        """What came of the tests; see ``nursery.py``."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("the nursery is no more")
        answer: dict[str, Any] = json.loads(line)
        output = Path(order["scratch"] + "-output").read_text()[-1000:]
        if answer["code"] is None and not answer["hung"]:
            raise RuntimeError(f"pytest fell over:\n{output}")
        return {"output": output, **answer}


class Runner:
    """A sound copy of the package and its tests, and a few nurseries to test faulty copies of that in."""

    def __init__(self, jobs: int = 2, root: Path = ROOT) -> None:
        """``jobs``: how many run at the same time. ``root``: the repository."""
        self._jobs = jobs
        self._root = root
        self._pool = ThreadPoolExecutor(jobs)
        self._idle: queue.SimpleQueue[Bed] = queue.SimpleQueue()
        self._beds: list[Bed] = []
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="jrm-faults-")).resolve()
        self._sound = self._directory / "sound"
        for name in (PACKAGE, "tests"):
            shutil.copytree(self._root / name, self._sound / name, ignore=_NOT_COPIED)
        shutil.copy(self._root / "pyproject.toml", self._sound)
        # What the outer run of pytest was told is not for these: coverage, or that nothing may be skipped.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        for name in ("CI", "PYTHONDONTWRITEBYTECODE"):
            environment.pop(name, None)
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        for number in range(self._jobs):
            bed = Bed(self._directory / f"copy-{number}", environment)
            self._beds.append(bed)
            self._idle.put(bed)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for bed in self._beds:
            bed.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def check_sound(self, faults: Iterable[Fault], seconds: float = 120.0) -> Outcome:
        """What the tests of all ``faults`` together say of the package as it is: nothing, so the verdict is SURVIVED.

        It leaves the compiled modules behind, which are copied along from then on.
        """
        tests = [*dict.fromkeys(test for fault in faults for test in fault.tests)]
        middle = len(tests) // 2
        halves = [half for half in (tests[:middle], tests[middle:]) if half]
        runs = [self._pool.submit(self._test_sound, half, seconds) for half in halves]
        outcomes = [judge(run.result(), hangs=False) for run in runs]
        slowest = max(outcome.seconds for outcome in outcomes)
        return replace(min(outcomes, key=lambda outcome: _WORST_FIRST.index(outcome.said)), seconds=slowest)

    def begin(self, faults: Sequence[Fault]) -> dict[str, "Future[Outcome]"]:
        """Test all ``faults``, so many at a time; the outcome of each by its name."""
        return {fault.name: self._pool.submit(self.run, fault) for fault in faults}

    def run(self, fault: Fault, seconds: float | None = None) -> Outcome:
        """Test one fault. Raises ValueError if it cannot be applied."""
        limit = seconds or (_SECONDS_OF_A_HANG if fault.hangs else _SECONDS)
        bed = self._idle.get()
        try:
            with bed.holding(fault, self._sound) as copy:
                return judge(bed.tested(self._order(copy, fault.tests, limit)), hangs=fault.hangs)
        finally:
            self._idle.put(bed)

    def _test_sound(self, tests: Sequence[str], seconds: float) -> dict[str, Any]:
        bed = self._idle.get()
        try:
            return bed.tested(self._order(self._sound, tests, seconds, compiles=True))
        finally:
            self._idle.put(bed)

    def _order(self, copy: Path, tests: Sequence[str], seconds: float, *, compiles: bool = False) -> dict[str, Any]:
        scratch = f"{copy}-{next(self._numbers)}"
        arguments = [*_ARGUMENTS, f"--basetemp={scratch}-files", *tests]
        return {
            "directory": str(copy),
            "scratch": scratch,
            "arguments": arguments,
            "seconds": seconds,
            "compiles": compiles,
        }
