"""Phase: a session per client, each as fast as it can, with lost answers, second tabs and protected routes."""

import asyncio
import secrets

from .client import Client, Tally
from .fleet import Fleet
from .report import Result, Zero
from .setting import Setting, Stopwatch

_LONGEST_HISTORY = 60
_SYNC = 0.2


class _Phase:
    """What its clients share."""

    def __init__(self, setting: Setting, fleet: Fleet, watch: Stopwatch, leeway: float) -> None:
        self.tally = Tally()
        self.sessions = self.lost_sessions = 0
        self._setting = setting
        self._fleet = fleet
        self._watch = watch
        self._leeway = leeway
        self._random = setting.dice

    async def person(self) -> None:
        """One session after the other, until the time is over."""
        while self._watch.goes_on(self._setting.clients):
            client = await Client(self.tally).login(self._setting.any_of(self._fleet))
            self.sessions += 1
            steps = 0  # each session shows at least one of everything, but for what takes a leeway
            while len(client.history) < _LONGEST_HISTORY and (steps < 4 or not self._watch.is_over()):
                await self._step(client, steps if steps < 4 else self._random.randrange(20))
                steps += 1
                if client.ended:
                    break
            last = await client.refresh(self._setting.any_of(self._fleet))
            if last is None or last.status != 200:
                self.lost_sessions += 1
            client.check_history()

    async def _step(self, client: Client, choice: int) -> None:
        """One rotation, in one of the ways it can go."""
        server, other = self._setting.any_of(self._fleet), self._setting.any_of(self._fleet)
        if choice == 0:  # the answer comes, but not to the client
            await client.refresh(server, ignored=True)
        elif choice == 1:
            await self._drop(client)
            return
        elif choice == 2:  # a second tab wakes up at the same moment
            generation = client.generation
            await asyncio.gather(client.refresh(server, generation), client.refresh(other, generation))
            return
        elif choice == 3:
            await client.use(server)
        elif choice == 4 and self._random.random() < 0.1 and not self._watch.is_over(before=self._leeway + 0.5):
            await client.refresh(server, ignored=True)  # in a tunnel: the leeway is over when it comes out
            await asyncio.sleep(self._leeway + 0.1)
            await client.refresh(other)
            await client.use(other)
            await asyncio.sleep(2 * _SYNC)  # now the store knows that it arrived; it may get lost again
            return
        await client.refresh(other)

    async def _drop(self, client: Client) -> None:
        """Hang up on one server and try again at another, while the first may still be at it.

        That one has to be over before the client is two generations further, or it would be an old token that comes
        last: from the outside that is a theft.
        """
        server, number = self._setting.any_of(self._fleet), secrets.token_hex(4)
        await client.refresh_and_leave(server, number, self._random.choice((0, 0.001, 0.003)))
        await client.refresh(self._setting.any_of(self._fleet))
        await server.ask("GET", f"/finished/{number}")


async def run(setting: Setting, seconds: float) -> Result:
    """Nobody is logged out, nobody loses a session, nobody gets somebody else's."""
    result, leeway = Result("independent sessions"), max(1.0, setting.patience / 2)
    async with setting.fleet(leeway=leeway, sync=_SYNC) as fleet:
        watch = Stopwatch(seconds)
        phase = _Phase(setting, fleet, watch, leeway)
        await asyncio.gather(*(phase.person() for _ in range(setting.clients)))
        elapsed, counts = watch.elapsed, await fleet.counts()
    tally = phase.tally
    result.zeros = [
        Zero("false logouts", tally.refused, tally.answered),
        Zero("lost sessions", phase.lost_sessions, phase.sessions),
        Zero("good access tokens refused", tally.shut_out, tally.used),
    ]
    result.measured["rotations/s"] = f"{counts['rotated'] / elapsed:.1f}"
    result.measured["rotated / repeated / late"] = (
        f"{counts['rotated']} / {counts['repeated']} / {counts['late_repeated']}"
    )
    result.about(tally, seconds=elapsed)
    return result
