"""A gateway that checks tokens with the secret they are signed with."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jwt_refresh_middleware import JWTRefreshMiddleware, Verifier

from .people import secret


async def report(request: Request) -> JSONResponse:
    return JSONResponse({"for": request.user.identity})


app = Starlette(
    routes=[Route("/report", report)],
    middleware=[Middleware(JWTRefreshMiddleware, verifier=Verifier(secret(), issuer="https://users.example.com"))],
)
