"""The user centre as an app: ``uvicorn --factory tests.gateway.centre:make``. It counts what it is asked.

Environment: ``KEYS`` and ``DATABASE``, the files; ``ACCESS_TTL`` in seconds; ``LOOK_EVERY``, seconds between two looks
at the file of keys.
"""

import os
from collections import Counter
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware, KeyRing
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

calls: Counter[str] = Counter()


def counted(app: ASGIApp) -> ASGIApp:
    """Counts requests by their paths; those for ``/state`` are the tests' own."""

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/state":
            calls[scope["path"]] += 1
        await app(scope, receive, send)

    return count


async def me(request: Request) -> JSONResponse:
    return JSONResponse({"subject": request.user.identity})


async def authenticate(credentials: dict[str, Any]) -> str:
    return str(credentials["username"])


def make() -> ASGIApp:
    ring = KeyRing.from_file(os.environ["KEYS"], interval=timedelta(seconds=float(os.environ["LOOK_EVERY"])))
    issuer = Issuer(
        ring,
        SQLiteStore(os.environ["DATABASE"]),
        access_ttl=timedelta(seconds=float(os.environ["ACCESS_TTL"])),
        device_policy=DevicePolicy(refresh_rate=None),
    )

    async def state(_: Request) -> JSONResponse:
        signing = ring.signing.kid if ring.signing else None
        return JSONResponse(
            {"pid": os.getpid(), "calls": calls, "signing": signing, "kids": [key.kid for key in ring.keys]}
        )

    app = Starlette(routes=[Route("/me", me), Route("/state", state)])
    return counted(JWTRefreshMiddleware(app, issuer=issuer, authenticate=authenticate, public=["/state"]))
