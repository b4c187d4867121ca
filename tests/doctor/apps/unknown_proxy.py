"""Behind a load balancer that nobody has told the middleware of."""

from fastapi import FastAPI, Request

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .people import check_password, secret

app = FastAPI(openapi_url=None)
policy = DevicePolicy(on_ip_change="step_up")
issuer = Issuer(secret(), SQLiteStore("sessions.db"), device_policy=policy)
app.add_middleware(JWTRefreshMiddleware, issuer=issuer, authenticate=check_password)


@app.get("/me")
def me(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
