"""What a server has written, access log and all, against every secret of the tests that used it."""

import secrets
import time

from ..leakage.pieces import windows
from .wire_service import Wire

_PATIENCE = 20.0


def assert_log_silent(wire: Wire) -> str:
    """No window of a token or key is in a line of its log; returns the log."""
    log = written(wire)
    found = leaks(log, wire.secrets)
    assert not found, f"{wire.server} has logged {found}"
    return log


def written(wire: Wire) -> str:
    """The log, complete: some servers answer before they write."""
    path = f"/logged-{secrets.token_hex(4)}"
    wire.running.ask("GET", path)
    deadline = time.monotonic() + _PATIENCE
    while path not in (log := wire.running.log()):
        assert time.monotonic() < deadline, log[-2000:]
        time.sleep(0.02)
    return log


def leaks(log: str, hidden: set[str]) -> list[str]:
    """The lines in which a piece of something hidden stands."""
    pieces = set().union(*map(windows, hidden))
    return [line for line in {*log.splitlines()} if not pieces.isdisjoint(windows(line))]
