"""The mounted routes: which path and method is answered by what."""

import hashlib
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ..access import AccessToken
from ..encoding import json_text
from ..errors import AuthError, MethodNotAllowed, NotFound, TokenMissing
from ..verifier import Verifier
from .answers import Answer, empty_answer, json_answer, length
from .client_files import client_files, names
from .incoming import Incoming
from .problems import VARY, Problems
from .session_list import shown
from .step_up import StepUp
from .tokens import Authenticate, Tokens
from .transport import Cookie, bearer

Handler = Callable[[Incoming, Receive], Awaitable[Answer]]


class Routes:
    """Answers the paths under ``prefix`` that are ours; every other path is the app's."""

    def __init__(
        self,
        verifier: Verifier,
        problems: Problems,
        *,
        prefix: str,
        cookie: Cookie,
        tokens: Tokens | None,
        authenticate: Authenticate | None,
    ) -> None:
        """``tokens`` is None for a gateway, which has no issuer: only its public keys are served then."""
        self._verifier = verifier
        self._problems = problems
        self._cookie = cookie
        self._tokens = tokens
        self._one_session = f"{prefix}/sessions/"
        self._table: dict[str, dict[str, Handler]] = {f"{prefix}/jwks.json": {"GET": self.jwks}}
        self._session_methods: dict[str, Handler] = {}
        if tokens is not None:
            self._session_methods = {"DELETE": self.end_session}
            self._table |= {
                f"{prefix}/refresh": {"POST": tokens.refresh_route},
                f"{prefix}/logout": {"POST": tokens.logout_route},
                f"{prefix}/sessions": {"GET": self.list_sessions, "DELETE": self.end_other_sessions},
            }
            self._table |= {f"{prefix}/client/{name}": {"GET": file.answer} for name, file in client_files().items()}
            if authenticate is not None:
                self._table[f"{prefix}/login"] = {"POST": tokens.login_route}
                self._table[f"{prefix}/step-up"] = {"POST": StepUp(tokens, authenticate).route}

    @property
    def paths(self) -> frozenset[str]:
        """The paths that are ours, without those of single sessions."""
        return frozenset(self._table)

    def find(self, path: str) -> dict[str, Handler] | None:
        """The methods of a path that is ours, else None."""
        found = self._table.get(path)
        if found is None and self._session_methods and path.startswith(self._one_session):
            session_id = path[len(self._one_session) :]
            return self._session_methods if session_id and "/" not in session_id else None
        return found

    async def answer(self, methods: dict[str, Handler], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for one of our paths, with an error too; nothing if the client is gone."""
        try:
            handler = methods.get(scope["method"])
            if handler is None:
                raise MethodNotAllowed(*methods)
            answer = await handler(Incoming(scope), receive)
        except AuthError as error:
            answer = self._problems.answer(error)
        except ClientDisconnect:  # in the middle of its body
            return
        await answer(scope, send)

    async def jwks(self, request: Incoming, _receive: Receive) -> Answer:
        """``GET /jwks.json``: the public keys (RFC 7517, 5), or 304; shared secrets are not among them.

        A gateway passes on those of its issuer. Raises KeysUnavailable if it has none yet.
        """
        self._verifier.require_keys()
        body = json_text(self._verifier.keys.jwks()).encode()
        etag = b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
        headers = ((b"cache-control", b"public, max-age=300"), (b"etag", etag))
        if names(request.headers.get(b"if-none-match", b""), etag):
            return Answer(304, headers, b"")
        return Answer(200, ((b"content-type", b"application/jwk-set+json"), length(body), *headers), body)

    def _require_token(self, request: Incoming) -> tuple[Tokens, AccessToken]:
        assert self._tokens is not None
        credentials = bearer(request.headers.get(b"authorization"))
        if credentials is None:
            raise TokenMissing(refreshable=self._cookie.came_along(request.scope["headers"]))
        token = self._verifier.known(credentials).token
        self._tokens.issuer.acknowledge(token)
        return self._tokens, token

    async def list_sessions(self, request: Incoming, _receive: Receive) -> Answer:
        """``GET /sessions``: the subject's live sessions."""
        tokens, token = self._require_token(request)
        sessions = await tokens.issuer.sessions(token.subject)
        listed = await shown(sessions, current=token.session_id, locator=tokens.issuer.locator)
        return json_answer(200, {"sessions": [tokens.named(session) for session in listed]}, VARY)

    async def end_session(self, request: Incoming, _receive: Receive) -> Answer:
        """``DELETE /sessions/{id}``: one of the subject's own sessions; 404 for anybody else's."""
        tokens, token = self._require_token(request)
        session = await tokens.issuer.session(request.scope["path"].rpartition("/")[2])
        if session is None or session.subject != token.subject:
            raise NotFound
        await tokens.issuer.revoke(session.id, reason="ended_by_user", device=tokens.device_of(request))
        return empty_answer()

    async def end_other_sessions(self, request: Incoming, _receive: Receive) -> Answer:
        """``DELETE /sessions``: all of the subject's sessions but the current one."""
        tokens, token = self._require_token(request)
        device = tokens.device_of(request)
        await tokens.issuer.logout_all(token.subject, keep=token.session_id, reason="ended_by_user", device=device)
        return empty_answer()
