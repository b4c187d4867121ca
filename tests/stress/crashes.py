"""Phase: kill -9 of a server process, around its commits and at any moment, while everybody refreshes."""

import asyncio
from dataclasses import dataclass, field

from .client import Client, Tally, acknowledged
from .fleet import Fleet, Server
from .report import Result, Zero
from .setting import Setting, Stopwatch

POINTS = ("before-commit", "after-commit", "before-revoke", "after-revoke", "any moment")
_MOST_CLIENTS = 16
_LONGEST_HISTORY = 60
_SYNC = 0.1


@dataclass(slots=True)
class Losses:
    """What must not be lost, and must not come back, whatever dies. ``required``: see :class:`Zero`."""

    tally: Tally = field(default_factory=Tally)
    retries: int = 0
    locked_out: int = 0
    spent_tried: int = 0
    spent_accepted: int = 0
    rotations_acknowledged: int = 0
    rotations_lost: int = 0

    async def retry(self, client: Client, server: Server, *, pause: float = 0.02) -> bool:
        """Present the newest token that arrived until there is an answer; whether the session lives."""
        self.retries += 1
        while not client.ended:
            answer = await client.refresh(server)
            if answer is not None and answer.status == 200:
                return True
            await asyncio.sleep(pause)
        self.locked_out += 1
        self.tally.example(f"{client.session_id}: locked out with generation {client.generation}")
        return False

    async def try_spent(self, client: Client, server: Server, generation: int) -> None:
        """A spent token must be refused, and that ends the session."""
        while True:
            answer = await client.refresh(server, generation)
            if answer is not None and answer.status != 503:
                break
            await asyncio.sleep(0.02)
        self.spent_tried += 1
        if answer.status == 200:
            self.spent_accepted += 1
            self.tally.example(f"{client.session_id}: generation {generation} of {client.generation} was accepted")

    def zeros(self, *, required: bool = True) -> list[Zero]:
        return [
            Zero("clients locked out", self.locked_out, self.retries, required),
            Zero("acknowledged rotations lost", self.rotations_lost, self.rotations_acknowledged, required),
            Zero("spent tokens accepted", self.spent_accepted, self.spent_tried, required),
        ]


class _Phase:
    def __init__(self, setting: Setting, fleet: Fleet, clients: list[Client], losses: Losses) -> None:
        self.losses = losses
        self.crashes = self.logouts = self.survivors = 0
        self.clients = clients
        self._random = setting.dice
        self._setting = setting
        self._fleet = fleet

    async def crash(self, point: str) -> None:
        """One life of one server, its end, and what everybody finds afterwards."""
        victim, over = self._setting.any_of(self._fleet), asyncio.Event()
        revoking, by_itself = point.endswith("revoke"), point != "any moment"
        await self._fleet.doom(victim, point if by_itself else "", self._random.randrange(1, 12))
        staying = self.clients[1:] if revoking else self.clients
        running = [asyncio.create_task(self._until(over, victim, client)) for client in staying]
        await asyncio.sleep(self._random.uniform(0.001, 0.1))
        if revoking:
            await self.clients[0].logout(victim)
        if not by_itself or not await victim.gone(10):
            victim.kill()
        over.set()
        victim.start()
        self.crashes += 1
        await asyncio.gather(*running)
        if revoking:
            await self._leave_again(victim, recorded=point == "after-revoke")
        await asyncio.gather(*(self._come_back(number, victim) for number in range(len(self.clients))))

    async def _until(self, over: asyncio.Event, victim: Server, client: Client) -> None:
        """Refresh without a pause, mostly there, until the answer does not come."""
        while not over.is_set() and not client.ended:
            server = victim if self._random.random() < 0.6 else self._setting.any_of(self._fleet)
            if await client.refresh(server) is None:
                return

    async def _leave_again(self, server: Server, *, recorded: bool) -> None:
        """The end is asked for again. Row and feed are one write: either both knew of it from the start, or none."""
        client, token = self.clients[0], self.clients[0].generation
        seen = [(await server.ask("GET", "/me", token=client.access_tokens[token])).status]
        await client.logout(server)
        seen.append((await server.ask("GET", "/me", token=client.access_tokens[token])).status)
        answer = await client.refresh(server)
        seen.append(answer.status if answer is not None else 0)
        self.logouts += 1
        if seen != [401 if recorded else 200, 401, 401]:
            self.survivors += 1
            self.losses.tally.example(f"logged out, the process killed, logged out again: {seen}")
        client.check_history()
        self.clients[0] = await Client(self.losses.tally).login(server)

    async def _come_back(self, number: int, server: Server) -> None:
        """Every client tries again with what it has; of every fourth, somebody tries what was spent before."""
        client = self.clients[number]
        lives = await self.losses.retry(client, server)
        if lives and client.generation >= 2 and number % 4 == self.crashes % 4:
            await self.losses.try_spent(client, server, self._random.randrange(client.generation - 1))
        if client.ended or len(client.history) > _LONGEST_HISTORY:
            client.check_history()
            self.clients[number] = await Client(self.losses.tally).login(server)

    async def previous_after_the_leeway(self, leeway: float) -> None:
        """The generation before the current one, which everybody has used: its leeway over, it is as spent as any."""
        await asyncio.gather(*(self.losses.retry(client, self._fleet.servers[0]) for client in self.clients))
        await acknowledged(self.clients, self._fleet)
        await asyncio.sleep(max(leeway, 2 * _SYNC) + 0.2)
        for client in self.clients:
            if not client.ended:
                await self.losses.try_spent(client, self._setting.any_of(self._fleet), client.generation - 1)
            client.check_history(reuse_of_previous=True)


async def run(setting: Setting, seconds: float) -> Result:
    """Nobody is locked out, nothing that was acknowledged is lost, nothing that was spent is good again."""
    result, losses, leeway = Result("crashes of a server"), Losses(), setting.patience
    async with setting.fleet(leeway=leeway, sync=_SYNC) as fleet:
        watch = Stopwatch(seconds - leeway - 0.5)
        clients = [Client(losses.tally) for _ in range(min(setting.clients, _MOST_CLIENTS))]
        await asyncio.gather(*(client.login(setting.any_of(fleet)) for client in clients))
        phase, number = _Phase(setting, fleet, clients, losses), 0
        while watch.goes_on(len(POINTS)):
            await phase.crash(POINTS[number % len(POINTS)])
            number += 1
        await phase.previous_after_the_leeway(leeway)
        losses.rotations_acknowledged = losses.tally.ok
        losses.rotations_lost = (await fleet.counts())["rotations_lost"]
        elapsed = watch.elapsed
    result.zeros = [*losses.zeros(), Zero("survivors of an end asked for again", phase.survivors, phase.logouts)]
    result.measured["crashes, as many at each point"] = f"{phase.crashes}: {', '.join(POINTS)}"
    result.about(losses.tally, seconds=elapsed)
    return result
