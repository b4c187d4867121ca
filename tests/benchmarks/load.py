"""Requests per second behind uvicorn, one JSON route, 64 connections: with the middleware, as a share of the bare app.

``python -m tests.benchmarks.load [--seconds 2] [--rounds 7]``, with ``wrk`` installed.

warm: 500 tokens in turn, seen before. cold: the same, with the cache of verified tokens switched off. Each round starts
a server process for each app, since two runs of one program differ by some percent, and loads one at a time; the median
of the rounds' ratios is printed. h11 runs on asyncio, httptools on uvloop (group ``bench``): there the bare app is
three times as fast, and its share is hardest to keep.

Where the idle processors of a virtual machine halt at once, a microsecond in an app costs more than a microsecond: most
likely since the load generator then sleeps more often and the server has to wake it. The kernel's default is to look
for work for 200 us first (``/sys/module/haltpoll/parameters/guest_halt_poll_ns``); what the machine does is printed.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from jwt_refresh_middleware import JWTRefreshMiddleware, Verifier

from .common import AUDIENCE, ISSUER, SECRET, banner, median, table, token
from .request import item

TARGETS = {("h11", "warm"): 0.90, ("h11", "cold"): 0.65, ("httptools", "warm"): 0.90, ("httptools", "cold"): 0.55}
CACHES = {"bare": None, "warm": 4096, "cold": 0}
LUA = """
local n, auth = 0, {}
for line in io.lines(os.getenv("BENCH_TOKENS")) do
  auth[#auth + 1] = wrk.format("GET", "/item", {["Host"] = "127.0.0.1", ["Authorization"] = "Bearer " .. line})
end
request = function() n = n % #auth + 1; return auth[n] end
"""


def serve(kind: str, port: int, http: str) -> None:
    """One app behind uvicorn, until the process is ended."""
    routes, cache = [Route("/item", item)], CACHES[kind]
    if cache is None:
        app = Starlette(routes=routes)
    else:
        verifier = Verifier(SECRET, issuer=ISSUER, audience=AUDIENCE, cache_size=cache)
        app = Starlette(routes=routes, middleware=[Middleware(JWTRefreshMiddleware, verifier=verifier)])
    loop = "uvloop" if http == "httptools" and find_spec("uvloop") else "asyncio"
    options = {"loop": loop, "http": http, "log_level": "error", "access_log": False, "lifespan": "off"}
    uvicorn.run(app, host="127.0.0.1", port=port, **options)  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server did not start")


def wrk(port: int, seconds: float, folder: Path) -> float:
    """Requests per second. Any refusal or broken connection is an error: a rate of those says nothing."""
    command = ["wrk", "-t1", "-c64", f"-d{seconds:g}s", "-s", str(folder / "wrk.lua"), f"http://127.0.0.1:{port}/item"]
    environment = {**os.environ, "BENCH_TOKENS": str(folder / "tokens")}
    out = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if found is None or "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(out)
    return float(found[1])


def one_rate(kind: str, http: str, seconds: float, folder: Path) -> float:
    """Requests per second of one app in a process of its own, after a second to warm up."""
    port = free_port()
    command = [sys.executable, "-m", __spec__.name, "--serve", kind, "--port", str(port), "--http", http]
    server = subprocess.Popen(command)
    try:
        wait_for(port)
        wrk(port, 1, folder)
        return wrk(port, seconds, folder)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def measure(http: str, seconds: float, rounds: int, folder: Path) -> list[list[str]]:
    rates: dict[str, list[float]] = {kind: [] for kind in CACHES}
    for number in range(rounds):
        for kind in [*CACHES][number % 3 :] + [*CACHES][: number % 3]:
            rates[kind].append(one_rate(kind, http, seconds, folder))
    rows = [[http, "bare", f"{median(rates['bare']):.0f}", "1.00", "", ""]]
    for kind in ("warm", "cold"):
        ratios = [ours / bare for ours, bare in zip(rates[kind], rates["bare"], strict=True)]
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        target = f">= {TARGETS[http, kind]:.2f}"
        rows.append([http, kind, f"{median(rates[kind]):.0f}", f"{median(ratios):.2f}", spread, target])
    return rows


def idling() -> str:
    """What an idle processor of this machine does before it halts."""
    polls = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")
    if not polls.exists():
        return "no idle polling of a guest"
    return f"guest_halt_poll_ns {polls.read_text().strip()}"


def main(seconds: float = 2, rounds: int = 7) -> None:
    loops = ["uvloop"] if find_spec("uvloop") else []
    title = f"Requests per second behind uvicorn, 64 connections, {rounds} rounds x {seconds:g} s; {idling()}"
    banner(title, "uvicorn", "h11", "httptools", *loops, "starlette")
    if shutil.which("wrk") is None:
        print("Not measured: install wrk, which makes the load.\n")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "wrk.lua").write_text(LUA)
        (folder / "tokens").write_text("\n".join(token(number) for number in range(500)) + "\n")
        rows = [row for http in ("h11", "httptools") for row in measure(http, seconds, rounds, folder)]
    table(["server", "app", "requests/s", "share of bare", "range", "to reach"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", choices=[*CACHES], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--http", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.port, arguments.http)
    else:
        main(arguments.seconds, arguments.rounds)
