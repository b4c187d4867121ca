"""Access tokens: minted by the issuer, checked strictly, remembered for a while and never trusted for longer."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.encoding import b64url_encode
from jwt_refresh_middleware.errors import TokenExpired, TokenInvalid
from tests.rotation.support import SECRET, START, Clock, make_issuer

from .tokens import AUD, CLAIMS, HEADER, ISS, token, verifier


async def test_what_the_issuer_mints_the_verifier_reads(clock: Clock) -> None:
    issuer = make_issuer(MemoryStore(), clock, issuer=ISS, audience=AUD)
    pair = await issuer.login("ann", scopes=["read", "write"], claims={"plan": "pro"}, amr=["pwd", "otp"])
    found = verifier(clock).verify(pair.access_token)
    assert (found.subject, found.session_id, found.generation) == ("ann", pair.session.id, 0)
    assert found.scopes == ("read", "write")
    assert (found.issued_at, found.expires_at, found.auth_time) == (START, START + 900, START)
    assert found.claims["plan"] == "pro"
    assert found.claims["amr"] == ["pwd", "otp"]
    assert len(found.token_id) >= 22
    assert found == issuer.verifier.verify(pair.access_token.encode())
    await issuer.aclose()


async def test_no_two_tokens_have_the_same_id(clock: Clock) -> None:
    issuer = make_issuer(MemoryStore(), clock)
    pair = await issuer.login("ann")
    pairs = [pair, *[await issuer.refresh(pair.refresh_token) for _ in range(20)]]
    assert len({issuer.verifier.verify(one.access_token).token_id for one in pairs}) == 21
    await issuer.aclose()


@pytest.mark.parametrize("leeway", [0, 5, 60])
def test_expiry_at_the_edge(clock: Clock, leeway: int) -> None:
    check, text = verifier(clock, leeway=timedelta(seconds=leeway)), token()
    edge = START + 900 + leeway
    for now in (edge - 1, edge - 0.001):
        clock.now = now
        assert check.verify(text).subject == "ann"
    for now in (edge, edge + 1, edge - 0.5, edge):  # a clock set back a little brings it back for as long
        clock.now = now
        if now < edge:
            check.verify(text)
            continue
        with pytest.raises(TokenExpired):
            check.verify(text)
        with pytest.raises(TokenExpired):
            verifier(clock, leeway=timedelta(seconds=leeway)).verify(text)


@pytest.mark.parametrize("leeway", [0, 60])
@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_what_begins_later_at_the_edge(clock: Clock, leeway: int, claim: str) -> None:
    check = verifier(clock, leeway=timedelta(seconds=leeway))
    assert check.verify(token(**{claim: START + leeway}))
    with pytest.raises(TokenInvalid):
        check.verify(token(**{claim: START + leeway + 0.001}))


def test_expired_and_forged_is_forged(clock: Clock) -> None:
    clock.advance(10_000)
    with pytest.raises(TokenExpired):
        verifier(clock).verify(token())
    with pytest.raises(TokenInvalid):
        verifier(clock).verify(token(secret="another secret that is long enough for this"))
    with pytest.raises(TokenInvalid):
        verifier(clock).verify(token(aud="others"))


_NOT_DATES = [str(START), "", " 1 ", "9_9", True, False, [], {}, -1, 1e30, 253402300800, "\u0663"]


@pytest.mark.parametrize(
    "wrong",
    [
        *[{name: value} for name in ("exp", "iat", "nbf", "auth_time") for value in _NOT_DATES],
        *[{name: None} for name in ("exp", "iat", "sub", "jti", "iss", "aud")],
        *[{name: value} for name in ("sub", "jti", "sid") for value in ("", 1, True, [], {}, "a\nb", "a\0", "\x85")],
        *[{"gen": value} for value in (-1, 1.0, "1", True, [], 1.5)],
        *[{"scope": value} for value in (1, ["read"], {}, True)],
        *[{"iss": value} for value in (ISS + "/", ISS[:-1], ISS.upper(), [ISS], {"a": ISS}, "", 1)],
        *[{"aud": value} for value in ("apis", "ap", "API", "", [], ["apis"], [AUD, 1], [[AUD]], {AUD: 1}, 1, True)],
    ],
    ids=str,
)  # fmt: skip
def test_claims_of_another_type_or_value_are_refused(clock: Clock, wrong: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        verifier(clock).verify(token(**wrong))


def test_a_null_claim_is_not_an_absent_one(clock: Clock) -> None:
    for name in ("sid", "gen", "auth_time", "nbf", "scope", "exp"):
        signed = b".".join(b64url_encode(json.dumps(part).encode()) for part in (HEADER, CLAIMS | {name: None}))
        text = signed + b"." + b64url_encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256))
        with pytest.raises(TokenInvalid):
            verifier(clock).verify(text)


@pytest.mark.parametrize("audience", [AUD, [AUD], ["others", AUD], [AUD, AUD]])
def test_the_audience_may_be_a_list(clock: Clock, audience: object) -> None:
    assert verifier(clock).verify(token(aud=audience)).subject == "ann"


def test_another_issuers_token_need_not_know_sessions(clock: Clock) -> None:
    found = verifier(clock).verify(token(sid=None, gen=None, auth_time=None, scope=None))
    assert (found.session_id, found.generation, found.auth_time, found.scopes) == (None, None, None, ())


_NOT_UNDERSTOOD = ("crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c")


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_kinds_that_are_access_tokens(clock: Clock, kind: str) -> None:
    assert verifier(clock).verify(token(HEADER | {"typ": kind}))


@pytest.mark.parametrize(
    "header",
    [
        *[HEADER | {"typ": kind} for kind in ("JWT", "", "at+jwt ", "dpop+jwt", "logout+jwt", 1, None, ["at+jwt"])],
        {"alg": "HS256"},
        {"typ": "at+jwt"},
        *[HEADER | {"alg": name} for name in ("none", "hs256", "HS256 ", "HS512", "RS256", "", None, 1, [], ["HS256"])],
        *[HEADER | {"kid": kid} for kid in ("unknown", "../../dev/null", "", 1, None, [], "a" * 4000)],
        *[HEADER | {name: value} for name in _NOT_UNDERSTOOD for value in ("x", [], None, True)],
    ],
    ids=str,
)  # fmt: skip
def test_other_headers_are_refused(clock: Clock, header: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        verifier(clock).verify(token(header))


def test_the_key_is_chosen_by_its_name_or_tried_without_one(clock: Clock) -> None:
    other = "another secret that is long enough for this"
    ring = KeyRing.from_secret([other, SECRET])
    check = Verifier(ring, issuer=ISS, audience=AUD, clock=clock)
    newer, older = (key.kid for key in ring.keys)
    assert check.verify(token(HEADER | {"kid": older}))
    assert check.verify(token())
    assert check.verify(token(secret=other))
    with pytest.raises(TokenInvalid):
        check.verify(token(HEADER | {"kid": newer}))


def test_claims_are_read_only_all_the_way_down(clock: Clock) -> None:
    check, text = verifier(clock), token(roles=["a"], org={"teams": ["b"]})
    found = check.verify(text)
    found.claims["roles"].append("admin")
    found.claims["org"]["teams"].append("admin")
    for attempt in (lambda: found.claims.__setitem__("sub", "eve"), lambda: setattr(found, "subject", "eve")):
        with pytest.raises((AttributeError, TypeError)):
            attempt()
    for claims in (found.claims, check.verify(text).claims):
        assert (claims["roles"], claims["org"], claims["sub"]) == (["a"], {"teams": ["b"]}, "ann")
    assert found.claims.get("nothing") is None
    assert len(found.claims) == len(dict(found.claims)) == len(CLAIMS) + 2


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\t", "\x1c", "\x0b", "\n"])
def test_only_a_space_separates_scopes(clock: Clock, blank: str) -> None:
    """RFC 6749, 3.3: else an issuer that lets somebody choose one scope would have given two."""
    assert verifier(clock).verify(token(scope=f"mine{blank}admin other")).scopes == (f"mine{blank}admin", "other")
    assert verifier(clock).verify(token(scope="  read   write ")).scopes == ("read", "write")
