"""The migrations have not been run."""

from fastapi import FastAPI, Request
from sqlalchemy.ext.asyncio import create_async_engine

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlalchemy import SQLAlchemyStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
engine = create_async_engine("sqlite+aiosqlite:///app.db")
issuer = Issuer(secret(), SQLAlchemyStore(engine))
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
