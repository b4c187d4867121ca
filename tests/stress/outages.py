"""Phase: kill -9 of the database server under load. Until it is back: 503, and protected routes as if nothing was."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from ..servers import DatabaseServer, MariaDB, Postgres, Redis
from .client import Client
from .crashes import Losses
from .fleet import Fleet
from .report import Result, Zero
from .setting import Setting, Stopwatch

Database = Redis | Postgres | MariaDB
SERVERS: dict[str, type[Database]] = {"redis": Redis, "postgresql": Postgres, "mariadb": MariaDB}
LONGEST_WAIT = 6.0
"""Seconds in which 503 must come: the issuer's patience with its store is 5."""
_MOST_CLIENTS = 16
_LONGEST_HISTORY = 60

Act = Callable[[DatabaseServer], None]


@dataclass(slots=True)
class Outages:
    """What was seen of all of them."""

    losses: Losses = field(default_factory=Losses)
    outages: int = 0
    refused: int = 0
    used: int = 0
    late: int = 0
    tried: int = 0
    recoveries: list[float] = field(default_factory=list)
    longest: float = 0.0


class _Phase:
    def __init__(self, setting: Setting, fleet: Fleet, database: DatabaseServer, seen: Outages) -> None:
        self._setting = setting
        self._random = setting.dice
        self._fleet = fleet
        self._database = database
        self._seen = seen
        self._away = False
        self._robbed: set[str] = set()
        self.clients: list[Client] = []

    async def login(self) -> None:
        count = min(self._setting.clients, _MOST_CLIENTS)
        self.clients = [Client(self._seen.losses.tally) for _ in range(count)]
        await asyncio.gather(*(client.login(self._setting.any_of(self._fleet)) for client in self.clients))
        for _ in range(2):  # so that there are spent tokens
            await asyncio.gather(*(client.refresh(self._setting.any_of(self._fleet)) for client in self.clients))
        for client in self.clients:  # what a process has seen once it knows by heart; the others check it anew
            await client.use(self._setting.any_of(self._fleet))

    async def outage(self, trial: "Trial", *, hangs: bool = False) -> None:
        """The database dies (or ``hangs``) at some moment, is away for a while and comes back."""
        if trial.before is not None:
            await asyncio.to_thread(trial.before, self._database)
        over = asyncio.Event()
        running = [asyncio.create_task(self._load(client, over)) for client in self.clients]
        await asyncio.sleep(self._random.uniform(0.05, 0.4))
        if hangs:
            self._database.pause()
        else:
            await asyncio.to_thread(self._database.kill)
        self._away = True
        await asyncio.sleep(LONGEST_WAIT + 0.5 if hangs else trial.away)
        self._away = False
        if hangs:
            self._database.resume()
        else:
            await asyncio.to_thread(trial.restart, self._database)
        back = time.monotonic()
        over.set()
        await asyncio.gather(*running)
        self._seen.outages += 1
        await asyncio.gather(*(self._spent(client) for client in self.clients[self._seen.outages % 4 :: 4]))
        await asyncio.gather(*(self._come_back(client) for client in self.clients))
        self._seen.recoveries.append(time.monotonic() - back)
        await self._replace()

    async def _load(self, client: Client, over: asyncio.Event) -> None:
        """Refresh without a pause; if that fails, go on with the access token and try again."""
        while not over.is_set() and not client.ended:
            away = self._away
            answer = await client.refresh(self._setting.any_of(self._fleet))
            if away and self._away and answer is not None:
                self._seen.tried += 1
                self._seen.longest = max(self._seen.longest, answer.seconds)
                in_time = answer.status == 503 and answer.retry_after is not None and answer.seconds <= LONGEST_WAIT
                if not in_time:
                    self._seen.late += 1
                    told = f"{answer.status} after {answer.seconds:.1f} s, Retry-After: {answer.retry_after}"
                    self._seen.losses.tally.example(f"the database away: {told}")
            if answer is None or answer.status != 200:
                await self._use(client)
                await asyncio.sleep(0.02)

    async def _use(self, client: Client) -> None:
        before = client.tally.shut_out
        await client.use(self._setting.any_of(self._fleet))
        self._seen.used += 1
        self._seen.refused += client.tally.shut_out - before

    async def _spent(self, client: Client) -> None:
        """Before the owner is back: somebody tries a token that was spent before the crash."""
        if client.generation >= 2 and not client.ended:
            await self._seen.losses.try_spent(client, self._setting.any_of(self._fleet), client.generation - 2)
            client.ended = True
            self._robbed.add(client.session_id)

    async def _come_back(self, client: Client) -> None:
        if client.session_id not in self._robbed:
            await self._seen.losses.retry(client, self._setting.any_of(self._fleet), pause=0.05)

    async def _replace(self) -> None:
        """Sessions that are over, or have a long history, make room for new ones."""
        for number, client in enumerate(self.clients):
            if client.ended or len(client.history) > _LONGEST_HISTORY:
                client.check_history()
                self.clients[number] = await Client(self._seen.losses.tally).login(self._fleet.servers[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One way of losing a database. ``required``: whether it must be survived without a loss."""

    name: str
    database: Callable[[], Database]
    before: Act | None = None
    restart: Act = DatabaseServer.start
    required: bool = True
    hang: bool = False
    away: float = 0.4
    note: str = ""


async def run(setting: Setting, seconds: float, trial: Trial | None = None) -> Result:
    """By default the database of the setting's kind as it has to be set up."""
    hang = seconds >= 10
    trial = trial or Trial(name="crashes of the database", database=SERVERS[setting.kind], hang=hang)
    result, seen = Result(trial.name, note=trial.note), Outages()
    with ExitStack() as stack:
        database = trial.database()
        await asyncio.to_thread(stack.enter_context, database)
        async with replace(setting, url=database.url).fleet(sync=0.2) as fleet:
            phase = _Phase(setting, fleet, database, seen)
            watch = Stopwatch(seconds)
            await phase.login()
            if trial.hang:
                await phase.outage(trial, hangs=True)
            while watch.goes_on():
                await phase.outage(trial)
            elapsed = watch.elapsed
            seen.losses.rotations_acknowledged = seen.losses.tally.ok
            seen.losses.rotations_lost = (await fleet.counts())["rotations_lost"]
    _write(result, seen, trial, elapsed)
    return result


def _write(result: Result, seen: Outages, trial: Trial, elapsed: float) -> None:
    result.zeros = seen.losses.zeros(required=trial.required)
    if not trial.required:
        result.measured = {"outages": f"{seen.outages}"}
        result.examples = []
        return
    result.zeros += [
        Zero("refreshes without 503 and Retry-After in 6 s, the database away", seen.late, seen.tried),
        Zero("good access tokens refused, the database away", seen.refused, seen.used),
    ]
    result.measured = {
        "outages": f"{seen.outages}{', one of them a hang of 6.5 s' if trial.hang else ''}",
        "longest wait for a 503, s": f"{seen.longest:.2f}",
        "all clients served again after, median / worst s": " / ".join(
            f"{value:.2f}" for value in (sorted(seen.recoveries)[len(seen.recoveries) // 2], max(seen.recoveries))
        ),
    }
    result.about(seen.losses.tally, seconds=elapsed)
