"""A page for everybody, whose path is not quite what ``public`` says."""

from fastapi import APIRouter, FastAPI

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

router = APIRouter(prefix="/shop")


@router.get("/catalogue")
def catalogue() -> list[str]:
    return ["a book", "a chair"]


@router.get("/basket")
def basket() -> list[str]:
    return []


app = FastAPI(openapi_url=None)
app.include_router(router, prefix="/v1")
app.add_middleware(
    JWTRefreshMiddleware,
    issuer=Issuer(secret(), SQLiteStore("sessions.db")),
    authenticate=check_password,
    public=["/v1/shop/catalog"],
    login_limits=LoginLimits(),
)
