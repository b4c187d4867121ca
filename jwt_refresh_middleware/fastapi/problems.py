"""The errors of this package in an OpenAPI schema."""

from collections.abc import Iterable
from typing import Any, get_args

from ..errors import Action, AuthError

Json = dict[str, Any]

PROBLEM = "AuthProblem"
PROBLEM_SCHEMA: Json = {
    "title": PROBLEM,
    "description": "What went wrong (RFC 9457), and what to do about it.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "action", "error"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "What happened, for programs."},
        "detail": {"type": "string"},
        "action": {"type": "string", "enum": list(get_args(Action)), "description": "What a client should do."},
        "error": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "The OAuth 2.0 error code."},
        "refresh_url": {"type": "string", "description": "In a 401 of a gateway: where to refresh."},
        "acr_values": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "RFC 9470, 3."},
        "max_age": {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "RFC 9470, 3; seconds."},
    },
}
_TEXT: Json = {"type": "string"}
_HEADERS = {
    401: {"WWW-Authenticate": {"required": True, "schema": _TEXT}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer"}}},
    503: {"Retry-After": {"required": True, "schema": {"type": "integer"}}},
}


def ref(name: str) -> Json:
    """A reference to a schema among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def problems(errors: Iterable[type[AuthError]]) -> dict[str, Json]:
    """The response of each status that ``errors`` are answered with; its description lists their codes."""
    responses: dict[str, Json] = {}
    for error in sorted(errors, key=lambda error: error.status):
        line = f"`{error.code}`: {error.title}"
        known = responses.get(str(error.status))
        if known is None:
            responses[str(error.status)] = _problem(error.status, line)
        else:
            known["description"] += f"\n\n{line}"
    return responses


def _problem(status: int, description: str) -> Json:
    response = {"description": description, "content": {"application/problem+json": {"schema": ref(PROBLEM)}}}
    return response | ({"headers": _HEADERS[status]} if status in _HEADERS else {})
