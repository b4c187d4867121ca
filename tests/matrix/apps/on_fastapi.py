"""FastAPI, with the middleware added."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from jwt_refresh_middleware import JWTRefreshMiddleware
from jwt_refresh_middleware.errors import InsufficientScope

from . import stage


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    stage.start()
    yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(JWTRefreshMiddleware, **stage.options())


@app.get("/open", response_class=PlainTextResponse)
async def open_to_all(request: Request) -> str:
    return stage.visitor(request.user)


@app.get("/me")
def me(request: Request) -> dict[str, Any]:
    return stage.seen(request.user, request.auth)


@app.post("/upload")
async def upload(request: Request) -> dict[str, Any]:
    measure = stage.Measure()
    async for chunk in request.stream():
        measure.add(chunk)
    return measure.result()


@app.get("/stream/{name}")
async def stream(name: str) -> Response:
    return StreamingResponse(stage.pieces(name))


@app.get("/endless/{name}")
async def endless(name: str) -> Response:
    return StreamingResponse(stage.endless(name))


@app.get("/broken")
async def broken() -> Response:
    return StreamingResponse(stage.broken())


@app.get("/background/{name}", response_class=PlainTextResponse)
async def background(name: str, tasks: BackgroundTasks) -> str:
    tasks.add_task(stage.later, name)
    return "soon"


@app.get("/boom")
async def boom() -> None:
    raise LookupError("boom")


@app.get("/fails")
def fails() -> None:
    raise InsufficientScope("admin")


@app.post("/gates/{name}", response_class=PlainTextResponse)
async def gates(name: str) -> str:
    stage.open_gate(name)
    return "open"


@app.get("/told")
async def told() -> list[str]:
    return stage.told
