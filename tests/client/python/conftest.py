"""Every test runs with httpx and with httpx2, against a real server."""

from collections.abc import Iterator
from types import ModuleType

import httpx
import httpx2
import pytest

from .serving import Host, Service, hosting


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    with hosting() as started:
        yield started


@pytest.fixture(scope="session")
def other_host() -> Iterator[Host]:
    with hosting() as started:
        yield started


@pytest.fixture
def service(host: Host) -> Iterator[Service]:
    with host.service() as made:
        yield made


@pytest.fixture
def other(other_host: Host) -> Iterator[Service]:
    """A host that is not the issuer's."""
    with other_host.service() as made:
        yield made
