"""The app had a login of its own before the middleware came, at the same path."""

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
issuer = Issuer(secret(), SQLiteStore("sessions.db"))
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)


@app.post("/auth/login")
def sign_in(form: dict[str, str]) -> dict[str, str]:
    return {"token": "made here"}


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
