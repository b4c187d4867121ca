"""Group H as far as it concerns the tokens themselves: H14, H15, H16 and H22.

The life cycle (H01 to H13, H17 to H21, H24, H25) is tested with the rotation, and over every store; H23 is beside I01.
"""

import base64
import random
from typing import Any

import pytest

from ..web.problems import assert_form_error, assert_problem, deletes_cookie
from ..web.support import COOKIE
from .attack import Target
from .forge import ALPHABET, refresh_token, spare_bits

HANDLE = bytes(range(32))


def _swap_alphabet(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


SPELLINGS: dict[str, Any] = {
    "H14-spare-bits-1": lambda p, s: f"{p}.{spare_bits(s)[0]}",
    "H14-spare-bits-2": lambda p, s: f"{p}.{spare_bits(s)[1]}",
    "H14-spare-bits-3": lambda p, s: f"{p}.{spare_bits(s)[2]}",
    "H14-padding": lambda p, s: f"{p}.{s}=",
    "H14-padding-twice": lambda p, s: f"{p}.{s}==",
    "H14-padding-of-the-payload": lambda p, s: f"{p}=.{s}",
    "H14-junk-in-the-signature": lambda p, s: f"{p}.{s[:9]}!!!!{s[9:]}",
    "H14-junk-in-the-payload": lambda p, s: f"{p[:9]}!!!!{p[9:]}.{s}",
    "H14-latin": lambda p, s: f"{p}.{s[:9]}é{s[9:]}",
    "H14-lone-surrogate": lambda p, s: f"{p}.{s[:9]}\ud800{s[9:]}",
    "H14-surrogate-at-the-end": lambda p, s: f"{p}.{s[:-1]}\udc80",
    "H14-newline": lambda p, s: f"{p}.{s}\n",
    "H14-leading-blank": lambda p, s: f" {p}.{s}",
    "H14-trailing-blank": lambda p, s: f"{p}.{s} ",
    "H14-nul": lambda p, s: f"{p}.{s}\0",
    "H14-third-part": lambda p, s: f"{p}.{s}.{s}",
    "H14-no-dot": lambda p, s: p + s,
    "H14-dot-elsewhere": lambda p, s: f"{p[:-1]}.{p[-1]}{s}",
    "H14-colon": lambda p, s: f"{p}:{s}",
    "H14-full-width": lambda p, s: f"{p}.{chr(ord(s[0]) + 0xFEE0)}{s[1:]}",
    "H14-case": lambda p, s: f"{p}.{s.swapcase()}",
    "H14-standard-alphabet": lambda p, s: f"{_swap_alphabet(p)}.{_swap_alphabet(s)}",
    "H14-recoded": lambda p, s: f"{base64.b64encode(p.encode()).decode()}.{s}",
}


def _with_both_odd_letters() -> str:
    """A genuine token in which the two alphabets of base64 differ."""
    for n in range(256):
        text = refresh_token(bytes([n]) * 32, 0)
        if set("-_") & set(text):
            return text
    raise AssertionError("no such token")


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
async def test_only_the_canonical_spelling(target: Target, spell: Any) -> None:
    """Another spelling is neither the token, nor an unknown one, nor the reuse of another: the session lives on."""
    token = target.honest.refresh
    if spell is SPELLINGS["H14-standard-alphabet"]:
        token = _with_both_odd_letters()
    odd = spell(*token.split("."))
    assert odd != token
    request = {"method": "POST", "path": "/auth/refresh"}
    is_json = not any("\ud800" <= c <= "\udfff" for c in odd)
    code = "refresh_invalid" if is_json else "invalid_request"
    reply = await target.attack(code, json_body={"refresh_token": odd}, secrets=[token], reference=is_json, **request)
    assert reply.all("set-cookie") == []
    if odd.isascii() and odd == odd.strip():
        await target.refused_refresh(odd, secrets=[token])
        form = {"grant_type": "refresh_token", "refresh_token": odd}
        assert_form_error(await target.service.post("refresh", form=form), "invalid_grant")
    assert target.service.store.calls == []
    again = await target.service.post("refresh", headers=target.honest.by_cookie)
    assert again.status == 200
    names = await target.service.event_names()
    assert names == ["session_started", "rotated"]


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
async def test_a_logout_with_another_spelling_ends_nothing(target: Target, spell: Any) -> None:
    odd = spell(*target.honest.refresh.split("."))
    if odd == target.honest.refresh:  # the alphabets are the same for this token
        return
    target.service.store.calls.clear()
    reply = await target.service.post("logout", json_body={"refresh_token": odd})
    assert reply.status in (200, 400)
    assert target.service.store.calls == []
    await target.assert_unharmed()


@pytest.mark.case("H14")
async def test_other_types_and_sizes(target: Target) -> None:
    for value in (1, True, [], {}, [target.honest.refresh]):
        await target.attack("invalid_request", method="POST", path="/auth/refresh", json_body={"refresh_token": value})
    for size in (1, 95, 97, 4096, 60_000):
        body = {"refresh_token": "A" * size}
        await target.attack("refresh_invalid", method="POST", path="/auth/refresh", json_body=body)


def junk(count: int) -> list[str]:
    """Refresh tokens of all kinds that nobody signed, the same at every run."""
    rng = random.Random(20_261_123)
    genuine = refresh_token(HANDLE, 3)
    made = []
    for n in range(count):
        letters = "".join(rng.choices(ALPHABET, k=96))
        flipped = list(genuine)
        at = rng.randrange(96)
        flipped[at] = rng.choice([c for c in ALPHABET if c != flipped[at]])
        other_key = refresh_token(
            rng.randbytes(32), rng.randrange(2**48), secret=f"a secret that is not ours, number {n:05}"
        )
        short = letters[: rng.randrange(96)]
        made.append([f"{letters[:52]}.{letters[53:]}", "".join(flipped), other_key, short][n % 4])
    return made


async def test_h15_a_flood_of_junk_costs_the_store_nothing(target: Target) -> None:
    service = target.service
    service.store.calls.clear()
    target.caplog.clear()
    bodies = set()
    for token in junk(4000):
        reply = await service.post("refresh", headers={"cookie": f"{COOKIE}={token}"} if token else {})
        assert reply.all("set-cookie") == []
        if token:
            assert reply.code == "refresh_invalid"
            bodies.add(reply.body)
    assert len(bodies) == 1
    assert service.store.calls == []
    assert target.caplog.records == []
    assert await service.event_names() == ["session_started"]
    await target.assert_unharmed()


async def test_h15_a_flood_of_forged_access_tokens_costs_the_store_nothing(target: Target) -> None:
    service = target.service
    service.store.calls.clear()
    rng = random.Random(7)
    for _ in range(2000):
        forged = f"{target.honest.access.rpartition('.')[0]}.{''.join(rng.choices(ALPHABET, k=43))}"
        assert (await service.ask("GET", "/x", headers={"authorization": f"Bearer {forged}"})).code == "token_invalid"
    assert (service.store.calls, service.inner.calls) == ([], 0)
    await target.assert_unharmed()


@pytest.mark.parametrize("generation", [pytest.param(g, id=f"H16-{g}") for g in (0, 1, 2**48 - 1)])
async def test_signed_but_unknown(target: Target, generation: int) -> None:
    forged = refresh_token(HANDLE, generation)
    reply = await target.refused_refresh(forged, store=["advance"])
    assert deletes_cookie(reply)
    assert (await target.service.post("refresh", headers=target.honest.by_cookie)).status == 200
    assert await target.service.event_names() == ["session_started", "rotated"]


async def test_h16_a_logout_of_an_unknown_session(target: Target) -> None:
    reply = await target.service.post("logout", json_body={"refresh_token": refresh_token(HANDLE, 0)})
    assert (reply.status, reply.json()) == (200, {"status": "logged_out"})
    await target.assert_unharmed()


ESCALATIONS: dict[str, dict[str, Any]] = {
    "H22-scope": {"scope": "read write admin"},
    "H22-subject": {"sub": "root", "subject": "root"},
    "H22-audience": {"aud": "billing", "audience": "billing", "resource": "https://billing"},
    "H22-claims": {"claims": {"plan": "enterprise"}, "amr": ["mfa"], "acr": "high"},
}


@pytest.mark.parametrize("asked", ESCALATIONS.values(), ids=ESCALATIONS)
async def test_a_refresh_grants_no_more_than_the_login(target: Target, asked: dict[str, Any]) -> None:
    body = {"refresh_token": target.honest.refresh} | asked
    reply = await target.service.post("refresh", json_body=body, headers={"x-token-transport": "body"})
    token = target.service.issuer.verifier.verify(reply.json()["access_token"])
    assert (token.subject, token.scopes, token.claims["plan"]) == ("alice", ("read", "write"), "pro")
    assert token.claims["aud"] == "jwt-refresh-middleware"
    assert not {"acr", "amr"} & set(token.claims)


async def test_the_problem_of_a_missing_token_is_another(target: Target) -> None:
    assert_problem(await target.service.post("refresh", headers={"cookie": f"{COOKIE}="}), "refresh_missing")
