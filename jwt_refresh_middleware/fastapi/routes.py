"""The mounted routes as OpenAPI operations. Which of them are mounted is not known here."""

from typing import Any

from ..errors import (
    AuthError,
    CrossOrigin,
    DeviceMismatch,
    InvalidCredentials,
    InvalidRequest,
    KeysUnavailable,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    RefreshExpired,
    RefreshInvalid,
    RefreshMissing,
    SessionLimit,
    StepUpRequired,
    StoreUnavailable,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    TokenRevoked,
    UnsupportedMediaType,
)
from .problems import Json, problems, ref
from .schemas import (
    FORM_ERROR,
    FORM_TOKENS,
    KEYS,
    LOGGED_OUT,
    LOGOUT,
    LOGOUT_FORM,
    REFRESH,
    REFRESH_FORM,
    SESSIONS,
    STEP_UP_FORM,
    TEXT,
    TOKENS,
)

TOKEN_ERRORS: tuple[type[AuthError], ...] = (TokenMissing, TokenMalformed, TokenExpired, TokenInvalid, TokenRevoked)
_BODY_ERRORS = (InvalidRequest, PayloadTooLarge, UnsupportedMediaType, CrossOrigin, StoreUnavailable)
_REFRESH_ERRORS = (RefreshMissing, RefreshInvalid, RefreshExpired, DeviceMismatch, RateLimited)

_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_TRANSPORT: Json = {
    "name": "X-Token-Transport",
    "in": "header",
    "required": False,
    "description": "`body`: the refresh token comes in the body, and no cookie is set.",
    "schema": TEXT,
}
_SESSION_ID: Json = {"name": "session_id", "in": "path", "required": True, "schema": TEXT}
_LINKS: Json = {
    "end": {"operationId": "auth_end_session", "parameters": {"session_id": "$response.body#/sessions/0/id"}}
}

Operations = dict[tuple[str, str], Json]
"""By path below the prefix, and method."""


def operations(credentials: Json) -> Operations:
    """Every route. ``credentials``: the schema of what a login takes."""
    return _with_tokens(credentials) | _of_sessions()


def _with_tokens(credentials: Json) -> Operations:
    keys = {
        "200": _answer("RFC 7517, 5.", {"application/jwk-set+json": KEYS}),
        "304": {"description": "What the client has is the same."},
    }
    return {
        ("/login", "POST"): _operation(
            "Log in",
            "login",
            {"200": _tokens("Logged in: a new session.", {_JSON: ref(TOKENS)})},
            errors=(*_BODY_ERRORS, InvalidCredentials, SessionLimit, RateLimited),
            body={_JSON: credentials, _FORM: credentials},
            parameters=[_TRANSPORT],
        ),
        ("/step-up", "POST"): _step_up(credentials),
        ("/refresh", "POST"): _refresh(),
        ("/logout", "POST"): _operation(
            "Log out",
            "logout",
            {"200": _answer("Logged out, whatever token came.", {_JSON: LOGGED_OUT})},
            errors=_BODY_ERRORS,
            body={_JSON: LOGOUT, _FORM: LOGOUT_FORM},
        ),
        ("/jwks.json", "GET"): _operation("Public keys", "jwks", keys, errors=(KeysUnavailable,)),
    }


def _refresh() -> Json:
    """JSON or nothing; or the form of RFC 6749, which has answers of its own."""
    operation = _operation(
        "Refresh",
        "refresh",
        {"200": _tokens("The way the old one came.", {_JSON: {"anyOf": [ref(TOKENS), ref(FORM_TOKENS)]}})},
        errors=(*_BODY_ERRORS, *_REFRESH_ERRORS, StepUpRequired),
        body={_JSON: REFRESH, _FORM: REFRESH_FORM},
    )
    for status in ("400", "429", "503"):
        response = operation["responses"][status]
        response["description"] += "\n\nTo a form: RFC 6749, 5.2"
        response["content"] |= _content({_JSON: ref(FORM_ERROR)})
    return operation


def _step_up(credentials: Json) -> Json:
    """The session is named by any of three: the access token, the cookie, or a member beside the credentials."""
    return _operation(
        "Step up",
        "step_up",
        {"200": _tokens("Proven. Without a refresh token: an access token only.", {_JSON: ref(TOKENS)})},
        errors=(*_BODY_ERRORS, *_REFRESH_ERRORS, *TOKEN_ERRORS, InvalidCredentials),
        body={_JSON: {"allOf": [credentials, REFRESH]}, _FORM: {"allOf": [credentials, STEP_UP_FORM]}},
    )


def _of_sessions() -> Operations:
    listed = _answer("The live sessions of the subject.", {_JSON: ref(SESSIONS)})
    errors = (*TOKEN_ERRORS, StoreUnavailable)
    return {
        ("/sessions", "GET"): _operation(
            "List the sessions", "list_sessions", {"200": listed | {"links": _LINKS}}, errors=errors
        ),
        ("/sessions", "DELETE"): _operation(
            "End all other sessions",
            "end_other_sessions",
            {"204": {"description": "Ended, all but the current one."}},
            errors=errors,
        ),
        ("/sessions/{session_id}", "DELETE"): _operation(
            "End a session",
            "end_session",
            {"204": {"description": "Ended."}},
            errors=(*errors, NotFound),
            parameters=[_SESSION_ID],
        ),
    }


def _answer(description: str, content: dict[str, Json]) -> Json:
    return {"description": description, "content": _content(content)}


def _content(schemas: dict[str, Json]) -> Json:
    return {kind: {"schema": schema} for kind, schema in schemas.items()}


def _tokens(description: str, content: dict[str, Json]) -> Json:
    headers = {
        "Authorization": {"required": True, "description": "`Bearer` and the access token.", "schema": TEXT},
        "Set-Cookie": {"description": "The refresh token, but for the body transport.", "schema": TEXT},
    }
    return _answer(description, content) | {"headers": headers}


def _operation(
    summary: str,
    name: str,
    answers: dict[str, Json],
    *,
    errors: tuple[type[AuthError], ...] = (),
    body: dict[str, Json] | None = None,
    parameters: list[Json] | None = None,
) -> Json:
    operation: dict[str, Any] = {"tags": ["auth"], "summary": summary, "operationId": f"auth_{name}"}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"content": _content(body), "required": name in ("login", "step_up")}
    return operation | {"responses": answers | problems(errors), "security": []}
