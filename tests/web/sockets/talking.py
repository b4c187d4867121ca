"""The server's side of one WebSocket, message by message."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from ..asgi import HOST, HeaderList, http_scope, raw_headers

PATIENCE = 10.0
RESPONSE = {"websocket.http.response": {}}


def socket_scope(
    path: str, headers: HeaderList = (), protocols: Iterable[str] = (), *, listed: bool = True, **more: Any
) -> dict[str, Any]:
    """A handshake; ``listed`` says whether the header with the sub-protocols is among the others, as servers differ."""
    raw = raw_headers(headers, ("host", HOST))
    offered = list(protocols)
    if offered and listed:
        raw.append((b"sec-websocket-protocol", ", ".join(offered).encode()))
    made = http_scope("GET", path, raw) | {"type": "websocket", "scheme": "wss", "subprotocols": offered} | more
    del made["method"]
    return made


class Talk:
    """One socket of an app: what it is told and what it says, both in order."""

    def __init__(self, app: Any, path: str = "/chat", *args: Any, **scope: Any) -> None:
        self.scope = socket_scope(path, *args, **scope)
        self.coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.going: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.coming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.ensure_future(app(self.scope, self.coming.get, self.going.put))

    async def said(self) -> dict[str, Any]:
        """The next message of the app, or what it raised instead of one."""
        answer = asyncio.ensure_future(self.going.get())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([answer, self.task], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and self.going.empty():
            answer.cancel()
            self.task.result()
            raise AssertionError("the app ended without a word")
        return await answer

    async def accepted(self) -> dict[str, Any]:
        message = await self.said()
        assert message["type"] == "websocket.accept", message
        return message

    async def closed(self, reason: str, code: int = 4401) -> None:
        """The next thing that is said is the end."""
        assert await self.said() == {"type": "websocket.close", "code": code, "reason": reason}

    async def over(self) -> None:
        """The app has returned, and has said nothing more."""
        async with asyncio.timeout(PATIENCE):
            await self.task
        assert self.going.empty()

    def say(self, text: str) -> None:
        self.coming.put_nowait({"type": "websocket.receive", "text": text})

    def renew(self, token: str) -> None:
        self.say(json.dumps({"type": "token", "access_token": token}))

    async def echo(self, text: str = "hello") -> Any:
        """What an app answers that answers."""
        self.say(text)
        message = await self.said()
        assert message["type"] == "websocket.send", message
        return message["text"]

    async def leave(self) -> None:
        self.coming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await self.over()


class App:
    """An app that accepts and then does what it is told; keeps what it has seen."""

    def __init__(self, then: Callable[..., Any] | None = None, **accept: Any) -> None:
        self.then = then or echo
        self.accept = accept
        self.scopes: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def noted() -> dict[str, Any]:
            self.received.append(await receive())
            return self.received[-1]

        self.scopes.append(scope)
        assert (await noted())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", **self.accept})
        await self.then(scope, noted, send)

    @property
    def texts(self) -> list[Any]:
        return [message["text"] for message in self.received if message["type"] == "websocket.receive"]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says who is talking and what was said, until the end."""
    while (message := await receive())["type"] == "websocket.receive":
        user = scope["user"]
        who = user.identity if user.is_authenticated else "anonymous"
        await send({"type": "websocket.send", "text": f"{who}: {message['text']}"})
