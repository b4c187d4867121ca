"""The inbox on its own, in many random orders: every message reaches the app once and in order, none after the end."""

import asyncio
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from jwt_refresh_middleware.web.inbox import Inbox

Message = dict[str, Any]


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


class Case:
    """A server that says numbers, every third of which is taken, and an app that is often called away."""

    def __init__(self, seed: int, number: int = 40) -> None:
        self.random = Random(seed)
        self.queue: asyncio.Queue[Message] = asyncio.Queue()
        self.inbox = Inbox(self.queue.get, self.take)
        self.number = number
        self.taken: list[int] = []
        self.got: list[int] = []

    def take(self, message: Message) -> bool:
        number = int(message["text"])
        if number % 3 == 2:
            self.taken.append(number)
            self.inbox.is_eager = False
            return True
        return False

    async def serve(self) -> None:
        for number in range(self.number):
            await turns(self.random.randrange(4))
            self.queue.put_nowait({"type": "websocket.receive", "text": str(number)})
            if self.random.random() < 0.3:
                self.inbox.is_eager = True
                self.inbox.look()

    async def ask(self) -> Message | None:
        """Like an app with a time limit, that gives up and asks again."""
        while True:
            asking = asyncio.ensure_future(self.inbox.get())
            if self.random.random() < 0.5:
                await turns(self.random.randrange(5))
                if not asking.done():
                    asking.cancel()
            with suppress(asyncio.CancelledError):
                return await asking

    async def run(self) -> None:
        while len(self.got) < len([n for n in range(self.number) if n % 3 != 2]):
            await turns(self.random.randrange(6))
            message = await self.ask()
            assert message is not None
            self.got.append(int(message["text"]))


@pytest.mark.parametrize("seed", range(100))
async def test_every_message_once_and_in_order(seed: int) -> None:
    case = Case(seed)
    async with asyncio.timeout(20):
        await asyncio.gather(case.serve(), case.run())
        while len(case.taken) < case.number // 3:
            case.inbox.is_eager = True
            case.inbox.look()
            await asyncio.sleep(0)
    assert case.got == [number for number in range(case.number) if number % 3 != 2]
    assert case.taken == [number for number in range(case.number) if number % 3 == 2]
    case.inbox.shut()
    assert await case.inbox.get() is None
    await turns(3)


@pytest.mark.parametrize("seed", range(100))
async def test_shut_at_any_time(seed: int) -> None:
    """Whoever waits goes on, nothing comes after it, and no task is left cancelled."""
    random = Random(seed)
    case = Case(seed)
    ended: list[bool] = []

    async def listen() -> None:
        task = asyncio.current_task()
        assert task is not None
        await turns(random.randrange(4))
        while (message := await case.inbox.get()) is not None:
            case.got.append(int(message["text"]))
            await turns(random.randrange(3))
        await turns(2)
        ended.append(task.cancelling() == 0)

    serving = asyncio.ensure_future(case.serve())
    listening = [asyncio.ensure_future(listen()) for _ in range(random.randrange(1, 4))]
    await turns(random.randrange(60))
    case.inbox.shut()
    before = len(case.got)
    async with asyncio.timeout(20):
        await asyncio.gather(*listening)
    assert ended == [True] * len(listening)
    assert len(case.got) == before
    assert len(set(case.got)) == len(case.got)
    serving.cancel()
    await asyncio.wait([serving])


def keeps_all(_message: Message) -> bool:
    return False


async def test_after_a_message_that_was_waited_for_the_next_is_read_ahead() -> None:
    queue: asyncio.Queue[Message] = asyncio.Queue()
    inbox = Inbox(queue.get, keeps_all)
    waiting = asyncio.ensure_future(inbox.get())
    await turns(1)
    inbox.is_eager = True
    inbox.look()
    for text in ("one", "two"):
        queue.put_nowait({"type": "websocket.receive", "text": text})
        await turns(5)
    assert (await waiting or {})["text"] == "one"
    assert queue.empty(), "nobody has asked for the second one"
    assert (await inbox.get() or {})["text"] == "two"
    inbox.shut()


async def test_after_a_failure_nothing_more_is_read_ahead(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[int] = []

    async def fails() -> Message:
        asked.append(1)
        raise ConnectionResetError

    inbox = Inbox(fails, keeps_all)
    inbox.is_eager = True
    inbox.look()
    await turns(5)
    inbox.look()
    await turns(5)
    assert (asked, caplog.records) == ([1], [])
    with pytest.raises(ConnectionResetError):
        await inbox.get()
    inbox.shut()
