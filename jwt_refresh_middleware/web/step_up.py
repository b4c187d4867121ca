"""Step-up over HTTP: the person of a running session proves again who they are (RFC 9470)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.types import Receive

from ..access import AccessToken
from ..errors import InvalidCredentials, InvalidRequest, RefreshMissing, TokenError, TokenRevoked
from ..sessions import Device, Identity, Session, TokenPair
from .answers import Answer
from .incoming import Incoming
from .tokens import Authenticate, Tokens
from .transport import bearer, read_fields

_NAMES_OF_TOKEN = ("refresh_token", "refreshToken")


class StepUp:
    """Asks for the credentials of a session's subject again; until they are right nothing of the session changes."""

    def __init__(self, tokens: Tokens, authenticate: Authenticate) -> None:
        """``authenticate``: that of the login."""
        self._tokens = tokens
        self._issuer = tokens.issuer
        self._authenticate = authenticate

    async def route(self, request: Incoming, receive: Receive) -> Answer:
        """``POST /step-up``: credentials as JSON object or form, answered as a refresh the way the refresh token came.

        Without a refresh token a valid access token says which session it is, and is answered with another.
        """
        body = await request.body(receive)
        kind = request.kind_of(body)
        fields = read_fields(kind, body)
        refresh_token, by_cookie = self._tokens.presented(request, fields)
        access = self._access_token(request, needed=refresh_token is None)
        if kind == "none":
            raise InvalidRequest
        credentials = {name: value for name, value in fields.items() if name not in _NAMES_OF_TOKEN}
        device = self._tokens.device_of(request)
        if refresh_token is None:
            assert access is not None
            return await self._with_access_token(access, credentials, device)
        session_id = self._issuer.session_id_of(refresh_token)
        if session_id is not None and access is not None and access.session_id != session_id:
            raise InvalidRequest
        renewing = self._renewed(refresh_token, session_id, credentials, device)
        return await self._tokens.granted(renewing, by_cookie=by_cookie)

    def _access_token(self, request: Incoming, *, needed: bool) -> AccessToken | None:
        """The access token. One that is not valid counts only where there is nothing else. Raises TokenError then."""
        try:
            credentials = bearer(request.headers.get(b"authorization"))
            if credentials is not None:
                return self._issuer.verifier.known(credentials).token
        except TokenError:
            if needed:
                raise
        if needed:
            raise RefreshMissing
        return None

    async def _renewed(
        self, refresh_token: str, session_id: str | None, credentials: dict[str, Any], device: Device
    ) -> TokenPair:
        session = await self._issuer.session(session_id) if session_id is not None else None
        if session is None:  # there is nothing to prove: the refresh says why
            return await self._issuer.refresh(refresh_token, device=device)
        amr, acr = await self._proof(session, credentials, device)
        return await self._issuer.step_up(refresh_token, device=device, amr=amr, acr=acr)

    async def _with_access_token(self, access: AccessToken, credentials: dict[str, Any], device: Device) -> Answer:
        session = await self._issuer.session(access.session_id) if access.session_id is not None else None
        if session is None:
            raise TokenRevoked
        amr, acr = await self._proof(session, credentials, device)
        return await confirmed(self._tokens, access, device, amr=amr, acr=acr)

    async def _proof(
        self, session: Session, credentials: dict[str, Any], device: Device
    ) -> tuple[Sequence[str], str | None]:
        """By what ``authenticate`` says that it was the subject, and which context that reaches.

        Raises:
            InvalidCredentials: it was not: wrong, and right for somebody else, are one answer.
            RateLimited: it was tried too often.
        """

        async def ask() -> Identity | str | None:
            who = await self._authenticate(credentials)
            subject = who.subject if isinstance(who, Identity) else who
            return who if subject == session.subject else None

        who = await self._tokens.throttle.step_up(session, device, ask)
        if who is None:
            self._issuer.login_failed(device, session)
            raise InvalidCredentials
        return (who.amr, who.acr) if isinstance(who, Identity) else ((), None)


async def confirmed(
    tokens: Tokens, access: AccessToken, device: Device, *, amr: Sequence[str], acr: str | None
) -> Answer:
    """Note the proof in the session of an access token, and answer with another access token that says so.

    It grants what the one that came grants, and no more; and it counts for the same generation of the refresh token,
    since the answer to a later one may not have arrived.

    Raises TokenRevoked if the session has ended.
    """
    issuer = tokens.issuer
    session = None
    if access.session_id is not None:
        session = await issuer.confirm(access.session_id, amr=amr, acr=acr, device=device)
    if session is None:
        raise TokenRevoked
    claims: Mapping[str, Any] = access.claims  # those that are not the app's are written anew
    same = replace(session, scopes=access.scopes, claims=claims, generation=access.generation or 0)
    return tokens.access_answer(*issuer.access_only(same), access.scopes)
