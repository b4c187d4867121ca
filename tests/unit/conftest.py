"""Fixtures: every test that takes ``store`` runs over each embedded store."""

from tests.rotation.conftest import clock, listener, store

__all__ = ["clock", "listener", "store"]
