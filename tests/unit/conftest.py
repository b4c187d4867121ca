"""Fixtures: every test that takes ``store`` runs over each embedded store."""

import pytest

from tests.rotation.conftest import clock, listener

__all__ = ["clock", "kind", "listener"]


@pytest.fixture(params=["memory", "sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name
