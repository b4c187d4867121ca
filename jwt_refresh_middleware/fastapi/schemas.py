"""The schemas of what the mounted routes take and answer."""

from typing import Annotated

from pydantic import BaseModel, Field

from ..web.tokens import camel
from .problems import Json

TOKENS, FORM_TOKENS, FORM_ERROR, SESSIONS = "AuthTokens", "AuthFormTokens", "AuthFormError", "AuthSessions"
TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer"}
_TIME: Json = {"type": "string", "format": "date-time"}
_NULLABLE: Json = {"anyOf": [TEXT, {"type": "null"}]}
_TOKEN_MEMBERS: dict[str, Json] = {
    "access_token": TEXT,
    "token_type": {"const": "Bearer"},
    "expires_in": {**_NUMBER, "description": "Seconds."},
    "scope": {**TEXT, "description": "Separated by spaces."},
}
_BODY_MEMBERS: dict[str, Json] = {
    "refresh_token": {**TEXT, "description": "Only in the body transport; else it is in the cookie."},
    "refresh_expires_in": {**_NUMBER, "description": "Seconds; only beside refresh_token."},
}
_SESSION_MEMBERS: dict[str, Json] = {
    "id": TEXT,
    "created_at": _TIME,
    "last_used_at": _TIME,
    "expires_at": _TIME,
    "authenticated_at": {**_TIME, "description": "When the person last proved who they are: login or step-up."},
    "ip": _NULLABLE,
    "user_agent": _NULLABLE,
    "device": {**_NULLABLE, "description": "A name for people, made of user_agent.", "examples": ["Firefox on Linux"]},
    "place": {**_NULLABLE, "description": "Where ip is, if that is known.", "examples": ["Berlin, DE"]},
    "step_up": {"type": "boolean", "description": "true: its next refresh asks for a proof first."},
    "current": {"type": "boolean"},
}
_ONCE: Json = {"additionalProperties": TEXT}  # RFC 6749, 3.2: no field of a form is repeated
REFRESH: Json = {
    "type": "object",
    "properties": {"refresh_token": {**_NULLABLE, "description": "Only without the cookie."}},
}
REFRESH_FORM: Json = {
    "type": "object",
    "required": ["grant_type", "refresh_token"],
    "properties": {"grant_type": {"const": "refresh_token"}, "refresh_token": {**TEXT, "minLength": 1}},
    **_ONCE,
}
STEP_UP_FORM: Json = {
    "type": "object",
    "properties": {"refresh_token": {**TEXT, "description": "Only without the cookie and without an access token."}},
    **_ONCE,
}
LOGOUT: Json = {
    "type": "object",
    "properties": {
        "refresh_token": {**_NULLABLE, "description": "Only without the cookie and without an access token."},
        "all": {"description": "true: every session of the subject.", "examples": [True]},
    },
}
LOGOUT_FORM: Json = {"type": "object", "properties": {"refresh_token": TEXT, "all": TEXT}, **_ONCE}
KEYS: Json = {
    "type": "object",
    "required": ["keys"],
    "properties": {"keys": {"type": "array", "items": {"type": "object"}}},
}
LOGGED_OUT: Json = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"const": "logged_out"}},
}


class AuthLogin(BaseModel):
    """A user name and a password, by the names of RFC 6749, 4.3.2."""

    username: str
    password: Annotated[str, Field(json_schema_extra={"format": "password"})]


def components(field_case: str) -> dict[str, Json]:
    """The schemas that the routes refer to by name, but for the credentials."""

    def members(snake: dict[str, Json], *more: str, title: str) -> Json:
        needed = [name for name in snake if name not in _BODY_MEMBERS or name in more]
        return _object(title, snake, needed, camelized=field_case == "camel" and title != FORM_TOKENS)

    everything = _TOKEN_MEMBERS | _BODY_MEMBERS
    listed = {"type": "array", "items": members(_SESSION_MEMBERS, title="AuthSession")}
    return {
        TOKENS: members(everything, title=TOKENS),
        FORM_TOKENS: members(everything, *_BODY_MEMBERS, title=FORM_TOKENS),
        FORM_ERROR: _object(FORM_ERROR, {"error": TEXT, "error_description": TEXT}, ["error"], camelized=False),
        SESSIONS: _object(SESSIONS, {"sessions": listed}, ["sessions"], camelized=False),
    }


def _object(title: str, members: dict[str, Json], needed: list[str], *, camelized: bool) -> Json:
    named = camel if camelized else str
    properties = {named(name): schema for name, schema in members.items()}
    return {"title": title, "type": "object", "required": [named(name) for name in needed], "properties": properties}
