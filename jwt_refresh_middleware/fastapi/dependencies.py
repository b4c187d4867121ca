"""Who is asking, as dependencies of handlers, routers and WebSocket endpoints.

::

    verified_token          reads what the middleware has found out; the security scheme of the OpenAPI schema
    └── current_token       the scopes of Security(..., scopes=[...]) are checked here
        └── current_user    whose token it is, like request.user
    optional_token          None for anonymous requests

Everything else builds on ``verified_token``, so overriding that one is enough in tests.
"""

from typing import Annotated

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from ..access import AccessToken
from ..web.connections import token_of, token_or_none
from ..web.demands import scoped
from ..web.users import AuthenticatedUser

SCHEME = "AccessToken"
"""The name of the security scheme in the OpenAPI schema."""
OPTIONAL_SCHEME = "OptionalAccessToken"
"""The same where a token is not needed; :func:`document` replaces it by what OpenAPI has for that."""
STEP_UP_SCHEME = "RecentAccessToken"
"""The same where it has to tell of a recent or a stronger login; :func:`document` replaces it by the error."""


class _Scheme(SecurityBase):
    """A dependency that FastAPI lists as a security scheme: a token that is pasted works with any way to log in."""

    def __init__(self, name: str, description: str) -> None:
        self.scheme_name = name
        self.model = HTTPBearer(bearerFormat="JWT", description=description)


class _Verified(_Scheme):
    async def __call__(self, connection: HTTPConnection) -> AccessToken:
        """The token. Raises what is wrong with a request that has none that is valid."""
        return token_of(connection)


class _Optional(_Scheme):
    async def __call__(self, connection: HTTPConnection) -> AccessToken | None:
        """The token, None for anonymous requests."""
        return token_or_none(connection)


class _Marked(_Scheme):
    async def __call__(self) -> None:
        """Nothing: it is there to be listed."""


verified_token = _Verified(SCHEME, "An access token: log in, and send what comes back.")
"""The verified :class:`AccessToken`, whatever its scopes.

Raises:
    TokenMissing: an anonymous request, on a public path or with ``required=False``.
    TokenInvalid: the same with a token that is not good.
    RuntimeError: the middleware is missing.
"""

optional_token = _Optional(OPTIONAL_SCHEME, "An access token, if there is one.")
"""The verified :class:`AccessToken`, None for anonymous requests. Raises RuntimeError if the middleware is missing."""

may_want_step_up = _Marked(STEP_UP_SCHEME, "An access token of a login that is recent or strong enough.")
"""A dependency of guards that may ask for a step-up, so that the schema tells of it."""


async def current_token(token: Annotated[AccessToken, Depends(verified_token)], needed: SecurityScopes) -> AccessToken:
    """The verified token, with every scope that ``Security(..., scopes=[...])`` asks for on the way here.

    Raises:
        InsufficientScope: a scope is missing; the challenge names all that are needed (RFC 6750, 3.1).
        TokenMissing, TokenInvalid, RuntimeError: as :data:`verified_token`.
    """
    scoped(*needed.scopes)(token)
    return token


async def current_user(token: Annotated[AccessToken, Depends(current_token)]) -> AuthenticatedUser:
    """Whose token it is, like ``request.user``. Errors as :func:`current_token`."""
    return AuthenticatedUser(token)


CurrentToken = Annotated[AccessToken, Depends(current_token)]
CurrentUser = Annotated[AuthenticatedUser, Depends(current_user)]
OptionalToken = Annotated[AccessToken | None, Depends(optional_token)]
