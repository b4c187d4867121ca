"""Each server as a process of its own, with one app of the matrix in it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from jwt_refresh_middleware import KeyRing

from ..servers import free_port
from ..web.asgi import Reply
from ..web.support import PASSWORD, Tokens
from .apps.keys import keys
from .wire import Line

_ROOT = Path(__file__).parents[2]
_PATIENCE = 30.0
FRAMEWORKS = ["bare", "starlette", "fastapi", "litestar", "quart", "django"]
SERVERS = ["uvicorn-h11", "uvicorn-httptools", "hypercorn", "granian"]


def command(server: str, target: str, port: int, root_path: str = "") -> list[str]:
    """How a server is started: one worker, its lifespan on, its access log too."""
    if server.startswith("uvicorn"):
        options = ["--host", "127.0.0.1", "--port", f"{port}", "--http", server.partition("-")[2], "--ws", "none"]
        options += ["--lifespan", "on", "--loop", "asyncio", "--timeout-graceful-shutdown", "5"]
        options += ["--root-path", root_path] if root_path else []
    elif server == "hypercorn":
        options = ["--bind", f"127.0.0.1:{port}", "--worker-class", "asyncio", "--access-logfile", "-"]
        options += ["--graceful-timeout", "5"]
        options += ["--root-path", root_path] if root_path else []
    else:
        options = ["--interface", "asgi", "--host", "127.0.0.1", "--port", f"{port}", "--workers", "1"]
        options += ["--loop", "asyncio", "--access-log"]
        options += ["--url-path-prefix", root_path] if root_path else []
    return [sys.executable, "-m", server.partition("-")[0], *options, target]


class Running:
    """One app on one server. It is started by whoever needs it first, and may be stopped and needed again."""

    def __init__(
        self, framework: str, server: str, *, root_path: str = "", algorithm: str = "HS256", **environment: str
    ) -> None:
        self.framework = framework
        self.server = server
        self.algorithm = algorithm
        self.root_path = root_path
        self.directory = Path(tempfile.mkdtemp(prefix="jrm-matrix-"))
        self.closed = self.directory / "closed"
        """Written when the store was closed."""
        self.database = self.directory / "sessions.db"
        self.port = free_port()
        places = {"MATRIX_STORE": f"{self.database}", "MATRIX_CLOSED": f"{self.closed}"}
        self._key_file = None if algorithm == "HS256" else f"{self.directory}/keys.json"
        if self._key_file:
            KeyRing.generate(algorithm).save(self._key_file)  # type: ignore[arg-type]
            places["MATRIX_KEYS"] = self._key_file
        self._environment = os.environ | places | environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, and do not wait for it."""
        target = f"tests.matrix.apps.on_{self.framework}:app"
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command(self.server, target, self.port, self.root_path),
                cwd=_ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def ready(self) -> Self:
        """Started, and answering."""
        if self._process is None:
            self.start()
        assert self._process is not None
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.framework} on {self.server} did not start:\n{self.log()[-3000:]}")
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            with Line(self.port) as line:
                line.ask("GET", "/open")
                return True
        except OSError:
            return False

    def stop(self) -> int:
        """SIGTERM; returns how it ended."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Wait for the end of the process; returns how it ended."""
        assert self._process is not None
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.framework} on {self.server} does not end:\n{self.log()[-3000:]}") from None
        self._process = None
        return status

    def kill(self) -> None:
        """An end that cannot be refused, of its worker too."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            for pid in [*_children(process.pid), process.pid]:
                os.kill(pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """Remove everything."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """Everything it has written so far."""
        return (self.directory / "log").read_text(errors="replace")

    def keys(self) -> Any:
        """What its issuer has been given."""
        return keys(self._key_file)

    def line(self) -> Line:
        return Line(self.port)

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **content: Any) -> Reply:
        """One request on a connection of its own."""
        with self.line() as line:
            return line.ask(method, path, headers, **content)

    def login(self, username: str = "alice", *, body: bool = False) -> Tokens:
        headers = {"x-token-transport": "body"} if body else {}
        credentials = {"username": username, "password": PASSWORD}
        return Tokens(self.ask("POST", "/auth/login", headers, json_body=credentials))


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
