"""An app behind the middleware that notes what it is asked, and that can be told to fail.

It runs as a process of its own (``serving.py``); ``/control`` is how the tests talk to it.
"""

import asyncio
import json
import os
from base64 import urlsafe_b64decode
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jwt_refresh_middleware import Cookie, Issuer, JWTRefreshMiddleware, MemoryStore, login, logout
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from jwt_refresh_middleware.web import client_files

HERE = Path(__file__).parent
AXIOS = HERE.parent / "node_modules" / "axios" / "dist" / "esm" / "axios.js"
PUBLIC = ["/", "/other", "/login", "/plain", "/open", "/axios.js", "/favicon.ico", "/auth/register"]
REFRESH = "/auth/refresh"

if folder := os.environ.get("CLIENT_FOLDER"):  # a copy with a fault sown into it
    client_files.FOLDER = Path(folder)


class World:
    """The middleware as it is set up at the moment, and what has happened since the last reset."""

    def __init__(self, **settings: Any) -> None:
        self.requests: list[dict[str, Any]] = []
        self.comments: list[list[str]] = []
        self.events: Counter[str] = Counter()
        self.faults: list[str] = []
        self.holding = 0
        self.released = asyncio.Event()
        self.released.set()
        database = os.environ.get("DATABASE")
        self.store = SQLiteStore(database) if database else MemoryStore()
        self.issuers: list[Issuer] = []
        self.set_up(**settings)

    def set_up(
        self, access_ttl: float = 900, refresh_ttl: float = 7 * 86_400, field_case: Any = "snake", **cookie: Any
    ) -> None:
        """The same sessions, with settings that count from now on."""
        self.issuers.append(
            Issuer(
                "a secret that is long enough for the tests of the browser",
                self.store,
                access_ttl=timedelta(seconds=access_ttl),
                refresh_ttl=timedelta(seconds=refresh_ttl),
                on_event=self.note,
            )
        )
        self.app = JWTRefreshMiddleware(
            routes(self),
            issuer=self.issuers[-1],
            authenticate=check,
            public=PUBLIC,
            field_case=field_case,
            cookie=Cookie(**cookie),
        )

    async def note(self, event: Any) -> None:
        self.events[event.name] += 1

    async def close(self) -> None:
        self.released.set()
        for issuer in self.issuers:
            await issuer.aclose()

    def told(self) -> dict[str, Any]:
        return {"requests": self.requests, "events": self.events, "comments": self.comments, "holding": self.holding}


async def check(credentials: dict[str, Any]) -> str | None:
    return credentials["username"] if credentials.get("password") == "secret" else None


def routes(world: World) -> ASGIApp:
    async def page(_request: Request) -> Response:
        return HTMLResponse((HERE / "page.html").read_text())

    async def plain(_request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>Plain</title>")

    async def axios(_request: Request) -> Response:
        return FileResponse(AXIOS, media_type="text/javascript")

    async def empty(_request: Request) -> Response:
        return Response(status_code=204)

    async def api(request: Request) -> Response:
        return JSONResponse({"subject": request.user.identity})

    async def always(_request: Request) -> Response:
        return JSONResponse({"detail": "not for you"}, 401)

    async def comment(request: Request) -> Response:
        text = (await request.body()).decode()
        world.comments.append([request.user.identity, text])
        return Response(status_code=201)

    async def register(request: Request) -> Response:
        return await login(request, (await request.json())["username"])

    async def account(request: Request) -> Response:
        await world.issuers[-1].logout_all(request.user.identity)
        return await logout(request)

    pages = [Route(path, page) for path in ("/", "/other", "/login")]
    return Starlette(
        routes=[
            *pages,
            Route("/plain", plain),
            Route("/axios.js", axios),
            Route("/favicon.ico", empty),
            Route("/open", api),
            Route("/api", api, methods=["GET", "POST"]),
            Route("/api/{number}", api, methods=["GET", "POST"]),
            Route("/always", always),
            Route("/comment", comment, methods=["POST"]),
            Route("/auth/register", register, methods=["POST"]),
            Route("/auth/account", account, methods=["DELETE"]),
        ]
    )


class Switchboard:
    """Notes each request and its outcome, and does to the answers of a refresh what it was told to."""

    def __init__(self) -> None:
        self.world: World | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["path"] == "/control":
            await (await self.control(Request(scope, receive)))(scope, receive, send)
        elif scope["type"] == "http":
            assert self.world is not None
            await self.answer(self.world, scope, receive, send)

    async def live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.world = World(**json.loads(os.environ.get("SETTINGS", "{}")))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.world.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def control(self, request: Request) -> Response:
        """``reset`` and ``set_up`` take settings, ``faults`` one for each refresh to come; ``hold`` is a switch."""
        assert self.world is not None
        wanted = await request.json() if request.method == "POST" else {}
        if "reset" in wanted:
            await self.world.close()
            self.world = World(**wanted["reset"])
        if "set_up" in wanted:
            self.world.set_up(**wanted["set_up"])
        if "faults" in wanted:
            self.world.faults = wanted["faults"]
        if "hold" in wanted:
            (self.world.released.clear if wanted["hold"] else self.world.released.set)()
        return JSONResponse(self.world.told())

    async def answer(self, world: World, scope: Scope, receive: Receive, send: Send) -> None:
        noted = _noted(scope)
        world.requests.append(noted)
        is_refresh = scope["path"] == REFRESH and scope["method"] == "POST"
        fault = world.faults.pop(0) if is_refresh and world.faults else ""
        if fault in FAULTS:
            noted["status"] = FAULTS[fault].status_code
            await FAULTS[fault](scope, receive, send)
            return
        messages: list[Message] = []

        async def hold(message: Message) -> None:
            messages.append(message)

        await world.app(scope, receive, hold if is_refresh else _noting(noted, send))
        if is_refresh:  # it is committed by now, and nobody knows yet
            noted["status"] = messages[0]["status"]
            await _held(world)
            await _release(messages, fault, send)


FAULTS = {
    "503": JSONResponse({}, 503),
    "later": JSONResponse({}, 503, {"Retry-After": "3"}),
    "html": HTMLResponse("<h1>Bad gateway</h1>", 502),
    "portal": HTMLResponse("<h1>Welcome to the hotel</h1>", 200),
}


async def _held(world: World) -> None:
    world.holding += 1
    await world.released.wait()
    world.holding -= 1


async def _release(messages: list[Message], fault: str, send: Send) -> None:
    if fault == "drop":
        send.__self__.transport.abort()  # type: ignore[attr-defined]  # no ASGI message cuts a line
        return
    for message in messages:
        await send(message)


def _noting(noted: dict[str, Any], send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            noted["status"] = message["status"]
        await send(message)

    return sending


def _noted(scope: Scope) -> dict[str, Any]:
    headers = dict(scope["headers"])
    return {
        "line": f"{scope['method']} {scope['path']}",
        "query": scope["query_string"].decode(),
        "subject": _subject(headers.get(b"authorization", b"")),
        "cookie": b"refresh_token=" in headers.get(b"cookie", b""),
        "status": None,
    }


def _subject(authorization: bytes) -> str | None:
    if not authorization:
        return None
    content = authorization.split(b".")[1]
    return json.loads(urlsafe_b64decode(content + b"=" * (-len(content) % 4)))["sub"]


app = Switchboard()
