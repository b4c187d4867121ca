"""One server process of a fleet: the middleware over a store, told by a :class:`Setup` how to behave."""

import asyncio
import logging
import os
import signal
import socket
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware, Session, SessionStore
from jwt_refresh_middleware.events import Event, GenerationAhead, ReuseDetected
from jwt_refresh_middleware.stores.base import Advance

from ..kinds import make_store
from . import faults

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How the servers of a fleet are set up; all times in seconds.

    ``fault``: see ``faults.py``.
    """

    kind: str
    url: str
    namespace: str
    leeway: float = 10.0
    sync: float = 1.0
    fault: str = ""


class Told:
    """The events of this process, counted: a list would grow with every round."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reuses: Counter[str] = Counter()

    async def __call__(self, event: Event) -> None:
        self.counts[event.name] += 1
        if isinstance(event, ReuseDetected):
            self.reuses[event.session_id or ""] += 1
        if isinstance(event, GenerationAhead):
            self.counts["rotations_lost"] += event.presented - event.generation

    async def route(self, _: Request) -> Response:
        return JSONResponse({"counts": self.counts, "reuses": self.reuses})


class Tracked:
    """Knows which requests with an ``X-Id`` are under way: one whose client is gone is still worked on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way: dict[str, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = next((value for name, value in scope.get("headers", ()) if name == b"x-id"), b"").decode()
        if not number:
            await self._app(scope, receive, send)
            return
        over = self._under_way[number] = asyncio.Event()
        try:
            await self._app(scope, receive, send)
        finally:
            over.set()
            del self._under_way[number]

    async def finished(self, request: Request) -> Response:
        """Answers when the request is over, or was never seen."""
        over = self._under_way.get(request.path_params["number"])
        if over is not None:
            await over.wait()
        return JSONResponse({})


class Doom:
    """Ends this process at a named point of what the store does, once that was asked for."""

    def __init__(self, store: SessionStore) -> None:
        self._advance, self._revoke = store.advance, store.revoke
        self._point = ""
        self._rotations = 0
        store.advance = self.advance  # type: ignore[method-assign]
        store.revoke = self.revoke  # type: ignore[method-assign]

    async def route(self, request: Request) -> Response:
        """``before-commit`` or ``after-commit`` of the so manieth rotation, ``before-revoke`` or ``after-revoke``."""
        self._point, self._rotations = request.path_params["point"], request.path_params["number"]
        return JSONResponse({})

    def _here(self, name: str) -> None:
        if self._point == name:
            os.kill(os.getpid(), signal.SIGKILL)

    async def advance(self, step: Advance) -> tuple[bool, Session | None]:
        self._rotations -= 1
        fatal = self._rotations == 0
        if fatal:
            self._here("before-commit")
        answer = await self._advance(step)
        if fatal:
            self._here("after-commit")
        return answer

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        self._here("before-revoke")
        answer = await self._revoke(session_id, reason=reason, now=now)
        self._here("after-revoke")
        return answer


async def authenticate(credentials: dict[str, Any]) -> str:
    return str(credentials["username"])


async def me(request: Request) -> Response:
    return JSONResponse({"subject": request.user.identity})


def serve(setup: Setup, listening: socket.socket) -> None:
    """Be a server until a signal ends it."""
    logging.basicConfig(level=logging.WARNING, format=f"{os.getpid()} %(name)s %(message)s", force=True)
    store = make_store(setup.kind, setup.url, setup.namespace)
    if setup.fault:
        faults.seed(setup.fault, store)
    doom, told = Doom(store), Told()
    issuer = Issuer(
        SECRET,
        store,
        reuse_leeway=timedelta(hours=1) if setup.fault == "forgiving" else timedelta(seconds=setup.leeway),
        sync_interval=timedelta(seconds=setup.sync),
        device_policy=DevicePolicy(refresh_rate=None),  # these clients are faster than any browser
        on_event=told,
    )
    inner = Starlette()
    open_to_all = ["/events", "/finished/*", "/doom/*"]
    app = Tracked(JWTRefreshMiddleware(inner, issuer=issuer, authenticate=authenticate, public=open_to_all))
    inner.router.routes += [
        Route("/me", me),
        Route("/events", told.route),
        Route("/finished/{number}", app.finished),
        Route("/doom/{point}/{number:int}", doom.route),
    ]
    config = uvicorn.Config(
        app, log_level="error", access_log=False, timeout_keep_alive=600, timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run(sockets=[listening])
