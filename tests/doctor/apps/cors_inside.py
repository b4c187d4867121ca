"""A notes API for a page of another origin. The CORS middleware was added first, so it is the inner one."""

from fastapi import FastAPI, Request
from starlette.middleware.cors import CORSMiddleware

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import PAGES, check_password, secret

app = FastAPI(openapi_url=None)
app.add_middleware(
    CORSMiddleware, allow_origins=PAGES, allow_methods=["*"], allow_headers=["*"], allow_credentials=True
)
app.add_middleware(
    JWTRefreshMiddleware,
    issuer=Issuer(secret(), SQLiteStore("sessions.db")),
    authenticate=check_password,
    allowed_origins=PAGES,
    login_limits=LoginLimits(),
)


@app.get("/notes")
def notes(request: Request) -> list[str]:
    return [f"a note of {request.user.identity}"]
