"""A callback for events that cannot be awaited."""

from typing import Any

from fastapi import FastAPI, Request

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret


def tell(event: Any) -> None:
    print(event.name)


app = FastAPI(openapi_url=None)
issuer = Issuer(secret(), SQLiteStore("sessions.db"), on_event=tell)  # type: ignore[arg-type]
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
