"""What the recorded process does: ``python -m tests.powerloss.workload``, with a ``Task`` as JSON on its input.

Clients log in, refresh, ask again for an answer that was lost, acknowledge and end sessions, each by whichever of two
workers it meets: issuers with stores of their own over one file. In the middle the workers stop and start again, so
that the write-ahead log is deleted and made anew. At the end the process goes without closing anything.
"""

import asyncio
import ctypes
import itertools
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import NamedTuple, Self

from jwt_refresh_middleware import Device, DevicePolicy, Issuer, TokenPair
from jwt_refresh_middleware.errors import AuthError, RefreshInvalid
from jwt_refresh_middleware.stores.group_commit import Kind
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from jwt_refresh_middleware.testing import Clock

from .model import SECRET, Effect, Known, Mark, Model, successor

DATABASE = "sessions.db"
DEVICE = Device(ip="203.0.113.7", user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
LEEWAY = 10.0
_CHECKPOINT_PAGES = 12
"""So that the main file is written to all the time; 1000 by default."""

Deed = Callable[[Known], Awaitable[None]]


class Task(NamedTuple):
    """One life of the process.

    Attributes:
        level: of ``PRAGMA synchronous``; FULL leaves the store as it is.
        seed: of what the clients do.
        clients: how many there are.
        steps: what each of them does in each half of the life.
        marks: all of earlier lives, which the clients remember.
        path: the database.
    """

    level: str
    seed: int
    clients: int
    steps: int
    marks: list[Mark]
    path: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        return cls(*json.loads(text))


def make_issuer(path: str, clock: Clock) -> Issuer:
    """An issuer as any, but that its background rounds do not come, and that its access tokens outlive the tests."""
    return Issuer(
        SECRET,
        SQLiteStore(path),
        access_ttl=timedelta(days=2),
        reuse_leeway=timedelta(seconds=LEEWAY),
        device_policy=DevicePolicy(refresh_rate=None),
        clock=clock,
        sync_interval=timedelta(days=1),
    )


async def start_worker(path: str, level: str, clock: Clock) -> Issuer:
    """An issuer whose store writes as durably as ``level`` says: FULL is what it does by itself."""
    issuer = make_issuer(path, clock)
    await issuer.open()
    pragmas = f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES};"
    if level != "FULL":
        pragmas += f"PRAGMA synchronous = {level};"
    await store_of(issuer)._run(lambda db: db.executescript(pragmas).close(), Kind.READ)
    return issuer


def store_of(issuer: Issuer) -> SQLiteStore:
    store = issuer.backing.store
    assert isinstance(store, SQLiteStore)
    return store


class Recorded:
    """Does operations, and notes in the recorder's log when each began and when its call had returned."""

    def __init__(self, task: Task) -> None:
        self.model = Model(task.marks)
        self.clock = Clock(self.model.now or Clock().now)
        self.workers: list[Issuer] = []
        self.chance = random.Random(task.seed)
        self._numbers = itertools.count(max((mark["number"] for mark in task.marks), default=0) + 1)
        self._mark = ctypes.CDLL(None).recorder_mark

    def _note(self, mark: Mark) -> None:
        self._mark(json.dumps(mark).encode())
        self.model.apply(mark)

    def issuer(self) -> Issuer:
        return self.chance.choice(self.workers)

    async def do(
        self,
        what: str,
        subject: str,
        work: Awaitable[object],
        effects: list[Effect],
        *,
        perhaps: Sequence[Effect] = (),
        raises: bool = False,
    ) -> bool:
        """Whether it was done. ``perhaps``: what else it may do; ``raises``: to be refused is an answer too."""
        mark = Mark(number=next(self._numbers), what=what, subject=subject, effects=effects, perhaps=list(perhaps))
        self._note(mark | Mark(returned=False, at=self.clock.now))
        try:
            answer = await work
        except AuthError as error:
            if not (raises and isinstance(error, RefreshInvalid)):
                raise
            self._note(mark | Mark(returned=True, at=self.clock.now, effects=[]))
            return False
        if isinstance(answer, TokenPair):
            mark["refresh_token"], mark["access_token"] = answer.refresh_token, answer.access_token
            mark["effects"] = effects or [(answer.session.id, "generation", 0)]
        self._note(mark | Mark(returned=True, at=self.clock.now))
        return True


class Client:
    """Somebody with one session at a time, who always presents the newest token."""

    def __init__(self, recorded: Recorded, subject: str) -> None:
        self._recorded = recorded
        self._subject = subject
        self._session_id = next((name for name, known in self._mine().items() if not known.least["ended"]), "")
        self._retries = bool(self._session_id)

    def _mine(self) -> dict[str, Known]:
        sessions = self._recorded.model.sessions
        return {name: known for name, known in sessions.items() if known.subject == self._subject}

    async def step(self) -> None:
        """One thing that a client may do."""
        if self._session_id:
            await self._step(self._recorded.model.sessions[self._session_id])
        else:
            await self._login()

    async def _step(self, known: Known) -> None:
        generation = known.least["generation"]
        if known.most["late"] == generation > known.least["acknowledged"]:
            await self._acknowledge(known)  # who gets an answer late uses it: two late ones in a row look like theft
        elif self._retries:
            await self._refresh(known)
        else:
            deeds = self._usual(known)
            (deed,) = self._recorded.chance.choices(list(deeds), list(deeds.values()))
            await deed(known)

    def _usual(self, known: Known) -> dict[Deed, int]:
        """What may come next, and how often."""
        deeds: dict[Deed, int] = {
            self._refresh: 14,
            self._acknowledge: 3,
            self._logout: 1,
            self._logout_all: 1,
            self._race: 1,
        }
        if known.most["acknowledged"] < known.least["generation"] > 0:
            deeds[self._late] = 3
        return deeds

    async def _login(self) -> None:
        before = set(self._mine())
        work = self._recorded.issuer().login(self._subject, device=DEVICE)
        await self._recorded.do("login", self._subject, work, [])
        (self._session_id,) = set(self._mine()) - before

    async def _refresh(self, known: Known) -> None:
        work = self._recorded.issuer().refresh(known.refresh_token, device=DEVICE)
        to = known.least["generation"] + 1
        # What is retried after a crash may be a repeat, and by now a late one.
        perhaps = [(self._session_id, "late", to)] if self._retries else []
        self._retries = False
        done = await self._recorded.do(
            "refresh",
            self._subject,
            work,
            [(self._session_id, "generation", to)],
            perhaps=perhaps,
            raises=bool(known.most["ended"]),  # by a race, or by a crash while it was being ended
        )
        if not done:
            self._session_id = ""

    async def _late(self, known: Known) -> None:
        """The token before, after the leeway, since the answer to it was lost."""
        self._recorded.clock.advance(LEEWAY + 1)
        work = self._recorded.issuer().refresh(successor(known.refresh_token, -1), device=DEVICE)
        effects = [(self._session_id, "late", known.least["generation"])]
        await self._recorded.do("late repeat", self._subject, work, effects)

    async def _acknowledge(self, known: Known) -> None:
        generation = known.least["generation"]
        work = store_of(self._recorded.issuer()).acknowledge({self._session_id: generation})
        await self._recorded.do("acknowledge", self._subject, work, [(self._session_id, "acknowledged", generation)])

    async def _logout(self, known: Known) -> None:
        session_id, self._session_id = self._session_id, ""
        work = self._recorded.issuer().logout(known.refresh_token)
        await self._recorded.do("logout", self._subject, work, [(session_id, "ended", 1)])

    async def _logout_all(self, known: Known) -> None:
        self._session_id = ""
        work = self._recorded.issuer().logout_all(self._subject)
        effects = [(session_id, "ended", 1) for session_id in self._mine()]
        await self._recorded.do("logout of all", self._subject, work, effects)

    async def _race(self, known: Known) -> None:
        """A refresh while the session is ended: by the other worker, or in the same transaction."""
        await asyncio.gather(self._logout_by_another(known), self._refresh(known))
        self._session_id = ""

    async def _logout_by_another(self, known: Known) -> None:
        session_id = self._session_id
        work = self._recorded.issuer().logout(known.refresh_token)
        await self._recorded.do("logout", self._subject, work, [(session_id, "ended", 1)])


async def live(task: Task) -> None:
    """A while with one client alone, a while with all of them, a restart of the workers, and once more."""
    recorded = Recorded(task)
    clients = [Client(recorded, f"user-{number}") for number in range(task.clients)]

    async def go_on(client: Client, steps: int) -> None:
        for _ in range(steps):
            await client.step()

    for is_last in (False, True):
        async with AsyncExitStack() as running:
            recorded.workers = [await start_worker(task.path, task.level, recorded.clock) for _ in range(2)]
            for worker in recorded.workers:
                running.push_async_callback(worker.aclose)
            await go_on(clients[0], task.steps)
            await asyncio.gather(*(go_on(client, task.steps) for client in clients))
            if is_last:
                os._exit(0)  # as the power does


if __name__ == "__main__":
    asyncio.run(live(Task.read(sys.stdin.read())))
