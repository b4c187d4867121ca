"""Many users at once, each on a connection of its own: whoever is told of somebody else has found a leak (E21)."""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..catalogue.forge import unb64
from ..matrix.wire import request_bytes
from ..web.asgi import Reply
from ..web.support import PASSWORD
from .place import Look, Place

_PATIENCE = 60.0
ACTIONS = ("echo", "echo", "echo", "echo", "refresh", "forged", "missing", "stolen scheme", "login", "logout")


@dataclass(slots=True)
class Crowd:
    """What a crowd has seen.

    Attributes:
        users: how many there were, each on a connection.
        asked: requests by what they were.
        mixed: answers about somebody else.
        wrong: other answers than the one that was due.
        reconnected: connections that the server has closed.
        examples: of what was wrong.
    """

    server: str
    users: int
    asked: Counter[str] = field(default_factory=Counter)
    mixed: int = 0
    wrong: int = 0
    reconnected: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)
    before: Look | None = None
    after: Look | None = None

    def note(self, what: str, reply: Reply) -> None:
        self.wrong += 1
        if len(self.examples) < 5:
            self.examples.append(f"{what}: {reply.status} {reply.body[:200]!r}")


class Wire:
    """A connection that is kept, and opened again where the server has closed it."""

    def __init__(self, port: int, crowd: Crowd) -> None:
        self._port, self._crowd = port, crowd
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()

    async def ask(self, *request: Any, **content: Any) -> Reply:
        """One request. It is sent again on a new connection if the server closes the old one before it answers."""
        raw = request_bytes(*request, **content)
        try:
            return await asyncio.wait_for(self._exchange(raw), _PATIENCE)
        except (ConnectionError, asyncio.IncompleteReadError):
            self._crowd.reconnected += 1
            await self.open()
            return await asyncio.wait_for(self._exchange(raw), _PATIENCE)

    async def _exchange(self, raw: bytes) -> Reply:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(raw)
        first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
        body = await reader.readexactly(int(dict(headers)[b"content-length"]))
        return Reply(int(first.split()[1]), headers, body)


class User:
    """Somebody who does this and that, and looks whether the answers are about them."""

    def __init__(self, name: str, wire: Wire, crowd: Crowd, dice: random.Random) -> None:
        self._name, self._wire, self._crowd, self._dice = name, wire, crowd, dice
        self._access = self._refresh = ""

    async def run(self, requests: int) -> None:
        await self._log_in()
        for _ in range(requests):
            action = self._dice.choice(ACTIONS)
            self._crowd.asked[action] += 1
            await self._do(action)

    async def _do(self, action: str) -> None:
        if action == "echo":
            await self._echo()
        elif action == "refresh":
            self._take(action, await self._post("refresh", {"refresh_token": self._refresh}))
        elif action == "login":
            await self._log_in()
        elif action == "logout":
            await self._log_out()
        else:
            await self._refused(action)

    async def _post(self, route: str, content: dict[str, Any]) -> Reply:
        return await self._wire.ask("POST", f"/auth/{route}", {"x-token-transport": "body"}, json_body=content)

    async def _log_in(self) -> None:
        self._take("login", await self._post("login", {"username": self._name, "password": PASSWORD}))

    def _take(self, what: str, reply: Reply) -> None:
        """Keep the tokens of an answer; they, and its header, are this user's own."""
        if reply.status != 200:
            self._crowd.note(what, reply)
            return
        content = reply.json()
        self._access, self._refresh = content["access_token"], content["refresh_token"]
        claims = json.loads(unb64(self._access.split(".")[1]))
        told = claims["sub"], claims["nick"][8:], content["scope"][9:], claims["scope"][9:]
        header = reply.one("authorization") == f"Bearer {self._access}"
        self._crowd.mixed += {*told} != {self._name} or not header

    async def _echo(self) -> None:
        reply = await self._wire.ask("GET", "/me", {"authorization": f"Bearer {self._access}"})
        if reply.status != 200:
            self._crowd.note("echo", reply)
        elif {*reply.json()} != {self._name}:
            self._crowd.mixed += 1
            self._crowd.examples.append(f"{self._name} was told {reply.json()}")

    async def _refused(self, action: str) -> None:
        forged = self._access[:-1] + ("A" if self._access[-1] != "A" else "E")
        header = {"forged": f"Bearer {forged}", "stolen scheme": f"Basic {self._access}"}.get(action)
        due = "token_invalid" if action == "forged" else "token_missing"
        reply = await self._wire.ask("GET", "/me", {"authorization": header} if header else {})
        if reply.code != due:
            self._crowd.note(action, reply)

    async def _log_out(self) -> None:
        """The old token is over at once, and a new session begins."""
        ended = await self._post("logout", {"refresh_token": self._refresh})
        if ended.status != 200:
            self._crowd.note("logout", ended)
        reply = await self._wire.ask("GET", "/me", {"authorization": f"Bearer {self._access}"})
        if reply.code != "token_revoked":
            self._crowd.note("after logout", reply)
        await self._log_in()


async def _all(place: Place, crowd: Crowd, requests: int, seed: int) -> None:
    wires = [Wire(place.port, crowd) for _ in range(crowd.users)]
    for first in range(0, len(wires), 100):  # a server accepts no more than so many at once
        await asyncio.gather(*(wire.open() for wire in wires[first : first + 100]))
    users = [
        User(f"user-{number:04}", wire, crowd, random.Random(f"{seed}-{number}")) for number, wire in enumerate(wires)
    ]
    try:
        async with asyncio.TaskGroup() as group:
            for user in users:
                group.create_task(user.run(requests))
    finally:
        for wire in wires:
            wire.close()


def run_crowd(place: Place, users: int, requests: int, seed: int) -> Crowd:
    """Let ``users`` make ``requests`` each, at the same time."""
    crowd = Crowd(place.server, users)
    crowd.before = place.look()
    began = time.monotonic()
    asyncio.run(_all(place, crowd, requests, seed))
    crowd.seconds = time.monotonic() - began
    crowd.after = place.look()
    return crowd
