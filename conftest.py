"""The Python blocks of README.md and docs/ run as tests, each page in a directory and a namespace of its own.

A block may ``await`` at its top level. What it awaits runs in one event loop per page, in a thread: the main thread
may have a running loop already (a browser driven by playwright leaves one).
"""

import ast
import inspect
import os
import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, SkipParser

_PAGE = "_page"


class Page:
    """What the blocks of one page share beside their names."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def open(self) -> None:
        """A directory to leave files in, and a secret in the environment."""
        environment = self._stack.enter_context(pytest.MonkeyPatch.context())
        environment.chdir(self._stack.enter_context(tempfile.TemporaryDirectory()))
        environment.setenv("AUTH_SECRET", secrets.token_urlsafe(32))

    @property
    def portal(self) -> BlockingPortal:
        """Runs coroutines; started with the first block that awaits something."""
        if self._portal is None:
            self._portal = self._stack.enter_context(start_blocking_portal())
        return self._portal

    def close(self) -> None:
        """Stop the event loop, go back and clean up."""
        self._stack.close()


def _setup(namespace: dict[str, Any]) -> None:
    namespace[_PAGE] = page = Page()
    page.open()


def _teardown(namespace: dict[str, Any]) -> None:
    namespace[_PAGE].close()


def _evaluate(example: Example) -> None:
    source = "\n" * (example.line + example.parsed.line_offset) + example.parsed
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, os.fspath(Path(example.path)), "exec", flags=flags, dont_inherit=True)
    if not code.co_flags & inspect.CO_COROUTINE:
        exec(code, example.namespace)  # noqa: S102  our own pages
        return

    async def run() -> None:
        await eval(code, example.namespace)  # noqa: S307

    example.namespace[_PAGE].portal.call(run)


pytest_collect_file = Sybil(
    parsers=[CodeBlockParser(language="python", evaluator=_evaluate), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    setup=_setup,
    teardown=_teardown,
).pytest()
