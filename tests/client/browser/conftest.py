"""Chromium, a server, and the numbers of each case as lines at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.browser.device import World
from tests.client.browser.numbers import lines_of
from tests.client.browser.serving import Server
from tests.example.serving import BROWSER_ARGUMENTS


@pytest.fixture(scope="module")
def browser(chromium):
    """One for a module: while it is open its event loop runs in this thread, where other tests want their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            headless=True,
            args=BROWSER_ARGUMENTS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("browser"))
    yield server.start()
    server.stop()


@pytest.fixture
def world(browser, shared_server: Server, record_property) -> Iterator[World]:
    """Afterwards: no error in any page, no session taken for a stolen one, and the numbers are noted."""
    shared_server.control(reset={})
    world = World(shared_server, browser)
    yield world
    for name, number in world.numbers().items():
        record_property(name, number)
    wrong, reuse = world.went_wrong(), world.reuse()
    world.close()
    assert wrong == []
    assert reuse == 0


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that may be killed: its sessions are in a file."""
    server = Server(tmp_path, DATABASE=str(tmp_path / "sessions.db"), SETTINGS='{"access_ttl": 2}')
    yield server.start()
    server.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in lines_of(report for reports in terminalreporter.stats.values() for report in reports):
        terminalreporter.write_line(line)
