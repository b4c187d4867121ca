"""The messages of one WebSocket, for an app that can be woken up while it waits for the next."""

import asyncio
from collections.abc import Callable

from starlette.types import Message, Receive

_MOST_KEPT, _MOST_CHARACTERS = 16, 65_536
"""So many messages, with so many characters or bytes, are read before the app asks for them; then it has to."""


class Inbox:
    """Gives the app what the server has received, less what is taken before.

    No task is kept for it: whoever asks waits in their own task, which is cancelled to wake it up and goes on here.
    What is read ahead is read by a task that is left alone when whoever waits for it is cancelled: no message is lost.

    Attributes:
        is_eager: whether messages are read before the app asks for them.
    """

    __slots__ = ("_ahead", "_is_shut", "_kept", "_receive", "_take", "_waiting", "is_eager")

    def __init__(self, receive: Receive, take: Callable[[Message], bool]) -> None:
        """``take``: whether a message is none of the app's. It is asked once or twice, and may shut the inbox."""
        self._receive = receive
        self._take = take
        self._waiting: set[asyncio.Task[object]] = set()
        self._kept: list[asyncio.Task[Message]] = []
        self._ahead: asyncio.Task[Message] | None = None
        self._is_shut = False
        self.is_eager = False

    async def get(self) -> Message | None:
        """The next message for the app; None as soon as the inbox is shut."""
        while not self._is_shut:
            message = await self._wait()
            if message is not None and not self._take(message):
                self.look()
                return message
        return None

    def shut(self) -> None:
        """There is nothing more to come: whoever waits goes on without a message."""
        self._is_shut, self.is_eager = True, False
        self._take = _everything  # and no longer who has this inbox: a circle would be left to the garbage collector
        if self._ahead is not None:
            self._ahead.cancel()
        for task in self._waiting:
            task.cancel()

    def look(self) -> None:
        """Read ahead if that is wanted, nobody is waiting for messages, and not too many are there."""
        if self.is_eager and self._ahead is None and not self._waiting and self._has_room():
            self._read_ahead()

    def _has_room(self) -> bool:
        if any(step.exception() for step in self._kept):
            return False
        sizes = [len(step.result().get("text") or step.result().get("bytes") or "") for step in self._kept]
        return len(sizes) < _MOST_KEPT and sum(sizes) < _MOST_CHARACTERS

    def _read_ahead(self) -> asyncio.Task[Message]:
        self._ahead = asyncio.create_task(_read(self._receive))
        self._ahead.add_done_callback(self._has_read)
        return self._ahead

    def _has_read(self, step: asyncio.Task[Message]) -> None:
        self._ahead = None
        if not step.cancelled() and not self._is_shut:
            if step.exception() is not None or not self._take(step.result()):
                self._kept.append(step)
            self.look()

    async def _next(self) -> Message:
        while not self._kept:
            if self._ahead is None and not self.is_eager:
                return await self._receive()
            await asyncio.wait([self._ahead or self._read_ahead()])
        return self._kept.pop(0).result()

    async def _wait(self) -> Message | None:
        """The next message; None if the inbox is shut meanwhile."""
        task = asyncio.current_task()
        assert task is not None
        cancelled_before = task.cancelling()
        self._waiting.add(task)
        try:
            message = await self._next()
            if self._is_shut:
                await asyncio.sleep(0)  # if the task is still to be cancelled, that is now
            return message
        except asyncio.CancelledError:
            if not self._is_shut or task.cancelling() > cancelled_before + 1:  # by somebody else, perhaps as well
                raise
        except Exception:
            if not self._is_shut:
                raise
        finally:
            self._waiting.discard(task)
            if self._is_shut:
                task.uncancel()
        return None


def _everything(_message: Message) -> bool:
    return True


async def _read(receive: Receive) -> Message:
    return await receive()
