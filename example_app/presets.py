"""The same change of network under each device policy. For the demonstration only, as :mod:`example_app.demo`.

Four little apps beside the notes, each with an issuer of its own, whose sessions are in memory and last for a minute.
Whoever is logged in to the notes may log in to them. The page does so, and goes on from another network.
"""

import secrets
from collections import OrderedDict
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Self

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jwt_refresh_middleware import Cookie, DevicePolicy, Issuer, JWTRefreshMiddleware, MemoryStore, login
from jwt_refresh_middleware.errors import RefreshMissing
from jwt_refresh_middleware.events import Event

from .demo import refresh_token_in
from .settings import LOOPBACK

_PREFIX = "/demo/presets"
POLICIES = {
    "roaming": DevicePolicy.roaming(),
    "strict": DevicePolicy.strict(),
    "off": DevicePolicy.off(),
    "step_up": DevicePolicy(on_ip_change="step_up"),
}
_LIFE = timedelta(minutes=1)
_MOST_SESSIONS = 256
_ABOUT_DEVICES = ("device_changed", "device_mismatch", "step_up_required")


class Noticed:
    """The events that tell of a change of device, by session: of those that had one last."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, list[str]] = OrderedDict()

    async def note(self, event: Event) -> None:
        """Told by the issuers of everything that happens."""
        if event.session_id is None or event.name not in _ABOUT_DEVICES:
            return
        self._names.setdefault(event.session_id, []).append(event.name)
        if len(self._names) > _MOST_SESSIONS:
            self._names.popitem(last=False)

    def of(self, session_id: str | None) -> list[str]:
        """What happened to a session, in order."""
        return self._names.get(session_id, []) if session_id is not None else []


class Presets:
    """The little apps. Open and close it with ``async with``: nobody tells a mounted app when to."""

    def __init__(self, notes: Issuer, cookie: Cookie) -> None:
        """``notes``, ``cookie``: the issuer of the notes, and the cookie of its refresh tokens."""
        self._notes = notes
        self._cookie = cookie
        self._noticed = Noticed()
        self._opened = AsyncExitStack()
        self._issuers = {name: self._issuer(policy) for name, policy in POLICIES.items()}

    async def __aenter__(self) -> Self:
        for issuer in self._issuers.values():
            await self._opened.enter_async_context(issuer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def install(self, app: FastAPI) -> None:
        """Mount each under ``/demo/presets/{name}``."""
        for name, issuer in self._issuers.items():
            path = f"{_PREFIX}/{name}"
            cookie = Cookie(name="preset", secure=self._cookie.secure, path=path)
            little = JWTRefreshMiddleware(
                self._little_app(issuer, cookie),
                issuer=issuer,
                public=["/auth/login", "/auth/noticed"],
                cookie=cookie,
                trusted_proxies=LOOPBACK,
            )
            app.mount(path, little)

    def _issuer(self, policy: DevicePolicy) -> Issuer:
        secret = secrets.token_urlsafe(48)
        return Issuer(secret, MemoryStore(), refresh_ttl=_LIFE, device_policy=policy, on_event=self._noticed.note)

    def _little_app(self, issuer: Issuer, cookie: Cookie) -> Starlette:
        async def enter(request: Request) -> Response:
            """As whoever is logged in to the notes."""
            token = refresh_token_in(request.headers.raw, self._cookie)
            session = await self._notes.session_of(token) if token is not None else None
            if session is None:
                raise RefreshMissing
            return await login(request, session.subject)

        async def noticed(request: Request) -> Response:
            """What the issuer told of the session that asks."""
            token = refresh_token_in(request.headers.raw, cookie)
            return JSONResponse(self._noticed.of(issuer.session_id_of(token) if token is not None else None))

        routes = [Route("/auth/login", enter, methods=["POST"]), Route("/auth/noticed", noticed)]
        return Starlette(routes=routes)
