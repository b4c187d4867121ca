"""One start for many callers, and one deadline for many waits."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from jwt_refresh_middleware.concurrency import Deadline, SingleFlight

LONG = 60.0


class Start:
    """Counts its runs; they last until they are let go, and fail if told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.runs = 0
        self.fails = fails
        self.go_on = asyncio.Event()

    async def __call__(self) -> None:
        self.runs += 1
        await self.go_on.wait()
        if self.fails:
            raise OSError("cannot be opened")


async def test_callers_at_the_same_time_share_a_run_and_later_ones_begin_another() -> None:
    flight, start = SingleFlight(), Start()
    callers = [asyncio.create_task(flight.run(start)) for _ in range(10)]
    await asyncio.sleep(0)
    start.go_on.set()
    await asyncio.gather(*callers)
    assert start.runs == 1
    await flight.run(start)
    assert start.runs == 2


async def test_a_failure_is_everybodys_and_the_next_caller_tries_again() -> None:
    flight, start = SingleFlight(), Start(fails=True)
    start.go_on.set()
    answers = await asyncio.gather(*(flight.run(start) for _ in range(10)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError] * 10
    assert start.runs == 1
    start.fails = False
    await flight.run(start)
    assert start.runs == 2


async def test_a_caller_that_gives_up_takes_nobody_along() -> None:
    flight, start = SingleFlight(), Start()
    impatient, patient = (asyncio.create_task(flight.run(start)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait([impatient])
    start.go_on.set()
    await patient
    assert (start.runs, impatient.cancelled()) == (1, True)


def test_a_run_of_a_loop_that_is_gone_is_forgotten() -> None:
    flight = SingleFlight()

    async def stays() -> None:
        await asyncio.sleep(LONG)

    async def is_left() -> None:
        task = asyncio.create_task(flight.run(stays))
        await asyncio.sleep(0)
        task.cancel()

    async def works() -> None:
        start = Start()
        start.go_on.set()
        await asyncio.wait_for(flight.run(start), 5)
        assert start.runs == 1

    asyncio.run(is_left())
    asyncio.run(works())


async def _answers() -> str:
    await asyncio.sleep(0)
    return "here"


async def _fails() -> str:
    await asyncio.sleep(0)
    raise KeyError("mine")


async def test_what_answers_in_time_is_handed_on() -> None:
    deadline = Deadline(LONG)
    assert await deadline.wait(_answers()) == "here"
    with pytest.raises(KeyError):
        await deadline.wait(_fails())
    assert await asyncio.gather(*(deadline.wait(_answers()) for _ in range(5))) == ["here"] * 5


async def test_what_takes_too_long_ends_in_time_and_only_that() -> None:
    deadline, go_on = Deadline(0.8), asyncio.Event()
    slow = [asyncio.create_task(deadline.wait(asyncio.sleep(LONG))) for _ in range(3)]
    await asyncio.sleep(0.4)
    later = asyncio.create_task(deadline.wait(go_on.wait()))
    done, _ = await asyncio.wait(slow, timeout=10)
    go_on.set()
    assert [type(task.exception()) for task in done] == [TimeoutError] * 3
    assert await later is True
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await Deadline(0.01).wait(asyncio.sleep(LONG))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_who_is_cancelled_is_not_told_of_a_deadline() -> None:
    task = asyncio.create_task(Deadline(LONG).wait(asyncio.sleep(LONG)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_deadline_works_in_the_next_loop_too() -> None:
    deadline = Deadline(0.02)

    async def run() -> None:
        assert await deadline.wait(_answers()) == "here"
        with pytest.raises(TimeoutError):
            await deadline.wait(asyncio.sleep(LONG))

    for _ in range(2):
        asyncio.run(run())


def test_a_wait_that_was_left_in_a_loop_that_is_gone_disturbs_nobody() -> None:
    deadline = Deadline(0.02)

    async def is_left() -> None:
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
        await deadline.wait(asyncio.sleep(LONG))

    loop = asyncio.new_event_loop()
    left = loop.create_task(is_left())
    loop.run_forever()

    async def run() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await deadline.wait(asyncio.sleep(LONG))

    asyncio.run(run())
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(left)
    loop.close()


async def _converts() -> str:
    """What a driver may do with a cancellation."""
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        raise ConnectionError("the connection was lost") from None
    return ""


async def _swallows() -> str:
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        return "after all"
    return ""


@pytest.mark.parametrize("answer", [_converts, _swallows])
async def test_a_driver_that_handles_the_cancellation_leaves_the_task_uncancelled(
    answer: Callable[[], Awaitable[str]],
) -> None:
    """As after :func:`asyncio.timeout`: a request that goes on must not be taken for a cancelled one later."""
    task = asyncio.current_task()
    assert task is not None
    with suppress(ConnectionError, TimeoutError):
        assert await Deadline(0.01).wait(answer()) == "after all"
    assert task.cancelling() == 0
