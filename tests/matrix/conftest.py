"""One process for each framework on each server, shared by all tests that want it."""

from collections.abc import Iterator

import pytest

from .serving import FRAMEWORKS, SERVERS, Running

MATRIX = [(framework, server) for framework in FRAMEWORKS for server in SERVERS]


@pytest.fixture(scope="session", params=MATRIX, ids=["-on-".join(cell) for cell in MATRIX])
def started(request: pytest.FixtureRequest) -> Iterator[Running]:
    running = Running(*request.param)
    yield running
    running.close()


@pytest.fixture
def running(started: Running) -> Running:
    """An app on a server that answers, also if the test before has stopped it."""
    return started.ready()
