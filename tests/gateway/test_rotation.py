"""Clients at a gateway while the keys of the issuer rotate: nobody may notice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from .line import Line, Reply, until
from .processes import Centre, Process, gateway, kid_of

_CLIENTS = 50
_ROTATIONS = 20


class Client:
    """Somebody with a session: asks the gateway again and again, and refreshes when told that the token has expired.

    Attributes:
        wrong: every answer that is neither good nor ``token_expired``: of these there must be none.
        kids: the keys of all tokens so far that the gateway took.
    """

    def __init__(self, front: Process, centre: Centre, login: Reply) -> None:
        self._front, self._centre = front, centre
        self._access, self._refresh = login.access, login.refresh
        self.answers: Counter[str] = Counter()
        self.wrong: list[Reply] = []
        self.kids: set[str] = set()

    async def go_on(self, enough: asyncio.Event) -> None:
        """Until it is ``enough``."""
        async with Line(self._front.port) as to_front, Line(self._centre.port) as to_centre:
            while not enough.is_set():
                reply = await to_front.ask("GET", "/item", token=self._access)
                self.answers[reply.code or str(reply.status)] += 1
                if reply.status == 200:
                    self.kids.add(kid_of(self._access))
                elif reply.code == "token_expired":
                    await self._renew(to_centre)
                else:
                    self.wrong.append(reply)
                await asyncio.sleep(0.03)  # as people have pauses

    async def _renew(self, line: Line) -> None:
        reply = await line.ask("POST", "/auth/refresh", {"refresh_token": self._refresh})
        if reply.status == 200:
            self._access, self._refresh = reply.access, reply.refresh
        else:
            self.wrong.append(reply)


@asynccontextmanager
async def crowd(front: Process, centre: Centre) -> AsyncIterator[list[Client]]:
    """Clients that are busy within the block."""
    clients = [Client(front, centre, await centre.login(f"user-{number}")) for number in range(_CLIENTS)]
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.go_on(enough))
        try:
            yield clients
        finally:
            enough.set()


async def signed_with(centre: Centre, kid: str) -> bool:
    """Whether all workers sign with this key."""
    return {state["signing"] for state in (await centre.states()).values()} == {kid}


async def published_for_an_interval(centre: Centre) -> None:
    """Wait until the gateway has fetched the next key: a fetch that began after it was published has ended."""

    async def is_published() -> bool:
        states = await centre.states()
        return all(centre.key("next") in state["kids"] for state in states.values())

    await until(is_published)
    before = await centre.fetches()

    async def was_fetched() -> bool:
        return await centre.fetches() >= before + 3  # one may have come while they were counted

    await until(was_fetched)


async def first_answer(front: Process, centre: Centre) -> int:
    """The gateway's first answer to a token with the current key, one that has not outlived its second."""
    while True:
        new = await centre.login()
        assert kid_of(new.access) == centre.key("current")
        reply = await front.ask("GET", "/item", token=new.access)
        if reply.code != "token_expired":  # a token is known to have expired only when its key is known
            return reply.status


async def test_nobody_is_refused_while_the_keys_rotate(tmp_path: Path) -> None:
    """The issuer has two workers, which read the file at different moments."""
    centre = Centre(tmp_path, workers=2, access_ttl=1)
    with centre, gateway(tmp_path, centre, refresh_interval=0.1, cooldown=0.05) as front:
        async with crowd(front, centre) as clients:
            for _ in range(_ROTATIONS):
                await published_for_an_interval(centre)
                assert centre.command("rotate", "--published-for", "0", "--overlap", "15") == 0
                await until(partial(signed_with, centre, centre.key("current")))
                assert await first_answer(front, centre) == 200, "the first token with the new key is good"
        assert [client.wrong for client in clients if client.wrong] == []
        answers = sum((client.answers for client in clients), Counter())
        assert set(answers) == {"200", "token_expired"}
        assert answers["200"] > _CLIENTS * _ROTATIONS
        assert answers["token_expired"] > _CLIENTS
        assert len(set().union(*(client.kids for client in clients))) > 2, "each second they renew"
        calls = await centre.calls()
        assert set(calls) == {"/auth/login", "/auth/refresh", "/auth/jwks.json"}
        assert calls["/auth/refresh"] == answers["token_expired"], "the user centre is asked to refresh, and no more"


async def test_a_key_that_was_never_published_is_refused_once_and_fetched(tmp_path: Path) -> None:
    """What --force costs; and that a token which is refused would have been seen above."""
    centre = Centre(tmp_path)
    with centre, gateway(tmp_path, centre, cooldown=0.05) as front:
        old = await centre.login()
        assert (await front.ask("GET", "/item", token=old.access)).status == 200
        for _ in range(2):
            assert centre.command("rotate", "--force") == 0
        await until(partial(signed_with, centre, centre.key("current")))
        new = await centre.login()
        assert kid_of(new.access) == centre.key("current")
        first = await front.ask("GET", "/item", token=new.access)
        assert (first.status, first.code, first.body["action"]) == (401, "token_invalid", "refresh")

        async def it_is_good() -> bool:
            assert (await front.ask("GET", "/item", token=old.access)).status == 200
            return (await front.ask("GET", "/item", token=new.access)).status == 200

        await until(it_is_good)


async def test_a_stolen_key_is_good_for_nothing_once_the_gateway_has_fetched(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    with centre, gateway(tmp_path, centre, refresh_interval=0.1, cooldown=0.05) as front:
        pair = await centre.login()
        assert (await front.ask("GET", "/item", token=pair.access)).status == 200
        assert centre.command("remove", "--", centre.key("current")) == 0

        async def it_is_refused() -> bool:
            return (await front.ask("GET", "/item", token=pair.access)).code == "token_invalid"

        await until(it_is_refused)
        renewed = await centre.ask("POST", "/auth/refresh", {"refresh_token": pair.refresh})
        assert (await front.ask("GET", "/item", token=renewed.access)).status == 200
