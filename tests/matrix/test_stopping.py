"""The end of a server: it comes, with every app, and the store is closed before. The module is named to be the last."""

import sqlite3
from contextlib import closing

from ..web.support import Tokens
from .serving import Running

STATUS = {"uvicorn-h11": -15, "uvicorn-httptools": -15, "hypercorn": 0, "granian": 0}
"""How each process ends after SIGTERM; uvicorn repeats the signal for itself when it is done."""


def test_a_server_that_is_told_to_stop_closes_the_store_and_ends_and_the_next_one_goes_on(running: Running) -> None:
    """A connection is open meanwhile. What had arrived is written, also in less than a second."""
    with running.line() as idle:
        tokens = Tokens(running.ask("POST", "/auth/refresh", running.login().by_cookie))
        session = idle.ask("GET", "/me", tokens.bearer).json()["session"]
        assert running.stop() == STATUS[running.server], running.log()
    assert running.closed.read_text() == "closed\n"
    assert not running.database.with_name("sessions.db-wal").exists()
    with closing(sqlite3.connect(running.database)) as database:
        question = "SELECT generation, acknowledged FROM jwt_refresh_sessions WHERE id = ?"
        assert database.execute(question, [session]).fetchall() == [(1, 1)]
    running.ready()
    assert running.ask("GET", "/me", tokens.bearer).json()["who"] == "alice"
    assert Tokens(running.ask("POST", "/auth/refresh", tokens.by_cookie)).refresh != tokens.refresh
