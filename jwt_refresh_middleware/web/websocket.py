"""WebSockets: identified and refused before they are accepted, and closed when the token is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from ..access import Known
from ..errors import AuthError, CrossOrigin
from ..revocation import Watchable
from ..telemetry import refused
from .incoming import Incoming
from .lease import CLOSE_CODE, Lease, SocketClosed, Terms
from .outgoing import ANSWER, Outgoing
from .problems import Problems
from .subprotocols import offer_of

Admit = Callable[[Scope, bytes | None], Awaitable[Known | None]]

_CLOSE_CODES = {401: CLOSE_CODE, 403: 4403}
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


class Sockets:
    """Serves the WebSockets of an app."""

    def __init__(
        self,
        problems: Problems,
        admit: Admit,
        recognise: Callable[[bytes], Known],
        *,
        allowed_origins: frozenset[str],
        clock: Callable[[], float],
        revoked: Mapping[str | None, float],
        feed: object,
    ) -> None:
        """Everything that the sockets have in common.

        Args:
            problems: writes the answers.
            admit: ``async (scope, authorization)``: sets user and credentials of the scope and returns the token, None
                for an anonymous socket. Raises an AuthError for one that is refused.
            recognise: what is known of a token that comes later; see :class:`Terms`.
            allowed_origins: whose pages may open sockets, beside the own origin.
            clock: the verifier's.
            revoked: ended sessions by id.
            feed: what tells of ended sessions at once, if it does.
        """
        self._problems = problems
        self._admit = admit
        self._allowed_origins = allowed_origins
        watchable = feed if isinstance(feed, Watchable) else None
        self._terms = Terms(clock=clock, revoked=revoked, watchable=watchable, recognise=recognise, refuse=self._refuse)

    async def serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """One socket, from its handshake to its end."""
        offer = offer_of(scope)
        outgoing = Outgoing(send, answers_bearer=offer is not None)
        try:
            authorization = self._check_origin(scope).headers.get(b"authorization")
            if offer is not None:
                scope, authorization = offer.without(scope), offer.beside(authorization)
            known = await self._admit(scope, authorization)
        except AuthError as error:
            await receive()
            await self._refuse(error, scope, outgoing)
            return
        if known is None:
            await self._run(app, scope, receive, outgoing, outgoing)
            return
        lease = Lease(self._terms, known, scope, receive, outgoing)
        try:
            await self._run(app, scope, lease.receive, lease.send, outgoing)
        except (SocketClosed, WebSocketDisconnect):
            if lease.ended is None:  # otherwise the app did not mind that it was closed from here
                raise
        finally:
            await lease.finish()

    def _check_origin(self, scope: Scope) -> Incoming:
        """Any page may open a socket to anywhere, cookies included, and no CORS stops it: the server has to.

        Raises CrossOrigin, unless no browser asks, or a page of our own or of an allowed origin (RFC 6455, 10.2).
        """
        scheme: str = scope.get("scheme", "ws")
        incoming = Incoming({**scope, "scheme": _HTTP_SCHEMES.get(scheme, scheme)})
        origin = incoming.text(b"origin")
        if origin is not None and origin not in self._allowed_origins and origin.lower() != incoming.own_origin():
            raise CrossOrigin
        return incoming

    async def _run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, outgoing: Outgoing) -> None:
        """The app, which may raise one of our errors as it may in a request."""
        try:
            await app(scope, receive, send)
        except AuthError as error:
            if outgoing.state == "closed" or (outgoing.state == "open" and error.status not in _CLOSE_CODES):
                raise
            await self._refuse(error, scope, outgoing)

    async def _refuse(self, error: AuthError, scope: Scope, outgoing: Outgoing) -> None:
        """Before it is accepted, by the answer to the handshake where the server can send one; then by a close code."""
        code = _CLOSE_CODES.get(error.status, CLOSE_CODE)
        if outgoing.state == "open":
            refused(error.code, error.status)
            await outgoing({"type": "websocket.close", "code": code, "reason": error.code})
        elif outgoing.state == "opening" and ANSWER in (scope.get("extensions") or {}):
            answer = self._problems.answer(error)
            await outgoing({"type": f"{ANSWER}.start", "status": answer.status, "headers": [*answer.headers]})
            await outgoing({"type": f"{ANSWER}.body", "body": answer.body})
        elif outgoing.state == "opening":
            refused(error.code, error.status)
            await outgoing({"type": "websocket.close", "code": code})
