"""Runs a target under libFuzzer, in a process of its own: libFuzzer takes that over, and ends it."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
NAMES = (
    "access-token", "signed-token", "authorization", "cookie", "refresh-token", "body", "key", "path", "headers",
)  # fmt: skip
"""Those of :mod:`.targets`, which are imported in the other process only, where they are instrumented."""

_LONGEST = 4096
_ENVIRONMENT = {**os.environ, "PYTHONHASHSEED": "0"}  # the same seed is to do the same
_PROGRAM = """
import logging, sys, warnings
import atheris
with atheris.instrument_imports(include=["jwt_refresh_middleware"]):
    from tests.fuzz.targets import TARGETS
target = TARGETS[sys.argv.pop(1)]
folder = sys.argv[-1]
for number, seed in enumerate(target.seeds()):
    with open(f"{folder}/{number:03}", "wb") as file:
        file.write(seed)
logging.disable(logging.CRITICAL)
def check(data):
    target.check(data)
atheris.Setup(sys.argv, check)
atheris.Fuzz()
"""


class Ended(NamedTuple):
    """How a run ended.

    Attributes:
        runs: how many inputs were tried; ``coverage``: how many places in the package they reached.
        trouble: what was found, with the input in escaped form; empty if nothing was.
    """

    runs: int
    coverage: int
    trouble: str


def why_impossible() -> str:
    """Why there is no fuzzing here; empty if there is."""
    return "" if importlib.util.find_spec("atheris") else "atheris is not installed"


def fuzz(name: str, *options: str, seed: int, limit: float, root: Path = ROOT) -> Ended:
    """Run a target with these options of libFuzzer, for ``limit`` seconds at most. ``root``: where the package is."""
    with tempfile.TemporaryDirectory() as place:
        corpus, found = Path(place, "corpus"), Path(place, "found-")
        corpus.mkdir()
        command = [
            sys.executable, "-c", _PROGRAM, name, *options, f"-seed={seed or 1}", f"-max_len={_LONGEST}", "-timeout=20",
            "-rss_limit_mb=1024", f"-artifact_prefix={found}", "-print_final_stats=1", str(corpus),
        ]  # fmt: skip
        try:
            ended = subprocess.run(command, cwd=root, capture_output=True, timeout=limit, env=_ENVIRONMENT, check=False)
            said, status = (ended.stderr + ended.stdout).decode("utf-8", "replace"), ended.returncode
        except subprocess.TimeoutExpired as error:
            said, status = (error.stderr or b"").decode("utf-8", "replace"), -1
        inputs = [file.read_bytes() for file in sorted(Path(place).glob("found-*"))]
    runs = re.findall(r"stat::number_of_executed_units:\s+(\d+)", said) or re.findall(r"^#(\d+)", said, re.MULTILINE)
    reached = re.findall(r"\bcov: (\d+)", said)
    trouble = "" if status == 0 and not inputs else _described(status, inputs, said)
    return Ended(int(runs[-1]) if runs else 0, int(reached[-1]) if reached else 0, trouble)


def _described(status: int, inputs: list[bytes], said: str) -> str:
    raised = re.findall(r"=== Uncaught Python exception: ===\n(?:.*\n)*?(?=\n|==)", said)
    tail = raised[-1] if raised else said[-2000:]
    return "\n".join([f"status {status}", *(f"input {one!r}" for one in inputs), tail])
