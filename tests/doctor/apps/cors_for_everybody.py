"""Somebody could not get CORS to work, and allowed everything."""

from fastapi import FastAPI, Request
from starlette.middleware.cors import CORSMiddleware

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
app.add_middleware(
    JWTRefreshMiddleware,
    issuer=Issuer(secret(), SQLiteStore("sessions.db")),
    authenticate=check_password,
    login_limits=LoginLimits(),
)
app.add_middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["*"],
    allow_headers=["*"],
    expose_headers=["Retry-After"],
    allow_credentials=True,
)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
