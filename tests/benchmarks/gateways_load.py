"""The load: clients that send one request after the other on a connection of their own, and refresh when refused."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, Self

from .gateways_apps import PASSWORD
from .gateways_wire import Connection, get, post


class Client:
    """One person's client: an API request takes as long as it takes with the refresh that it may need."""

    def __init__(self, gateway: Connection, centre: Connection, access: str, refresh: str | None = None) -> None:
        self._gateway, self._centre = gateway, centre
        self._request, self._refresh_token = get("/item", access), refresh

    @classmethod
    async def opaque(cls, gateway: int, centre: int, token: str) -> Self:
        """With a token that lives on."""
        return cls(await Connection.to(gateway), await Connection.to(centre), token)

    @classmethod
    async def logged_in(cls, gateway: int, centre: int, name: str) -> Self:
        """With an access token and a refresh token of the user centre."""
        made = await cls.opaque(gateway, centre, "")
        made._take(await made._centre.ask(post("/auth/login", {"name": name, "password": PASSWORD})))
        return made

    async def request(self) -> float:
        """One API request, which must succeed: how long it took, in seconds."""
        started = time.perf_counter()
        status, _ = await self._gateway.ask(self._request)
        if status == 401 and self._refresh_token is not None:
            content = {"refresh_token": self._refresh_token}
            self._take(await self._centre.ask(post("/auth/refresh", content)))
            status, _ = await self._gateway.ask(self._request)
        if status != 200:
            raise RuntimeError(f"the gateway answered {status}")
        return time.perf_counter() - started

    def _take(self, answer: tuple[int, bytes]) -> None:
        status, body = answer
        if status != 200:
            raise RuntimeError(f"the user centre answered {status}")
        tokens: dict[str, Any] = json.loads(body)
        self._request, self._refresh_token = get("/item", tokens["access_token"]), tokens["refresh_token"]

    async def requests(self, seconds: float) -> list[float]:
        """Requests one after the other for so long: how long each took."""
        took, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            took.append(await self.request())
        return took

    def close(self) -> None:
        self._gateway.close()
        self._centre.close()


async def load(clients: Sequence[Client], seconds: float) -> list[float]:
    """All clients at once for so long: the seconds that each request took."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(client.requests(seconds)) for client in clients]
    return [one for task in running for one in task.result()]
