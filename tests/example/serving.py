"""The real example app as a process of its own, and the browser to look at it with."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str | None:
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**settings: str) -> dict[str, str]:
    """Ours, without what would change the app's settings."""
    names = {"ACCESS_TTL", "REFRESH_TTL", "DATABASE", "AUTH_SECRET", "AUTH_KEYS", "HOST", "PORT", "INSECURE_COOKIE"}
    names |= {"LOGIN_WINDOW", "FRESH_FOR", "UPSTREAM", "JWKS_URL", "SESSIONS"}
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    return inherited | {"PYTHONPATH": str(ROOT)} | settings


@contextmanager
def serving(directory: Path, **settings: str) -> Iterator[str]:
    """The address of an example app that runs in ``directory`` until the block ends."""
    with _running("example_app", directory, {"DATABASE": str(directory / "example.db")} | settings) as address:
        yield address


@contextmanager
def gateway(directory: Path, upstream: str, **settings: str) -> Iterator[str]:
    """The address of a gateway in front of ``upstream``."""
    with _running("example_app.gateway", directory, {"UPSTREAM": upstream} | settings) as address:
        yield address


@contextmanager
def _running(module: str, directory: Path, settings: dict[str, str]) -> Iterator[str]:
    port = int(settings.get("PORT", free_port()))
    output = directory / ("server.log" if module == "example_app" else "gateway.log")
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=directory,
            env=environment(**{"PORT": str(port), **settings}),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(port, process, output)
            yield f"http://127.0.0.1:{port}"
        finally:
            _stop(process)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the example app did not start:\n{output.read_text()}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
