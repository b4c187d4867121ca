"""Servers that the tests of a session share: each test logs in anew, which starts a session of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .certificate import write_certificate
from .site import Served, Site


@pytest.fixture(scope="session")
def _site() -> Iterator[Site]:
    with Served(Site()) as site:
        yield site


@pytest.fixture
def site(_site: Site) -> Iterator[Site]:
    _site.reset()
    yield _site
    _site.reset()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def _tls_site(certificate: dict[str, Path]) -> Iterator[Site]:
    with Served(Site(), **certificate) as site:
        yield site


@pytest.fixture
def tls_site(_tls_site: Site) -> Iterator[Site]:
    """The same by https, which oauthlib asks for."""
    _tls_site.reset()
    yield _tls_site
    _tls_site.reset()
