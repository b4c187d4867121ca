"""What the tests of the command line share: a command carried out here or in a process of its own, and store URLs."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware.__main__ import main

from ..kinds import Servers

NAME = "python -m jwt_refresh_middleware"
_ROOT = str(Path(__file__).parents[2])


class Line:
    """The command line, in this process. What was said last is kept.

    Attributes:
        out, err: on standard output and standard error.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """Carry it out; returns what it said on standard output."""
        self._capsys.readouterr()
        try:
            ended = main([str(one) for one in arguments])
        except SystemExit as error:
            ended = error.code  # type: ignore[assignment]
        self.out, self.err = self._capsys.readouterr()
        assert ended == code, self.err or self.out
        assert "Traceback" not in self.err
        if code in (1, 2):
            assert self.out == ""
            assert f"{NAME}: " in self.err
        else:
            assert self.err == ""
        return self.out

    def json(self, *arguments: object, code: int = 0) -> Any:
        """The one document that it said."""
        at = arguments.index("--") if "--" in arguments else len(arguments)
        return json.loads(self(*arguments[:at], "--json", *arguments[at:], code=code))


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of a process that finds the package, and none of ours that a command would read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JWT_REFRESH_")}
    return {**kept, "PYTHONPATH": _ROOT, **(more or {})}


def run(*arguments: object, given: str = "", env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Carry it out in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "jwt_refresh_middleware", *map(str, arguments)]
    return subprocess.run(
        command, input=given, env=environment(env), capture_output=True, text=True, check=False, timeout=120
    )


def place(kind: str, servers: Servers, namespace: str) -> Sequence[str]:
    """The options for the store that :func:`tests.kinds.make_store` makes."""
    url = servers.url(kind)
    if kind == "sqlite":
        return ["--store", f"sqlite:///{url}/{namespace}.db"]
    if kind == "redis-cluster":
        url = url.replace("redis://", "redis+cluster://")
    how = ["--prefix", f"{namespace}:"] if kind.startswith("redis") else ["--table", f"sessions_{namespace}"]
    return ["--store", url, *how]
