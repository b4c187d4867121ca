"""A gateway as an app: ``uvicorn --factory tests.gateway.front:make``. It gets a URL, and nothing else.

Environment: ``JWKS_URL``; ``REFRESH_INTERVAL`` and ``COOLDOWN`` in seconds, if they are not to be the usual ones.
"""

import os
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from jwt_refresh_middleware import JWTRefreshMiddleware, Verifier


async def item(request: Request) -> JSONResponse:
    return JSONResponse({"subject": request.user.identity})


def make() -> ASGIApp:
    names = {"REFRESH_INTERVAL": "refresh_interval", "COOLDOWN": "cooldown"}
    options: dict[str, Any] = {
        option: timedelta(seconds=float(os.environ[name])) for name, option in names.items() if name in os.environ
    }
    verifier = Verifier.from_jwks_url(os.environ["JWKS_URL"], **options)
    return JWTRefreshMiddleware(Starlette(routes=[Route("/item", item)]), verifier=verifier)
