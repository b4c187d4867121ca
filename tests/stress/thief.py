"""Phase: a thief presents an old refresh token while the owner presents the current one. Nobody has a session then."""

import asyncio
import time

from .client import Client, acknowledged
from .ends import Ends
from .fleet import Answer, Fleet
from .report import Result, Zero
from .setting import Setting, Stopwatch

_LEEWAY, _SYNC = 0.3, 0.1
_AT_ONCE = 10


class _Thefts:
    """What was seen of all of them."""

    def __init__(self, setting: Setting, fleet: Fleet) -> None:
        self.ends = Ends()
        self.count = 0
        self.presented: dict[str, int] = {}
        """By session: how often an old token of it was presented."""
        self._random = setting.dice
        self._setting = setting
        self._fleet = fleet

    async def batch(self) -> None:
        """Several owners, who have all used what they were given last: so the thief's tokens are spent for good."""
        owners = [Client(self.ends.tally) for _ in range(_AT_ONCE)]
        await asyncio.gather(*(owner.login(self._setting.any_of(self._fleet)) for owner in owners))
        for _ in range(2):
            await asyncio.gather(*(owner.refresh(self._setting.any_of(self._fleet)) for owner in owners))
        await acknowledged(owners, self._fleet)
        await asyncio.sleep(max(_LEEWAY, 2 * _SYNC) + 0.15)
        await asyncio.gather(*(self._theft(owner, number) for number, owner in enumerate(owners)))

    async def _theft(self, owner: Client, number: int) -> None:
        """The generation before the current one, or the one before that; sometimes presented twice at once.

        Mostly while the owner refreshes too, now and then while the owner sleeps.
        """
        stolen, times = owner.generation - 1 - number % 2, 1 + (number % 5 == 4)
        self.count += 1
        self.presented[owner.session_id] = times

        async def later(seconds: float, generation: int) -> Answer | None:
            await asyncio.sleep(seconds)
            return await owner.refresh(self._setting.any_of(self._fleet), generation)

        mine, *moments = [self._random.choice((0, 0, 0.001, 0.004)) for _ in range(times + 1)]
        thieving = asyncio.gather(*(later(moment, stolen) for moment in moments))
        if number % 4 == 2:
            await asyncio.wait([thieving])
        await later(mine, owner.generation)
        thieves = await thieving
        since = time.monotonic()
        for answer in thieves:
            if answer is None or answer.status != 401:
                self.ends.survivors += 1
                self.ends.tally.example(f"a thief was answered {answer and answer.status}")
        await self.ends.must_be_over(owner, self._fleet, since)
        owner.check_history(reuse_of_previous=True)


async def run(setting: Setting, seconds: float) -> Result:
    """No token of a stolen session is good afterwards, the thief's and the owner's; one alarm for each theft."""
    result = Result("thief")
    async with setting.fleet(leeway=_LEEWAY, sync=_SYNC) as fleet:
        watch, thefts = Stopwatch(seconds), _Thefts(setting, fleet)
        while watch.goes_on():
            await thefts.batch()
        alarms, elapsed = await fleet.reuses(), watch.elapsed
    once = [session for session, times in thefts.presented.items() if times == 1]
    twice = [session for session, times in thefts.presented.items() if times == 2]
    result.zeros = [
        *thefts.ends.zeros(),
        Zero("thefts without exactly one alarm", sum(alarms[session] != 1 for session in once), len(once)),
        Zero("thefts without an alarm", sum(alarms[session] == 0 for session in thefts.presented), thefts.count),
    ]
    if twice:
        result.measured["alarms if presented twice at once"] = f"{sum(alarms[s] for s in twice) / len(twice):.2f}"
    result.about(thefts.ends.tally, seconds=elapsed)
    return result
