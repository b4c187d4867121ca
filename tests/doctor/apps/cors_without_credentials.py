"""Everything is in order, but the browser never sends the cookie to this origin."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import PAGES, check_password, secret


async def orders(request: Request) -> JSONResponse:
    return JSONResponse({"user": request.user.identity, "orders": []})


app = Starlette(
    routes=[Route("/orders", orders)],
    middleware=[
        Middleware(
            CORSMiddleware, allow_origins=PAGES, allow_headers=["Authorization"], expose_headers=["Retry-After"]
        ),
        Middleware(
            JWTRefreshMiddleware,
            issuer=Issuer(secret(), SQLiteStore("sessions.db")),
            authenticate=check_password,
            allowed_origins=PAGES,
            login_limits=LoginLimits(),
        ),
    ],
)
