"""A real server of its own process: ``python server.py <listening socket> <kind> <url> <namespace> [<point>]``.

The kind, the url and the namespace say which store (see ``tests.kinds``). It dies by SIGKILL at the named point of its
second rotation: ``before-commit`` or ``after-commit``, or of its first end of a session: ``before-revoke`` or
``after-revoke``.
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

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware, Session, SessionStore
from jwt_refresh_middleware.events import Event
from jwt_refresh_middleware.stores.base import Advance
from tests.kinds import make_store

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"


def die_at(point: str, store: SessionStore) -> None:
    """End this process at a named point of what the store does."""
    advance, revoke, rotations = store.advance, store.revoke, 0

    def here(name: str) -> None:
        if point == name:
            os.kill(os.getpid(), signal.SIGKILL)

    async def dying_advance(step: Advance) -> tuple[bool, Session | None]:
        nonlocal rotations
        rotations += 1
        if rotations == 2:
            here("before-commit")
        answer = await advance(step)
        if rotations == 2:
            here("after-commit")
        return answer

    async def dying_revoke(session_id: str, *, reason: str, now: float) -> bool:
        here("before-revoke")
        answer = await revoke(session_id, reason=reason, now=now)
        here("after-revoke")
        return answer

    store.advance = dying_advance  # type: ignore[method-assign]
    store.revoke = dying_revoke  # type: ignore[method-assign]


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
    descriptor, kind, url, namespace, point = int(sys.argv[1]), *sys.argv[2:6]
    store = make_store(kind, url, namespace)
    if point:
        die_at(point, store)
    patient = {"reuse_leeway": timedelta(seconds=60), "device_policy": DevicePolicy(refresh_rate=None)}
    issuer = Issuer(SECRET, store, on_event=on_event, **patient)
    inner = Starlette(routes=[Route("/me", me), Route("/events", events)])
    app = JWTRefreshMiddleware(inner, issuer=issuer, authenticate=authenticate, public=["/events"])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
