"""A whole service over a store that can be taken away: the issuer, its middleware, an app and everybody who uses it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, SessionStore

from ..kinds import make_store
from ..proxy import Proxy
from ..rotation.support import SECRET, Listener
from ..web.asgi import LifespanRun
from .crowd import CLIENTS, Crowd, until


def make_issuer(store: SessionStore, listener: Listener | None = None, *, timeout: float = 0.5) -> Issuer:
    """As an application would, but for the patience with the store."""
    return Issuer(SECRET, store, on_event=listener, store_timeout=timedelta(seconds=timeout))


async def _private(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.user.identity)


async def _authenticate(credentials: dict[str, Any]) -> str | None:
    name: str | None = credentials.get("username")
    return name


def make_app(issuer: Issuer) -> JWTRefreshMiddleware:
    app = Starlette(routes=[Route("/private", _private)])
    return JWTRefreshMiddleware(app, issuer=issuer, authenticate=_authenticate)


class Cable(Proxy):
    """A proxy whose other end may vanish without a word."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self._silent: list[asyncio.Event] = []

    async def __aexit__(self, *args: object) -> None:
        for hearing in self._silent:
            hearing.set()
        await super().__aexit__(*args)

    def lose(self) -> None:
        """After a partition: another machine answers here from now on, and nobody tells the connections there were.

        That is how a machine ends whose power fails: no reset comes from it.
        """
        assert self.deaf
        self._silent.append(self._hearing)
        self._hearing = asyncio.Event()
        self._hearing.set()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        hearing = self._hearing

        async def read(size: int) -> bytes:
            await hearing.wait()
            return await _read(size)

        _read, reader.read = reader.read, read  # type: ignore[method-assign]
        await super()._forward(reader, writer, counted=counted)


class Service:
    """What the tests need at hand of one service and its crowd."""

    def __init__(self, store: Any, issuer: Issuer, app: JWTRefreshMiddleware, crowd: Crowd, namespace: str) -> None:
        self.store = store
        self.issuer = issuer
        self.app = app
        self.crowd = crowd
        self.namespace = namespace

    def checked_out(self) -> int:
        """How many connections of the store's pool are lent to somebody; that of the feed is meant to be."""
        if hasattr(self.store, "engine"):
            lent: int = self.store.engine.pool.checkedout()
            return lent
        return len(self.store.client.connection_pool._in_use_connections)

    async def all_given_back(self) -> None:
        feed = int(hasattr(self.store, "client"))
        await until(lambda: self.checked_out() <= feed, f"{self.checked_out()} connections are lent", 8)


@asynccontextmanager
async def service(kind: str, url: str, *, timeout: float = 0.5, clients: int = CLIENTS) -> AsyncIterator[Service]:
    """Opened by the lifespan, everybody is at work; in the end everybody has left and everything is closed."""
    namespace, listener = secrets.token_hex(4), Listener()
    store = make_store(kind, url, namespace)
    issuer = make_issuer(store, listener, timeout=timeout)
    app = make_app(issuer)
    lifespan = LifespanRun(app)
    assert (await lifespan.tell("startup"))["type"] == "lifespan.startup.complete"
    crowd = Crowd(app, listener, timeout=timeout, clients=clients)
    running = Service(store, issuer, app, crowd, namespace)
    try:
        await crowd.begin()
        yield running
        await crowd.end()
        await running.all_given_back()
    finally:
        await crowd.leave()
        assert (await lifespan.tell("shutdown"))["type"] == "lifespan.shutdown.complete"
        await lifespan.task
