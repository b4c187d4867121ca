"""Servers that the tests of a session share: each test logs in anew, which starts a session of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from jwt_refresh_middleware import KeyRing

from .certificate import write_certificate
from .jose import Jose
from .site import Served, Site
from .strangers import Made


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


@pytest.fixture(scope="session")
def signers() -> Iterator[Callable[[str], Site]]:
    """A site that signs with an algorithm, started when the first test needs it."""
    with ExitStack() as stack:
        yield cache(lambda algorithm: stack.enter_context(Served(Site(KeyRing.generate(algorithm)))))


@pytest.fixture(scope="session")
def jose() -> Iterator[Jose]:
    with Jose() as started:
        yield started


@pytest.fixture(scope="session")
def made_keys() -> dict[tuple[str, str], Made]:
    """Keys that were made so far, by who made them and the algorithm."""
    return {}
