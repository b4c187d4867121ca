"""The JavaScript of docs/browser-client.md: taken from the page, so that what is tested is what people read."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.client.node import running

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "jwt_refresh_middleware" / "client"
PAGE = ROOT / "docs" / "browser-client.md"
NODE_MODULES = ROOT / "tests" / "client" / "node_modules"


class Block(NamedTuple):
    """One piece of JavaScript, and the line of the page that it begins at."""

    line: int
    source: str

    @property
    def name(self) -> str | None:
        """What its first line calls it: ``// api.js``."""
        found = re.match(r"// ([a-z]+\.js)\n", self.source)
        return found[1] if found else None


def blocks() -> list[Block]:
    page = PAGE.read_text("utf-8")
    scripts = r'^```js\n(.*?)^```$|<script type="module">\n(.*?)</script>'
    return [
        Block(page.count("\n", 0, found.start()) + 2, found[1] or found[2])
        for found in re.finditer(scripts, page, re.M | re.S)
    ]


def missing(what: str) -> None:
    """Left out where it is not installed; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="session")
def node() -> str:
    return running.node()


@pytest.fixture(scope="session")
def axios() -> Path:
    if not (NODE_MODULES / "axios" / "package.json").is_file():
        missing("axios (npm ci --prefix tests/client)")
    return NODE_MODULES


def run(*command: str | Path, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), check=False, cwd=directory, capture_output=True, text=True, timeout=60
    )
