"""FastAPI apps behind the middleware, and somebody who talks to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore
from tests.web.asgi import Reply
from tests.web.support import NEVER, PASSWORD, SECRET, Clock, check_password

PUBLIC = ["/open", "/optional", "/openapi.json"]
CREDENTIALS = {"username": "alice", "password": PASSWORD}  # her scopes: read and write


def options(**more: Any) -> dict[str, Any]:
    """What the middleware is given."""
    issuer = Issuer(SECRET, MemoryStore(), clock=more.pop("clock", Clock()), sync_interval=NEVER)
    return {"issuer": issuer, "authenticate": check_password, "public": PUBLIC} | more


def guarded(app: FastAPI | None = None, **more: Any) -> FastAPI:
    """An app with the middleware added, as the quick start does it."""
    app = app or FastAPI()
    app.add_middleware(JWTRefreshMiddleware, **options(**more))
    return app


@contextmanager
def visiting(app: Any) -> Iterator[TestClient]:
    """A client without a token."""
    with TestClient(app, base_url="https://testserver") as client:
        yield client


def log_in(client: TestClient, username: str = "alice") -> dict[str, str]:
    """The header with an access token; no cookie is kept."""
    credentials = CREDENTIALS | {"username": username}
    answer = client.post("/auth/login", json=credentials, headers={"X-Token-Transport": "body"})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def as_reply(answer: Any) -> Reply:
    """An answer as :func:`assert_problem` takes it."""
    raw = tuple((name.lower(), value) for name, value in answer.headers.raw)
    return Reply(answer.status_code, raw, answer.content)
