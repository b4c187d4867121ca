"""Servers that may be killed, and the proof that nothing was left behind."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ..kinds import Servers
from ..servers import DatabaseServer, MariaDB, Postgres, Redis
from .crowd import until

_KINDS: dict[str, Callable[[], DatabaseServer]] = {
    "redis": Redis,
    "postgresql": Postgres,
    # As the documentation says: who has vanished in the middle of a rotation holds the lock of its row for so long.
    "mariadb": lambda: MariaDB("--idle-transaction-timeout=2"),
}
_MORE_FILES = 5
"""How many descriptors a test may leave open: those that are opened once for all."""


class OwnServers:
    """Apart from those that other tests share."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._started: dict[str, Any] = {}

    def __getitem__(self, kind: str) -> Any:
        """The server of a kind, running."""
        if reason := Servers.missing(kind):
            pytest.skip(reason)
        if kind not in self._started:
            self._started[kind] = self._stack.enter_context(_KINDS[kind]())
        return self._started[kind]

    @staticmethod
    def another(kind: str) -> Any:
        """One that a test may use up."""
        if reason := Servers.missing(kind):
            pytest.skip(reason)
        return _KINDS[kind]()

    def mend(self) -> None:
        """Whatever the last test has done."""
        for server in self._started.values():
            server.resume()
            if server.process is None:
                server.start()


@pytest.fixture(scope="session")
def started() -> Iterator[OwnServers]:
    with ExitStack() as stack:
        yield OwnServers(stack)


@pytest.fixture
def own(started: OwnServers) -> Iterator[OwnServers]:
    yield started
    started.mend()


@pytest.fixture
def server(kind: str, own: OwnServers) -> Any:
    """The server of the ``kind`` that the test is parametrized with."""
    return own[kind]


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """After the test: no task, no open connection, no exception that nobody took note of."""
    loop, unheard = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: unheard.append(f"{context}"))
    files, tasks = _open_files(), asyncio.all_tasks()
    yield

    def over() -> bool:
        return asyncio.all_tasks() <= tasks | {asyncio.current_task()} and _open_files() <= files + _MORE_FILES

    try:
        await until(over, "the end of all tasks and connections", 3)
    except AssertionError:
        left = asyncio.all_tasks() - tasks
        raise AssertionError(f"{_open_files() - files} more open files, tasks: {[*left]}") from None
    gc.collect()  # what was not closed, or not heard, says so now
    await asyncio.sleep(0)
    assert not unheard, unheard
