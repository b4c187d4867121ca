"""What is right and what is wrong with an access token, check by check. Pure: no I/O, the time is an argument.

Whether a part of a token is right is not decided here a second time. The verifier's own functions are asked about each
part in a token that is right otherwise; so what is said here cannot drift from what a service does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from ...access import MAX_TOKEN_BYTES
from ...encoding import b64url_decode, json_object
from ...errors import AuthError, TokenExpired, TokenInvalid, TokenRevoked
from ...verifier import Verifier
from .checks import Check, Expectations, check, named
from .claims import SOMEBODY, checks_of_claims, own_audience, own_issuer
from .header import checks_of_header

Verdict = Literal["accepted", "refused", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of a token.

    Attributes:
        header, claims: what it says; None where that cannot be read.
        checks: all of them.
        verdict: ``accepted`` or ``refused``; ``undecided`` if nothing is wrong with it and there are no keys.
        code: of the error it would be refused with (contract of the errors); None if it would not.
    """

    header: dict[str, Any] | None
    claims: dict[str, Any] | None
    checks: tuple[Check, ...]
    verdict: Verdict
    code: str | None


def explained(token: bytes, held_against: Expectations) -> Explanation:
    """All checks of an access token. With keys the verdict is a :class:`Verifier`'s, which is the last word."""
    checks = [_size(token), *_segments(token)]
    segments = token.split(b".")
    header, said = _read(segments[0], "header")
    checks += said
    claims = None
    if len(segments) == 3:
        claims, said = _read(segments[1], "payload")
        checks += said
    else:
        checks.append(Check("payload", "not checked", "which part it is cannot be said"))
    checks += checks_of_header(header, held_against)
    checks += checks_of_claims(claims, held_against)
    checks += _of_signature(token, segments, header, held_against)
    checks.append(_of_session(claims, held_against))
    code = code_of(checks)
    if held_against.keys is not None:
        code = verdict_of(token, claims, held_against)
    verdict: Verdict = "accepted" if held_against.keys is not None else "undecided"
    return Explanation(
        header=header, claims=claims, checks=tuple(checks), verdict=verdict if code is None else "refused", code=code
    )


def code_of(checks: list[Check]) -> str | None:
    """What the checks come to, in the order in which a verifier looks: only what is right but old has expired."""
    refused = {check.name for check in checks if check.result == "refused"}
    if refused - {"expiry", "session"}:
        return TokenInvalid.code
    if "expiry" in refused:
        return TokenExpired.code
    return TokenRevoked.code if "session" in refused else None


def verdict_of(token: bytes, claims: Mapping[str, Any] | None, held_against: Expectations) -> str | None:
    """The code of the error that a verifier with these keys raises; None if it accepts the token."""
    assert held_against.keys is not None
    session_id = (claims or {}).get("sid")
    ended = {session_id: 0.0} if held_against.ended and isinstance(session_id, str) else {}
    verifier = Verifier(
        held_against.keys,
        issuer=held_against.issuer or own_issuer(claims) or SOMEBODY,
        audience=held_against.audience or own_audience(claims) or SOMEBODY,
        leeway=timedelta(seconds=held_against.leeway),
        clock=lambda: held_against.now,
        cache_size=0,
        revoked=ended,
    )
    try:
        verifier.verify(token)
    except AuthError as error:
        return error.code
    return None


def _size(token: bytes) -> Check:
    said = f"{len(token)} bytes, and at most {MAX_TOKEN_BYTES} are read"
    return check("size", len(token) <= MAX_TOKEN_BYTES, said, said)


def _segments(token: bytes) -> list[Check]:
    number = token.count(b".") + 1
    wrong = f"{number}, where a signed JWT has 3"
    if number == 5:
        wrong += "; five are an encrypted one (JWE), which is not read"
    return [
        check("characters", token.isascii(), "ASCII", "not only ASCII"),
        check("segments", number == 3, "3", wrong),
    ]


def _read(segment: bytes, name: str) -> tuple[dict[str, Any] | None, list[Check]]:
    """The JSON object that a segment spells, and what was looked at."""
    spelling, content = f"{name}.spelling", f"{name}.json"
    try:
        raw = b64url_decode(segment)
    except ValueError:
        unread = Check(content, "not checked", "it cannot be decoded")
        return None, [Check(spelling, "refused", "not the one canonical spelling in base64url (RFC 7515, 2)"), unread]
    decoded = Check(spelling, "passed", "canonical base64url")
    try:
        found = json_object(raw)
    except ValueError as error:
        return None, [decoded, Check(content, "refused", _reason(error))]
    return found, [decoded, Check(content, "passed", "one JSON object, each name once")]


def _reason(error: ValueError) -> str:
    """Why it is no JSON, without what is there: that is shown where it can be read, or not at all."""
    if isinstance(error, UnicodeError):
        return "not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg}"
    return str(error)


def _of_signature(
    token: bytes, segments: list[bytes], header: Mapping[str, Any] | None, held_against: Expectations
) -> list[Check]:
    if len(segments) != 3:
        return [Check(name, "not checked", "which part it is cannot be said") for name in _SIGNATURE]
    spelled = _spelling_of_signature(segments[2])
    keys = held_against.keys
    if keys is None:
        return [spelled, Check("signature", "not checked", "no keys were given")]
    if header is None or spelled.result == "refused":
        return [spelled, Check("signature", "not checked", "it cannot be read")]
    ours = named(header, keys)
    living = [one for one in ours if one.until > held_against.now]
    if ours and not living:
        return [spelled, Check("signature", "refused", "the time of its key is over")]
    algorithm = header.get("alg")
    fitting = [one for one in living if type(algorithm) is str and algorithm in one.key.accepted]
    if not fitting:
        return [spelled, Check("signature", "not checked", "there is no key for it")]
    signed = token.rpartition(b".")[0]
    good = any(one.key.verifies(signed, segments[2]) for one in fitting)
    return [spelled, check("signature", good, "by one of the keys", "by none of the keys")]


_SIGNATURE = ("signature.spelling", "signature")


def _spelling_of_signature(segment: bytes) -> Check:
    try:
        empty = not b64url_decode(segment)
    except ValueError:
        return Check("signature.spelling", "refused", "not the one canonical spelling in base64url (RFC 7515, 2)")
    return check("signature.spelling", not empty, "canonical base64url", "there is no signature")


def _of_session(claims: Mapping[str, Any] | None, held_against: Expectations) -> Check:
    if claims is None or "sid" not in claims:
        return Check("session", "not checked", "it names no session")
    if held_against.ended is None:
        return Check("session", "not checked", "whether it has ended is in its store")
    return check("session", not held_against.ended, "has not ended", "has ended")
