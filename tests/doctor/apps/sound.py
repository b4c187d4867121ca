"""Nothing is wrong with this one; the others are this app with one mistake each."""

from fastapi import FastAPI, Request
from starlette.middleware.cors import CORSMiddleware

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import PAGES, check_password, secret

app = FastAPI()
issuer = Issuer(secret(), SQLiteStore("sessions.db"))
app.add_middleware(
    JWTRefreshMiddleware,
    issuer=issuer,
    authenticate=check_password,
    public=["/", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"],
    allowed_origins=PAGES,
    login_limits=LoginLimits(),
)
app.add_middleware(
    CORSMiddleware,
    allow_origins=PAGES,
    allow_methods=["*"],
    allow_headers=["Authorization", "Content-Type"],
    expose_headers=["Retry-After"],
    allow_credentials=True,
)


@app.get("/")
def index() -> dict[str, bool]:
    return {"open": True}


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
