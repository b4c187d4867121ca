"""Applies faults to copies of the package, one at a time, and says which of them the tests notice."""

import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Self

from .fault import Fault

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "jwt_refresh_middleware"
_SECONDS = 30.0
_SECONDS_OF_A_HANG = 2.5
# The plugins that the tests need and no others: to look for more takes as long as a test.
_ARGUMENTS = (
    "-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "--tb=short",
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


class Runner:
    """A sound copy of the package and its tests, and a few nurseries to test faulty copies of that in."""

    def __init__(self, jobs: int = 2, root: Path = ROOT) -> None:
        """``jobs``: how many run at the same time. ``root``: the repository."""
        self._jobs = jobs
        self._root = root
        self._pool = ThreadPoolExecutor(jobs)
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self._nurseries: list[subprocess.Popen[str]] = []
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="jrm-faults-")).resolve()
        self._sound = self._directory / "sound"
        for name in (PACKAGE, "tests"):
            shutil.copytree(self._root / name, self._sound / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(self._root / "pyproject.toml", self._sound)
        # What the outer run of pytest was told is not for these: coverage, or that nothing may be skipped.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        environment.pop("CI", None)
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        for _ in range(self._jobs):
            command = [sys.executable, "-P", str(Path(__file__).with_name("nursery.py"))]
            pipe = subprocess.PIPE
            nursery = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd="/")
            self._nurseries.append(nursery)
            self._idle.put(nursery)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for nursery in self._nurseries:
            nursery.communicate()
        shutil.rmtree(self._directory, ignore_errors=True)

    def check_sound(self, faults: Iterable[Fault], seconds: float = 120.0) -> Outcome:
        """What the tests of all ``faults`` together say of the package as it is: nothing, so the verdict is SURVIVED.

        It leaves the compiled modules behind, which are copied along from then on.
        """
        tests = [*dict.fromkeys(test for fault in faults for test in fault.tests)]
        middle = len(tests) // 2
        halves = [half for half in (tests[:middle], tests[middle:]) if half]
        runs = [self._pool.submit(self._tested, self._sound, half, seconds) for half in halves]
        outcomes = [judge(run.result(), hangs=False) for run in runs]
        slowest = max(outcome.seconds for outcome in outcomes)
        return replace(min(outcomes, key=lambda outcome: _WORST_FIRST.index(outcome.said)), seconds=slowest)

    def begin(self, faults: Sequence[Fault]) -> dict[str, "Future[Outcome]"]:
        """Test all ``faults``, so many at a time; the outcome of each by its name."""
        return {fault.name: self._pool.submit(self.run, fault) for fault in faults}

    def run(self, fault: Fault, seconds: float | None = None) -> Outcome:
        """Test one fault. Raises ValueError if it cannot be applied."""
        with tempfile.TemporaryDirectory(dir=self._directory, ignore_cleanup_errors=True) as directory:
            copy = Path(directory, "copy")
            shutil.copytree(self._sound, copy, copy_function=os.link)  # none of it is changed, some is replaced
            self._apply(fault, copy / PACKAGE / fault.file)
            limit = seconds or (_SECONDS_OF_A_HANG if fault.hangs else _SECONDS)
            return judge(self._tested(copy, fault.tests, limit), hangs=fault.hangs)

    @staticmethod
    def _apply(fault: Fault, module: Path) -> None:
        text = fault.applied_to(module.read_text("utf-8"))
        module.unlink()  # of this name, that is: the sound file has another
        module.write_text(text, "utf-8")
        for compiled in (module.parent / "__pycache__").glob(f"{module.stem}.*.pyc"):
            compiled.unlink()  # it counts as new for as long as the text has the same size and second

    def _tested(self, copy: Path, tests: Sequence[str], seconds: float) -> dict[str, Any]:
        scratch = f"{copy}-{next(self._numbers)}"
        arguments = [*_ARGUMENTS, f"--basetemp={scratch}-files", *tests]
        order = {"directory": str(copy), "scratch": scratch, "arguments": arguments, "seconds": seconds}
        nursery = self._idle.get()
        try:
            assert nursery.stdin is not None and nursery.stdout is not None
            nursery.stdin.write(json.dumps(order) + "\n")
            nursery.stdin.flush()
            line = nursery.stdout.readline()
        finally:
            self._idle.put(nursery)
        if not line:
            raise RuntimeError("the nursery is no more")
        answer: dict[str, Any] = json.loads(line)
        output = Path(f"{scratch}-output").read_text()[-1000:]
        if answer["code"] is None and not answer["hung"]:
            raise RuntimeError(f"pytest fell over:\n{output}")
        return {"output": output, **answer}
