"""A bounded form of ``python -m tests.fuzz differential``: whatever we accept, others accept, and read the same."""

from random import Random

import pytest

from jwt_refresh_middleware.testing import NOW

from . import differential
from .differential import Counts, judge_one, judged, run, table
from .forging import ISSUER, draft, keys
from .judges import Verdict, clock_of_pyjwt, joserfc, ours, pyjwt, same, without_warnings
from .mutations import SIGNED, UNSIGNED, Mutant
from .refresh_differential import MUTATIONS, refresh_table, run_refresh

TOKENS, SEED = 10_000, 7


@pytest.fixture(scope="module")
def counts() -> Counts:
    return run(TOKENS, SEED)


@pytest.mark.case("A14", "B01", "B05", "B06", "B07", "B10", "C02")
def test_whatever_we_accept_they_accept_and_read_the_same(counts: Counts) -> None:
    assert counts.violations == []
    assert not any(judge == "us" for judge, _ in counts.crashes)


def test_it_has_tried_what_it_says(counts: Counts) -> None:
    """Most tokens pass the signature, good ones pass everywhere, and those that we accept are of many kinds."""
    assert counts.total("tokens") == TOKENS
    assert counts.total("signed") > 0.75 * TOKENS
    kinds = {kind for kind, _ in counts.of}
    assert len(kinds) == len(SIGNED) + len(UNSIGNED) + 2
    untouched = {counts.of["untouched", name] for name in ("tokens", "we accept", "PyJWT accepts", "joserfc accepts")}
    assert len(untouched) == 1
    assert min(untouched) > 100
    assert sum(counts.of[kind, "we accept"] > 0 for kind in kinds) > 12
    assert counts.total("we accept") > 0.1 * TOKENS
    assert counts.total("only we refuse") > 0.1 * TOKENS


def test_the_table_has_a_row_for_each_kind(counts: Counts) -> None:
    lines = table(counts, SEED).splitlines()
    assert f"Seed {SEED}" in lines[0]
    assert "pyjwt 2." in lines[0]
    assert sum(line.startswith("| ") for line in lines) == len({kind for kind, _ in counts.of}) + 3


def test_the_same_seed_judges_the_same_tokens() -> None:
    """But for the RSA key, which is new in each process."""
    one, two, other = run(400, 3), run(400, 3), run(400, 4)
    assert one.of == two.of
    assert one.of != other.of


def _token(kid: str = "secret-1", **claims: object) -> Mutant:
    key = keys()[kid]
    made = draft(Random(1), key)
    made.claims |= claims
    return Mutant("made", key.ring, made.signed(), True)


@pytest.mark.parametrize("kid", [*keys()])
def test_every_judge_accepts_good_tokens_of_every_key(kid: str) -> None:
    counts = judged([_token(kid)])
    assert (
        counts.of["made", "we accept"]
        == counts.of["made", "PyJWT accepts"]
        == counts.of["made", "joserfc accepts"]
        == 1
    )


@pytest.mark.parametrize(
    "claims", [{"exp": NOW}, {"iss": ISSUER + "/"}, {"aud": "x"}, {"nbf": NOW + 1}, {"iat": NOW + 1}, {"sub": 1}]
)
def test_every_judge_refuses_what_is_plainly_wrong(claims: dict[str, object]) -> None:
    """They are as strict as they can be, at the same time: what they accept says something."""
    for judge in (ours(), pyjwt(), joserfc()):
        with clock_of_pyjwt(), without_warnings():
            verdict = judge("secrets", _token(**claims).text)
        assert verdict.claims is None
        assert verdict.reason
        assert not verdict.crashed


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp", "iat", "jti"])
def test_every_judge_wants_every_claim(claim: str) -> None:
    token = _token(**{claim: None}).text
    with clock_of_pyjwt(), without_warnings():
        assert [judge("secrets", token).claims for judge in (ours(), pyjwt(), joserfc())] == [None] * 3


def test_what_would_be_a_violation_is_counted_as_one() -> None:
    """Somebody who accepts everything, reads something else, or crashes, is found out."""
    good, forged = _token(), _token()._replace(text=b"a.b.c")
    said = ours()("secrets", good.text)
    others = {"PyJWT": pyjwt(), "joserfc": joserfc()}
    refusing = {name: lambda _ring, _text: Verdict(None, "refused") for name in others}
    wrong_claims = {name: lambda _ring, _text: Verdict({"sub": "bob"}) for name in others}
    with clock_of_pyjwt(), without_warnings():
        for us, them, token, expected in (
            (lambda _ring, _text: said, others, forged, "refuses it"),
            (lambda _ring, _text: said, refusing, good, "PyJWT refuses it: refused"),
            (lambda _ring, _text: said, wrong_claims, good, "we read"),
            (lambda _ring, _text: Verdict(None, "KeyError", crashed=True), others, good, "KeyError came out"),
            (
                lambda _ring, _text: said._replace(claims={**(said.claims or {}), "sub": "eve"}),
                others,
                good,
                "not what",
            ),
        ):
            counts = Counts()
            judge_one(token, {"us": us, **them}, counts)
            assert counts.of["made", "**violations**"] == 1
            assert expected in counts.violations[0]


def test_a_fractional_exp_is_the_only_thing_that_is_explained() -> None:
    counts = judged([_token(exp=NOW + 0.5), _token("ed-1", exp=NOW + 0.001)])
    assert counts.violations == []
    assert [*counts.explained.values()] == [2]
    us = Verdict({"exp": NOW + 0.5})
    assert differential.explained("PyJWT", us, Verdict(None, "ExpiredSignatureError"))
    assert not differential.explained("PyJWT", us, Verdict(None, "InvalidSignatureError"))
    assert not differential.explained("joserfc", us, Verdict(None, "ExpiredSignatureError"))
    assert not differential.explained("PyJWT", Verdict({"exp": NOW + 1}), Verdict(None, "ExpiredSignatureError"))


def test_readings_are_compared_with_their_types() -> None:
    assert same({"a": 1, "b": [True]}, {"b": [True], "a": 1})
    for other in (1.0, True, "1", [1]):
        assert not same({"a": 1}, {"a": other})


@pytest.mark.case("D05", "H14", "H15")
def test_whatever_refresh_token_we_accept_itsdangerous_accepts() -> None:
    counts = run_refresh(20_000, SEED)
    assert counts.violations == []
    assert counts.of["untouched", "we accept"] == counts.of["untouched", "tokens"] > 1000
    assert counts.total("only we refuse") > 2000
    assert counts.of["of somebody else", "itsdangerous accepts"] == 0
    assert len(refresh_table(counts, SEED).splitlines()) == len(MUTATIONS) + 5
