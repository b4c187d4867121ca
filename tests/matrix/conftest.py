"""One process for each framework on each server, shared by all tests that want it."""

from collections.abc import Iterator

import pytest

from .serving import FRAMEWORKS, SERVERS, Running

MATRIX = [(framework, server) for framework in FRAMEWORKS for server in SERVERS]
OTHER_KEYS = [
    ("starlette", "uvicorn-httptools", "EdDSA"),
    ("django", "hypercorn", "ES256"),
    ("litestar", "granian", "RS256"),
]
"""The matrix is in HS256. The algorithm makes no difference to a framework or a server; some cells show it."""
CELLS = [(*cell, "HS256") for cell in MATRIX] + OTHER_KEYS


@pytest.fixture(scope="session", params=CELLS, ids=["-".join(cell) for cell in CELLS])
def started(request: pytest.FixtureRequest) -> Iterator[Running]:
    framework, server, algorithm = request.param
    running = Running(framework, server, algorithm=algorithm)
    yield running
    running.close()


@pytest.fixture
def running(started: Running) -> Running:
    """An app on a server that answers, also if the test before has stopped it."""
    return started.ready()
