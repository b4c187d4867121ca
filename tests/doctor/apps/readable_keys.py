"""Keys in a file that everybody on the machine can read, and that was made by hand: one key only."""

import os

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, KeyRing
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password

app = FastAPI(openapi_url=None)
issuer = Issuer(KeyRing.from_file(os.environ["AUTH_KEYS"]), SQLiteStore("sessions.db"))
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
