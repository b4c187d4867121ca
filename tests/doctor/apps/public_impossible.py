"""A pattern as other middlewares write it: this one refuses it when the app starts."""

from fastapi import FastAPI

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
app.add_middleware(
    JWTRefreshMiddleware,
    issuer=Issuer(secret(), SQLiteStore("sessions.db")),
    authenticate=check_password,
    public=["/health", "/static*"],
    login_limits=LoginLimits(),
)


@app.get("/health")
def health() -> str:
    return "well"
