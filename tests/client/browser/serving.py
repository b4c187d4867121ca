"""The app as a process of its own, and how a test talks to it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.servers import free_port

ROOT = Path(__file__).parents[3]
PATIENCE = 30.0


def until(holds: Any, what: str = "", patience: float = PATIENCE) -> Any:
    """What ``holds`` gives as soon as it is true."""
    deadline = time.monotonic() + patience
    while not (result := holds()):
        assert time.monotonic() < deadline, f"never came true: {what or holds}"
        time.sleep(0.02)
    return result


class Server:
    """One server on a port of its own, which it keeps when it is started again."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.other_address = f"http://localhost:{self.port}"
        self._log = directory / "server.log"
        self._environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        command = [sys.executable, "-m", "uvicorn", "tests.client.browser.app:app", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        until(self._answers, "the server starts")
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            self.told()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def control(self, **wanted: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.address}/control", json.dumps(wanted).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def told(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/control", timeout=10) as answer:
            return json.load(answer)
