"""For FastAPI: who is asking as a dependency, guards for scopes and step-up, and the routes in the OpenAPI schema.

Nothing is verified a second time: what :class:`JWTRefreshMiddleware` has found out is handed on.
"""

from .dependencies import (
    CurrentToken,
    CurrentUser,
    OptionalToken,
    current_token,
    current_user,
    optional_token,
    verified_token,
)
from .guards import require_acr, require_fresh, require_scopes
from .openapi import document

__all__ = [
    "CurrentToken",
    "CurrentUser",
    "OptionalToken",
    "current_token",
    "current_user",
    "document",
    "optional_token",
    "require_acr",
    "require_fresh",
    "require_scopes",
    "verified_token",
]
