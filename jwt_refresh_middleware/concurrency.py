"""One start for many callers: what is opened on first use is opened once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class SingleFlight:
    """Runs a coroutine function once for all callers that come while it runs; a failure is theirs together.

    A run of an event loop that is gone is forgotten. Cancelling a caller does not cancel the run.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def run(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for the run under way, or begin one."""
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = self._task = asyncio.create_task(start())
        await asyncio.shield(task)
