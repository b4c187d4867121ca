"""The service on each server, in a process of its own."""

from collections.abc import Iterator

import pytest

from .place import Place


@pytest.fixture
def place(server: str) -> Iterator[Place]:
    """On the ``server`` that a test is parametrized with. Every refresh that is asked for again is late."""
    made = Place(server, PRESSURE_LEEWAY="0")
    try:
        yield made.ready()
    finally:
        made.close()
