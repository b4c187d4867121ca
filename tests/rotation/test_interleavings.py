"""Every order in which two requests can reach the store, one operation at a time: luck finds no race, this does."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from itertools import combinations, combinations_with_replacement
from typing import Any

import pytest

from jwt_refresh_middleware import Identity, Issuer, MemoryStore, TokenPair
from jwt_refresh_middleware.errors import TokenError

from .support import FIREFOX, Clock, Listener, acknowledge, make_issuer, outcome

_MOST_OPERATIONS = 4  # of one request; what it needs beyond comes at the end


class Stepping:
    """A store in which each operation waits for its turn: the schedule says whose operation is next."""

    def __init__(self) -> None:
        self._store = MemoryStore()
        self.turns: dict[str, asyncio.Semaphore] = {}

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def in_turn(*args: Any, **kwargs: Any) -> Any:
            task = asyncio.current_task()
            turn = self.turns.get(task.get_name()) if task is not None else None
            if turn is not None:
                await turn.acquire()
            return await method(*args, **kwargs)

        return in_turn


async def _identity(subject: str) -> Identity:
    return Identity(subject)


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def _play(store: Stepping, schedule: tuple[str, ...], *works: Awaitable[Any]) -> list[Any]:
    """Run requests (a, b and so on) so that their operations come in the order of ``schedule``; let them finish."""
    names = "abc"[: len(works)]
    store.turns = {name: asyncio.Semaphore(0) for name in names}
    tasks = [asyncio.create_task(work, name=name) for work, name in zip(works, names, strict=True)]  # type: ignore[arg-type]
    for name in schedule:
        store.turns[name].release()
        await _settle()
    for name in names:
        for _ in range(20):
            store.turns[name].release()
    answers = await asyncio.gather(*tasks)
    store.turns = {}
    return answers


def _schedules() -> Iterator[tuple[str, ...]]:
    """Every order of so many operations of each."""
    total = 2 * _MOST_OPERATIONS
    for positions in combinations(range(total), _MOST_OPERATIONS):
        yield tuple("a" if index in positions else "b" for index in range(total))


class Scene:
    """A session of three generations, and what two clients might do with it at once."""

    def __init__(self, issuer: Issuer, pairs: list[TokenPair]) -> None:
        self.issuer = issuer
        self.pairs = pairs

    @classmethod
    async def of(cls, issuer: Issuer, clock: Clock, *, after: float) -> "Scene":
        pairs = [await issuer.login("ann", device=FIREFOX)]
        for _ in range(2):
            pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=FIREFOX))
        clock.advance(after)
        return cls(issuer, pairs)

    def current(self) -> Awaitable[Any]:
        return outcome(self.issuer, self.pairs[2].refresh_token)

    def previous(self) -> Awaitable[Any]:
        return outcome(self.issuer, self.pairs[1].refresh_token)

    def oldest(self) -> Awaitable[Any]:
        return outcome(self.issuer, self.pairs[0].refresh_token)

    def logout(self) -> Awaitable[Any]:
        return self.issuer.logout(self.pairs[0].refresh_token)

    def logout_all(self) -> Awaitable[Any]:
        return self.issuer.logout_all("ann")


ENDING = {"oldest", "logout", "logout_all"}
PAIRS = [
    ("current", "current"), ("current", "previous"), ("previous", "previous"), ("current", "oldest"),
    ("previous", "oldest"), ("current", "logout"), ("previous", "logout"), ("current", "logout_all"),
    ("oldest", "logout"), ("oldest", "oldest"),
]  # fmt: skip
WORKS = ("current", "previous", "oldest", "logout", "logout_all")
Three = tuple[str, str, str]
_SAMPLE = 25


@pytest.mark.parametrize("options", [{}, {"load_identity": _identity}], ids=["plain", "load_identity"])
@pytest.mark.parametrize("after", [1, 60], ids=["within", "later"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.case("H07", "H08", "H09")
async def test_two_requests_in_every_order(
    clock: Clock, listener: Listener, first: str, second: str, after: float, options: dict[str, Any]
) -> None:
    store = Stepping()
    async with make_issuer(store, clock, listener, **options) as issuer:  # type: ignore[arg-type]
        for schedule in _schedules():
            await listener.names()
            listener.events.clear()
            scene = await Scene.of(issuer, clock, after=after)
            works: list[Callable[[], Awaitable[Any]]] = [getattr(scene, name) for name in (first, second)]
            answers = await _play(store, schedule, works[0](), works[1]())
            new = [answer for answer in answers if isinstance(answer, TokenPair)]
            names = await listener.names()
            assert names.count("reuse_detected") <= 1, "one theft is told of once"
            if {first, second} & ENDING:
                await nothing_lives(scene, new)
            else:
                await one_successor_lives(scene, new, names)
            await issuer.logout_all("ann")


@pytest.mark.parametrize("after", [1, 60], ids=["within", "later"])
@pytest.mark.parametrize("three", [*combinations_with_replacement(WORKS, 3)], ids="-".join)
@pytest.mark.case("H07", "H08", "H09")
async def test_three_requests_in_some_orders(clock: Clock, listener: Listener, three: Three, after: float) -> None:
    """A sample of the 34 650 orders of each three: what two do to one another, the third may be in the middle of."""
    store, sample = Stepping(), random.Random(f"{three} {after}")
    async with make_issuer(store, clock, listener) as issuer:  # type: ignore[arg-type]
        for _ in range(_SAMPLE):
            schedule = [*"abc" * _MOST_OPERATIONS]
            sample.shuffle(schedule)
            await listener.names()
            listener.events.clear()
            scene = await Scene.of(issuer, clock, after=after)
            works: list[Callable[[], Awaitable[Any]]] = [getattr(scene, name) for name in three]
            answers = await _play(store, tuple(schedule), *(work() for work in works))
            new = [answer for answer in answers if isinstance(answer, TokenPair)]
            names = await listener.names()
            assert names.count("reuse_detected") <= 1
            if {*three} & ENDING:
                await nothing_lives(scene, new)
            else:
                await one_successor_lives(scene, new, names, presented=3)
            await issuer.logout_all("ann")


async def nothing_lives(scene: Scene, new: list[TokenPair]) -> None:
    for pair in (*scene.pairs, *new):
        assert await outcome(scene.issuer, pair.refresh_token) == "refresh_invalid"
        with pytest.raises(TokenError):
            acknowledge(scene.issuer, pair)


async def one_successor_lives(scene: Scene, new: list[TokenPair], names: list[str], presented: int = 2) -> None:
    """Unless the owner's refresh made the other token an old one: then it is reuse, and the end."""
    if "reuse_detected" in names:
        await nothing_lives(scene, new)
        return
    assert len(new) == presented, "no false alarm, and nobody is refused"
    assert names.count("rotated") <= 3, "two to begin with, and one now"
    newest = max(new, key=lambda pair: pair.session.generation)
    assert len({pair.refresh_token for pair in new}) == len({pair.session.generation for pair in new})
    assert isinstance(await outcome(scene.issuer, newest.refresh_token), TokenPair)
