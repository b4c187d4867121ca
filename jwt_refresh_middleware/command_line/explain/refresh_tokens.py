"""What is right and what is wrong with a refresh token. Pure: the row of its session comes in, as the time does.

Its session and its generation can be read without any secret, and prove nothing until its signature is checked. The
handle in it is a secret, and is never shown.
"""

from dataclasses import dataclass

from ...encoding import b64url_decode
from ...errors import RefreshExpired, RefreshInvalid, StepUpRequired
from ...keyring import KeyRing
from ...refresh import HANDLE_BYTES, RefreshSigner, RefreshToken
from ...sessions import Change, Session, Verdict, judge
from ..words import from_now, iso
from .checks import Check, check

_VERSION = 1
_NUMBER = 6
_PAYLOAD, _SIGNATURE = 1 + HANDLE_BYTES + _NUMBER, 32
_REUSE_LEEWAY = 10.0

_TOLD: dict[Verdict, tuple[str, str, str | None]] = {
    Verdict.ROTATE: ("current", "it is the current one", None),
    Verdict.AHEAD: ("ahead", "it is newer than the store knows: the session goes on from it", None),
    Verdict.STEP_UP: ("current", "the session wants a proof of who the person is first", StepUpRequired.code),
    Verdict.REPEAT: ("spent", "the one before the current one, and still answered again to the same device", None),
    Verdict.LATE_REPEAT: (
        "spent",
        "the one before the current one, whose answer was never seen to arrive: answered again to the same device",
        None,
    ),
    Verdict.REUSE: ("spent", "it was exchanged: who presents it now ends the session", RefreshInvalid.code),
    Verdict.REVOKED: ("ended", "the session has ended", RefreshInvalid.code),
    Verdict.EXPIRED: ("expired", "the session is over", RefreshExpired.code),
    Verdict.UNKNOWN: ("unknown", "the store has no such session, or no longer", RefreshInvalid.code),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshExplanation:
    """What is known of a refresh token.

    Attributes:
        session_id, generation: what it says; proven only if the check ``signature`` has passed.
        state: ``current``, ``spent``, ``ahead``, ``ended``, ``expired`` or ``unknown``; None without a store.
        checks: all of them.
        verdict: ``accepted``, ``refused``, or ``undecided`` where keys or store are missing.
        code: of the error it would be refused with; None if it would not.
    """

    session_id: str
    generation: int
    state: str | None
    checks: tuple[Check, ...]
    verdict: str
    code: str | None


def refresh_token_in(token: bytes) -> RefreshToken | None:
    """What a refresh token says, unproven; None for what does not look like one of ours."""
    payload, _, signature = token.partition(b".")
    try:
        said, signed = b64url_decode(payload), b64url_decode(signature)
    except ValueError:
        return None
    if len(said) != _PAYLOAD or len(signed) != _SIGNATURE or said[0] != _VERSION:
        return None
    return RefreshToken.of(said[1 : 1 + HANDLE_BYTES], int.from_bytes(said[1 + HANDLE_BYTES :], "big"))


def explained_refresh(
    token: bytes, said: RefreshToken, *, keys: KeyRing | None, looked: bool, row: Session | None, now: float
) -> RefreshExplanation:
    """All checks of a refresh token, with the defaults of an issuer and from the session's own device.

    Args:
        token: as it came.
        said: what it says.
        keys: what has to have signed it; None: not checked.
        looked: whether ``row`` is what a store has; None is no session then.
        row: the session.
        now: seconds since the epoch.
    """
    signature = _signature(token, keys)
    state, session, code = _session(said, row, now) if looked else (None, _not_looked(), None)
    if signature.result == "refused":
        code = RefreshInvalid.code
    complete = looked and signature.result == "passed"
    return RefreshExplanation(
        session_id=said.session_id,
        generation=said.generation,
        state=state,
        checks=(Check("shape", "passed", "that of a refresh token"), signature, session),
        verdict="refused" if code else "accepted" if complete else "undecided",
        code=code,
    )


def _not_looked() -> Check:
    return Check("session", "not checked", "whether it lives, and at which generation, is in its store")


def _signature(token: bytes, keys: KeyRing | None) -> Check:
    if keys is None:
        return Check("signature", "not checked", "no secret was given")
    if not keys.secrets:
        return Check("signature", "not checked", "these are public keys, and a refresh token needs the issuer's secret")
    try:
        RefreshSigner(keys).read(token.decode("ascii"))
    except RefreshInvalid:
        return Check("signature", "refused", "made with none of the secrets")
    return Check("signature", "passed", "made with one of the secrets")


def _session(said: RefreshToken, row: Session | None, now: float) -> tuple[str, Check, str | None]:
    verdict = judge(
        row,
        said.generation,
        now=now,
        change=Change.SAME,
        same_device=True,
        reuse_leeway=_REUSE_LEEWAY,
        late_repeat=True,
    )
    state, detail, code = _TOLD[verdict]
    if row is not None and row.revoked_at is not None:
        detail += f", {from_now(row.revoked_at, now)}: {row.revoked_reason}"
    elif row is not None and state == "expired":
        detail += f" since {iso(min(row.expires_at, row.ends_at))}"
    elif row is not None:
        detail += f"; the session is at generation {row.generation}"
    return state, check("session", code is None, detail, detail), code
