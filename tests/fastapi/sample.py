"""What type checkers see of the dependencies; mypy reads this file, nobody runs it."""

from typing import Annotated, assert_type

from fastapi import Depends, FastAPI, Security
from starlette.requests import Request
from starlette.responses import Response

from jwt_refresh_middleware import AccessToken, confirm, starlette
from jwt_refresh_middleware.fastapi import (
    CurrentToken,
    CurrentUser,
    OptionalToken,
    current_token,
    document,
    require_acr,
    require_fresh,
    require_scopes,
)

app = FastAPI()
document(app, scopes={"read": "Read"})
fresh = require_fresh(max_age=60)
Reader = Annotated[AccessToken, Security(current_token, scopes=["read"])]


@app.get("/", dependencies=[Depends(require_scopes("a", "b")), Depends(require_acr("gold"))])
async def home(token: CurrentToken, user: CurrentUser, maybe: OptionalToken, reader: Reader) -> None:
    assert_type(token, AccessToken)
    assert_type(user.token, AccessToken)
    assert_type(user.identity, str)
    assert_type(maybe, AccessToken | None)
    assert_type(reader.subject, str)


@app.post("/pay")
def pay(token: Annotated[AccessToken, Depends(fresh)]) -> str:
    return token.subject


@starlette.require_fresh(max_age=60)
@starlette.require_acr("gold")
async def page(request: Request) -> Response:
    return await confirm(request, amr=["otp"], acr="gold")


@starlette.require_scopes("a")
def text(request: Request) -> str:
    return "text"


async def both(request: Request) -> None:
    assert_type(text(request), str)
    assert_type(await page(request), Response)
