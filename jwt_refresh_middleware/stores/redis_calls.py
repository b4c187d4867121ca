"""How commands get to Redis: all that wait for one server share a round trip; in a cluster each finds its own way."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError

from .redis_rows import Script

_BATCH = 256
_AT_ONCE = 2
_MUCH = 8
_BYTES: dict[str, Any] = {"NEVER_DECODE": []}
"""Answers come as bytes, whatever the client does otherwise."""


class Call(NamedTuple):
    """One command.

    Attributes:
        words: the command, or the keys and arguments of a script.
        script: the script, None for a command.
        keys: how many of the words are the script's keys.
        writes: whether it changes anything.
    """

    words: tuple[Any, ...]
    script: Script | None = None
    keys: int = 1
    writes: bool = False

    def short(self) -> tuple[Any, ...]:
        """The command; a script by its name."""
        return as_utf8(self.words if self.script is None else ("EVALSHA", self.script.sha, self.keys, *self.words))

    def long(self) -> tuple[Any, ...]:
        """The same with the text of the script, which the server does not know: it has been restarted, say."""
        return as_utf8(self.words if self.script is None else ("EVAL", self.script.text, self.keys, *self.words))


def as_utf8(words: Sequence[Any]) -> tuple[Any, ...]:
    """The same command, whatever encoding the client writes text in. It looks at the command's name itself."""
    return (words[0], *[word.encode() if type(word) is str else word for word in words[1:]])


class Waiting(NamedTuple):
    """A call and who waits for its answer."""

    call: Call
    answer: "asyncio.Future[Any]"


class Trip:
    """Calls that share a round trip, and the time that is left for it."""

    def __init__(self, batch: Sequence[Waiting]) -> None:
        self.batch = batch
        self.limit = asyncio.timeout(None)


class Calls:
    """Calls to one server, in pipelines.

    One is under way at a time, and what comes meanwhile is in the next. If much comes meanwhile, a second one is: then
    the server works on one while this process works on what the other has brought.
    """

    def __init__(self, client: Redis, *, timeout: float, wait_replicas: int, wait_timeout: float) -> None:
        """Times in seconds; ``timeout``: how long a pipeline may take, before its connection is given up."""
        self._client = client
        self._timeout = timeout
        self._wait = ("WAIT", wait_replicas, max(1, int(wait_timeout * 1000))) if wait_replicas else None
        self._wait_replicas = wait_replicas
        self._waiting: deque[Waiting] = deque()
        self._trips: set[Trip] = set()
        self._drivers: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, call: Call) -> "asyncio.Future[Any]":
        """What the server answers. Its own error comes back, and that of the connection to all that are on it."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # another one has ended in the middle of something: nobody waits there any more
            self._loop, self._trips, self._drivers = loop, set(), set()
            self._waiting.clear()
        answer: asyncio.Future[Any] = loop.create_future()
        answer.add_done_callback(self._look)
        self._waiting.append(Waiting(call, answer))
        if not self._drivers or (len(self._drivers) < _AT_ONCE and len(self._waiting) >= _MUCH):
            self._drivers.add(loop.create_task(self._drive()))
        return answer

    async def finish(self) -> None:
        """Wait for what is under way."""
        while self._drivers and self._loop is asyncio.get_running_loop():
            await asyncio.wait(self._drivers)

    def _look(self, answer: "asyncio.Future[Any]") -> None:
        """Nobody waits any more for what is under way: its connection is given up, so that others need not wait."""
        if not answer.cancelled():
            return
        for trip in self._trips:
            if not trip.limit.expired() and all(waiting.answer.done() for waiting in trip.batch):
                trip.limit.reschedule(asyncio.get_running_loop().time())

    async def _drive(self) -> None:
        drivers, waits = self._drivers, self._waiting
        try:
            while waits:
                await self._answer(Trip([waits.popleft() for _ in range(min(_BATCH, len(waits)))]))
                # Those who were answered have their turn first: what they ask for next shares the next round trip.
                await asyncio.sleep(0)
        finally:
            drivers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _answer(self, trip: Trip) -> None:
        batch = trip.batch
        self._trips.add(trip)
        try:
            async with trip.limit:
                trip.limit.reschedule(asyncio.get_running_loop().time() + self._timeout)
                answers = await self._send([waiting.call.short() for waiting in batch], batch)
                unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
                if unknown:
                    again = [batch[number] for number in unknown]
                    second = await self._send([waiting.call.long() for waiting in again], again)
                    for number, answer in zip(unknown, second, strict=True):
                        answers[number] = answer
                if any(isinstance(answer, ReadOnlyError) for answer in answers):
                    # A replica since a fail-over. It keeps the connection; a new one may lead to the new master.
                    await self._client.connection_pool.disconnect(inuse_connections=False)
        except Exception as error:  # noqa: BLE001  whatever it is, it is for those who asked
            answers = [ConnectionError(f"{type(error).__name__}: {error}") for _ in batch]
        finally:
            self._trips.discard(trip)
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():  # cancelled; it happened all the same
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)

    async def _send(self, commands: Sequence[tuple[Any, ...]], batch: Sequence[Waiting]) -> list[Any]:
        waits = self._wait is not None and any(waiting.call.writes for waiting in batch)
        async with self._client.pipeline(transaction=False) as pipeline:
            for words in commands:
                pipeline.execute_command(*words, **_BYTES)
            if waits and self._wait is not None:
                pipeline.execute_command(*self._wait)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        if waits:
            reached = answers.pop()
            if not isinstance(reached, int) or reached < self._wait_replicas:
                late = f"{reached} of {self._wait_replicas} replicas have the write"
                return [
                    RedisError(late) if waiting.call.writes and not isinstance(answer, Exception) else answer
                    for waiting, answer in zip(batch, answers, strict=True)
                ]
        return answers


class ClusterCalls:
    """Calls to a cluster: each on its own to the server that has its key."""

    def __init__(self, client: RedisCluster, *, timeout: float) -> None:
        """``timeout``: seconds that a call may take."""
        self._client = client
        self._timeout = timeout

    async def run(self, call: Call) -> Any:
        """What the server answers."""
        async with asyncio.timeout(self._timeout):
            try:
                return await self._client.execute_command(*call.short(), **_BYTES)
            except NoScriptError:
                return await self._client.execute_command(*call.long(), **_BYTES)

    async def finish(self) -> None:
        """Nothing is under way that nobody waits for."""
