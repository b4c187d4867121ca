"""One secret for everything: the tokens, and the sessions of Starlette."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret


async def basket(request: Request) -> JSONResponse:
    return JSONResponse(request.session.get("basket", []))


app = Starlette(
    routes=[Route("/basket", basket)],
    middleware=[
        Middleware(
            JWTRefreshMiddleware,
            issuer=Issuer(secret(), SQLiteStore("sessions.db")),
            authenticate=check_password,
            public=["/basket"],
        ),
        Middleware(SessionMiddleware, secret_key=secret()),
    ],
)
