"""The user centre and the gateway as processes of their own, and the file of keys between them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

from jwt_refresh_middleware.__main__ import main
from jwt_refresh_middleware.encoding import b64url_decode
from tests.servers import free_port

from .line import Line, Reply, until

_ROOT = Path(__file__).parents[2]
_PATIENCE = 30.0


class Process:
    """One app behind uvicorn, from entering to leaving it; it may be killed and started again in between.

    Attributes:
        log: the file that it writes what it has to say to.
    """

    def __init__(self, app: str, directory: Path, *, workers: int = 1, **environment: str) -> None:
        self.port = free_port()
        self.log = directory / f"{app}.log"
        self._app = app
        self._workers = workers
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.resume()
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def start(self) -> None:
        """Start it and wait until it listens."""
        options = ["--host", "127.0.0.1", "--port", f"{self.port}", "--log-level", "warning", "--ws", "none"]
        options += ["--workers", f"{self._workers}", "--timeout-graceful-shutdown", "5"]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "--factory", f"tests.gateway.{self._app}:make", *options],
                cwd=_ROOT,
                env=os.environ | self._environment,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._app} did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait(_PATIENCE)

    def pause(self) -> None:
        """It hangs from now on: connections stay, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "") -> Reply:
        """One request on a connection of its own."""
        async with Line(self.port) as line:
            return await line.ask(method, path, body, token)


class Centre(Process):
    """The user centre with its file of keys.

    Attributes:
        keys: the file.
    """

    def __init__(self, directory: Path, *, workers: int = 1, access_ttl: float = 900, look_every: float = 0.05) -> None:
        self.keys = directory / "keys.json"
        self.command("generate")
        places = {"KEYS": f"{self.keys}", "DATABASE": f"{directory / 'sessions.db'}"}
        times = {"ACCESS_TTL": f"{access_ttl}", "LOOK_EVERY": f"{look_every}"}
        super().__init__("centre", directory, workers=workers, **places, **times)

    @property
    def jwks_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/auth/jwks.json"

    def command(self, verb: str, *arguments: str) -> int:
        """What ``python -m jwt_refresh_middleware keys`` does; returns its exit code."""
        return main(["keys", verb, "--file", f"{self.keys}", *arguments])

    async def state(self) -> dict[str, Any]:
        """Of one of the workers, whichever answers."""
        return (await self.ask("GET", "/state")).body

    async def calls(self) -> Counter[str]:
        """How often all workers were asked for each path."""
        return sum((Counter(state["calls"]) for state in (await self.states()).values()), Counter())

    async def fetches(self) -> int:
        """How often they were asked for the keys."""
        return (await self.calls())["/auth/jwks.json"]

    async def states(self) -> dict[int, dict[str, Any]]:
        """Of every worker, by its process id."""
        found: dict[int, dict[str, Any]] = {}

        async def all_have_answered() -> bool:
            state = await self.state()
            found[state["pid"]] = state
            return len(found) == self._workers

        await until(all_have_answered)
        return found

    def key(self, state: str) -> str:
        """The kid of the key in this state, as the file says it."""
        listed = json.loads(self.keys.read_text())["keys"]
        return next(str(jwk["kid"]) for jwk in listed if jwk["state"] == state)

    async def login(self, name: str = "ann") -> Reply:
        return await self.ask("POST", "/auth/login", {"username": name})


def gateway(directory: Path, centre: Centre, **times: float) -> Process:
    """A gateway that is told where the keys are, and nothing else; ``times`` in seconds."""
    settings = {name.upper(): f"{value}" for name, value in times.items()}
    return Process("front", directory, JWKS_URL=centre.jwks_url, **settings)


def kid_of(token: str) -> str:
    """The key that an access token was signed with."""
    return str(json.loads(b64url_decode(token.partition(".")[0].encode()))["kid"])
