"""Login, refresh and logout over HTTP: from a request to the issuer, and from its tokens to a response."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from starlette.types import Receive, Scope

from ..access import AccessToken
from ..errors import (
    AuthError,
    GrantError,
    InvalidCredentials,
    InvalidRequest,
    RefreshMissing,
    TokenError,
)
from ..issuer import Issuer
from ..sessions import Identity, TokenPair
from .answers import Answer, json_answer
from .problems import VARY, Problems, form_answer
from .transport import (
    Cookie,
    bearer,
    body_kind,
    check_origin,
    device_of,
    one,
    one_token,
    read_body,
    read_fields,
    token_of,
    token_of_form,
)

Authenticate = Callable[[dict[str, Any]], Awaitable[Identity | str | None]]
FieldCase = Literal["snake", "camel"]


def camel(name: str) -> str:
    """``access_token`` as ``accessToken``."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class Tokens:
    """Gives tokens out and takes them back, in the transport that the client uses."""

    def __init__(
        self,
        issuer: Issuer,
        problems: Problems,
        *,
        authenticate: Authenticate | None,
        cookie: Cookie,
        field_case: FieldCase,
        allowed_origins: frozenset[str],
    ) -> None:
        self.issuer = issuer
        self._problems = problems
        self._authenticate = authenticate
        self._cookie = cookie
        self._camel = field_case == "camel"
        self._allowed_origins = allowed_origins

    async def login_route(self, scope: Scope, receive: Receive) -> Answer:
        """``POST /login``: credentials as JSON object or form, tokens for whoever ``authenticate`` says it is."""
        assert self._authenticate is not None
        self.check_login_origin(scope)
        body = await read_body(scope, receive)
        kind = body_kind(scope, body)
        if kind == "none":
            raise InvalidRequest
        who = await self._authenticate(read_fields(kind, body))
        if who is None:
            self.issuer.login_failed(device_of(scope))
            raise InvalidCredentials
        return await self.login(scope, who)

    def check_login_origin(self, scope: Scope) -> None:
        """Refuse to set the cookie for a page of another origin. Raises CrossOrigin."""
        if not self._wants_body(scope):
            check_origin(scope, self._allowed_origins)

    def _wants_body(self, scope: Scope) -> bool:
        return one(scope["headers"], b"x-token-transport") == "body"

    async def login(self, scope: Scope, who: Identity | str) -> Answer:
        """Start a session for ``who`` and answer with its tokens, in the transport that the client asks for."""
        pair = await self.issuer.login(who, device=device_of(scope))
        return self._tokens(pair, by_cookie=not self._wants_body(scope))

    async def refresh_route(self, scope: Scope, receive: Receive) -> Answer:
        """``POST /refresh``: the cookie, a JSON body or the form of RFC 6749, 6; answered the way it came."""
        body = await read_body(scope, receive)
        kind = body_kind(scope, body)
        if kind == "form":
            return await self._refresh_form(scope, body)
        token, by_cookie = self._presented(scope, read_fields(kind, body))
        if token is None:
            raise RefreshMissing
        try:
            pair = await self.issuer.refresh(token, device=device_of(scope))
        except GrantError as error:
            answer = self._problems.answer(error)
            return answer.with_headers(self._cookie.delete()) if by_cookie and error.session_over else answer
        return self._tokens(pair, by_cookie=by_cookie)

    async def _refresh_form(self, scope: Scope, body: bytes) -> Answer:
        try:
            token = token_of_form(read_fields("form", body))
            pair = await self.issuer.refresh(token, device=device_of(scope))
        except AuthError as error:
            return form_answer(error)
        return self._tokens(pair, by_cookie=False, oauth=True)

    def _presented(self, scope: Scope, fields: Mapping[str, Any]) -> tuple[str | None, bool]:
        """The one refresh token of a request, and whether the cookie brought it (then the origin was checked)."""
        by_cookie = self._cookie.read(scope["headers"])
        by_body = token_of(fields)
        if by_cookie is None:
            return by_body, False
        check_origin(scope, self._allowed_origins)
        if by_body is not None and by_body != by_cookie:
            raise InvalidRequest
        return by_cookie, True

    def _tokens(self, pair: TokenPair, *, by_cookie: bool, oauth: bool = False) -> Answer:
        content: dict[str, Any] = {
            "access_token": pair.access_token,
            "token_type": "Bearer",
            "expires_in": pair.expires_in,
            "scope": " ".join(pair.session.scopes),
        }
        headers = [VARY, (b"authorization", b"Bearer " + pair.access_token.encode("ascii"))]
        if by_cookie:
            headers.append(self._cookie.set(pair.refresh_token, pair.refresh_expires_in))
        else:
            content |= {"refresh_token": pair.refresh_token, "refresh_expires_in": pair.refresh_expires_in}
        return json_answer(200, content if oauth else self.named(content), *headers)

    def named(self, content: dict[str, Any]) -> dict[str, Any]:
        """``content`` with its names in the case that was configured."""
        return {camel(name): value for name, value in content.items()} if self._camel else content

    async def logout_route(self, scope: Scope, receive: Receive) -> Answer:
        """``POST /logout``: 200 whatever token came, or none."""
        body = await read_body(scope, receive)
        return await self.logout(scope, read_fields(body_kind(scope, body), body))

    async def logout(self, scope: Scope, fields: Mapping[str, Any]) -> Answer:
        """End the session that the request names, or with ``all`` every session of its subject; delete the cookie."""
        token, by_cookie = self._presented(scope, fields)
        if token is None:
            check_origin(scope, self._allowed_origins)  # the cookie is to be deleted
        access = self._access_token(scope)
        if fields.get("all") in (True, "true"):
            session = await self.issuer.session_of(token) if token is not None else None
            subject = session.subject if session else access.subject if access else None
            if subject is not None:
                await self.issuer.logout_all(subject)
        named = self.issuer.session_id_of(token) if token is not None else None
        if named is None and access is not None:
            named = access.session_id
        if named is not None:
            await self.issuer.revoke(named, reason="logout")
        headers = (VARY,) if token is not None and not by_cookie else (VARY, self._cookie.delete())
        return json_answer(200, {"status": "logged_out"}, *headers)

    def _access_token(self, scope: Scope) -> AccessToken | None:
        """The access token of the request if it is valid; anything else does not count here."""
        try:
            raw = bearer(scope["headers"])
            return self.issuer.verifier.verify(one_token(raw)) if raw is not None else None
        except TokenError:
            return None
