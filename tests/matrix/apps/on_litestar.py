"""Litestar, wrapped from outside: a middleware in its own list runs after routing, and only for routes that it has."""

from typing import Any

from litestar import Litestar, MediaType, Request, get, post
from litestar.background_tasks import BackgroundTask
from litestar.response import Response, Stream

from jwt_refresh_middleware import JWTRefreshMiddleware
from jwt_refresh_middleware.errors import AuthError, InsufficientScope

from . import stage


@get("/open", media_type=MediaType.TEXT)
async def open_to_all(request: Request[Any, Any, Any]) -> str:
    return stage.visitor(request.user)


@get("/me")
async def me(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return stage.seen(request.user, request.auth)


@post("/upload", status_code=200)
async def upload(request: Request[Any, Any, Any]) -> dict[str, Any]:
    measure = stage.Measure()
    async for chunk in request.stream():
        measure.add(chunk)
    return measure.result()


@get("/stream/{name:str}")
async def stream(name: str) -> Stream:
    return Stream(stage.pieces(name))


@get("/endless/{name:str}")
async def endless(name: str) -> Stream:
    return Stream(stage.endless(name))


@get("/broken")
async def broken() -> Stream:
    return Stream(stage.broken())


@get("/background/{name:str}")
async def background(name: str) -> Response[str]:
    return Response("soon", media_type=MediaType.TEXT, background=BackgroundTask(stage.later, name))


@get("/boom")
async def boom() -> None:
    raise LookupError("boom")


@get("/fails")
async def fails() -> None:
    raise InsufficientScope("admin")


@post("/gates/{name:str}", status_code=200, media_type=MediaType.TEXT)
async def gates(name: str) -> str:
    stage.open_gate(name)
    return "open"


@get("/told")
async def told() -> list[str]:
    return stage.told


async def started() -> None:
    stage.start()


def let_through(_: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    raise error


app = JWTRefreshMiddleware(
    Litestar(
        [open_to_all, me, upload, stream, endless, broken, background, boom, fails, gates, told],
        exception_handlers={AuthError: let_through},
        on_startup=[started],
    ),
    **stage.options(),
)
