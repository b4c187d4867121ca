"""The tutorial's store, and four workers."""

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
app.add_middleware(JWTRefreshMiddleware, issuer=Issuer(secret(), MemoryStore()), authenticate=check_password)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
