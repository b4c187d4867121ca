"""Apps in which the middleware stands in various places, all in one process: the Host header says which is asked.

Only one of them gets the lifespan, as mounted apps get none: the other stores open at their first request.
"""

from typing import Any

from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore
from jwt_refresh_middleware.errors import InsufficientScope
from tests.web.support import SECRET, check_password

from . import on_django, on_litestar, on_quart, stage
from .on_bare import bare

CORS = {
    "allow_origins": ["https://app.example.com"],
    "allow_credentials": True,
    "allow_methods": ["*"],
    "allow_headers": ["Authorization"],
    "expose_headers": ["WWW-Authenticate"],
}


def options(**more: Any) -> dict[str, Any]:
    issuer = Issuer(SECRET, MemoryStore())
    return {"issuer": issuer, "authenticate": check_password, "public": ["/open"]} | more


async def me(request: Request) -> Response:
    return JSONResponse({"who": request.user.identity})


async def open_to_all(request: Request) -> Response:
    return JSONResponse({"who": stage.visitor(request.user) if "user" in request.scope else "nobody asked"})


async def fails(_: Request) -> Response:
    raise InsufficientScope("admin")


ROUTES = [Route("/me", me), Route("/open", open_to_all), Route("/fails", fails)]


def starlette(*middleware: Middleware) -> Any:
    return Starlette(routes=ROUTES, middleware=middleware)


def fastapi(*middleware: Middleware) -> Any:
    """The last one added is the outermost."""
    app = FastAPI(routes=ROUTES)
    for one in reversed(middleware):
        app.add_middleware(one.cls, *one.args, **one.kwargs)
    return app


def auth(**more: Any) -> Middleware:
    return Middleware(JWTRefreshMiddleware, **options(**more))


def fastapi_with_a_sub_application() -> Any:
    app = FastAPI(routes=ROUTES[1:2])
    app.mount("/api", fastapi(auth()))
    return app


def fastapi_with_a_root_path() -> Any:
    app = FastAPI(routes=ROUTES, root_path="/api")
    app.add_middleware(JWTRefreshMiddleware, **options())
    return app


cors = Middleware(CORSMiddleware, **CORS)
elsewhere: dict[str, Any] = {"allowed_origins": CORS["allow_origins"]}
inner = starlette(auth())

PLACES = {
    "cors-outside-starlette": starlette(cors, auth(**elsewhere)),
    "cors-outside-fastapi": fastapi(cors, auth(**elsewhere)),
    "cors-inside-starlette": starlette(auth(**elsewhere), cors),
    "cors-inside-fastapi": fastapi(auth(**elsewhere), cors),
    "inside-a-mount": Starlette(routes=[Mount("/api", routes=ROUTES, middleware=[auth()]), *ROUTES[1:2]]),
    "around-a-mounted-app": Starlette(routes=[Mount("/api", app=inner), *ROUTES[1:2]]),
    "two-mounts-deep": Starlette(routes=[Mount("/v1", routes=[Mount("/api", app=starlette(auth()))]), *ROUTES[1:2]]),
    "in-a-sub-application": fastapi_with_a_sub_application(),
    "around-mounts": JWTRefreshMiddleware(
        Starlette(routes=[Mount("/api", routes=ROUTES), *ROUTES]), **options(public=["/open", "/api/open"])
    ),
    "litestar-in-a-mount": Starlette(routes=[Mount("/api", app=on_litestar.app), *ROUTES[1:2]]),
    "quart-in-a-mount": Starlette(routes=[Mount("/api", app=on_quart.app), *ROUTES[1:2]]),
    "django-in-a-mount": Starlette(routes=[Mount("/api", app=on_django.app), *ROUTES[1:2]]),
    "with-a-root-path-of-its-own": fastapi_with_a_root_path(),
    "a-bare-app-in-a-mount": Starlette(
        routes=[Mount("/api", app=JWTRefreshMiddleware(bare, **options())), *ROUTES[1:2]]
    ),
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    host = dict(scope.get("headers", ())).get(b"host", b"").decode()
    await PLACES.get(host, PLACES["around-mounts"])(scope, receive, send)
