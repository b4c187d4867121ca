"""The one place that turns an error into a response: RFC 9457 problems, RFC 6749 5.2 errors for the form dialect."""

from typing import Any

from ..encoding import json_text
from ..errors import (
    AuthError,
    InsufficientScope,
    MethodNotAllowed,
    StepUpRequired,
    TemporaryError,
    TokenError,
)
from ..telemetry import refused
from .answers import NO_STORE, Answer, json_answer, length

TYPE_BASE = "https://jwt-refresh-middleware.readthedocs.io/errors/#"
"""RFC 9457, 3.1.1: what identifies a kind of problem; the page of the documentation that describes it."""

VARY = (b"vary", b"Authorization, Cookie, Origin, Sec-Fetch-Site")
_UNQUOTABLE = {ord(c): None for c in '"\\'}


def quotable(text: str) -> str:
    """``text`` as it may stand between quotes in a header (RFC 6750, 3): printable ASCII, no quote, no backslash."""
    return "".join(c for c in text if " " <= c <= "~").translate(_UNQUOTABLE)


class Problems:
    """Writes the answers to errors. What can be prepared is prepared: most answers never differ."""

    def __init__(self, realm: str, refresh_url: str | None = None) -> None:
        """``realm``: of the ``Bearer`` challenge (RFC 9110, 11.5); ``refresh_url``: if given, is in every 401."""
        self._refresh_url = refresh_url
        self._challenge = f'Bearer realm="{quotable(realm)}"'
        self._prepared: dict[tuple[type[AuthError], str], Answer] = {}

    def answer(self, error: AuthError) -> Answer:
        """The response to ``error``, the same for every error of a class and action that carries nothing else."""
        refused(error.code, error.status)
        if isinstance(error, (InsufficientScope, StepUpRequired, MethodNotAllowed, TemporaryError)):
            return self._write(error)
        key = (type(error), error.action)
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = self._write(error)
        return prepared

    def _write(self, error: AuthError) -> Answer:
        content: dict[str, Any] = {
            "type": TYPE_BASE + error.code,
            "title": error.title,
            "status": error.status,
            "code": error.code,
            "detail": error.detail,
            "action": error.action,
            "error": error.error,
        }
        if self._refresh_url is not None and error.status == 401:
            content["refresh_url"] = self._refresh_url
        if isinstance(error, StepUpRequired):
            content |= {"acr_values": error.acr_values, "max_age": error.max_age}
        body = json_text(content).encode()
        headers = [(b"content-type", b"application/problem+json"), length(body), NO_STORE, VARY]
        challenge = self._challenge_for(error)
        if challenge:
            headers.append((b"www-authenticate", challenge.encode("ascii")))
        return Answer(error.status, (*headers, *_more_headers(error)), body)

    def _challenge_for(self, error: AuthError) -> str:
        """``WWW-Authenticate`` (RFC 6750, 3; RFC 9470, 3): with what is wrong, unless no credentials came."""
        if not isinstance(error, TokenError):
            return self._challenge if error.status == 401 else ""
        if error.error is None:
            return self._challenge
        challenge = f'{self._challenge}, error="{error.error}", error_description="{quotable(error.detail)}"'
        if isinstance(error, InsufficientScope) and error.scopes:
            challenge += f', scope="{quotable(" ".join(error.scopes))}"'
        if isinstance(error, StepUpRequired):
            if error.acr_values is not None:
                challenge += f', acr_values="{quotable(error.acr_values)}"'
            if error.max_age is not None:
                challenge += f', max_age="{error.max_age}"'
        return challenge


def _more_headers(error: AuthError) -> list[tuple[bytes, bytes]]:
    if isinstance(error, TemporaryError):
        return [(b"retry-after", str(error.retry_after).encode())]
    if isinstance(error, MethodNotAllowed):
        return [(b"allow", ", ".join(error.allow).encode())]
    return []


def form_answer(error: AuthError) -> Answer:
    """The answer of the form dialect (RFC 6749, 5.2): 400 and no challenge, but for a refusal that is temporary."""
    status = error.status if error.status in (413, 429, 503) else 400
    refused(error.code, status)
    content = {"error": error.error, "error_description": error.detail}
    return json_answer(status, content, VARY, *_more_headers(error))
