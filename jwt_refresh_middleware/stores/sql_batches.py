"""Steps that wait while others are under way go together: many rotations in one statement and one commit."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from .base import Advance
from .sql_connections import give_up
from .sql_statements import Outcome

_MOST = 256
_AT_ONCE = 1
_PATIENCE = 0.5
"""Seconds after which a batch that is under way does not hold up the next one any longer."""

Execute = Callable[[Sequence[Advance]], Awaitable[list[Outcome]]]
Start = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class _Job:
    __slots__ = ("batch", "future", "step")

    def __init__(self, step: Advance, future: "asyncio.Future[Outcome]") -> None:
        self.step = step
        self.future = future
        self.batch: _Batch | None = None


class _Batch:
    __slots__ = ("holds", "interested", "jobs", "task", "timer")

    def __init__(self, jobs: list[_Job]) -> None:
        self.jobs = jobs
        self.interested = len(jobs)
        self.holds = True
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None


class Batches:
    """Runs steps, several at a time. One that comes alone goes out at once; two of a session are never together."""

    def __init__(self, execute: Execute, start: Start) -> None:
        """``execute``: does a batch. ``start``: makes a task."""
        self._execute = execute
        self._start = start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reset()

    def _reset(self) -> None:
        self._next: dict[str, _Job] = {}
        self._later: deque[_Job] = deque()
        self._under_way = 0

    async def run(self, step: Advance) -> Outcome:
        """The outcome of a step, once it is durable."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # what waits in another one waits for ever: it is gone
            self._loop = loop
            self._reset()
        job = _Job(step, loop.create_future())
        if step.session_id in self._next:
            self._later.append(job)
        else:
            self._next[step.session_id] = job
            if self._under_way < _AT_ONCE:
                self._send()
        try:
            return await job.future
        except asyncio.CancelledError:
            self._leave(job)
            raise

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        while self._loop is asyncio.get_running_loop() and (self._next or self._later):
            await asyncio.wait([job.future for job in (*self._next.values(), *self._later)])

    def _send(self) -> None:
        """The next batch, if there is something to do and room for it."""
        while self._next and self._under_way < _AT_ONCE:
            waiting = [job for job in self._next.values() if not job.future.done()]
            jobs, rest = waiting[:_MOST], waiting[_MOST:]
            self._next = {job.step.session_id: job for job in rest}
            later, self._later = self._later, deque()
            for job in later:
                if job.step.session_id in self._next:
                    self._later.append(job)
                else:
                    self._next[job.step.session_id] = job
            if jobs:
                self._go(_Batch(jobs))

    def _go(self, batch: _Batch) -> None:
        assert self._loop is not None
        for job in batch.jobs:
            job.batch = batch
        self._under_way += 1
        batch.timer = self._loop.call_later(_PATIENCE, self._release, batch)
        batch.task = self._start(self._run(batch))

    async def _run(self, batch: _Batch) -> None:
        jobs = batch.jobs
        try:
            outcomes = await self._execute([job.step for job in jobs])
            for job, outcome in zip(jobs, outcomes, strict=True):
                if not job.future.done():
                    job.future.set_result(outcome)
        except Exception as error:  # noqa: BLE001  whatever it was, everybody in the batch learns it
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)
        finally:
            for job in jobs:
                job.future.cancel()  # of those that nobody has answered: this task was cancelled
            # Those who were answered have their turn first, so that they are in the next batch too.
            asyncio.get_running_loop().call_soon(self._release, batch)

    def _leave(self, job: _Job) -> None:
        """Somebody does not wait any longer. When nobody does, the batch is given up."""
        batch = job.batch
        if batch is not None:
            batch.interested -= 1
            if not batch.interested and batch.task is not None and not batch.task.done():
                give_up(batch.task)
                self._release(batch)

    def _release(self, batch: _Batch) -> None:
        """A batch does not hold up the next one any longer."""
        if batch.holds:
            batch.holds = False
            if batch.timer is not None:
                batch.timer.cancel()
            if self._loop is asyncio.get_running_loop():
                self._under_way -= 1
                self._send()
