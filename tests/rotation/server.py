"""A real server of its own process: ``python server.py <listening socket> <database> [<point to die at>]``.

It dies by SIGKILL at the named point of the second rotation it makes: ``before-commit`` or ``after-commit``.
"""

import os
import signal
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn

sys.path.insert(0, str(Path(__file__).parents[2]))

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware, Session
from jwt_refresh_middleware.events import Event
from jwt_refresh_middleware.stores.base import Advance
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"


class DyingStore(SQLiteStore):
    """Ends its process at a named point."""

    dies_at = ""
    rotations = 0

    async def advance(self, step: Advance) -> tuple[bool, Session | None]:
        self.rotations += 1
        if self.dies_at == "before-commit" and self.rotations == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await super().advance(step)
        if self.dies_at == "after-commit" and self.rotations == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


told: list[str] = []


async def on_event(event: Event) -> None:
    told.append(event.name)


async def authenticate(credentials: dict[str, Any]) -> str:
    return str(credentials["username"])


async def events(_: Request) -> JSONResponse:
    return JSONResponse({"events": told})


async def me(request: Request) -> JSONResponse:
    return JSONResponse({"subject": request.user.identity})


def main() -> None:
    descriptor, path, point = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    store = DyingStore(path)
    store.dies_at = point
    patient = {"reuse_leeway": timedelta(seconds=60), "device_policy": DevicePolicy(refresh_rate=None)}
    issuer = Issuer(SECRET, store, on_event=on_event, **patient)
    inner = Starlette(routes=[Route("/me", me), Route("/events", events)])
    app = JWTRefreshMiddleware(inner, issuer=issuer, authenticate=authenticate, public=["/events"])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
