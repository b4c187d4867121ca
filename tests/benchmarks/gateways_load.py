"""The load: clients that send one request after the other on a connection of their own, and refresh when refused.

Written down to the bytes, since the client shares the machine with what it measures.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, Self

from .gateways_apps import PASSWORD

_HEAD = "Host: 127.0.0.1\r\nUser-Agent: bench\r\n"


def get(path: str, token: str) -> bytes:
    """The bytes of an API request."""
    return f"GET {path} HTTP/1.1\r\n{_HEAD}Accept: application/json\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def post(path: str, content: dict[str, str]) -> bytes:
    """The bytes of a request with JSON, whose answer has its tokens in the body."""
    body = json.dumps(content)
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-Token-Transport: body\r\n\r\n"
    return f"POST {path} HTTP/1.1\r\n{_HEAD}{about}{body}".encode()


class Connection(asyncio.Protocol):
    """Kept alive; one request at a time. Every answer has a ``Content-Length``."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def to(cls, port: int) -> Self:
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Status and body of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or self._answer is None:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._received = body[length:]
            answer, self._answer = self._answer, None
            answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None:
            self._answer.set_exception(ConnectionError("the server hung up"))

    def close(self) -> None:
        self._transport.close()


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
