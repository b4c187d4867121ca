"""Whose token a request or socket of the app carries, as the middleware has found out."""

from starlette.requests import HTTPConnection

from ..access import AccessToken
from ..errors import TokenInvalid, TokenMissing
from .transport import bearer, single
from .users import AuthenticatedUser, Credentials


def token_or_none(connection: HTTPConnection) -> AccessToken | None:
    """The verified token, None for an anonymous connection.

    Raises:
        RuntimeError: the middleware is missing, or something has replaced the user that it has put there.
    """
    if not isinstance(connection.scope.get("auth"), Credentials):
        raise RuntimeError(  # noqa: TRY004  it is the set-up that is wrong, not a type
            "dependencies and guards need JWTRefreshMiddleware around the app"
        )
    user = connection.user
    if isinstance(user, AuthenticatedUser):
        return user.token
    if user.is_authenticated:
        raise RuntimeError("request.user was replaced: the token that JWTRefreshMiddleware has put there is gone")
    return None


def token_of(connection: HTTPConnection) -> AccessToken:
    """The verified token.

    Raises:
        TokenMissing: an anonymous connection, on a public path or with ``required=False``.
        TokenInvalid: the same with a token that is not good: on a public path it was ignored until here.
        RuntimeError: as :func:`token_or_none`.
    """
    token = token_or_none(connection)
    if token is not None:
        return token
    headers = connection.scope["headers"]
    if bearer(single(headers).get(b"authorization")) is not None:
        raise TokenInvalid
    tokens = connection.auth.tokens
    raise TokenMissing(refreshable=tokens is not None and tokens._cookie.came_along(headers))
