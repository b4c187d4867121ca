"""Runs pytest again and again, each time in a new process that was born with all libraries imported.

A script and no module: nothing of this repository may be imported in here, since each child imports a copy of it. To
import what the tests need takes pytest two seconds, a fork takes none. A JSON object on a line of the standard input
says what to run, one on the standard output what came of it. Compiled modules are left by the run of the sound package
only: they are good for every copy of it, but for the one module that was changed.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from _pytest.config import default_plugins

# Not the plugins that are installed beside pytest, which it wants to import itself; but for PLUGINS.
LIBRARIES = (
    "aiosqlite", "asyncio", "fastapi.testclient", "httpx2", "hypothesis", "itsdangerous", "jwt.algorithms",
    "redis.asyncio.cluster", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.mysql.asyncmy", "sqlalchemy.dialects.sqlite.aiosqlite", "asyncpg", "asyncmy",
    "starlette.testclient", "cryptography.hazmat.primitives.asymmetric.rsa", "uvicorn", "hypothesis.strategies",
    *(f"_pytest.{name}" for name in default_plugins),
)  # fmt: skip
PLUGINS = ("pytest_asyncio.plugin",)
"""Handed over as modules: by name pytest would import them itself, in every child."""
OURS = ("jwt_refresh_middleware", "tests", "example_app")
_LAST_WORDS = 10.0


class Witness:
    """A plugin of pytest that counts what became of the tests."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.passed = self.skipped = 0
        self.failed: list[str] = []
        self.errors: list[str] = []

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self.code = int(exitstatus)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(f"{report.nodeid}: {report.longreprtext[-1000:]}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            said = self.failed if report.when == "call" else self.errors
            said.append(f"{report.nodeid}: {report.longreprtext[-1000:]}")
        elif report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.passed += 1


def run(directory: Path, arguments: list[str]) -> dict[str, Any]:
    """What the tests of the copy in ``directory`` say of the package there, and of no other."""
    os.chdir(directory)
    # The package is installed from the repository, whose path stands in here at the end.
    sys.path[:] = [str(directory), *(path for path in sys.path if not Path(path, OURS[0]).is_dir())]
    witness = Witness()
    try:
        witness.code = int(pytest.main(arguments, plugins=[witness, *(sys.modules[name] for name in PLUGINS)]))
    except Exception:  # a test that failed may leave connections open, which is told when all is over
        if witness.code is None:
            raise
        traceback.print_exc()
    package = sys.modules.get(OURS[0])
    where = Path(package.__file__ or "") if package is not None else None
    if where is not None and not where.is_relative_to(directory):
        witness.errors.append(f"it is the package in {where} that was tested")
    return {"package": str(where), **vars(witness)}


def child(order: dict[str, Any]) -> None:
    """Never returns: it ends with the process, whatever threads the tests left behind."""
    directory = Path(order["directory"])
    os.setsid()
    sys.dont_write_bytecode = not order["compiles"]
    if sys.dont_write_bytecode:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # what the tests start as well
    output = os.open(order["scratch"] + "-output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    try:
        result = run(directory, order["arguments"])
        Path(order["scratch"] + "-result").write_text(json.dumps(result))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def wait(pid: int, seconds: float) -> bool:
    """Whether the child ended by itself. One that does not is asked to, so that it ends the servers it has started."""
    for number, patience in ((0, seconds), (signal.SIGINT, _LAST_WORDS), (signal.SIGKILL, _LAST_WORDS)):
        if number:
            os.killpg(pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return not number
            time.sleep(0.005)
    return False


def main() -> None:
    for name in (*LIBRARIES, *PLUGINS):
        with contextlib.suppress(ImportError):  # then it is the tests' business to say so
            importlib.import_module(name)
    assert not set(OURS) & set(sys.modules)
    gc.freeze()  # what is here already is nothing that a child has to look through, again and again
    for line in sys.stdin:
        order = json.loads(line)
        began = time.monotonic()
        pid = os.fork()
        if not pid:
            child(order)
        ended, written = wait(pid, order["seconds"]), Path(order["scratch"] + "-result")
        answer = json.loads(written.read_text()) if ended and written.exists() else {"code": None}
        print(json.dumps(answer | {"hung": not ended, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
