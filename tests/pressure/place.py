"""The service under pressure on a server, and how it is."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..matrix.serving import SERVERS, Running, command
from ..matrix.wire import Line
from .vitals import Vitals, vitals

__all__ = ["SERVERS", "Look", "Place", "until"]

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Look:
    """How a server's process is.

    Attributes:
        pid: of the process that serves.
        vitals: its memory and its file descriptors, the one of this look among them.
        tasks: of its event loop, that of this look among them.
        store: calls of the store, by their names, without those of the background.
        calls: of the app behind the middleware.
        records: that the package has logged.
        most: requests that were inside the app at the same time.
    """

    pid: int
    vitals: Vitals
    tasks: int
    store: dict[str, int]
    calls: int
    records: int
    most: int


class Place(Running):
    """:mod:`.app` on a server, in a process of its own."""

    def __init__(self, server: str, **environment: str) -> None:
        super().__init__("pressure", server, **environment)

    def start(self) -> None:
        """Start the process, and do not wait for it."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command(self.server, "tests.pressure.app:app", self.port),
                cwd=_ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def look(self, line: Line | None = None) -> Look:
        """How it is now; asked on a connection of its own, or on ``line``."""
        told: dict[str, Any] = (line or self).ask("GET", "/vitals").json()
        pid = told.pop("pid")
        return Look(pid=pid, vitals=vitals(pid), **told)

    def peak(self, pid: int, *, reset: bool = False) -> int:
        """The most memory it has had, in bytes, since the last ``reset`` (see proc(5), clear_refs)."""
        if reset:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        text = Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmHWM"))


def until(holds: Callable[[], bool], patience: float = 20.0) -> bool:
    """Whether it holds before ``patience`` seconds are over."""
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
