"""What frameworks make of a socket that is closed from here: their handlers see a client that has left."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from litestar import Litestar, websocket
from litestar.connection import WebSocket as LitestarSocket
from quart import Quart
from quart import websocket as quart_socket
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import Mount, WebSocketRoute

from ..support import Service
from .talking import PATIENCE, Talk

PATHS = ["/echo", "/news"]


@requires("authenticated")
async def starlette_echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text(f"{websocket.user.identity}: {await websocket.receive_text()}")


async def starlette_news(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text("news")
        await asyncio.sleep(0.001)


class Endpoint(WebSocketEndpoint):
    encoding = "text"

    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        await websocket.send_text(f"{websocket.user.identity}: {data}")


def on_starlette() -> Any:
    return Starlette(routes=[WebSocketRoute("/echo", starlette_echo), WebSocketRoute("/news", starlette_news)])


def on_starlette_mounted() -> Any:
    inner = Starlette(routes=[WebSocketRoute("/echo", Endpoint), WebSocketRoute("/news", starlette_news)])
    return Starlette(routes=[Mount("/", inner)])


def on_fastapi() -> Any:
    app = FastAPI()
    app.websocket("/echo")(starlette_echo)
    app.websocket("/news")(starlette_news)
    return app


def on_litestar() -> Any:
    @websocket("/echo")
    async def echo(socket: LitestarSocket[Any, Any, Any]) -> None:
        await socket.accept()
        while True:
            await socket.send_text(f"{socket.scope['user'].identity}: {await socket.receive_text()}")

    @websocket("/news")
    async def news(socket: LitestarSocket[Any, Any, Any]) -> None:
        await socket.accept()
        while True:
            await socket.send_text("news")
            await asyncio.sleep(0.001)

    return Litestar([echo, news], openapi_config=None)


def on_quart() -> Any:
    app = Quart(__name__)

    @app.websocket("/echo")
    async def echo() -> None:
        while True:
            who = quart_socket.scope["user"].identity  # type: ignore[typeddict-item]
            await quart_socket.send(f"{who}: {await quart_socket.receive()}")

    @app.websocket("/news")
    async def news() -> None:
        while True:
            await quart_socket.send("news")
            await asyncio.sleep(0.001)

    return app


FRAMEWORKS = [on_starlette, on_starlette_mounted, on_fastapi, on_litestar, on_quart]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("make", FRAMEWORKS, ids=lambda make: make.__name__)
async def test_the_handler_ends_without_an_error(
    make_service: Callable[..., Service], caplog: pytest.LogCaptureFixture, make: Callable[[], Any], path: str
) -> None:
    service = make_service(app=make())
    tokens = await service.login()
    talk = Talk(service.app, path, {}, ["bearer", tokens.access])
    if path == "/echo" and make is on_quart:
        talk.say("hello")  # it accepts with its first answer, or when it asks for a message
    assert (await talk.accepted())["subprotocol"] == "bearer"
    fresh = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    if path == "/echo":
        talk.renew(fresh.access)
        talk.say("hello")
        assert (await talk.said())["text"] == "alice: hello"
    await service.issuer.logout(fresh.refresh)
    async with asyncio.timeout(PATIENCE):
        while (message := await talk.said())["type"] == "websocket.send":
            pass
    assert message == {"type": "websocket.close", "code": 4401, "reason": "token_revoked"}
    await talk.over()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
