"""Debug mode, left on."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret


async def me(request: Request) -> JSONResponse:
    return JSONResponse({"user": request.user.identity})


issuer = Issuer(secret(), SQLiteStore("sessions.db"))
guard = Middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)
app = Starlette(debug=True, routes=[Route("/me", me)], middleware=[guard])
