"""For handlers of the app: log somebody in or out, or note a second factor, as the mounted routes would."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ..sessions import Identity
from .connections import token_of
from .incoming import Incoming
from .step_up import confirmed
from .tokens import Tokens
from .transport import read_fields


def _tokens(request: HTTPConnection) -> Tokens:
    tokens = getattr(request.scope.get("auth"), "tokens", None)
    if not isinstance(tokens, Tokens):
        raise RuntimeError(  # noqa: TRY004  the contract's: it is the set-up that is wrong, not a type
            "login(), logout() and confirm() need JWTRefreshMiddleware with an issuer around the app"
        )
    return tokens


async def login(request: HTTPConnection, subject_or_identity: str | Identity) -> Response:
    """Start a session and return the response that carries its tokens, as ``POST {prefix}/login`` does.

    A GET is not checked for its origin: it is the way back from an identity provider, a navigation from another site,
    and the ``state`` parameter that the handler has compared is what protects it (RFC 6749, 10.12).

    Raises:
        CrossOrigin: the request came from a page of another origin.
        StoreUnavailable: the session could not be kept.
        RuntimeError: the middleware is missing, or has no issuer.
    """
    tokens = _tokens(request)
    incoming = Incoming(request.scope)
    if request.scope.get("method") != "GET":
        tokens.check_login_origin(incoming)
    answer = await tokens.login(incoming, subject_or_identity)
    return answer.as_response()


async def logout(request: HTTPConnection) -> Response:
    """End the session of the request and return the response that says so, as ``POST {prefix}/logout`` does.

    Errors as in :func:`login`.
    """
    tokens = _tokens(request)
    answer = await tokens.logout(Incoming(request.scope), await _fields(request))
    return answer.as_response()


async def confirm(request: HTTPConnection, *, amr: Sequence[str] = (), acr: str | None = None) -> Response:
    """Note that the person of the request has just authenticated again, and return the response that says so.

    For a step of your own that has checked a second factor, say: which session it is, the access token of the request
    tells. The answer has a new access token, as ``POST {prefix}/step-up`` gives it to one; so has the next refresh.

    Args:
        request: with a valid access token.
        amr: how the person authenticated (RFC 8176), the factors before included. Default: as it was.
        acr: the authentication context that was reached. Default: as it was.

    Raises:
        TokenMissing, TokenInvalid: the request is anonymous.
        TokenRevoked: the session has ended.
        StoreUnavailable: it was not noted.
        ValueError: a malformed amr or acr.
        RuntimeError: the middleware is missing, or has no issuer.
    """
    tokens = _tokens(request)
    device = tokens.device_of(Incoming(request.scope))
    answer = await confirmed(tokens, token_of(request), device, amr=amr, acr=acr)
    return answer.as_response()


async def _fields(request: HTTPConnection) -> dict[str, Any]:
    """The body of the request if it is one that a logout reads; a body of the app's own is none of our business."""
    if not isinstance(request, Request):
        return {}
    try:
        body = await request.body()
    except RuntimeError:  # the handler has read it as a stream
        return {}
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        return {}
    return read_fields("json" if body else "none", body)
