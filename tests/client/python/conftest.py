"""Every test runs with httpx and with httpx2, against a server of its own."""

from collections.abc import Iterator
from types import ModuleType

import httpx
import httpx2
import pytest

from .serving import Service
from .serving import service as running


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as started:
        yield started


@pytest.fixture
def other() -> Iterator[Service]:
    """A host that is not the issuer's."""
    with running() as started:
        yield started
