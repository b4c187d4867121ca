"""The browser client without a browser: each file of ``*.test.js`` in Node's own test runner."""

import re

import pytest

from tests.client.node.running import HERE, NEEDS_MODULES, need_modules, run

FILES = sorted(path.name for path in HERE.glob("*.test.js"))


def test_the_files_are_found():
    assert len(FILES) >= 4


@pytest.mark.parametrize("file", FILES)
def test_node(file):
    if file in NEEDS_MODULES:
        need_modules()
    ran, failed, output = run([file])
    assert ran, output
    assert re.search(r"^# skipped 0$", output, re.M), output
    assert not failed, _failures(output)


def _failures(output: str) -> str:
    """The failed tests with what is said about them, without the hundred that passed."""
    blocks = re.findall(r"^ *not ok .*?^ *\.\.\.$", output, re.M | re.S)
    return "\n".join(blocks) or output
