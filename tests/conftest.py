"""What holds for all tests: in CI none may be skipped, since a skipped test would hide a missing part."""

import gc
import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from jwt_refresh_middleware import SessionStore

from . import leaks, record
from .example.serving import chromium_path
from .kinds import Servers, make_store


def pytest_addoption(parser: pytest.Parser) -> None:
    record.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    record.configure(config)
    leaks.configure(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    record.mark(items)


def pytest_collection_finish() -> None:
    gc.freeze()  # or the tests that wait to be run, a million objects, are looked through for garbage again and again


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Database servers that all tests share, started when the first test needs them."""
    with Servers() as started:
        yield started


@pytest.fixture
async def store(kind: str, servers: Servers) -> AsyncIterator[SessionStore]:
    """An empty store of the ``kind`` that the test is parametrized with; not opened yet."""
    if reason := Servers.missing(kind):
        pytest.skip(reason)
    made = make_store(kind, servers.url(kind), secrets.token_hex(4))
    yield made
    await made.close()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program; a test that needs a browser is skipped without it, which in CI is a failure."""
    path = chromium_path()
    if path is None and os.environ.get("CI"):
        pytest.fail("Chromium is not installed")
    if path is None:
        pytest.skip("Chromium is not installed")
    return path


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("CI") and skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CI: a test was skipped, which counts as a failure here", red=True)
