"""Copied from a page of the documentation."""

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password

app = FastAPI(openapi_url=None)
issuer = Issuer("a secret of at least thirty-two bytes", SQLiteStore("sessions.db"))
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
