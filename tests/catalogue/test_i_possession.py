"""Group I as far as it concerns tokens that are bound to a key: I02, I03, I15. Proofs themselves do not exist here."""

from typing import Any

import pytest

from ..web.problems import assert_problem
from ..web.support import PASSWORD
from ..web.test_gateway import Gateway
from .attack import Target
from .forge import b64, claims, header, jws, token

THUMBPRINT = b64(bytes(range(32)))
BOUND: dict[str, Any] = {
    "I02-jkt": {"jkt": THUMBPRINT},
    "I02-certificate": {"x5t#S256": THUMBPRINT},
    "I02-jwk": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": THUMBPRINT}},
    "I02-kid": {"kid": "a key of the client"},
    "I02-unknown-way": {"example": 1},
    "I02-empty": {},
    "I02-null": None,
    "I02-text": THUMBPRINT,
}


@pytest.mark.parametrize("confirmation", BOUND.values(), ids=BOUND)
async def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(target: Target, confirmation: Any) -> None:
    """Stolen, it would be worth what a token is that is bound to nothing (RFC 9449, 7.2)."""
    bound = jws(header(), claims() | {"cnf": confirmation})
    await target.refused(bound)
    assert_problem(await Gateway().get("/x", bound), "token_invalid")


async def test_i02_with_a_proof_it_is_none_either(target: Target) -> None:
    """Nobody reads the proof, so that it proves nothing."""
    bound = token(cnf={"jkt": THUMBPRINT})
    proof = jws(header(typ="dpop+jwt", jwk={"kty": "OKP"}), {"htm": "GET", "htu": "https://testserver/private"})
    for scheme, code in (("Bearer", "token_invalid"), ("DPoP", "token_missing")):
        headers = {"authorization": f"{scheme} {bound}", "dpop": proof}
        await target.attack(code, headers=headers, secrets=[bound, proof])


@pytest.mark.parametrize("scheme", [pytest.param(s, id=f"I03-{s}") for s in ("DPoP", "dpop", "DPOP")])
async def test_a_bearer_token_is_no_dpop_token(target: Target, scheme: str) -> None:
    """The scheme is one that we do not know, and the challenge names the one that we do."""
    reply = await target.attack("token_missing", headers={"authorization": f"{scheme} {token()}"}, secrets=[token()])
    assert reply.one("www-authenticate") == 'Bearer realm="jwt-refresh-middleware"'
    proof = jws(header(typ="dpop+jwt"), {"jti": "x"})
    headers = {"authorization": f"{scheme} {target.honest.access}", "dpop": proof}
    await target.attack("token_missing", headers=headers, secrets=[target.honest.access, proof])


DEVICE_KEYS = {
    "sec-session-id": "abc",
    "sec-session-registration": '(ES256);path="/register";challenge="c"',
    "sec-session-challenge": '"c";id="abc"',
    "sec-session-response": jws({"alg": "ES256", "typ": "dbsc+jwt"}, {"jti": "c"}),
    "sec-session-google-registration-token": "x",
    "secure-session-response": jws({"alg": "ES256", "typ": "dbsc+jwt"}, {"jti": "c"}),
    "sec-secure-session-id": "abc",
}


async def test_i15_headers_of_device_keys_have_no_effect_and_come_in_no_answer(target: Target) -> None:
    service = target.service
    credentials = {"username": "alice", "password": PASSWORD}
    login = await service.post("login", json_body=credentials, headers=DEVICE_KEYS)
    tokens = service.tokens(login)
    refresh = await service.post("refresh", headers=tokens.by_cookie | DEVICE_KEYS)
    entered = await service.ask("GET", "/private", headers=tokens.bearer | DEVICE_KEYS)
    refused = await target.attack("token_missing", headers=DEVICE_KEYS)
    spent = await service.post("refresh", headers={"cookie": "__Host-refresh_token=x"} | DEVICE_KEYS)
    logout = await service.post("logout", headers=service.tokens(refresh).by_cookie | DEVICE_KEYS)
    replies = [login, refresh, entered, refused, spent, logout]
    assert [reply.status for reply in replies] == [200, 200, 200, 401, 401, 200]
    names = {name.decode().lower() for reply in replies for name, _ in reply.headers}
    assert {"set-cookie", "cache-control"} <= names
    assert not [name for name in names if "session" in name]


async def test_i02_a_token_that_is_bound_to_nothing_is_good_beside_them(target: Target) -> None:
    """Otherwise the cases above would prove nothing."""
    for good in (token(), token(cnf_=THUMBPRINT)):
        reply = await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {good}"})
        assert reply.status == 200
