"""Verified tokens are remembered, a bounded number of them, and what can change is checked each time."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, MemoryStore, Verifier
from jwt_refresh_middleware.access import BEARER, MAX_TOKEN_BYTES
from jwt_refresh_middleware.errors import TokenExpired, TokenInvalid, TokenRevoked
from jwt_refresh_middleware.minting import Minter
from jwt_refresh_middleware.sessions import RESERVED_CLAIMS, Session
from tests.rotation.support import SECRET, Clock, make_issuer

from .tokens import AUD, ISS, KEYS, token, verifier


@pytest.mark.parametrize("size", [0, 1, 3, 100])
def test_the_cache_is_bounded_and_answers_the_same(clock: Clock, size: int) -> None:
    check = verifier(clock, cache_size=size)
    texts = [token(sub=f"user-{number}") for number in range(10)]
    for _ in range(3):
        assert [check.verify(text).subject for text in texts] == [f"user-{number}" for number in range(10)]
    assert len(check.remembered) == min(size, 10)


def test_the_oldest_is_forgotten_first(clock: Clock) -> None:
    check = verifier(clock, cache_size=3)
    texts = [token(sub=f"user-{number}").encode() for number in range(6)]
    for text in (*texts[:4], texts[3], *texts[4:]):
        check.verify(text)
    assert [BEARER + text in check.remembered for text in texts] == [False, False, False, True, True, True]


def test_what_was_refused_or_has_expired_is_not_remembered(clock: Clock) -> None:
    check = verifier(clock)
    clock.advance(901)
    for text, error in ((token(), TokenExpired), (token(aud="others"), TokenInvalid), ("a.b.c", TokenInvalid)):
        with pytest.raises(error):
            check.verify(text)
    assert not check.remembered


def test_a_remembered_token_expires(clock: Clock) -> None:
    check, text = verifier(clock), token()
    found = check.verify(text)
    assert check.verify(text.encode()) is found, "it was remembered"
    clock.advance(900)
    with pytest.raises(TokenExpired):
        check.verify(text)


def test_a_remembered_token_is_refused_once_its_session_ended(clock: Clock) -> None:
    revoked: dict[str, float] = {}
    check, text = verifier(clock, revoked=revoked), token()
    check.verify(text)
    revoked["another"] = 1.0
    check.verify(text)
    revoked["s"] = 1.0
    for _ in range(2):
        with pytest.raises(TokenRevoked):
            check.verify(text)
    clock.advance(901)
    with pytest.raises(TokenExpired):
        check.verify(text)


def test_a_token_without_a_session_is_not_taken_for_a_revoked_one(clock: Clock) -> None:
    assert verifier(clock, revoked={"s": 1.0}).verify(token(sid=None))


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d", "\ud800.b.c", "é.b.c", "\0" * 99, "A" * 9000],
    ids=range(12),
)  # fmt: skip
def test_whatever_comes_is_invalid_and_raises_nothing_else(clock: Clock, text: str) -> None:
    with pytest.raises(TokenInvalid):
        verifier(clock).verify(text)


def test_no_character_of_a_token_can_be_changed(clock: Clock) -> None:
    check, text = verifier(clock), token()
    check.verify(text)
    for index, character in enumerate(text):
        for other in ("A" if character != "A" else "B", ".", "="):
            if other == character:
                continue
            with pytest.raises(TokenInvalid):
                check.verify(text[:index] + other + text[index + 1 :])
    for changed in (text + "=", text + "A", text[:-1], " " + text, text + "\n", text + "." + text):
        with pytest.raises(TokenInvalid):
            check.verify(changed)


def minted(clock: Clock, claims: dict[str, Any], **more: Any) -> str:
    """The third token of a session, good for 900 seconds."""
    now = int(clock.now)
    times = {"created_at": now, "last_used_at": now, "expires_at": now + 900.0, "ends_at": now + 900.0}
    session = Session(**({"id": "s1", "subject": "ann", "claims": claims} | times | more))
    return Minter(KEYS, {"iss": ISS, "aud": AUD}).mint(session, 3, now, now + 900)


def test_long_tokens_are_refused_and_never_minted(clock: Clock) -> None:
    spare = MAX_TOKEN_BYTES - len(minted(clock, {"x": ""}))
    longest = minted(clock, {"x": "a" * (spare * 3 // 4 - 3)})
    assert MAX_TOKEN_BYTES - 8 <= len(longest) <= MAX_TOKEN_BYTES
    assert verifier(clock).verify(longest).subject == "ann"
    with pytest.raises(ValueError):
        minted(clock, {"x": "a" * spare})
    with pytest.raises(TokenInvalid):
        verifier(clock).verify(token(x="a" * spare))


def test_own_claims_override_none_of_the_issuers(clock: Clock) -> None:
    own = dict.fromkeys(RESERVED_CLAIMS, "eve") | {"exp": 9e9, "gen": 99, "tenant": "blue"}
    found = verifier(clock).verify(minted(clock, own, amr=["pwd"], scopes=("notes:read",)))
    assert (found.subject, found.session_id, found.generation) == ("ann", "s1", 3)
    assert found.expires_at == clock.now + 900
    assert found.scopes == ("notes:read",)
    assert "eve" not in found.claims.values()
    assert (found.claims["tenant"], found.claims["amr"]) == ("blue", ["pwd"])


@pytest.mark.parametrize("text", ['"', "\\", '","sub":"eve', "\u2028", "\U0001f511", "é", "%s"])
def test_text_is_text_wherever_it_stands_in_a_minted_token(clock: Clock, text: str) -> None:
    names = {"subject": f"s{text}", "id": f"i{text}", "scopes": (f"o{text}",), "amr": (f"a{text}",)}
    payload = minted(clock, {f"n{text}": f"v{text}"}, **names).split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(payload + "=="))
    expected = {"sub": f"s{text}", "sid": f"i{text}", "scope": f"o{text}", "amr": [f"a{text}"], f"n{text}": f"v{text}"}
    assert expected.items() <= found.items()
    assert len(found) == len(expected) + 7  # iss, aud, iat, exp, jti, gen, auth_time


def test_a_lifetime_can_be_capped(clock: Clock) -> None:
    check = verifier(clock, max_lifetime=timedelta(seconds=900))
    assert check.verify(token())
    with pytest.raises(TokenInvalid):
        check.verify(token(exp=clock.now + 901))


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": ""}, {"audience": ""}, {"issuer": "a\nb"}, {"audience": "a\x00"}, {"leeway": timedelta(seconds=-1)},
        {"leeway": timedelta(seconds=61)}, {"max_lifetime": timedelta(0)},
    ],
    ids=str,
)  # fmt: skip
def test_bad_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Verifier(SECRET, **wrong)


async def test_no_repr_shows_a_token_or_a_secret(clock: Clock) -> None:
    issuer: Issuer = make_issuer(MemoryStore(), clock)
    pair = await issuer.login("ann")
    shown = repr([pair, issuer, issuer.verifier, issuer.verifier.keys, issuer.verifier.verify(pair.access_token)])
    for secret in (SECRET, pair.access_token, pair.refresh_token, pair.refresh_token[:40], pair.access_token[-20:]):
        assert secret not in shown
    await issuer.aclose()
