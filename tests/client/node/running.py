"""Node's own test runner, as the tests here start it."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import playwright
import pytest

HERE = Path(__file__).parent
CLIENT = Path(os.environ.get("CLIENT_FOLDER", HERE.parents[2] / "jwt_refresh_middleware" / "client"))
MODULES = HERE.parent / "node_modules"
NEEDS_MODULES = {"axios.test.js", "step-up.test.js"}
OLDEST = (20, 11)


def absent(reason: str) -> None:
    """What a test needs is not there: in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def node() -> str:
    """The program; the one that the browser's driver comes with where there is none, or one that is too old."""
    bundled = Path(playwright.__file__).parent / "driver" / "node"
    for path in (shutil.which("node"), bundled):
        if path and _version(path) >= OLDEST:
            return str(path)
    absent(f"Node {OLDEST[0]}.{OLDEST[1]} or newer is not installed")
    raise AssertionError


def _version(path: str | Path) -> tuple[int, ...]:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    except OSError:
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", said))


def need_modules() -> None:
    if not MODULES.is_dir():
        absent("npm ci --prefix tests/client")


def run(files: Sequence[str], client: Path = CLIENT, only: str = "", patience: int = 60) -> tuple[int, int, str]:
    """How many tests ran, how many failed, and what was said. No single test may take longer than ``patience`` s."""
    options = ["--test-reporter=tap", f"--test-timeout={patience * 1000}"]
    command = [node(), "--test", *options, *([f"--test-name-pattern={only}"] if only else []), *files]
    environment = os.environ | {"CLIENT_FOLDER": str(client)}
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=120, check=False)
    counted = {
        name: int(number) for name, number in re.findall(r"^# (tests|skipped|fail|cancelled) (\d+)$", done.stdout, re.M)
    }
    failed = counted.get("fail", 0) + counted.get("cancelled", 0)
    return (
        counted.get("tests", 0) - counted.get("skipped", 0),
        max(failed, int(done.returncode != 0)),
        done.stdout + done.stderr,
    )
