"""The API is mounted at /api, and the cookie was written for an app that is not."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from jwt_refresh_middleware import Cookie, Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret


async def home(_: Request) -> PlainTextResponse:
    return PlainTextResponse("the pages are here, the API is at /api")


async def me(request: Request) -> JSONResponse:
    return JSONResponse({"user": request.user.identity})


api = Starlette(
    routes=[Route("/me", me)],
    middleware=[
        Middleware(
            JWTRefreshMiddleware,
            issuer=Issuer(secret(), SQLiteStore("sessions.db")),
            authenticate=check_password,
            cookie=Cookie(path="/auth"),
            login_limits=LoginLimits(),
        )
    ],
)
app = Starlette(routes=[Route("/", home), Mount("/api", api)])
