"""A gateway in front of the notes app: ``python -m example_app.gateway``. It has public keys and nothing else.

It checks the access token of every request by itself, asks nobody, and forwards what is good with the verified identity
in headers of its own. Pages, and login and refresh under ``/auth``, are forwarded as they are: that is the issuer's
business. Start the notes app first, or later: until its keys are there, what is protected is answered with 503.

=============  ========================================================================================================
``UPSTREAM``   Where the notes app is. Default ``http://127.0.0.1:8000``.
``JWKS_URL``   Where the issuer publishes its keys. Default ``/auth/jwks.json`` there.
``SESSIONS``   The SQLite file of the sessions, if it is on this machine: then the access tokens of a session that was
               ended are refused within a second. Default: none, and they run out.
``HOST``       The address to listen on. Default ``127.0.0.1``.
``PORT``       The port to listen on. Default 8001.
=============  ========================================================================================================
"""

import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from jwt_refresh_middleware import JWTRefreshMiddleware, RevocationFeed, Verifier
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .pages import PUBLIC
from .problems import problem

_OURS = "x-authenticated-"
# RFC 9110, 7.6.1: these are about one connection. The length is the client library's business.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_PATH = "/:@!$&'()*+,=~"  # what may stand in a path as it is (RFC 3986, 3.3)


class Forward:
    """Sends each request on to the service behind, and its answer back, both as streams."""

    def __init__(self, upstream: str) -> None:
        """``upstream``: scheme, host and port of the service."""
        self._upstream = upstream.rstrip("/")
        self._client = httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=30)
        self._client.headers.clear()  # nothing goes out that did not come in

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request; 502 if nobody answers."""
        request, started = Request(scope, receive), False
        call = {"headers": _headers(request), "content": _body(request)}
        try:
            async with self._client.stream(request.method, self._target(request), **call) as answer:
                headers = [(name.lower(), value) for name, value in answer.headers.raw if not _is_hop(name)]
                await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
                started = True
                async for chunk in answer.aiter_raw():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body"})
        except httpx2.HTTPError:
            if started:
                raise  # the server cuts the connection off, so that nobody takes a part for the whole
            await problem(502, "bad_gateway", "The service behind does not answer.")(scope, receive, send)

    def _target(self, request: Request) -> str:
        """The path that was judged, spelled in one way: not the spelling that came, which others may read otherwise."""
        query = request.scope["query_string"].decode("latin-1")
        return self._upstream + quote(request.scope["path"], safe=_PATH) + (f"?{query}" if query else "")


def _is_hop(name: bytes) -> bool:
    return name.decode("latin-1").lower() in _HOP_BY_HOP


def _headers(request: Request) -> list[tuple[str, str]]:
    """What came, but for what only we may say: who it is (percent-encoded UTF-8), verified; and from where it came."""
    came = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in request.headers.raw
        if not _is_hop(name) and not name.replace(b"_", b"-").startswith(_OURS.encode())
    ]
    if request.client is not None:  # the last one is what the service behind believes
        came.append(("x-forwarded-for", request.client.host))
    if not request.user.is_authenticated:
        return came
    token = request.user.token
    return [
        *came,
        (_OURS + "user", quote(token.subject)),
        (_OURS + "session", quote(token.session_id or "")),
        (_OURS + "scopes", quote(" ".join(token.scopes))),
    ]


def _body(request: Request) -> Any:
    """The body as a stream; None where none was announced (RFC 9112, 6.3)."""
    if "content-length" in request.headers or "transfer-encoding" in request.headers:
        return request.stream()
    return None


def create_gateway(environment: Mapping[str, str]) -> Starlette:
    """The gateway that ``environment`` describes. Raises ValueError for a URL that keys must not come from."""
    upstream = environment.get("UPSTREAM") or "http://127.0.0.1:8000"
    sessions = environment.get("SESSIONS")
    forward = Forward(upstream)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await forward.close()

    verifier = Verifier.from_jwks_url(
        environment.get("JWKS_URL") or f"{upstream}/auth/jwks.json",
        feed=RevocationFeed(SQLiteStore(sessions)) if sessions else None,
    )
    guard = Middleware(
        JWTRefreshMiddleware,
        verifier=verifier,
        public=[*PUBLIC, "/openapi.json", "/auth/*"],
        refresh_url="/auth/refresh",
    )
    return Starlette(routes=[Route("/{path:path}", forward)], middleware=[guard], lifespan=lifespan)


def main() -> int:
    """Serve until interrupted; 2 for settings that cannot work."""
    logging.basicConfig(format="%(levelname)s: %(name)s: %(message)s")
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8001"
    try:
        app, number = create_gateway(os.environ), int(port)
    except ValueError as error:
        sys.stderr.write(f"example_app.gateway: {error}\n")
        return 2
    sys.stdout.write(f"Open http://{host}:{number}/ in a browser. The notes app is behind it.\n")
    sys.stdout.flush()
    uvicorn.run(app, host=host, port=number, proxy_headers=False, server_header=False, date_header=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
