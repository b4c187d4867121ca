"""How commands get to Redis: all that wait for one server share a round trip; in a cluster each finds its own way."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError

from .redis_rows import Script

_BATCH = 256
_AT_ONCE = 64
_FOR_OTHERS = 2
"""Connections of a cluster's client that are left for the feed and for cleaning."""
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


class Calls:
    """Calls to one server. One pipeline is under way at a time; what comes meanwhile is in the next."""

    def __init__(self, client: Redis, *, timeout: float, wait_replicas: int, wait_timeout: float) -> None:
        """Times in seconds; ``timeout``: how long a pipeline may take, before its connection is given up."""
        self._client = client
        self._timeout = timeout
        self._wait = ("WAIT", wait_replicas, max(1, int(wait_timeout * 1000))) if wait_replicas else None
        self._wait_replicas = wait_replicas
        self._waiting: deque[Waiting] = deque()
        self._batch: Sequence[Waiting] = ()
        self._limit: asyncio.Timeout | None = None
        self._driver: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, call: Call) -> "asyncio.Future[Any]":
        """What the server answers. Its own error comes back, and that of the connection to all that are on it."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # another one has ended in the middle of something: nobody waits there any more
            self._loop, self._driver, self._batch, self._limit = loop, None, (), None
            self._waiting.clear()
        answer: asyncio.Future[Any] = loop.create_future()
        answer.add_done_callback(self._look)
        self._waiting.append(Waiting(call, answer))
        if self._driver is None:
            self._driver = loop.create_task(self._drive())
        return answer

    async def finish(self) -> None:
        """Wait for what is under way."""
        while self._driver is not None and self._loop is asyncio.get_running_loop():
            await asyncio.wait([self._driver])

    def _look(self, answer: "asyncio.Future[Any]") -> None:
        """Nobody waits any more for what is under way: its connection is given up, so that others need not wait."""
        limit = self._limit
        if not answer.cancelled() or limit is None or limit.expired():
            return
        if all(waiting.answer.done() for waiting in self._batch):
            limit.reschedule(asyncio.get_running_loop().time())

    async def _drive(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                await self._answer(batch)
                # Those who were answered have their turn first: what they ask for next shares the next round trip.
                await asyncio.sleep(0)
        finally:
            self._driver = None

    async def _answer(self, batch: Sequence[Waiting]) -> None:
        self._batch = batch
        try:
            async with asyncio.timeout(self._timeout) as self._limit:
                answers = await self._send([waiting.call.short() for waiting in batch], batch)
                unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
                if unknown:
                    again = [batch[number] for number in unknown]
                    second = await self._send([waiting.call.long() for waiting in again], again)
                    for number, answer in zip(unknown, second, strict=True):
                        answers[number] = answer
                if any(map(_is_from_a_replica, answers)):
                    # A replica since a fail-over. It keeps the connection; a new one may lead to the new master.
                    await self._client.connection_pool.disconnect(inuse_connections=False)
        except Exception as error:  # noqa: BLE001  whatever it is, it is for those who asked
            answers = [ConnectionError(f"{type(error).__name__}: {error}") for _ in batch]
        finally:
            self._limit = None
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


def _is_from_a_replica(answer: Any) -> bool:
    """Redis before 7 wraps what a script met into a message of its own."""
    return isinstance(answer, ResponseError) and (isinstance(answer, ReadOnlyError) or "READONLY" in str(answer))


class ClusterCalls:
    """Calls to a cluster: each on its own to the server that has its key.

    No more at once than the client has connections for: it refuses those that come when all are taken.
    """

    def __init__(self, client: RedisCluster, *, timeout: float) -> None:
        """``timeout``: seconds that a call may take."""
        self._client = client
        self._timeout = timeout
        allowed = int(client.connection_kwargs.get("max_connections") or _AT_ONCE)
        self._most = max(1, min(_AT_ONCE, allowed - _FOR_OTHERS))
        self._places = asyncio.Semaphore(self._most)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, call: Call) -> Any:
        """What the server answers."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._places = loop, asyncio.Semaphore(self._most)
        async with asyncio.timeout(self._timeout), self._places:
            try:
                return await self._client.execute_command(*call.short(), **_BYTES)
            except NoScriptError:
                return await self._client.execute_command(*call.long(), **_BYTES)

    async def finish(self) -> None:
        """Nothing is under way that nobody waits for."""
