"""Real servers in threads with event loops of their own, and a real client library to talk to them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore, TokenPair
from jwt_refresh_middleware.testing import Clock
from tests.servers import listening_socket

from ..support import SECRET
from .talking import PATIENCE

KINDS = ["uvicorn-websockets", "uvicorn-wsproto", "hypercorn"]
ALLOWED = "https://app.example.com"
LIFE = 900


class Running:
    """A server with an app, on a free port, until it is stopped."""

    def __init__(self, kind: str, app: Any) -> None:
        self._kind, self._app = kind, app
        self._listener = listening_socket()
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._begun = threading.Event()
        self.loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event

    async def _serve(self) -> None:
        self.loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        serving = asyncio.ensure_future(self._uvicorn() if "uvicorn" in self._kind else self._hypercorn())
        self._begun.set()
        await serving

    async def _uvicorn(self) -> None:
        ws = {"uvicorn-websockets": "websockets-sansio", "uvicorn-wsproto": "wsproto"}[self._kind]
        config = uvicorn.Config(self._app, ws=ws, lifespan="on", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve(sockets=[self._listener]))
        await asyncio.wait([serving, asyncio.ensure_future(self._stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving

    async def _hypercorn(self) -> None:
        config = hypercorn.config.Config()
        config.bind = [f"fd://{self._listener.detach()}"]  # it is the server's from here
        config.graceful_timeout = 1
        config.errorlog = None
        await hypercorn.asyncio.serve(self._app, config, shutdown_trigger=self._stopping.wait)

    def start(self) -> None:
        self._thread.start()
        assert self._begun.wait(PATIENCE)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE)
        self._listener.close()
        assert not self._thread.is_alive()

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Where the server runs."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))


class Place:
    """A service behind a server: an app with sockets of several kinds, a clock, and the people who use it."""

    def __init__(self, kind: str, store: Any = None, *, strip: bool = False, **issuer: Any) -> None:
        self.clock = Clock()
        self.raised: list[Exception] = []
        self.flooded = 0
        self.issuer = Issuer(SECRET, store or MemoryStore(), clock=self.clock, **issuer)
        app: Any = JWTRefreshMiddleware(self.app, issuer=self.issuer, public=["/open"], allowed_origins=[ALLOWED])
        self.server = Running(kind, _without_answers(app) if strip else app)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await {"/news": self.news, "/flood": self.flood}.get(scope["path"], self.echo)(scope, receive, send)
        except Exception as error:
            self.raised.append(error)

    async def echo(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            user = scope["user"]
            who = user.identity if user.is_authenticated else "anonymous"
            await send({"type": "websocket.send", "text": f"{who}: {message['text']}"})

    async def news(self, _scope: Any, _receive: Any, send: Any) -> None:
        """Never asks for a message."""
        while True:
            await send({"type": "websocket.send", "text": "news"})
            await asyncio.sleep(0.0005)

    async def flood(self, _scope: Any, _receive: Any, send: Any) -> None:
        """Says more than anybody reads."""
        while True:
            await send({"type": "websocket.send", "text": "n" * 500_000})
            self.flooded += 1
            await asyncio.sleep(0)

    async def login(self, subject: str = "alice") -> TokenPair:
        return await self.server.run(self.issuer.login(subject))

    async def revoke(self, pair: TokenPair) -> None:
        await self.server.run(self.issuer.revoke(pair.session.id))

    def near(self, pair: TokenPair, left: float) -> None:
        """It is ``left`` seconds before the end of this token."""
        self.clock.now = self.issuer.verifier.verify(pair.access_token).expires_at - left

    def connect(self, path: str = "/chat", *, token: str | None = None, **options: Any) -> Any:
        """A client; with a ``token`` in the header. A client library sends no Origin unless it is told to."""
        if token is not None:
            options["additional_headers"] = {"Authorization": f"Bearer {token}"}
        return connect(f"ws://127.0.0.1:{self.server.port}{path}", compression=None, open_timeout=PATIENCE, **options)


def _without_answers(app: Any) -> Any:
    """A server that cannot answer a handshake with anything but yes and no."""

    async def stripped(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "extensions": {}} if scope["type"] == "websocket" else scope, receive, send)

    return stripped


@asynccontextmanager
async def placed(kind: str, *args: Any, **options: Any) -> AsyncIterator[Place]:
    place = Place(kind, *args, **options)
    await asyncio.to_thread(place.server.start)
    try:
        yield place
    finally:
        await asyncio.to_thread(place.server.stop)
    assert [error for error in place.raised if not isinstance(error, OSError)] == []


async def echo(socket: ClientConnection, text: str = "hello") -> str:
    async with asyncio.timeout(PATIENCE):
        await socket.send(text)
        return str(await socket.recv())


async def ending(socket: ClientConnection) -> tuple[int | None, str | None]:
    """The close code and the reason, once everything that came before was read."""
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()
        await socket.wait_closed()
    return socket.close_code, socket.close_reason
