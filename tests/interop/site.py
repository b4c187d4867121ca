"""A real server whose refreshes other people's clients make: what they sent is noted, and their answers can be held."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jwt_refresh_middleware import DevicePolicy, Identity, Issuer, JWTRefreshMiddleware, KeyRing

from ..catalogue.server import RunningServer
from ..web.support import CountingStore

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"
ISSUER = "https://users.example.com"
AUDIENCE = "https://api.example.com"
PERSON = Identity("alice", ["read", "write"], {"name": "Zoë 🐙", "plan": "pro"})
ALICE = {"username": "alice", "password": "right"}
BY_BODY = {"X-Token-Transport": "body"}
"""What a login sends to have the refresh token in its answer."""


class Site:
    """An issuer and its app, seen from outside.

    Attributes:
        forms: the fields of each refresh that came.
        authorizations: the ``Authorization`` of each, None without it.
        together: how many refreshes must have come before any of them is answered.
        store: its ``failure`` is raised by every operation.
    """

    def __init__(self, keys: KeyRing | str = SECRET) -> None:
        self.store = CountingStore()
        policy = DevicePolicy(refresh_rate=(30, 3600))
        self.issuer = Issuer(keys, self.store, issuer=ISSUER, audience=AUDIENCE, device_policy=policy)
        inner = Starlette(routes=[Route("/private", self._private, methods=["GET", "POST"])])
        self._app = JWTRefreshMiddleware(inner, issuer=self.issuer, authenticate=self._authenticate)
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Forget what came, for the next test."""
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str | None] = []
        self.together = 1
        self._all_here = asyncio.Event()
        self.store.failure = None

    @staticmethod
    async def _authenticate(credentials: dict[str, Any]) -> Identity | None:
        return PERSON if (credentials.get("username"), credentials.get("password")) == ("alice", "right") else None

    @staticmethod
    async def _private(request: Request) -> Response:
        return PlainTextResponse(request.user.identity)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/auth/refresh":
            await self._app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await self._note(scope, body)
        await self._app(scope, _sender(body), send)

    async def _note(self, scope: Any, body: bytes) -> None:
        headers = dict(scope["headers"])
        assert headers[b"content-type"].startswith(b"application/x-www-form-urlencoded")
        authorization = headers.get(b"authorization")
        self.authorizations.append(authorization.decode() if authorization is not None else None)
        self.forms.append(dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)))
        if len(self.forms) == self.together:
            self._all_here.set()
        async with asyncio.timeout(20):  # a client that never comes fails the test, and does not hang it
            await self._all_here.wait()

    @property
    def login(self) -> str:
        return self.url + "/auth/login"

    @property
    def refresh(self) -> str:
        return self.url + "/auth/refresh"

    @property
    def private(self) -> str:
        return self.url + "/private"


def _sender(body: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    return receive


class Served:
    """A site at an address, for as long as the block lasts; with ``tls`` by https."""

    def __init__(self, site: Site, **tls: Any) -> None:
        self._site = site
        self._server = RunningServer(site, "h11", **tls)
        self._scheme = "https" if tls else "http"

    def __enter__(self) -> Site:
        self._server.__enter__()
        self._site.url = f"{self._scheme}://127.0.0.1:{self._server.port}"
        return self._site

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(*error)
