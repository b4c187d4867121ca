"""Fixtures: a test of rotation that takes ``store`` or ``place`` runs over every kind of store there is."""

import secrets

import pytest

from ..kinds import KINDS, Servers
from .fleet import Place
from .support import Clock, Listener


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(params=[kind for kind in KINDS if kind != "redis-cluster"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def place(request: pytest.FixtureRequest, servers: Servers) -> Place:
    """A store that several processes share, not used yet. Processes over the others: see ``tests/stress``."""
    if reason := Servers.missing(request.param):
        pytest.skip(reason)
    return Place(request.param, servers.url(request.param), secrets.token_hex(4))
