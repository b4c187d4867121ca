"""The mounted routes as OpenAPI operations. Which of them are mounted is not known here."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

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
    StoreUnavailable,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    TokenRevoked,
    UnsupportedMediaType,
)
from ..web.tokens import camel
from .problems import Json, problems, ref

TOKEN_ERRORS: tuple[type[AuthError], ...] = (TokenMissing, TokenMalformed, TokenExpired, TokenInvalid, TokenRevoked)
_BODY_ERRORS = (InvalidRequest, PayloadTooLarge, UnsupportedMediaType, CrossOrigin, StoreUnavailable)
_REFRESH_ERRORS = (RefreshMissing, RefreshInvalid, RefreshExpired, DeviceMismatch, RateLimited)

TOKENS, FORM_TOKENS, FORM_ERROR, SESSIONS = "AuthTokens", "AuthFormTokens", "AuthFormError", "AuthSessions"
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer"}
_TIME: Json = {"type": "string", "format": "date-time"}
_NULLABLE: Json = {"anyOf": [_TEXT, {"type": "null"}]}
_TOKEN_MEMBERS: dict[str, Json] = {
    "access_token": _TEXT,
    "token_type": {"const": "Bearer"},
    "expires_in": {**_NUMBER, "description": "Seconds."},
    "scope": {**_TEXT, "description": "Separated by spaces."},
}
_BODY_MEMBERS: dict[str, Json] = {
    "refresh_token": {**_TEXT, "description": "Only in the body transport; else it is in the cookie."},
    "refresh_expires_in": {**_NUMBER, "description": "Seconds; only beside refresh_token."},
}
_SESSION_MEMBERS: dict[str, Json] = {
    "id": _TEXT,
    "created_at": _TIME,
    "last_used_at": _TIME,
    "expires_at": _TIME,
    "ip": _NULLABLE,
    "user_agent": _NULLABLE,
    "current": {"type": "boolean"},
}
_ONCE: Json = {"additionalProperties": _TEXT}  # RFC 6749, 3.2: no field of a form is repeated
_REFRESH: Json = {
    "type": "object",
    "properties": {"refresh_token": {**_NULLABLE, "description": "Only without the cookie."}},
}
_REFRESH_FORM: Json = {
    "type": "object",
    "required": ["grant_type", "refresh_token"],
    "properties": {"grant_type": {"const": "refresh_token"}, "refresh_token": {**_TEXT, "minLength": 1}},
    **_ONCE,
}
_LOGOUT: Json = {
    "type": "object",
    "properties": {
        "refresh_token": {**_NULLABLE, "description": "Only without the cookie and without an access token."},
        "all": {"description": "true: every session of the subject.", "examples": [True]},
    },
}
_LOGOUT_FORM: Json = {"type": "object", "properties": {"refresh_token": _TEXT, "all": _TEXT}, **_ONCE}


class AuthLogin(BaseModel):
    """A user name and a password, by the names of RFC 6749, 4.3.2."""

    username: str
    password: Annotated[str, Field(json_schema_extra={"format": "password"})]


def components(field_case: str) -> dict[str, Json]:
    """The schemas that :func:`operations` refer to, but for the credentials."""

    def members(snake: dict[str, Json], *more: str, title: str) -> Json:
        needed = [name for name in snake if name not in _BODY_MEMBERS or name in more]
        return _object(title, snake, needed, camelized=field_case == "camel" and title != FORM_TOKENS)

    everything = _TOKEN_MEMBERS | _BODY_MEMBERS
    listed = {"type": "array", "items": members(_SESSION_MEMBERS, title="AuthSession")}
    return {
        TOKENS: members(everything, title=TOKENS),
        FORM_TOKENS: members(everything, *_BODY_MEMBERS, title=FORM_TOKENS),
        FORM_ERROR: _object(FORM_ERROR, {"error": _TEXT, "error_description": _TEXT}, ["error"], camelized=False),
        SESSIONS: _object(SESSIONS, {"sessions": listed}, ["sessions"], camelized=False),
    }


def _object(title: str, members: dict[str, Json], needed: list[str], *, camelized: bool) -> Json:
    named = camel if camelized else str
    properties = {named(name): schema for name, schema in members.items()}
    return {"title": title, "type": "object", "required": [named(name) for name in needed], "properties": properties}


def operations(credentials: Json) -> dict[tuple[str, str], Json]:
    """Every route by its path below the prefix and its method. ``credentials``: the schema of what a login takes."""
    return {
        ("/login", "POST"): _operation(
            "Log in",
            "login",
            {"200": _tokens("Logged in: a new session.", {_JSON: ref(TOKENS)})},
            errors=(*_BODY_ERRORS, InvalidCredentials),
            body={_JSON: credentials, _FORM: credentials},
            parameters=[_TRANSPORT],
        ),
        ("/refresh", "POST"): _refresh(),
        ("/logout", "POST"): _operation(
            "Log out",
            "logout",
            {"200": _answer("Logged out, whatever token came.", {_JSON: _object_of("status", "logged_out")})},
            errors=_BODY_ERRORS,
            body={_JSON: _LOGOUT, _FORM: _LOGOUT_FORM},
        ),
        ("/sessions", "GET"): _operation(
            "List the sessions",
            "list_sessions",
            {"200": _answer("The live sessions of the subject.", {_JSON: ref(SESSIONS)}) | {"links": _LINKS}},
            errors=(*TOKEN_ERRORS, StoreUnavailable),
        ),
        ("/sessions", "DELETE"): _operation(
            "End all other sessions",
            "end_other_sessions",
            {"204": {"description": "Ended, all but the current one."}},
            errors=(*TOKEN_ERRORS, StoreUnavailable),
        ),
        ("/sessions/{session_id}", "DELETE"): _operation(
            "End a session",
            "end_session",
            {"204": {"description": "Ended."}},
            errors=(*TOKEN_ERRORS, NotFound, StoreUnavailable),
            parameters=[{"name": "session_id", "in": "path", "required": True, "schema": _TEXT}],
        ),
        ("/jwks.json", "GET"): _operation(
            "Public keys",
            "jwks",
            {
                "200": _answer("RFC 7517, 5.", {"application/jwk-set+json": _KEYS}),
                "304": {"description": "What the client has is the same."},
            },
            errors=(KeysUnavailable,),
        ),
    }


_TRANSPORT: Json = {
    "name": "X-Token-Transport",
    "in": "header",
    "required": False,
    "description": "`body`: the refresh token comes in the body, and no cookie is set.",
    "schema": _TEXT,
}
_LINKS: Json = {
    "end": {"operationId": "auth_end_session", "parameters": {"session_id": "$response.body#/sessions/0/id"}}
}
_KEYS: Json = {
    "type": "object",
    "required": ["keys"],
    "properties": {"keys": {"type": "array", "items": {"type": "object"}}},
}


def _refresh() -> Json:
    """JSON or nothing; or the form of RFC 6749, which has answers of its own."""
    ok = _tokens("New tokens, the way the old one came.", {_JSON: {"anyOf": [ref(TOKENS), ref(FORM_TOKENS)]}})
    operation = _operation(
        "Refresh", "refresh", {"200": ok}, errors=(*_BODY_ERRORS, *_REFRESH_ERRORS), body={_JSON: _REFRESH}
    )
    operation["requestBody"]["content"][_FORM] = {"schema": _REFRESH_FORM}
    for status in ("400", "413", "429", "503"):
        response = operation["responses"][status]
        response["description"] += "\n\nTo a form: RFC 6749, 5.2"
        response["content"] |= {_JSON: {"schema": ref(FORM_ERROR)}}
    return operation


def _object_of(name: str, value: str) -> Json:
    return {"type": "object", "required": [name], "properties": {name: {"const": value}}}


def _answer(description: str, content: dict[str, Json]) -> Json:
    return {"description": description, "content": _content(content)}


def _content(schemas: dict[str, Json]) -> Json:
    return {kind: {"schema": schema} for kind, schema in schemas.items()}


def _tokens(description: str, content: dict[str, Json]) -> Json:
    headers = {
        "Authorization": {"required": True, "description": "`Bearer` and the access token.", "schema": _TEXT},
        "Set-Cookie": {"description": "The refresh token, but for the body transport.", "schema": _TEXT},
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
        operation["requestBody"] = {"content": _content(body), "required": name == "login"}
    return operation | {"responses": answers | problems(errors), "security": []}
