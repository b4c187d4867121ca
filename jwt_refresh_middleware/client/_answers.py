"""What answers mean: the problem in a 401, and the answer to a refresh."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from ._errors import RefreshError, RefreshUnavailable, SessionEnded, StepUpRefused, StepUpRequired
from ._tokens import Tokens

_ACTIONS = ("refresh", "login", "step_up", "retry", "none")
_MEMBERS = ("type", "title", "status", "code", "detail", "action", "error", "acr_values", "max_age")
_LONGEST_WAIT = 300.0
"""Seconds: a server that is wrong about ``Retry-After`` must not silence a client for ever."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back for a refresh; the body may hold tokens."""

    status: int
    media_type: str
    retry_after: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing usable came back: the server may or may not have rotated."""

    reason: str


def problem_of(media_type: str, body: bytes, secret: str = "") -> Mapping[str, Any]:
    """The members of a problem that is ours; empty for anything else.

    Args:
        media_type: the value of ``Content-Type``.
        body: what came.
        secret: must not come out, should somebody have echoed it.
    """
    if media_type.partition(";")[0].strip().lower() != "application/problem+json":
        return {}
    members = _object(body.replace(secret.encode(), b"-") if secret else body)
    if not isinstance(members.get("code"), str) or members.get("action") not in _ACTIONS:
        return {}
    known = {name: members.get(name) for name in _MEMBERS if name in members}
    return {name: value for name, value in known.items() if value is None or isinstance(value, (str, int))}


def judge(answer: Answer | Lost, before: Tokens) -> Tokens | RefreshError:
    """What an answer to the refresh token of ``before`` says.

    The session ends only if the issuer itself says so, in its own words: a proxy, a captive portal or a wrong address
    can answer 401 and 403 too, and must log nobody out.
    """
    if isinstance(answer, Lost):
        return RefreshUnavailable(f"no answer to the refresh ({answer.reason})", code="network")
    if answer.status == 200:
        return Tokens.received(_object(answer.body), before.refresh) or _unexpected(answer)
    problem = problem_of(answer.media_type, answer.body, before.refresh)
    action, code = problem.get("action"), problem.get("code", "")
    if action == "step_up":
        return StepUpRequired("the person must authenticate again (step up)", code=code, problem=problem)
    if answer.status in {400, 401, 403} and action in {"login", "none"}:
        return SessionEnded(f"the session has ended ({code}): log in again", code=code, problem=problem)
    return _unexpected(answer, problem)


def judge_step_up(answer: Answer | Lost, before: Tokens) -> Tokens | RefreshError:
    """What an answer to the refresh token of ``before`` with credentials says: as ``judge``, but for those.

    That they are wrong, or cannot be read, is not the end of the session.
    """
    outcome = judge(answer, before)
    if isinstance(outcome, SessionEnded) and (
        outcome.code == "invalid_credentials" or outcome.problem["action"] == "none"
    ):
        text = f"the step-up was refused ({outcome.code})"
        return StepUpRefused(text, code=outcome.code, problem=outcome.problem)
    return outcome


def _unexpected(answer: Answer, problem: Mapping[str, Any] | None = None) -> RefreshUnavailable:
    code = (problem or {}).get("code") or "unexpected_answer"
    return RefreshUnavailable(
        f"the refresh was answered with {answer.status} ({code})",
        code=code,
        problem=problem,
        status=answer.status,
        retry_after=_wait(answer.retry_after),
    )


def _wait(retry_after: str) -> float:
    """Seconds from a ``Retry-After`` (RFC 9110, 10.2.3); 0 if there is none that can be read."""
    try:
        seconds = float(retry_after) if retry_after[:1].isdigit() else _seconds_until(retry_after)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else 0.0


def _seconds_until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()


def _object(body: bytes) -> Mapping[str, Any]:
    """A JSON object; empty for everything else, however it was made."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
