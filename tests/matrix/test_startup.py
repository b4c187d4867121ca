"""A start that fails: nothing is served, the reason is in the log, and the store is left closed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .serving import FRAMEWORKS, SERVERS, Running, accepts

STATUS = {"uvicorn-h11": 3, "uvicorn-httptools": 3, "hypercorn": 0, "granian": 1}
"""How each process ends then. hypercorn forgets its worker's status, which ``--workers 0`` would show."""

WITH_A_STARTUP = ["starlette", "fastapi", "litestar", "quart"]


@contextmanager
def starting(framework: str, **environment: str) -> Iterator[list[Running]]:
    """The app on every server, all at once."""
    servers = [Running(framework, server, **environment) for server in SERVERS]
    try:
        for running in servers:
            running.start()
        yield servers
    finally:
        for running in servers:
            running.close()


def assert_never_up(running: Running, reason: str) -> None:
    assert running.ended() == STATUS[running.server], running.log()
    assert not accepts(running.port)
    assert reason in running.log()
    assert running.closed.exists()


@pytest.mark.parametrize("framework", WITH_A_STARTUP)
def test_an_app_that_cannot_start(framework: str) -> None:
    with starting(framework, MATRIX_STARTUP_FAILS="yes") as servers:
        for running in servers:
            assert_never_up(running, "the app cannot start")
            assert not running.database.with_name("sessions.db-wal").exists(), "the store was open, and is closed"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_store_that_cannot_be_opened(framework: str) -> None:
    with starting(framework, MATRIX_STORE="/nowhere/sessions.db") as servers:
        for running in servers:
            assert_never_up(running, "the directory of /nowhere/sessions.db does not exist")
