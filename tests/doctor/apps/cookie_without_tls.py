"""Safari wanted it on the developer's machine, and it went into production."""

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Cookie, Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
app.add_middleware(
    JWTRefreshMiddleware,
    issuer=Issuer(secret(), SQLiteStore("sessions.db")),
    authenticate=check_password,
    cookie=Cookie(secure=False),
    login_limits=LoginLimits(),
)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
