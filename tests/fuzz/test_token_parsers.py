"""Tokens of any kind are read in one spelling, and exactly those that say what they have to."""

import json
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware.errors import InsufficientScope, StepUpRequired
from jwt_refresh_middleware.testing import NOW
from jwt_refresh_middleware.web.demands import fresh, reaching, scoped
from jwt_refresh_middleware.web.problems import Problems
from tests.rotation.support import QUICK

from . import properties as p
from . import refresh_differential as refresh
from .forging import compact, draft, keys
from .mutations import ALGORITHMS, ODD, SIGNED, TYPES, UNSIGNED, mutant
from .strategies import LATIN, SEEDS, VALUES, json_like, mutated

KEY = keys()["secret-1"]
GOOD = draft(Random(3), KEY)
HEADER, PAYLOAD = GOOD.texts()


def test_the_good_token_that_others_are_made_of_is_good() -> None:
    assert p.check_signed(HEADER, PAYLOAD)
    assert p.check_access_token(GOOD.signed())


@QUICK
@given(LATIN | mutated([GOOD.signed()]) | st.text("ab.-_=", max_size=30).map(str.encode))
def test_access_tokens(token: bytes) -> None:
    p.check_access_token(token)


@QUICK
@given(st.text(max_size=30))
def test_access_tokens_as_text(token: str) -> None:
    assert p.tried(p.verifier().verify, token, refusals=(p.TokenInvalid,)) is p.REFUSED


@QUICK
@given(json_like([PAYLOAD, PAYLOAD.replace(b'"exp"', b'"\\u0065xp"')]))
def test_whatever_is_signed_as_the_claims(payload: bytes) -> None:
    p.check_signed(HEADER, payload)


@QUICK
@given(json_like([HEADER, HEADER.replace(b'"alg"', b'"\\u0061lg"')]))
def test_whatever_is_signed_as_the_header(header: bytes) -> None:
    p.check_signed(header, PAYLOAD)


_NAMES = st.sampled_from(
    [
        "iss",
        "aud",
        "sub",
        "exp",
        "iat",
        "nbf",
        "jti",
        "sid",
        "gen",
        "auth_time",
        "scope",
        "cnf",
        "acr",
        "amr",
        "client_id",
    ]
)
_CLAIMS = (
    VALUES
    | st.sampled_from([p.ISSUER, p.AUDIENCE, [p.AUDIENCE, "x"], [p.AUDIENCE, 1], "ann", True, 0])
    | st.floats(-3, 3).map(NOW.__add__)
)


@QUICK
@given(st.dictionaries(_NAMES, _CLAIMS, max_size=4), st.sets(_NAMES, max_size=2))
def test_claims_of_any_type(changed: dict[str, Any], missing: set[str]) -> None:
    claims = {name: value for name, value in (GOOD.claims | changed).items() if name not in missing}
    p.check_signed(HEADER, json.dumps(claims).encode())


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "sid", "gen", "auth_time", "scope"])
def test_a_claim_of_every_type(name: str) -> None:
    for value in (*ODD, NOW, NOW + 1, NOW - 0.5, [p.AUDIENCE, 1], p.ISSUER):
        p.check_signed(HEADER, compact(GOOD.claims | {name: value}))


@pytest.mark.parametrize("name", ["alg", "typ", "kid"])
def test_a_header_of_every_type(name: str) -> None:
    for value in (*ODD, *TYPES, *ALGORITHMS, *keys()):
        p.check_signed(compact(GOOD.header | {name: value}), PAYLOAD)


_HEADER_NAMES = st.sampled_from(
    ["alg", "typ", "kid", "crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c", "x"]
)
_HEADER_VALUES = VALUES | st.sampled_from(["HS256", "none", "at+jwt", "AT+JWT", "application/at+jwt", "JWT", KEY.kid])


@QUICK
@given(st.dictionaries(_HEADER_NAMES, _HEADER_VALUES, max_size=3), st.sets(_HEADER_NAMES, max_size=1))
def test_headers_of_any_type(changed: dict[str, Any], missing: set[str]) -> None:
    header = {name: value for name, value in (GOOD.header | changed).items() if name not in missing}
    p.check_signed(compact(header), PAYLOAD)


@QUICK
@given(SEEDS)
def test_the_mutations_of_the_differential_test(seed: int) -> None:
    rng = Random(seed)
    made = draft(rng, KEY)
    for mutation in rng.sample(SIGNED, 2):
        with suppress(ValueError):  # some read the JSON that another one may have damaged already
            mutation(rng, made)
    p.check_signed(*made.texts())
    p.check_access_token(rng.choice(UNSIGNED)(rng, made.signed(), KEY))
    p.check_access_token(mutant(rng).text)


@QUICK
@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**48 - 1))
def test_refresh_tokens_go_round(handle: bytes, generation: int) -> None:
    assert p.check_refresh_token(p.signer().write(p.RefreshToken.of(handle, generation)))


@QUICK
@given(st.text(max_size=100) | st.text("AbC019-_.=", min_size=96, max_size=96))
def test_refresh_tokens_that_are_none(text: str) -> None:
    assert not p.check_refresh_token(text)


@QUICK
@given(SEEDS)
def test_refresh_tokens_that_were_changed(seed: int) -> None:
    rng = Random(seed)
    for mutation in refresh.MUTATIONS:
        text = mutation(rng, rng.choice(refresh.THEIRS)).decode("latin-1")
        assert p.check_refresh_token(text) or mutation is not refresh.untouched


@QUICK
@given(st.integers(-5, 5), st.text(max_size=5), st.lists(st.text(max_size=4), max_size=3), VALUES)
def test_what_is_asked_of_a_token_beyond_its_being_valid(
    max_age: int, acr: str, scopes: list[str], auth_time: object
) -> None:
    token = p.verifier().verify(GOOD.signed())
    for make in (lambda: fresh(max_age, lambda: NOW), lambda: reaching(acr), lambda: reaching(*scopes)):
        demand = p.tried(make, refusals=(ValueError,))
        if demand is not p.REFUSED:
            p.tried(demand, token, refusals=(StepUpRequired,))
    if p.tried(scoped(*scopes), token, refusals=(InsufficientScope,)) is not p.REFUSED:
        assert set(scopes) <= set(token.scopes)


@QUICK
@given(st.lists(st.text(max_size=6), max_size=3), st.none() | st.text(max_size=12), st.none() | st.integers(), LATIN)
def test_problems(scopes: list[str], acr: str | None, max_age: int | None, realm: bytes) -> None:
    """RFC 6750, 3: what stands between quotes has no quote, backslash or control in it; RFC 9457: the body is JSON."""
    problems = Problems(realm.decode("latin-1"))
    for error in (InsufficientScope(*scopes), StepUpRequired(acr_values=acr, max_age=max_age)):
        answer = problems.answer(error)
        body = json.loads(answer.body)
        assert (body["status"], body["code"]) == (answer.status, error.code)
        challenge = dict(answer.headers)[b"www-authenticate"]
        assert all(0x20 <= byte < 0x7F and byte != 0x5C for byte in challenge)
        scheme, _, parameters = challenge.partition(b" ")
        assert scheme == b"Bearer"
        assert parameters.split(b'"')[-1] == b""
        assert all(part.removeprefix(b", ").endswith(b"=") for part in parameters.split(b'"')[:-1:2])


@pytest.mark.parametrize("mutation", SIGNED)
def test_each_mutation_changes_something(mutation: Any) -> None:
    changed = 0
    for seed in range(20):
        made = draft(Random(seed), KEY)
        before = made.segments()
        mutation(Random(seed), made)
        changed += made.segments() != before
    assert changed > 5
