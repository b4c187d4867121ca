"""Sessions are in a Redis that is not there."""

import os

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.redis import RedisStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
issuer = Issuer(secret(), RedisStore(os.environ["REDIS_URL"]))
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
