"""The user centre and the gateways before it, as ASGI apps, and each of them as a process of its own.

``python -m tests.benchmarks.gateways_apps WAY --port PORT`` serves one behind uvicorn until it is ended.
"""

import argparse
import base64
import hmac
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.authentication import SimpleUser
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, KeyRing, SessionStore, Verifier
from jwt_refresh_middleware.errors import TokenError
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .common import AUDIENCE, ISSUER, SECRET, b64
from .gateways_wire import Pool, form
from .request import item

CENTRE, WAYS = "centre", ("bare", "introspection", "introspection by hand", "redis", "ours")
PASSWORD = "correct horse battery staple"
SESSION = "session:"
INTROSPECT = "/introspect"
_CREDENTIALS = "Basic " + base64.b64encode(b"gateway:" + b64(SECRET.encode())).decode()

Check = Callable[[str], Awaitable[str | None]]
"""Whose a token is; None if it is no good."""
Ask = Callable[[str], Awaitable[Mapping[str, Any]]]
"""What the user centre says of a token (RFC 7662, 2.2)."""


class Counted:
    """Counts the requests to an app by their paths; ``GET /calls`` says how many there were, and is none itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.calls: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/calls":
            await JSONResponse(self.calls)(scope, receive, send)
            return
        if scope["type"] == "http":
            self.calls[scope["path"]] += 1
        await self.app(scope, receive, send)


async def introspected(issuer: Issuer, store: SessionStore, token: str) -> Mapping[str, object]:
    """RFC 7662, 2.2: what a token is worth now, by its signature and by the session's row."""
    try:
        access = issuer.verifier.verify(token)
    except TokenError:
        return {"active": False}
    session = await store.get(access.session_id or "")
    if session is None or session.revoked_at is not None:
        return {"active": False}
    scope = " ".join(access.scopes)
    return {"active": True, "sub": access.subject, "scope": scope, "exp": access.expires_at, "sid": session.id}


async def check_password(credentials: Mapping[str, str]) -> str | None:
    return credentials["name"] if hmac.compare_digest(credentials["password"], PASSWORD) else None


def user_centre(issuer: Issuer, store: SessionStore) -> Counted:
    """Our routes, and ``POST /introspect`` for gateways that ask (RFC 7662)."""

    async def introspect(request: Request) -> JSONResponse:
        credentials = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(credentials, _CREDENTIALS.encode()):  # 2.1: or anybody could try tokens
            return JSONResponse({"error": "invalid_client"}, 401, {"WWW-Authenticate": "Basic"})
        form = parse_qs((await request.body()).decode())
        return JSONResponse(await introspected(issuer, store, form["token"][0]))

    app = Starlette(routes=[Route(INTROSPECT, introspect, methods=["POST"])])
    return Counted(JWTRefreshMiddleware(app, issuer=issuer, authenticate=check_password, public=[INTROSPECT]))


def api() -> Starlette:
    return Starlette(routes=[Route("/item", item)])


class Asking:
    """A gateway that asks somebody else about every request."""

    def __init__(self, app: ASGIApp, check: Check) -> None:
        self.app, self.check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        kind, _, token = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1").partition(" ")
        subject = await self.check(token) if kind == "Bearer" and token else None
        if subject is None:
            refusal = JSONResponse({"code": "token_invalid"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
            await refusal(scope, receive, send)
            return
        scope["user"] = SimpleUser(subject)
        await self.app(scope, receive, send)


def to_centre(address: str, **options: Any) -> httpx2.AsyncClient:
    """A gateway's client at the user centre: keeps its connections alive and says whose it is (RFC 7662, 2.1)."""
    return httpx2.AsyncClient(base_url=address, headers={"Authorization": _CREDENTIALS}, **options)


def by_httpx2(centre: httpx2.AsyncClient) -> Ask:
    """The library that an asynchronous gateway in Python would take."""

    async def ask(token: str) -> Mapping[str, Any]:
        answer = await centre.post(INTROSPECT, data={"token": token})
        found: Mapping[str, Any] = answer.raise_for_status().json()
        return found

    return ask


def by_hand(pool: Pool) -> Ask:
    """No library: bytes that fit this one answer, which is about the least that asking can cost a gateway."""

    async def ask(token: str) -> Mapping[str, Any]:
        status, body = await pool.ask(form(INTROSPECT, {"token": token}, _CREDENTIALS))
        assert status == 200, f"the user centre answered {status}"
        found: Mapping[str, Any] = json.loads(body)
        return found

    return ask


def by_introspection(ask: Ask) -> ASGIApp:
    """The user centre says what each token is worth, each time."""

    async def check(token: str) -> str | None:
        found = await ask(token)
        return str(found["sub"]) if found["active"] else None

    return Asking(api(), check)


def by_redis(redis: Redis) -> ASGIApp:
    """The token is opaque and a key in Redis; a session that ended is one that was deleted."""

    async def check(token: str) -> str | None:
        row = await redis.get(SESSION + token)
        return None if row is None else str(json.loads(row)["sub"])

    return Asking(api(), check)


def by_keys(verifier: Verifier) -> ASGIApp:
    """Ours: nobody is asked about a request. Its keys come from the user centre, in the background."""
    return JWTRefreshMiddleware(api(), verifier=verifier)


def built(way: str, options: argparse.Namespace) -> ASGIApp:
    """One of the apps, as a process has it."""
    if way == CENTRE:
        store = SQLiteStore(options.database)
        life = timedelta(seconds=options.access_ttl)
        issuer = Issuer(KeyRing.generate("EdDSA"), store, issuer=ISSUER, audience=AUDIENCE, access_ttl=life)
        return user_centre(issuer, store)
    if way == "introspection":
        return by_introspection(by_httpx2(to_centre(options.centre)))
    if way == "introspection by hand":
        return by_introspection(by_hand(Pool(urlsplit(options.centre).port or 80)))
    if way == "redis":
        return by_redis(Redis.from_url(options.redis))
    if way == "ours":
        jwks = f"{options.centre}/auth/jwks.json"
        return by_keys(Verifier.from_jwks_url(jwks, issuer=ISSUER, audience=AUDIENCE))
    return api()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=[CENTRE, *WAYS])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", help="file of the sessions, for the user centre")
    parser.add_argument("--access-ttl", type=int, help="seconds, for the user centre")
    parser.add_argument("--centre", help="address of the user centre, for the gateways")
    parser.add_argument("--redis", help="address of Redis, for the gateway that asks it")
    options = parser.parse_args()
    loop = "uvloop" if find_spec("uvloop") else "asyncio"
    settings = {"loop": loop, "http": "httptools", "log_level": "error", "access_log": False}
    app = built(options.way, options)
    uvicorn.run(app, host="127.0.0.1", port=options.port, timeout_keep_alive=600, **settings)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
