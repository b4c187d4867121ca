"""Added to the app, and put around it once more where the server is told of it."""

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

inner = FastAPI(openapi_url=None)
issuer = Issuer(secret(), SQLiteStore("sessions.db"))
inner.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)
app = JWTRefreshMiddleware(inner, issuer=issuer, authenticate=check_password)


@inner.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
