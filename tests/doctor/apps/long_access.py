"""An access token for a day, since somebody found refreshing a nuisance."""

from datetime import timedelta

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
issuer = Issuer(secret(), SQLiteStore("sessions.db"), access_ttl=timedelta(days=1))
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
