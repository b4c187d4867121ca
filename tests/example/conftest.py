from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.example.serving import BROWSER_ARGUMENTS, serving


@pytest.fixture
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """An app whose tokens do not expire by themselves within a test."""
    with serving(tmp_path, ACCESS_TTL="600") as running:
        yield running


@pytest.fixture
def quick_address(tmp_path: Path) -> Iterator[str]:
    """An app whose tokens live for 3 s: the page renews them every 2.25 s."""
    with serving(tmp_path, ACCESS_TTL="3") as running:
        yield running
