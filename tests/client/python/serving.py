"""A real server for the client's tests: the middleware, an app that notes who came in, and switches for trouble."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware, MemoryStore
from tests.servers import listening_socket

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"
PROBLEM = "application/problem+json"
Canned = tuple[int, str, bytes, dict[str, str]]


def problem(status: int, code: str, action: str, **more: Any) -> Canned:
    """An answer in the words of the issuer."""
    members = {"status": status, "code": code, "action": action, "error": None, "detail": "", "title": "", "type": ""}
    return status, PROBLEM, json.dumps(members | more).encode(), {}


class Service:
    """What the server did, and what it is to do."""

    def __init__(self) -> None:
        self.ahead = 0.0
        """Seconds that the server's clock is ahead."""
        self.refreshes: list[dict[str, str]] = []
        """The headers of each refresh that arrived."""
        self.seen: list[tuple[str, str, str | None]] = []
        """Method, path and Authorization of each request to the app, those it refused included."""
        self.bodies: list[bytes] = []
        self.step_ups: list[dict[str, str]] = []
        """The headers of each step-up that arrived."""
        self.canned_step_ups: list[Canned | None] = []
        """Answers to the next step-ups; None for the app's own, which is then lost on its way."""
        self.canned: list[Canned] = []
        """Answers to the next refreshes, the app not being asked."""
        self.lose: list[str] = []
        """What happens to the next refreshes: ``before`` or ``after`` the app rotated, the connection is closed."""
        self.refused: list[Canned] = []
        """Answers to the next requests of the app's paths."""
        self.gate = threading.Event()
        """While it is not set, a refresh that was rotated waits with its answer."""
        self.gate.set()
        self.arrived = threading.Event()
        """A refresh came."""
        self.url = ""
        self.issuer = Issuer(
            SECRET,
            MemoryStore(),
            access_ttl=timedelta(seconds=60),
            reuse_leeway=timedelta(seconds=10),
            device_policy=DevicePolicy(refresh_rate=None),
            clock=lambda: time.time() + self.ahead,
        )
        routes = [
            Route("/private", self._private, methods=["GET", "POST"]),
            Route("/always401", self._always_401, methods=["GET"]),
            Route("/to", self._redirect, methods=["GET", "POST"]),
        ]
        self._app = JWTRefreshMiddleware(
            Starlette(routes=routes),
            issuer=self.issuer,
            authenticate=self._authenticate,
            public=["/always401", "/to"],
        )

    @staticmethod
    async def _authenticate(credentials: dict[str, Any]) -> str | None:
        return str(credentials["username"]) if credentials.get("password") == "right" else None

    async def _private(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        return PlainTextResponse(request.user.identity)

    @staticmethod
    async def _always_401(_: Request) -> Response:
        return PlainTextResponse("no", 401)

    @staticmethod
    async def _redirect(request: Request) -> Response:
        return RedirectResponse(request.query_params["url"], int(request.query_params.get("status", "302")))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if scope["path"] == "/auth/refresh":
            await self._refresh(headers, scope, receive, send)
            return
        if scope["path"] == "/auth/step-up":
            self.step_ups.append(headers)
            await self._step_up(scope, receive, send)
            return
        if not scope["path"].startswith("/auth/"):
            self.seen.append((scope["method"], scope["path"], headers.get("authorization")))
            if self.refused:
                await _answer(self.refused.pop(0), send)
                return
        await self._app(scope, receive, send)

    async def _refresh(self, headers: dict[str, str], scope: Any, receive: Any, send: Any) -> None:
        self.refreshes.append(headers)
        self.arrived.set()
        lose = self.lose.pop(0) if self.lose else ""
        if lose == "before":
            await _drop(send)
            return
        if self.canned:
            await _answer(self.canned.pop(0), send)
            return
        held: list[Any] = []
        await self._app(scope, receive, lambda message: _hold(held, message))
        while not self.gate.is_set():
            await asyncio.sleep(0.005)
        if lose == "after":
            await _drop(send)
            return
        for message in held:
            await send(message)

    async def _step_up(self, scope: Any, receive: Any, send: Any) -> None:
        self.arrived.set()
        while not self.gate.is_set():
            await asyncio.sleep(0.005)
        canned = self.canned_step_ups.pop(0) if self.canned_step_ups else ()
        if canned:
            await _answer(canned, send)
        elif canned is None:
            await self._app(scope, receive, lambda message: _hold([], message))
            await _drop(send)
        else:
            await self._app(scope, receive, send)

    def login(self, username: str = "alice", agent: str | None = None) -> dict[str, Any]:
        """The tokens of a new session. Without an agent it is bound to none."""
        headers = {"X-Token-Transport": "body"} | ({"User-Agent": agent} if agent else {})
        body = {"username": username, "password": "right"}
        request = httpx2.Request("POST", self.url + "/auth/login", json=body, headers=headers)
        with httpx2.Client() as client:
            answer = client.send(request)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def expiring(self, username: str = "alice") -> dict[str, Any]:
        """Tokens that the client holds for expired, though the server takes them."""
        return self.login(username) | {"expires_at": time.time() - 1}

    def expire(self) -> None:
        """The access tokens given out so far are no longer taken, and the client does not know it."""
        self.ahead += 61

    @property
    def refresh_url(self) -> str:
        return self.url + "/auth/refresh"

    @property
    def private(self) -> str:
        return self.url + "/private"

    def is_alive(self, tokens: dict[str, Any] | None) -> bool:
        """Whether the session can be refreshed; it is, by that."""
        assert tokens is not None
        body = {"refresh_token": tokens["refresh_token"]}
        return httpx2.post(self.refresh_url, json=body).status_code == 200


async def _hold(held: list[Any], message: Any) -> None:
    held.append(message)


async def _answer(canned: Canned, send: Any) -> None:
    status, media_type, body, more = canned
    headers = {"content-type": media_type, "content-length": str(len(body))} | more
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def _drop(send: Any) -> None:
    """Half an answer, and the connection is closed."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"access_token": "', "more_body": True})


class Host:
    """An address, a thread and an event loop that tests use one after another: to start one for each takes longer."""

    def __init__(self) -> None:
        self.url = ""
        self._service: Service | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._loop = asyncio.get_running_loop()
        assert self._service is not None
        await self._service(scope, receive, send)

    @contextmanager
    def service(self) -> Iterator[Service]:
        """A new one, without any session."""
        made = self._service = Service()
        made.url = self.url
        try:
            yield made
        finally:
            made.gate.set()
            if self._loop is not None:
                asyncio.run_coroutine_threadsafe(made.issuer.aclose(), self._loop).result(20)


@contextmanager
def hosting() -> Iterator[Host]:
    """A host on loopback."""
    host, listening = Host(), listening_socket()
    config = uvicorn.Config(host, log_level="critical", ws="none", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline and thread.is_alive():
            time.sleep(0.005)
        assert server.started
        host.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield host
    finally:
        server.should_exit = True
        thread.join(20)
        with contextlib.suppress(OSError):
            listening.close()
