"""``request.user`` and ``request.auth``: shared by all requests with the same token, so they cannot be changed."""

from __future__ import annotations

from typing import Any, NoReturn

from starlette.authentication import AuthCredentials, BaseUser, UnauthenticatedUser

from ..access import AccessToken, Known
from .tokens import Tokens


class _Shared:
    __slots__ = ()

    def __setattr__(self, name: str, _value: Any) -> NoReturn:
        raise AttributeError(f"{name} cannot be set: other requests share this object; use request.state")


class AuthenticatedUser(_Shared, BaseUser):
    """``request.user`` of a request with a valid access token.

    Attributes:
        token: the verified :class:`AccessToken`.
    """

    __slots__ = ("token",)
    token: AccessToken

    def __init__(self, token: AccessToken) -> None:
        _set_user_token(self, token)

    @property
    def is_authenticated(self) -> bool:
        """Always True."""
        return True

    @property
    def identity(self) -> str:
        """The subject."""
        return self.token.subject

    @property
    def display_name(self) -> str:
        """The subject."""
        return self.token.subject


class Credentials(_Shared, AuthCredentials):
    """``request.auth``.

    Attributes:
        scopes: ``authenticated`` and the token's scopes, in a list of the caller's own; empty for anonymous requests.
        tokens: how the middleware around the app logs in and out; None for a gateway.
    """

    __slots__ = ("_token", "tokens")
    tokens: Tokens | None
    _token: AccessToken | None

    def __init__(self, token: AccessToken | None, tokens: Tokens | None) -> None:
        _set_token(self, token)
        _set_tokens(self, tokens)

    @property
    def scopes(self) -> list[str]:  # type: ignore[override]
        """A new list each time."""
        return [] if self._token is None else ["authenticated", *self._token.scopes]


# What goes around __setattr__ above; looked up once, since a new token costs four of them.
_set_user_token = AuthenticatedUser.token.__set__  # type: ignore[attr-defined]
_set_token = Credentials._token.__set__  # type: ignore[union-attr]
_set_tokens = Credentials.tokens.__set__  # type: ignore[union-attr]


class Users:
    """What requests with a token get as user and credentials, made once for each token that is remembered."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens
        self._nobody = Credentials(None, tokens)

    def of(self, known: Known) -> Made:
        """User and credentials of a token; a verifier may serve several middlewares."""
        token = known.token
        known.companion = made = (self, AuthenticatedUser(token), Credentials(token, self._tokens))
        return made

    def nobody(self) -> tuple[UnauthenticatedUser, Credentials]:
        """User and credentials of an anonymous request."""
        return UnauthenticatedUser(), self._nobody


Made = tuple[Users, AuthenticatedUser, Credentials]
"""Who made the two, and the two."""
