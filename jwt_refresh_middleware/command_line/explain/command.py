"""``explain TOKEN``: what a token says, what would be refused and why; with keys, a verifier's verdict."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ...access import MAX_LEEWAY
from ...sessions import Session, is_clean
from ..exit_codes import FOUND
from ..options import DEFAULT_TIMEOUT, Json, Timeout, seconds
from ..output import say, say_fields, say_json, say_table
from ..refused import Refused
from ..session_rows import row
from ..store_options import at_store
from ..store_urls import Place
from ..store_work import with_store
from ..words import from_now, iso
from .access_tokens import Explanation, explained
from .checks import Check, Expectations
from .claims import DATES
from .key_options import keys_of
from .refresh_tokens import RefreshExplanation, explained_refresh, refresh_token_in

_MOST_READ = 1024 * 1024
_DEEPEST = 20
_STDIN = "-"
_IS = ("", "is", "are each")
_VERDICTS = {
    "accepted": "would be accepted",
    "undecided": "nothing wrong was found, and not everything could be checked",
}


# Longer than 40 lines: every option is written once, with its default and what it means.
@at_store(required=False)
def explain(
    token: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN",
            help="An access or a refresh token; - reads it from standard input, which is better: everybody on the "
            "machine can see the arguments of a command.",
        ),
    ] = _STDIN,
    issuer: Annotated[str | None, typer.Option("--issuer", help="What iss must be.", show_default=False)] = None,
    audience: Annotated[
        str | None, typer.Option("--audience", help="What aud must be or hold.", show_default=False)
    ] = None,
    leeway: Annotated[
        float, typer.Option("--leeway", parser=seconds, metavar="SECONDS", help="Tolerance for clocks, at most 60.")
    ] = 0.0,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", show_default=False, help="Keys: a file of keys, a JWK Set, or PEM."),
    ] = None,
    jwks_url: Annotated[
        str | None,
        typer.Option("--jwks-url", metavar="URL", show_default=False, help="Keys: where an issuer publishes them."),
    ] = None,
    secret_from_env: Annotated[
        list[str] | None,
        typer.Option(
            "--secret-from-env",
            metavar="NAME",
            help="Keys: an environment variable with the secret, PEM or JSON; several, newest first.",
        ),
    ] = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    *,
    place: Place | None,
    as_json: Json = False,
) -> None:
    """Say what a token holds and what a service would refuse about it. No secret is needed, and nothing is sent.

    Without keys its signature is not checked. With them the verdict is that of the verifier that a service has.
    """
    for named in (issuer, audience):
        if named is not None and not is_clean(named):
            raise Refused("issuer and audience are text without control characters")
    if leeway > MAX_LEEWAY:
        raise Refused(f"a leeway is at most {MAX_LEEWAY:g} s")
    raw, now = _given(token), time.time()
    ring = keys_of(keys, jwks_url, secret_from_env, timeout)

    def look(session_id: object) -> Session | None:
        if place is None or not isinstance(session_id, str):
            return None
        return with_store(place, lambda opened: opened.get(session_id))

    refresh = refresh_token_in(raw)
    if refresh is not None:
        found = look(refresh.session_id)
        told = explained_refresh(raw, refresh, keys=ring, looked=place is not None, row=found, now=now)
        _tell_refresh(told, found, now, as_json=as_json)
        code = told.code
    else:
        held_against = Expectations(now=now, leeway=leeway, issuer=issuer, audience=audience, keys=ring)
        access = explained(raw, held_against)
        if place is not None and access.claims is not None and (found := look(access.claims.get("sid"))) is not None:
            access = explained(raw, replace(held_against, ended=found.revoked_at is not None))
        _tell_access(access, now, as_json=as_json)
        code = access.code
    if code is not None:
        raise typer.Exit(FOUND)


def _given(token: str) -> bytes:
    """The token's bytes, without blanks around it and without the word that stands before it in a header."""
    if token == _STDIN:
        raw = sys.stdin.buffer.read(_MOST_READ + 1)
        if len(raw) > _MOST_READ:
            raise Refused(f"standard input has more than {_MOST_READ} bytes, which is no token")
    else:
        raw = token.encode("utf-8", "surrogateescape")
    scheme, _, rest = raw.strip().partition(b" ")
    raw = rest.strip() if scheme.lower() == b"bearer" else raw.strip()
    if not raw:
        raise Refused("there is no token")
    return raw


def _rows(checks: tuple[Check, ...]) -> list[dict[str, str | None]]:
    return [{"check": one.name, "result": one.result, "detail": one.detail} for one in checks]


def _json_checks(checks: tuple[Check, ...]) -> list[dict[str, str]]:
    return [{"check": one.name, "result": one.result.replace(" ", "_"), "detail": one.detail} for one in checks]


def _verdict(verdict: str, code: str | None) -> str:
    return _VERDICTS.get(verdict, f"would be refused with {code}")


def _shallow(value: Any, depth: int = 0) -> Any:
    """``value`` of a token as it can be printed: a forged one may be nested deeper than can be written."""
    if depth > _DEEPEST and isinstance(value, (list, dict)):
        return "…"
    if isinstance(value, list):
        return [_shallow(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {name: _shallow(one, depth + 1) for name, one in value.items()}
    return value


def _tell_access(told: Explanation, now: float, *, as_json: bool) -> None:
    header, claims = _shallow(told.header), _shallow(told.claims)
    dates = {
        name: {"at": iso(value), "in_words": from_now(value, now)}
        for name, value in (told.claims or {}).items()
        if name in DATES and any(one.name == name and one.result == "passed" for one in told.checks)
    }
    if as_json:
        say_json(
            {
                "kind": "access_token",
                "verdict": told.verdict,
                "code": told.code,
                "header": header,
                "claims": claims,
                "times": dates,
                "checks": _json_checks(told.checks),
            }
        )
        return
    unsaid = [one.name for one in told.checks if one.name in ("iss", "aud") and one.result == "not checked"]
    so_far = (
        f", if {' and '.join(unsaid)} {_IS[len(unsaid)]} what it has to be"
        if told.verdict == "accepted" and unsaid
        else ""
    )
    say_fields({"access token": _verdict(told.verdict, told.code) + so_far})
    for name, part in (("header", header), ("claims", claims)):
        say("")
        if part is None:
            say_fields({name: "cannot be read"})
        else:
            say_fields(
                {f"{name}.{key}": value if isinstance(value, str) else json.dumps(value) for key, value in part.items()}
            )
    say("")
    say_table(_rows(told.checks))


def _tell_refresh(told: RefreshExplanation, found: Session | None, now: float, *, as_json: bool) -> None:
    proven = any(one.name == "signature" and one.result == "passed" for one in told.checks)
    if as_json:
        say_json(
            {
                "kind": "refresh_token",
                "verdict": told.verdict,
                "code": told.code,
                "session_id": told.session_id,
                "generation": told.generation,
                "proven": proven,
                "state": told.state,
                "session": None if found is None else row(found, now),
                "checks": _json_checks(told.checks),
            }
        )
        return
    unproven = "" if proven else "  (unproven: anybody can write that)"
    say_fields(
        {
            "refresh token": _verdict(told.verdict, told.code),
            "session": told.session_id + unproven,
            "generation": f"{told.generation}{unproven}",
            "state": told.state,
            "subject": None if found is None else found.subject,
        }
    )
    say("")
    say_table(_rows(told.checks))
