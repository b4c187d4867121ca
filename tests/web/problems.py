"""The error table of the contract, written down a second time, and what every answer of ours has to look like."""

import json
from dataclasses import dataclass

from .asgi import Reply

MEMBERS = {"type", "title", "status", "code", "detail", "action", "error"}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    code: str
    status: int
    action: str
    error: str | None


TABLE = {
    row.code: row
    for row in (
        Row("token_missing", 401, "login", None),
        Row("token_malformed", 400, "none", "invalid_request"),
        Row("token_expired", 401, "refresh", "invalid_token"),
        Row("token_invalid", 401, "refresh", "invalid_token"),
        Row("token_revoked", 401, "login", "invalid_token"),
        Row("insufficient_scope", 403, "none", "insufficient_scope"),
        Row("step_up_required", 401, "step_up", "insufficient_user_authentication"),
        Row("invalid_credentials", 401, "login", "invalid_grant"),
        Row("refresh_missing", 401, "login", "invalid_grant"),
        Row("refresh_invalid", 401, "login", "invalid_grant"),
        Row("refresh_expired", 401, "login", "invalid_grant"),
        Row("device_mismatch", 401, "login", "invalid_grant"),
        Row("session_limit", 403, "none", "invalid_grant"),
        Row("cross_origin", 403, "none", "invalid_request"),
        Row("invalid_request", 400, "none", "invalid_request"),
        Row("payload_too_large", 413, "none", "invalid_request"),
        Row("unsupported_media_type", 415, "none", "invalid_request"),
        Row("rate_limited", 429, "retry", "temporarily_unavailable"),
        Row("store_unavailable", 503, "retry", "temporarily_unavailable"),
        Row("keys_unavailable", 503, "retry", "temporarily_unavailable"),
        Row("not_found", 404, "none", "invalid_request"),
        Row("method_not_allowed", 405, "none", "invalid_request"),
    )
}
_OF_THE_TOKEN = ("token_", "insufficient_", "step_up_")


def assert_problem(reply: Reply, code: str, *, action: str | None = None) -> None:
    """``reply`` is the problem of ``code``, down to its headers."""
    row = TABLE[code]
    assert reply.one("content-type") == "application/problem+json", reply
    content = reply.json()
    assert content["code"] == code
    assert set(content) >= MEMBERS
    assert (content["status"], reply.status) == (row.status, row.status)
    assert content["action"] == (action or row.action)
    assert content["error"] == row.error
    assert content["type"].startswith("https://")
    assert content["type"].endswith("#" + code)
    assert content["title"]
    assert content["detail"]
    assert reply.one("content-length") == str(len(reply.body))
    assert_headers(reply, row)


def assert_headers(reply: Reply, row: Row) -> None:
    """The headers that belong to a row of the table, and none that do not."""
    assert reply.one("cache-control") == "no-store"
    assert (reply.one("retry-after") is not None) == (row.status in (429, 503))
    assert (reply.one("allow") is not None) == (row.status == 405)
    challenge = reply.one("www-authenticate")
    if row.status == 401 or row.code.startswith(_OF_THE_TOKEN):
        assert challenge is not None
        assert challenge.startswith('Bearer realm="')
        assert all(" " <= c <= "~" for c in challenge)
        if row.error is not None and row.code.startswith(_OF_THE_TOKEN):
            assert f'error="{row.error}"' in challenge
            assert "error_description=" in challenge
        else:
            assert "error" not in challenge
    else:
        assert challenge is None


def assert_form_error(reply: Reply, error: str) -> None:
    """``reply`` is the error of RFC 6749, 5.2."""
    assert reply.status == 400
    assert reply.one("content-type") == "application/json"
    assert reply.one("cache-control") == "no-store"
    assert reply.one("www-authenticate") is None
    assert reply.all("set-cookie") == []
    content = json.loads(reply.body)
    assert set(content) == {"error", "error_description"}
    assert content["error"] == error
    assert content["error_description"]


def deletes_cookie(reply: Reply) -> bool:
    """Whether ``reply`` deletes the refresh cookie; any other cookie in it is an error."""
    cookies = reply.all("set-cookie")
    assert len(cookies) <= 1
    if not cookies:
        return False
    assert "Max-Age=0" in cookies[0]
    return True
