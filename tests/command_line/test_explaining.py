"""What is explained of a token is what a verifier does with it: no check that drifts, none that is missing."""

import asyncio
import inspect
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwt_refresh_middleware import KeyRing, Verifier
from jwt_refresh_middleware.command_line.explain.access_tokens import Explanation, code_of, explained
from jwt_refresh_middleware.command_line.explain.checks import Expectations
from jwt_refresh_middleware.errors import AuthError
from jwt_refresh_middleware.key_states import Held

from ..catalogue import forge, test_a_algorithms, test_a_signatures, test_b_encoding, test_c_claims, test_d_confusion
from ..catalogue.forge import ISSUER, b64, claims, header, jws, parts, spare_bits, token
from ..web.support import SECRET, START

NOW = float(int(START))
RINGS = {"HS256": KeyRing.from_secret(SECRET), "EdDSA": KeyRing.from_pem(forge.pem("EdDSA"))}


def outcome(raw: bytes, keys: KeyRing, *, leeway: float = 0.0, ended: bool = False, audience: str = ISSUER) -> Any:
    """What a verifier says of it, asked without anything of the command line."""
    revoked = type("All", (dict,), {"__contains__": lambda *_: True})() if ended else {}
    verifier = Verifier(
        keys, issuer=ISSUER, audience=audience, leeway=timedelta(seconds=leeway), clock=lambda: NOW, revoked=revoked
    )
    try:
        verifier.verify(raw)
    except AuthError as error:
        return error.code
    return None


def explain(raw: bytes, keys: KeyRing | None = RINGS["HS256"], **options: Any) -> Explanation:
    return explained(raw, Expectations(**{"now": NOW, "issuer": ISSUER, "audience": ISSUER, "keys": keys} | options))


def refused(told: Explanation) -> set[str]:
    return {check.name for check in told.checks if check.result == "refused"}


# The forged tokens of the attack catalogue, taken from its tests by running them against something that only listens.

_MODULES = (test_a_algorithms, test_a_signatures, test_b_encoding, test_c_claims, test_d_confusion)


class Listening:
    """Takes the place of the service under attack."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def refused(self, credentials: str | bytes, *_: Any, **__: Any) -> None:
        self.heard.append(credentials.encode("latin-1", "replace") if isinstance(credentials, str) else credentials)


def _catalogue() -> Iterator[bytes]:
    for module in _MODULES:
        for test in _tests(module):
            yield from _heard(test)


def _tests(module: ModuleType) -> Iterator[Callable[..., Any]]:
    return (value for name, value in vars(module).items() if name.startswith("test_") and inspect.isfunction(value))


def _heard(test: Callable[..., Any]) -> list[bytes]:
    """What a test presents, for all of its parameters; nothing of tests that need more than that."""
    choices: list[list[dict[str, Any]]] = []
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            said = mark.args[0]
            names = [name.strip() for name in said.split(",")] if isinstance(said, str) else [*said]
            rows = [one if hasattr(one, "marks") else pytest.param(*_row(one, names)) for one in mark.args[1]]
            choices.append([dict(zip(names, row.values, strict=True)) for row in rows])
    listening = Listening()
    for combination in itertools.product(*choices):
        arguments = {name: value for one in combination for name, value in one.items()}
        if {*inspect.signature(test).parameters} != {"target", *arguments} or "algorithm" in arguments:
            break
        try:
            asyncio.run(test(listening, **arguments))
        except AttributeError:  # it asks the service for something else
            break
    return listening.heard


def _row(one: Any, names: list[str]) -> tuple[Any, ...]:
    return (one,) if len(names) == 1 else tuple(one)


def test_every_forged_token_of_the_catalogue_is_explained_as_it_is_refused() -> None:
    forged = [raw for raw in _catalogue() if raw]
    assert len(set(forged)) > 300
    for raw in forged:
        told = explain(raw)
        assert told.code == outcome(raw, RINGS["HS256"]) == code_of([*told.checks])
        assert told.code is not None
        assert told.verdict == "refused"


# Tokens that are right but for something, drawn at random.

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from([0, 1, NOW, NOW - 1, NOW + 1, NOW - 30, NOW + 30.5, NOW + 60, ISSUER, [ISSUER], [ISSUER, 1], ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "jti", "nbf", "auth_time", "sid", "gen", "scope", "cnf", "plan", "crit")
_MEMBERS = ("typ", "alg", "kid", "crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c", "x5t", "url")
_GONE = object()


def _changes(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), _VALUES | st.just(_GONE), max_size=2)


def _changed(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (good | changes).items() if value is not _GONE}


_TYPES = st.sampled_from(["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "dpop+jwt", "at+jwt ", "\u017ft+jwt"])
_ALGORITHMS = st.sampled_from(["HS256", "EdDSA", "Ed25519", "ES256", "none", "hs256", "HS512"])
_RAW: tuple[Callable[[bytes], bytes], ...] = (
    lambda raw: raw,
    lambda raw: b"\xef\xbb\xbf" + raw,
    lambda raw: b" " + raw + b"\n",
    lambda raw: raw + b"{}",
    lambda raw: raw[:-1] + b',"sub":"mallory"}',
    lambda raw: raw[:-1] + b',"x":NaN}',
    lambda raw: raw[:-1] + b',"x":1e999}',
    lambda raw: raw[:-1] + b',"x":"\\ud800"}',
    lambda raw: raw[:-1] + b',"x":' + b"[" * 300 + b"]" * 300 + b"}",
    lambda raw: raw[:-1] + b',"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
    lambda raw: raw[:-1] + b',"x":"' + b"x" * 7000 + b'"}',
    lambda raw: b"[" + raw + b"]",
    lambda raw: raw.decode().encode("utf-16"),
    lambda raw: b"\xff" + raw,
    lambda raw: b"",
)
_WHOLE: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: text + "=",
    lambda text: text[:-2],
    lambda text: text + "AA",
    lambda text: text.rpartition(".")[0] + ".",
    lambda text: text.rpartition(".")[0],
    lambda text: text + ".",
    lambda text: "." + text,
    lambda text: text + "\n",
    lambda text: text.replace(".", "=.", 1),
    lambda text: text[:9] + "!" + text[9:],
    lambda text: text[:9] + "é" + text[9:],
    lambda text: text[:-1] + (spare_bits(parts(text)[2]) or ["A"])[0][-1],
    lambda text: text.swapcase(),
)


@st.composite
def forged_tokens(draw: st.DrawFn) -> tuple[str, bytes]:
    """A token and the algorithm it is signed under, with nothing, one thing or more wrong with it."""
    name = draw(st.sampled_from(sorted(RINGS)))
    with forge.under(name):
        head = _changed(header(), draw(_changes(_MEMBERS)))
        if draw(st.booleans()):
            head["kid"] = draw(st.sampled_from([RINGS[name].keys[0].kid, "", "other"]))
        if draw(st.integers(0, 3)) == 0:
            head["typ"] = draw(_TYPES)
        if draw(st.integers(0, 3)) == 0:
            head["alg"] = draw(_ALGORITHMS)
        body = _changed(claims(), draw(_changes(_CLAIMS)))
        odd = st.one_of(st.just(_RAW[0]), st.just(_RAW[0]), st.sampled_from(_RAW))
        raw = [draw(odd)(json.dumps(part).encode()) for part in (head, body)]
        key = draw(st.sampled_from([SECRET, SECRET, SECRET, "somebody else's secret, as long"]))
        text = jws(raw[0], raw[1], key)
    bend = draw(st.one_of(st.just(_WHOLE[0]), st.sampled_from(_WHOLE)))
    return name, bend(text).encode("utf-8")


@settings(max_examples=150, deadline=None)
@given(forged_tokens(), st.sampled_from([0.0, 30.0, 60.0]), st.sampled_from([None, False, True]))
def test_the_checks_come_to_what_a_verifier_says(forged: tuple[str, bytes], leeway: float, ended: bool | None) -> None:
    name, raw = forged
    told = explain(raw, RINGS[name], leeway=leeway, ended=ended)
    assert code_of([*told.checks]) == told.code, refused(told)
    said = told.claims is not None and isinstance(told.claims.get("sid"), str)
    assert told.code == outcome(raw, RINGS[name], leeway=leeway, ended=bool(ended and said))
    assert told.verdict == ("accepted" if told.code is None else "refused")


@settings(max_examples=60, deadline=None)
@given(forged_tokens())
def test_without_being_told_what_to_expect_the_checks_agree_too(forged: tuple[str, bytes]) -> None:
    name, raw = forged
    told = explain(raw, RINGS[name], issuer=None, audience=None)
    assert code_of([*told.checks]) == told.code, refused(told)


@settings(max_examples=60, deadline=None)
@given(forged_tokens())
def test_without_keys_nothing_is_refused_that_a_verifier_accepts(forged: tuple[str, bytes]) -> None:
    name, raw = forged
    without, whole = explain(raw, None), explain(raw, RINGS[name])
    assert without.verdict in ("refused", "undecided")
    assert (without.verdict == "refused") == (without.code is not None)
    if without.code is not None:
        assert whole.code in (without.code, "token_invalid")
    more = refused(whole) - refused(without)
    assert more <= {"alg", "kid", "signature"}


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        pytest.param(token(exp=NOW - 180), "expiry", id="expired"),
        pytest.param(token(nbf=NOW + 60), "nbf", id="not yet"),
        pytest.param(token(iat=NOW + 60), "iat", id="from the future"),
        pytest.param(token(exp="soon"), "exp", id="no date"),
        pytest.param(token(iss="https://evil.example"), "iss", id="another issuer"),
        pytest.param(token(aud="other"), "aud", id="another audience"),
        pytest.param(token(sub=None), "sub", id="nobody's"),
        pytest.param(token(jti=7), "jti", id="jti"),
        pytest.param(token(gen=-1), "gen", id="gen"),
        pytest.param(token(scope=["a"]), "scope", id="scope"),
        pytest.param(token(cnf={"jkt": "x"}), "claims", id="bound"),
        pytest.param(jws(header(typ="JWT"), claims()), "typ", id="an ID token"),
        pytest.param(jws(header(alg="none"), claims()), "alg", id="alg none"),
        pytest.param(jws(header(alg="ES256"), claims()), "alg", id="another algorithm"),
        pytest.param(jws(header(kid="other"), claims()), "kid", id="another key"),
        pytest.param(jws(header(kid=7), claims()), "kid", id="kid"),
        pytest.param(jws(header(crit=["exp"]), claims()), "members", id="crit"),
        pytest.param(jws(header(jku="https://evil.example"), claims()), "members", id="jku"),
        pytest.param(jws(header(), claims(), "somebody else's secret, as long"), "signature", id="forged"),
        pytest.param(token() + "=", "signature.spelling", id="padding"),
        pytest.param(token(x="x" * 8192), "size", id="size"),
        pytest.param(jws(header(), b'{"sub": "a", "sub": "b"}'), "payload.json", id="twice"),
        pytest.param(jws(b"[]", claims()), "header.json", id="no object"),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(raw: str, name: str) -> None:
    told = explain(raw.encode())
    assert refused(told) == {name}
    assert told.code == ("token_expired" if name == "expiry" else "token_invalid")


def test_everything_that_is_wrong_is_said_not_only_the_first() -> None:
    raw = jws(
        header(typ="JWT", crit=["x"]), claims(aud="other", exp=NOW - 1, sub=""), "somebody else's secret, as long"
    )
    assert refused(explain(raw.encode())) == {"typ", "members", "aud", "expiry", "sub", "signature"}


@pytest.mark.parametrize("times", [1, 4, 5])
def test_what_has_not_three_parts_is_looked_at_as_far_as_that_goes(times: int) -> None:
    told = explain(".".join([b64(json.dumps(header()).encode())] * times).encode())
    assert refused(told) == {"segments"}
    assert told.header == header()
    assert ("JWE" in str(told.checks)) == (times == 5)


def test_times_are_told_in_words() -> None:
    told = {check.name: check.detail for check in explain(token(exp=NOW - 180, nbf=NOW - 3600).encode()).checks}
    assert told["expiry"] == "expired 3 minutes ago"
    assert told["nbf"].endswith("1 hour ago")
    assert {c.name: c.detail for c in explain(token().encode()).checks}["expiry"] == "expires in 15 minutes"


def test_a_key_whose_time_is_over_refuses_what_it_has_signed() -> None:
    old, new = RINGS["HS256"].keys[0], KeyRing.generate("HS256").keys[0]
    for until, code in ((NOW + 1, None), (NOW, "token_invalid")):
        ring = KeyRing([Held(new, "current", 0.0), Held(old, "previous", 0.0, until)], clock=lambda: NOW)
        told = explain(token().encode(), ring)
        assert told.code == code
        assert refused(told) == (set() if code is None else {"signature"})


def test_an_ended_session_is_said_after_everything_else() -> None:
    good, old = token(sid="s").encode(), token(sid="s", exp=NOW - 1).encode()
    assert explain(good, ended=True).code == "token_revoked"
    assert explain(good, ended=False).code is None
    assert explain(old, ended=True).code == "token_expired"


def test_a_number_beyond_every_calendar_is_no_date() -> None:
    for value in (10**400, -(10**400), 253_402_300_800):
        told = explain(token(exp=value, iat=value).encode())
        assert {"exp", "iat"} <= refused(told)


@pytest.mark.parametrize(("exp", "code"), [(NOW - 29, None), (NOW - 30, "token_expired")])
def test_the_leeway_counts_for_the_expiry(exp: float, code: str | None) -> None:
    told = explain(token(exp=exp).encode(), leeway=30.0)
    assert told.code == code
    assert refused(told) == (set() if code is None else {"expiry"})
    assert refused(explain(token(iat=NOW + 30, nbf=NOW + 30).encode(), leeway=30.0)) == set()
