"""Starlette, with the middleware in its list."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from jwt_refresh_middleware import JWTRefreshMiddleware
from jwt_refresh_middleware.errors import InsufficientScope

from . import stage


async def open_to_all(request: Request) -> Response:
    return PlainTextResponse(stage.visitor(request.user))


async def me(request: Request) -> Response:
    return JSONResponse(stage.seen(request.user, request.auth))


async def upload(request: Request) -> Response:
    measure = stage.Measure()
    async for chunk in request.stream():
        measure.add(chunk)
    return JSONResponse(measure.result())


async def stream(request: Request) -> Response:
    return StreamingResponse(stage.pieces(request.path_params["name"]))


async def endless(request: Request) -> Response:
    return StreamingResponse(stage.endless(request.path_params["name"]))


async def broken(_: Request) -> Response:
    return StreamingResponse(stage.broken())


async def background(request: Request) -> Response:
    return PlainTextResponse("soon", background=BackgroundTask(stage.later, request.path_params["name"]))


async def boom(_: Request) -> Response:
    raise LookupError("boom")


async def fails(_: Request) -> Response:
    raise InsufficientScope("admin")


async def gates(request: Request) -> Response:
    stage.open_gate(request.path_params["name"])
    return PlainTextResponse("open")


async def told(_: Request) -> Response:
    return JSONResponse(stage.told)


ROUTES = [
    Route("/open", open_to_all),
    Route("/me", me),
    Route("/upload", upload, methods=["POST"]),
    Route("/stream/{name}", stream),
    Route("/endless/{name}", endless),
    Route("/broken", broken),
    Route("/background/{name}", background),
    Route("/boom", boom),
    Route("/fails", fails),
    Route("/gates/{name}", gates, methods=["POST"]),
    Route("/told", told),
]


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    stage.start()
    yield


app = Starlette(routes=ROUTES, middleware=[Middleware(JWTRefreshMiddleware, **stage.options())], lifespan=lifespan)
