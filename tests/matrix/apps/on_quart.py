"""Quart, with the middleware around its ASGI side."""

from typing import Any

from quart import Quart, Response, request
from werkzeug.exceptions import InternalServerError

from jwt_refresh_middleware import JWTRefreshMiddleware
from jwt_refresh_middleware.errors import AuthError, InsufficientScope

from . import stage

app = Quart(__name__)
app.asgi_app = JWTRefreshMiddleware(app.asgi_app, **stage.options())  # type: ignore[method-assign]


@app.get("/open")
async def open_to_all() -> str:
    return stage.visitor(request.scope["user"])


@app.get("/me")
async def me() -> dict[str, Any]:
    return stage.who(request.scope)


@app.post("/upload")
async def upload() -> dict[str, Any]:
    measure = stage.Measure()
    async for chunk in request.body:
        measure.add(chunk)
    return measure.result()


@app.get("/stream/<name>")
async def stream(name: str) -> Response:
    return Response(stage.pieces(name))


@app.get("/endless/<name>")
async def endless(name: str) -> Response:
    return Response(stage.endless(name))


@app.get("/broken")
async def broken() -> Response:
    return Response(stage.broken())


@app.get("/background/<name>")
async def background(name: str) -> str:
    app.add_background_task(stage.later, name)
    return "soon"


@app.get("/boom")
async def boom() -> str:
    raise LookupError("boom")


@app.get("/fails")
async def fails() -> str:
    raise InsufficientScope("admin")


@app.post("/gates/<name>")
async def gates(name: str) -> str:
    stage.open_gate(name)
    return "open"


@app.get("/told")
async def told() -> list[str]:
    return stage.told


@app.before_serving
async def started() -> None:
    stage.start()


@app.errorhandler(InternalServerError)
async def let_through(error: InternalServerError) -> InternalServerError:
    if isinstance(error.original_exception, AuthError):
        raise error.original_exception
    return error
