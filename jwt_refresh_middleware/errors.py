"""The errors of this package, and what each of them means to a client.

::

    AuthError
    ├── TokenError                  something is wrong with the access token
    │   ├── TokenMissing            401 token_missing
    │   ├── TokenMalformed          400 token_malformed
    │   ├── TokenExpired            401 token_expired
    │   ├── TokenInvalid            401 token_invalid
    │   ├── TokenRevoked            401 token_revoked
    │   ├── InsufficientScope       403 insufficient_scope
    │   └── StepUpRequired          401 step_up_required
    ├── GrantError                  no tokens are given out
    │   ├── InvalidCredentials      401 invalid_credentials
    │   ├── RefreshMissing          401 refresh_missing
    │   ├── RefreshInvalid          401 refresh_invalid
    │   ├── RefreshExpired          401 refresh_expired
    │   ├── DeviceMismatch          401 device_mismatch
    │   └── SessionLimit            403 session_limit
    ├── RequestError                the request itself is wrong
    │   ├── CrossOrigin             403 cross_origin
    │   ├── InvalidRequest          400 invalid_request
    │   │   └── UnsupportedGrantType
    │   ├── PayloadTooLarge         413 payload_too_large
    │   ├── UnsupportedMediaType    415 unsupported_media_type
    │   ├── NotFound                404 not_found
    │   └── MethodNotAllowed        405 method_not_allowed
    └── TemporaryError              try again, nothing was lost
        ├── RateLimited             429 rate_limited
        ├── StoreUnavailable        503 store_unavailable
        └── KeysUnavailable         503 keys_unavailable

An application may raise any of them: the middleware turns it into the structured answer of RFC 9457. The text of
an answer is the class's own, whatever the cause was, so that it tells an attacker nothing; the arguments carry
only what a client is meant to know. (Over 300 lines: one short class for each code, all in the one tree.)
"""

from typing import ClassVar, Literal

Action = Literal["refresh", "login", "step_up", "retry", "none"]


class AuthError(Exception):
    """Root of every error of this package.

    Attributes:
        code: what happened, stable, for programs.
        status: the HTTP status code of the answer.
        action: what a client should do: ``refresh``, ``login``, ``step_up``, ``retry`` or ``none``.
        error: the OAuth 2.0 error code (RFC 6749, 5.2; RFC 6750, 3.1; RFC 9470, 3), or None.
        title: one line for people, the same for every occurrence (RFC 9457, 3.1.3).
        detail: one sentence for people (RFC 9457, 3.1.4).
    """

    code: ClassVar[str]
    status: ClassVar[int]
    error: ClassVar[str | None] = "invalid_request"
    title: ClassVar[str]
    detail: ClassVar[str]
    action: Action = "none"

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class TokenError(AuthError):
    """Something is wrong with the access token of a request."""

    status = 401
    action: Action = "refresh"
    error: ClassVar[str | None] = "invalid_token"


class TokenMissing(TokenError):
    """No ``Authorization`` header, or one of another scheme (RFC 6750, 3: answered without an error code)."""

    code = "token_missing"
    error = None
    title = "Access token missing"
    detail = "This resource needs an access token in the Authorization header."
    action: Action = "login"

    def __init__(self, *, refreshable: bool = False) -> None:
        """``refreshable``: the refresh cookie came along, so that the client may refresh instead of logging in."""
        super().__init__()
        if refreshable:
            self.action = "refresh"


class TokenMalformed(TokenError):
    """Two ``Authorization`` headers, or not exactly one token in it (RFC 6750, 3.1: ``invalid_request``)."""

    code = "token_malformed"
    status = 400
    action: Action = "none"
    error = "invalid_request"
    title = "Authorization header malformed"
    detail = "Send exactly one Authorization header with exactly one Bearer token."


class TokenExpired(TokenError):
    """The token is genuine and ours but its ``exp`` is over (RFC 7519, 4.1.4)."""

    code = "token_expired"
    title = "Access token expired"
    detail = "The access token has expired; refresh it."


class TokenInvalid(TokenError):
    """Anything else that is wrong with an access token; the answer never says what."""

    code = "token_invalid"
    title = "Access token invalid"
    detail = "The access token is not valid here; refresh it."


class TokenRevoked(TokenError):
    """The session the token belongs to was ended."""

    code = "token_revoked"
    action: Action = "login"
    title = "Session ended"
    detail = "The session of this access token was ended; log in again."


class InsufficientScope(TokenError):
    """The token does not carry a scope that is needed (RFC 6750, 3.1). Raise it from your own guards."""

    code = "insufficient_scope"
    status = 403
    action: Action = "none"
    error = "insufficient_scope"
    title = "Insufficient scope"
    detail = "The access token does not grant what this resource needs."

    def __init__(self, *scopes: str) -> None:
        """``scopes``: what would have been needed; they appear in the challenge."""
        super().__init__()
        self.scopes = scopes


class StepUpRequired(TokenError):
    """The person has to authenticate again before this is allowed (RFC 9470, 3)."""

    code = "step_up_required"
    action: Action = "step_up"
    error = "insufficient_user_authentication"
    title = "Authentication too weak or too old"
    detail = "Authenticate again to use this resource."

    def __init__(self, *, acr_values: str | None = None, max_age: int | None = None) -> None:
        """``acr_values``: authentication contexts that would do, space-separated; ``max_age``: seconds."""
        super().__init__()
        self.acr_values = acr_values
        self.max_age = max_age


class GrantError(AuthError):
    """No tokens are given out (RFC 6749, 5.2)."""

    status = 401
    action: Action = "login"
    error = "invalid_grant"
    session_over = False


class InvalidCredentials(GrantError):
    """``authenticate`` did not accept the credentials."""

    code = "invalid_credentials"
    title = "Login refused"
    detail = "The credentials were not accepted."


class RefreshMissing(GrantError):
    """A refresh without a refresh token."""

    code = "refresh_missing"
    title = "Refresh token missing"
    detail = "No refresh token came with the request; log in."


class RefreshInvalid(GrantError):
    """The refresh token is forged, unknown, spent or revoked: one answer for all of them."""

    code = "refresh_invalid"
    title = "Refresh token invalid"
    detail = "The refresh token is not valid; log in again."

    def __init__(self, *, session_over: bool = False) -> None:
        """``session_over``: the session is known to have ended, so that the cookie can be deleted."""
        super().__init__()
        self.session_over = session_over


class RefreshExpired(GrantError):
    """The idle or the absolute lifetime of the session is over."""

    code = "refresh_expired"
    title = "Session expired"
    detail = "The session has expired; log in again."
    session_over = True


class DeviceMismatch(GrantError):
    """The device policy refused: the session belongs to another device. Nothing has changed."""

    code = "device_mismatch"
    title = "Another device"
    detail = "This session belongs to another device; log in on this one."


class SessionLimit(GrantError):
    """The subject has as many sessions as it may have (ASVS 7.1.2): one of them has to end first."""

    code = "session_limit"
    status = 403
    action: Action = "none"
    title = "Too many sessions"
    detail = "You are logged in on as many devices as you may be; log out on one of them first."


class RequestError(AuthError):
    """The request itself is wrong; the session is not touched."""


class CrossOrigin(RequestError):
    """The request came from a page of another origin (CSRF check)."""

    code = "cross_origin"
    status = 403
    title = "Cross-origin request refused"
    detail = "This request came from an origin that is not allowed to make it."


class InvalidRequest(RequestError):
    """A body that cannot be read, or two sources of a token that disagree."""

    code = "invalid_request"
    status = 400
    title = "Invalid request"
    detail = "The request could not be understood."


class UnsupportedGrantType(InvalidRequest):
    """A form with a ``grant_type`` other than ``refresh_token`` (RFC 6749, 5.2)."""

    error = "unsupported_grant_type"
    detail = "Only the grant type refresh_token is supported here."


class PayloadTooLarge(RequestError):
    """The body is larger than 64 KiB."""

    code = "payload_too_large"
    status = 413
    title = "Request body too large"
    detail = "The request body is larger than 64 KiB."


class UnsupportedMediaType(RequestError):
    """The body is of a content type that is not read here."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"
    detail = "Send application/json or application/x-www-form-urlencoded."


class NotFound(RequestError):
    """There is no such session, or it belongs to somebody else."""

    code = "not_found"
    status = 404
    title = "Not found"
    detail = "There is no such session."


class MethodNotAllowed(RequestError):
    """The route exists, with other methods (RFC 9110, 15.5.6)."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"
    detail = "This route does not take that method."

    def __init__(self, *allow: str) -> None:
        """``allow``: the methods that the route takes."""
        super().__init__()
        self.allow = allow


class TemporaryError(AuthError):
    """Not now: the same request may succeed after ``retry_after`` seconds."""

    action: Action = "retry"
    error = "temporarily_unavailable"

    def __init__(self, *, retry_after: int = 1) -> None:
        """``retry_after``: whole seconds until a retry makes sense (RFC 9110, 10.2.3)."""
        super().__init__()
        self.retry_after = retry_after


class RateLimited(TemporaryError):
    """Too many refreshes of one session, or too many failed logins, in too short a time."""

    code = "rate_limited"
    status = 429
    title = "Too many requests"
    detail = "This was tried too often; wait, then try again."


class StoreUnavailable(TemporaryError):
    """The store does not answer, or failed. Nothing was lost: the client's token is still good."""

    code = "store_unavailable"
    status = 503
    title = "Session store unavailable"
    detail = "Sessions cannot be reached at the moment; try again."


class KeysUnavailable(TemporaryError):
    """A remote verifier has no keys yet."""

    code = "keys_unavailable"
    status = 503
    title = "Verification keys unavailable"
    detail = "The keys that check access tokens are not available yet; try again."
