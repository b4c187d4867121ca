"""Login, refresh and logout over HTTP: from a request to the issuer, and from its tokens to a response."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from starlette.types import Receive

from ..access import AccessToken
from ..encoding import json_quoted
from ..errors import (
    AuthError,
    GrantError,
    InvalidCredentials,
    InvalidRequest,
    RefreshMissing,
    TokenError,
)
from ..issuer import Issuer
from ..login_limits import LoginLimits
from ..sessions import Device, Identity, TokenPair
from .addresses import ClientAddresses
from .answers import Answer, json_answer, written_answer
from .incoming import Incoming
from .problems import VARY, Problems, form_answer
from .throttle import Throttle
from .transport import Cookie, bearer, read_fields, token_of, token_of_form

Authenticate = Callable[[dict[str, Any]], Awaitable[Identity | str | None]]
FieldCase = Literal["snake", "camel"]

# The answer to every login and refresh, JSON written as text: a third of an encoder's time. Tokens need no quoting.
_BESIDE_COOKIE = '{"access_token":"%(access)s","token_type":"Bearer","expires_in":%(access_life)d,"scope":%(scope)s}'
_IN_BODY = _BESIDE_COOKIE[:-1] + ',"refresh_token":"%(refresh)s","refresh_expires_in":%(refresh_life)d}'


def camel(name: str) -> str:
    """``access_token`` as ``accessToken``."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _camel_names(answer: str) -> str:
    return re.sub(r'"(\w+)":', lambda found: f'"{camel(found[1])}":', answer)


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
        addresses: ClientAddresses,
        login_limits: LoginLimits | None,
    ) -> None:
        self.issuer = issuer
        self.throttle = Throttle(issuer, login_limits)
        self._addresses = addresses
        self._problems = problems
        self._authenticate = authenticate
        self._cookie = cookie
        self._camel = field_case == "camel"
        self._beside_cookie = _camel_names(_BESIDE_COOKIE) if self._camel else _BESIDE_COOKIE
        self._in_body = _camel_names(_IN_BODY) if self._camel else _IN_BODY
        self._allowed_origins = allowed_origins

    async def login_route(self, request: Incoming, receive: Receive) -> Answer:
        """``POST /login``: credentials as JSON object or form, tokens for whoever ``authenticate`` says it is."""
        assert self._authenticate is not None
        self.check_login_origin(request)
        body = await request.body(receive)
        kind = request.kind_of(body)
        if kind == "none":
            raise InvalidRequest
        authenticate, credentials, device = self._authenticate, read_fields(kind, body), self.device_of(request)
        who: Identity | str | None
        who = await self.throttle.login(credentials, device, lambda: authenticate(credentials))
        if who is None:
            self.issuer.login_failed(device)
            raise InvalidCredentials
        return await self.login(request, who)

    def device_of(self, request: Incoming) -> Device:
        """Where a request came from: the address of its client, see ``trusted_proxies``, and the ``User-Agent``."""
        return request.device(self._addresses.of(request.scope))

    def check_login_origin(self, request: Incoming) -> None:
        """Refuse to set the cookie for a page of another origin. Raises CrossOrigin."""
        if not _wants_body(request):
            request.check_origin(self._allowed_origins)

    async def login(self, request: Incoming, who: Identity | str) -> Answer:
        """Start a session for ``who`` and answer with its tokens, in the transport that the client asks for."""
        pair = await self.issuer.login(who, device=self.device_of(request))
        return self._tokens(pair, by_cookie=not _wants_body(request))

    async def refresh_route(self, request: Incoming, receive: Receive) -> Answer:
        """``POST /refresh``: the cookie, a JSON body or the form of RFC 6749, 6; answered the way it came."""
        body = await request.body(receive)
        kind = request.kind_of(body)
        if kind == "form":
            return await self._refresh_form(request, body)
        token, by_cookie = self.presented(request, read_fields(kind, body))
        if token is None:
            raise RefreshMissing
        return await self.granted(self.issuer.refresh(token, device=self.device_of(request)), by_cookie=by_cookie)

    async def granted(self, refreshing: Awaitable[TokenPair], *, by_cookie: bool) -> Answer:
        """The answer to a refresh: its tokens the way the old one came, or why there are none.

        The cookie is deleted with a session that is known to have ended, and never else. Raises AuthError.
        """
        try:
            pair = await refreshing
        except GrantError as error:
            answer = self._problems.answer(error)
            return answer.with_headers(self._cookie.delete()) if by_cookie and error.session_over else answer
        return self._tokens(pair, by_cookie=by_cookie)

    async def _refresh_form(self, request: Incoming, body: bytes) -> Answer:
        try:
            token = token_of_form(read_fields("form", body))
            pair = await self.issuer.refresh(token, device=self.device_of(request))
        except AuthError as error:
            return form_answer(error)
        return _pair_answer(_IN_BODY, pair)

    def presented(self, request: Incoming, fields: Mapping[str, Any]) -> tuple[str | None, bool]:
        """The one refresh token of a request, and whether the cookie brought it (then the origin was checked)."""
        by_cookie = self._cookie.read(request.headers.get(b"cookie"))
        by_body = token_of(fields)
        if by_cookie is None:
            return by_body, False
        request.check_origin(self._allowed_origins)
        if by_body is not None and by_body != by_cookie:
            raise InvalidRequest
        return by_cookie, True

    def access_answer(self, access_token: str, life: int, scopes: Sequence[str]) -> Answer:
        """The answer that has an access token only, of ``life`` seconds: the refresh token stays what it is."""
        return _written(self._beside_cookie, _access_content(access_token, life, scopes))

    def _tokens(self, pair: TokenPair, *, by_cookie: bool) -> Answer:
        if by_cookie:
            cookie = self._cookie.set(pair.refresh_token, pair.refresh_expires_in)
            return _pair_answer(self._beside_cookie, pair, cookie)
        return _pair_answer(self._in_body, pair)

    def named(self, content: dict[str, Any]) -> dict[str, Any]:
        """``content`` with its names in the case that was configured."""
        return {camel(name): value for name, value in content.items()} if self._camel else content

    async def logout_route(self, request: Incoming, receive: Receive) -> Answer:
        """``POST /logout``: 200 whatever token came, or none."""
        body = await request.body(receive)
        return await self.logout(request, read_fields(request.kind_of(body), body))

    async def logout(self, request: Incoming, fields: Mapping[str, Any]) -> Answer:
        """End the session that the request names, or with ``all`` every session of its subject; delete the cookie."""
        token, by_cookie = self.presented(request, fields)
        if token is None:
            request.check_origin(self._allowed_origins)  # the cookie is to be deleted
        access = self._access_token(request)
        if fields.get("all") in (True, "true"):
            session = await self.issuer.session_of(token) if token is not None else None
            subject = session.subject if session else access.subject if access else None
            if subject is not None:
                await self.issuer.logout_all(subject, device=self.device_of(request))
        named = self.issuer.session_id_of(token) if token is not None else None
        if named is None and access is not None:
            named = access.session_id
        if named is not None:
            await self.issuer.revoke(named, reason="logout", device=self.device_of(request))
        headers = (VARY,) if token is not None and not by_cookie else (VARY, self._cookie.delete())
        return json_answer(200, {"status": "logged_out"}, *headers)

    def _access_token(self, request: Incoming) -> AccessToken | None:
        """The access token of the request if it is valid; anything else does not count here."""
        try:
            credentials = bearer(request.headers.get(b"authorization"))
            return self.issuer.verifier.known(credentials).token if credentials is not None else None
        except TokenError:
            return None


def _wants_body(request: Incoming) -> bool:
    return request.headers.get(b"x-token-transport") == b"body"


def _pair_answer(text: str, pair: TokenPair, *headers: tuple[bytes, bytes]) -> Answer:
    content = _access_content(pair.access_token, pair.expires_in, pair.session.scopes)
    content |= {"refresh": pair.refresh_token, "refresh_life": pair.refresh_expires_in}
    return _written(text, content, *headers)


def _access_content(access_token: str, life: int, scopes: Sequence[str]) -> dict[str, Any]:
    return {"access": access_token, "access_life": life, "scope": json_quoted(" ".join(scopes))}


def _written(text: str, content: dict[str, Any], *headers: tuple[bytes, bytes]) -> Answer:
    authorization = (b"authorization", b"Bearer " + content["access"].encode("ascii"))
    return written_answer(200, text % content, VARY, authorization, *headers)
