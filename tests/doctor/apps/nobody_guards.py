"""Anonymous requests are let through, and nobody looks at who is asking."""

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
issuer = Issuer(secret(), SQLiteStore("sessions.db"))
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password, required=False)


@app.get("/salaries")
def salaries(request: Request) -> dict[str, int]:
    return {"ada": 1}
