"""The claims of an access token: the verifier's rules are asked about each, beside the others that have to be there."""

from collections.abc import Mapping
from typing import Any

from ...access import Rules
from ...sessions import is_clean
from ..words import from_now, iso
from .checks import Check, Expectations, check, short

SOMEBODY = "somebody"
"""For whom a token is whose claims do not say it, and nobody has said who it has to be."""
DATES = ("exp", "nbf", "iat", "auth_time")
_REQUIRED = ("iss", "sub", "aud", "exp", "iat", "jti")
_OPTIONAL = ("nbf", "auth_time", "sid", "gen", "scope")
_FAR = 1e12  # seconds: no calendar has it


def own_issuer(claims: Mapping[str, Any] | None) -> str | None:
    """What ``iss`` says, if a verifier can be for it at all."""
    said = (claims or {}).get("iss")
    return said if is_clean(said) else None


def own_audience(claims: Mapping[str, Any] | None) -> str | None:
    """An audience that ``aud`` names, if a verifier can be for it."""
    said = (claims or {}).get("aud")
    listed = said if isinstance(said, list) else [said]
    if not all(type(one) is str for one in listed):
        return None
    return next((one for one in listed if is_clean(one)), None)


def checks_of_claims(claims: dict[str, Any] | None, held_against: Expectations) -> list[Check]:
    """A check for each claim that a verifier looks at, and one of whether the token has expired."""
    names = [*_REQUIRED, *_OPTIONAL, "claims", "expiry"]
    if claims is None:
        return [Check(name, "not checked", "there are no claims to read") for name in names]
    issuer = held_against.issuer or own_issuer(claims) or SOMEBODY
    audience = held_against.audience or own_audience(claims) or SOMEBODY
    rules = Rules(issuer=issuer, audience=audience, leeway=held_against.leeway, max_lifetime=None)
    good = {"iss": issuer, "aud": audience, "sub": "s", "iat": 0, "exp": 9, "jti": "j"}
    checks = [_claim(name, claims, rules, good, held_against) for name in (*_REQUIRED, *_OPTIONAL)]
    others = [name for name in claims if name not in names]
    strange = [name for name in others if not _passes(rules, good | {name: claims[name]}, held_against.now)]
    checks.append(check("claims", not strange, "no other that is refused", f"refused with these: {', '.join(strange)}"))
    is_date = next(check.result for check in checks if check.name == "exp") == "passed"
    return [*checks, _expiry(claims, held_against) if is_date else Check("expiry", "not checked", "exp is no date")]


def _claim(name: str, claims: dict[str, Any], rules: Rules, good: dict[str, Any], held_against: Expectations) -> Check:
    asked = {one: value for one, value in good.items() if one != name}
    if name in claims:
        asked[name] = claims[name]
    if not _passes(rules, asked, held_against.now):
        return Check(name, "refused", _wrong(name, claims, held_against))
    if name not in claims:
        return Check(name, "passed", "not there, and need not be")
    unsaid = {"iss": held_against.issuer, "aud": held_against.audience}
    if name in unsaid and unsaid[name] is None:
        return Check(name, "not checked", f"{short(claims[name])}; say what it has to be")
    if name in DATES:
        return Check(name, "passed", f"{iso(claims[name])}, {from_now(claims[name], held_against.now)}")
    return Check(name, "passed", short(claims[name]))


def _passes(rules: Rules, claims: dict[str, Any], now: float) -> bool:
    try:
        rules.read(claims, now)
    except Exception:  # noqa: BLE001  as where a verifier reads them: whatever it is, it is a refusal
        return False
    return True


def _wrong(name: str, claims: Mapping[str, Any], held_against: Expectations) -> str:
    if name not in claims:
        return "missing"
    value, wanted = claims[name], {"iss": held_against.issuer, "aud": held_against.audience}.get(name)
    if wanted is not None:
        return f"{short(value)}, and not {short(wanted)}"
    if name in ("nbf", "iat") and type(value) in (int, float) and held_against.now < value < _FAR:
        return f"{iso(value)}: {from_now(value, held_against.now)}, which is more than the leeway"
    if name in DATES:
        return f"{short(value)} is no date: a number, from 1970 to 9999 (RFC 7519, 2)"
    kinds = {"gen": "a whole number from 0 on", "scope": "one text", "aud": "a text, or a list of them"}
    return f"{short(value)} is not {kinds.get(name, 'text without control characters')}"


def _expiry(claims: Mapping[str, Any], held_against: Expectations) -> Check:
    end = claims["exp"]
    words = from_now(end, held_against.now)
    return check("expiry", held_against.now < end + held_against.leeway, f"expires {words}", f"expired {words}")
