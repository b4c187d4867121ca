"""Phase: one token, presented by all clients at once, across the processes; round after round."""

import asyncio

from .client import Client, Tally
from .fleet import Answer, Fleet
from .history import State
from .report import Result, Zero
from .setting import Setting, Stopwatch

_MOST_GENERATIONS = 100
"""A session is given up after so many rounds, so that there are several."""


async def run(setting: Setting, seconds: float) -> Result:
    """Every round has exactly one successor and exactly one rotation, and nobody is refused."""
    tally, result = Tally(), Result("barrier")
    rounds = forked = miscounted = 0
    client: Client | None = None
    async with setting.fleet() as fleet:
        watch, before = Stopwatch(seconds), 0
        while watch.goes_on(2):
            if client is None or client.ended or client.generation >= _MOST_GENERATIONS:
                client = await Client(tally).login(fleet.servers[0])
            generation = client.generation
            answers = await _at_once(setting.clients, fleet, client)
            successors = {answer.body["refresh_token"] for answer in answers if answer.status == 200}
            rounds += 1
            forked += len(successors) > 1
            client.check_history(State(generation))
            rotated = (await fleet.counts())["rotated"]
            # After a 503 the rotation may have happened without its event.
            if rotated - before != 1 and all(answer.status != 503 for answer in answers):
                miscounted += 1
                tally.example(f"{rotated - before} rotated events in one round")
            before = rotated
        elapsed = watch.elapsed
    result.zeros = [
        Zero("rounds with two successors", forked, rounds),
        Zero("rounds without exactly one rotation", miscounted, rounds),
        Zero("false logouts", tally.refused, tally.answered),
    ]
    result.measured["rounds"] = f"{rounds}"
    result.measured["rotations/s"] = f"{rounds / elapsed:.1f}"
    result.about(tally, seconds=elapsed)
    return result


async def _at_once(clients: int, fleet: Fleet, client: Client) -> list[Answer]:
    """All of them ready before the first begins."""
    gate, generation = asyncio.Barrier(clients), client.generation

    async def tab(number: int) -> Answer | None:
        await gate.wait()
        return await client.refresh(fleet.servers[number % len(fleet.servers)], generation)

    answers = await asyncio.gather(*(tab(number) for number in range(clients)))
    return [answer for answer in answers if answer is not None]
