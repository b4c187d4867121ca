"""Phase: a session is ended in one process while it is refreshed in the others. What has ended stays ended."""

import asyncio
import time
from dataclasses import dataclass, field

from .client import Client, Tally
from .fleet import Fleet, Server
from .report import Result, Zero
from .setting import Setting, Stopwatch

LAG = 1.0
"""Seconds in which every process knows of an end, as documented."""
MARGIN = 2.0
"""For a machine that has other things to do."""
_REFRESHES = 20
_AT_ONCE = 6
WAYS = ("logout", "logout with a spent token", "revoke", "logout_all", "end the others")


@dataclass(slots=True)
class Ends:
    """What was seen of sessions that were ended."""

    tally: Tally = field(default_factory=Tally)
    ended: int = 0
    survivors: int = 0
    looked: int = 0
    accepted: int = 0
    neighbours: int = 0
    neighbours_lost: int = 0
    lags: list[float] = field(default_factory=list)

    async def must_be_over(self, client: Client, fleet: Fleet, since: float) -> None:
        """No access token is accepted anywhere once the lag is over, and no refresh token of the session is good."""
        await asyncio.gather(*(self._access_is_over(client, server, since) for server in fleet.servers))
        self.ended += 1
        tokens = sorted(client.refresh_tokens)[-3:]  # asking for a refresh tells the process: only now
        answers = [await client.refresh(server, token) for server in fleet.servers for token in tokens]
        if any(answer is None or answer.status != 401 for answer in answers):
            self.survivors += 1
            self.tally.example(f"{client.session_id} lives on: {[answer and answer.status for answer in answers]}")

    async def _access_is_over(self, client: Client, server: Server, since: float) -> None:
        for token in sorted(client.access_tokens)[-2:]:
            self.looked += 1
            while True:
                answer = await server.ask("GET", "/me", token=client.access_tokens[token])
                if answer.status == 401:
                    self.lags.append(time.monotonic() - since)
                    break
                if time.monotonic() - since > LAG + MARGIN:
                    self.accepted += 1
                    self.tally.example(f"an access token of {client.session_id} is accepted {LAG + MARGIN:g} s later")
                    break
                await asyncio.sleep(0.05)

    def zeros(self) -> list[Zero]:
        return [
            Zero("survivors of their end", self.survivors, self.ended),
            Zero("access tokens accepted after the lag", self.accepted, self.looked),
        ]


async def run(setting: Setting, seconds: float) -> Result:
    """Several races at a time: most of the time of each is waiting for the lag."""
    ends, result = Ends(), Result("ends racing refreshes")
    async with setting.fleet() as fleet:
        watch = Stopwatch(seconds)

        async def races(number: int) -> None:
            while watch.goes_on(len(WAYS)):
                await _race(setting, fleet, ends, WAYS[number % len(WAYS)])
                number += 1

        await asyncio.gather(*(races(number) for number in range(_AT_ONCE)))
        elapsed = watch.elapsed
    result.zeros = [
        *ends.zeros(),
        Zero("neighbouring sessions lost", ends.neighbours_lost, ends.neighbours),
    ]
    ordered = sorted(ends.lags)
    result.measured["lag p50 / worst s"] = f"{ordered[len(ordered) // 2]:.2f} / {ordered[-1]:.2f}" if ordered else ""
    result.about(ends.tally, seconds=elapsed)
    return result


async def _race(setting: Setting, fleet: Fleet, ends: Ends, way: str) -> None:
    """Twenty refreshes of one session, and in the middle of them its end."""
    where, *others = setting.dice.sample(fleet.servers, len(fleet.servers))
    client = await Client(ends.tally).login(setting.any_of(fleet))
    neighbour = await Client(ends.tally, client.name).login(setting.any_of(fleet))
    await client.refresh(where)
    for server in fleet.servers:
        await client.use(server)
    generation = client.generation
    work = [client.refresh((others or [where])[n % len(others or [where])], generation) for n in range(_REFRESHES)]
    first, second = work[: _REFRESHES // 2], work[_REFRESHES // 2 :]
    tasks = [asyncio.create_task(one) for one in first]
    await asyncio.sleep(setting.dice.choice((0, 0.002, 0.005, 0.02, 0.05)))  # before, among and after their answers
    ending = asyncio.create_task(_end(client, neighbour, where, way))
    tasks += [asyncio.create_task(one) for one in second]
    await ending
    since = time.monotonic()
    await asyncio.gather(*tasks)
    here = await where.ask("GET", "/me", token=client.access_tokens[generation])
    ends.looked += 1
    if here.status != 401:
        ends.accepted += 1
        ends.tally.example(f"{way}: the process that ended the session still answers {here.status}")
    await ends.must_be_over(client, fleet, since)
    client.check_history()
    if way == "logout_all":
        await ends.must_be_over(neighbour, fleet, since)
        return
    ends.neighbours += 1
    last = await neighbour.refresh(setting.any_of(fleet))
    ends.neighbours_lost += last is None or last.status != 200


async def _end(client: Client, neighbour: Client, where: Server, way: str) -> None:
    if way == "logout":
        await client.logout(where)
    elif way == "logout with a spent token":
        await client.logout(where, 0)
    elif way == "revoke":
        path = f"/auth/sessions/{client.session_id}"
        await client.end(where, "DELETE", path, None, neighbour.access_tokens[0])
    elif way == "end the others":
        await client.end(where, "DELETE", "/auth/sessions", None, neighbour.access_tokens[0])
    else:
        body = {"refresh_token": client.refresh_tokens[client.generation], "all": True}
        await client.end(where, "POST", "/auth/logout", body, "")
