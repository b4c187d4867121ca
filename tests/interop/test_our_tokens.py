"""Our access tokens verify in jose, joserfc and PyJWT, by the keys that a real server publishes."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import jwt
import pytest
from joserfc import jwk
from joserfc.errors import JoseError
from jwt.utils import base64url_decode

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore

from .forgery import with_another_signature, with_claims
from .jose import Jose, Refused
from .readers import READERS, Read, Reader, Wanted, WrongType, read_with_joserfc, read_with_pyjwt
from .site import ALICE, AUDIENCE, BY_BODY, ISSUER, SECRET, Site

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc prefers the name Ed25519

ALGORITHMS = ["EdDSA", "Ed25519", "ES256", "RS256"]
KNOWS_NOT = {("PyJWT", "Ed25519")}
PAIRS = [(name, algorithm) for name in READERS for algorithm in ALGORITHMS if (name, algorithm) not in KNOWS_NOT]
REFUSED = (Refused, JoseError, jwt.PyJWTError, WrongType)
REASONS = {
    # what it is: the error of jose (both ways to get the keys), of joserfc and of PyJWT
    "another type": ("ERR_JWT_CLAIM_VALIDATION_FAILED", "WrongType", "WrongType"),
    "another audience": ("ERR_JWT_CLAIM_VALIDATION_FAILED", "InvalidClaimError", "InvalidAudienceError"),
    "another issuer": ("ERR_JWT_CLAIM_VALIDATION_FAILED", "InvalidClaimError", "InvalidIssuerError"),
    "tampered with": ("ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "BadSignatureError", "InvalidSignatureError"),
    "expired": ("ERR_JWT_EXPIRED", "ExpiredTokenError", "ExpiredSignatureError"),
    "another key": ("ERR_JWKS_NO_MATCHING_KEY", "InvalidKeyIdError", "PyJWKClientError"),
}


def access_token(site: Site) -> str:
    return str(httpx2.post(site.login, json=ALICE, headers=BY_BODY).json()["access_token"])


def wanted(site: Site, algorithm: str) -> Wanted:
    return Wanted(url=site.url + "/auth/jwks.json", algorithm=algorithm, issuer=ISSUER, audience=AUDIENCE)


async def minted(keys: KeyRing, **issuer: Any) -> str:
    """An access token of an issuer like the sites, with other keys or another clock."""
    async with Issuer(keys, MemoryStore(), issuer=ISSUER, audience=AUDIENCE, **issuer) as made:
        return (await made.login("alice")).access_token


def payload_of(token: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64url_decode(token.split(".")[1]))
    return content


Check = Callable[[str, Wanted], Read]
Refuses = Callable[[str, Wanted, str], bool]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def algorithm(pair: tuple[str, str]) -> str:
    return pair[1]


@pytest.fixture
def signer(algorithm: str, signers: Callable[[str], Site]) -> Site:
    return signers(algorithm)


@pytest.fixture
def check(pair: tuple[str, str], jose: Jose) -> Check:
    reader: Reader = READERS[pair[0]]
    return lambda token, wanted: reader(jose, token, wanted)


def test_they_read_what_our_own_verifier_reads(signer: Site, algorithm: str, check: Check) -> None:
    token = access_token(signer)
    header, claims = check(token, wanted(signer, algorithm))
    published = httpx2.get(signer.url + "/auth/jwks.json").json()["keys"]
    assert header == {"alg": algorithm, "typ": "at+jwt", "kid": header["kid"]}
    assert header["kid"] in [key["kid"] for key in published]
    assert claims == dict(signer.issuer.verifier.verify(token).claims) == payload_of(token)
    assert claims["name"] == "Zoë 🐙"
    assert claims["scope"] == "read write"


@pytest.fixture
def refuses(check: Check, pair: tuple[str, str]) -> Refuses:
    """Whether the library refuses a token, and for the right reason."""

    def refuse(token: str, wanted: Wanted, what: str) -> bool:
        with pytest.raises(REFUSED) as caught:
            check(token, wanted)
        error = caught.value
        reason = str(error) if isinstance(error, Refused) else type(error).__name__
        return reason == REASONS[what][{"joserfc": 1, "PyJWT": 2}.get(pair[0], 0)]

    return refuse


def test_they_refuse_a_token_that_is_not_for_them(signer: Site, algorithm: str, refuses: Refuses) -> None:
    token, asked = access_token(signer), wanted(signer, algorithm)
    assert refuses(token, replace(asked, type="JWT"), "another type")
    assert refuses(token, replace(asked, audience="https://other.example.com"), "another audience")
    assert refuses(token, replace(asked, issuer=ISSUER + "/"), "another issuer")


def test_they_refuse_what_was_tampered_with(signer: Site, algorithm: str, refuses: Refuses) -> None:
    token, asked = access_token(signer), wanted(signer, algorithm)
    assert refuses(with_claims(token, sub="mallory"), asked, "tampered with")
    assert refuses(with_another_signature(token), asked, "tampered with")


async def test_they_refuse_what_has_expired(signer: Site, algorithm: str, refuses: Refuses) -> None:
    token = await minted(signer.issuer.verifier.keys, clock=lambda: time.time() - 86_400)
    assert refuses(token, wanted(signer, algorithm), "expired")


async def test_they_refuse_a_token_under_another_key(signer: Site, algorithm: str, refuses: Refuses) -> None:
    token = await minted(KeyRing.generate(algorithm))  # type: ignore[arg-type]
    assert refuses(token, wanted(signer, algorithm), "another key")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_kid_is_the_thumbprint_that_they_compute(algorithm: str, signers: Callable[[str], Site], jose: Jose) -> None:
    published = httpx2.get(signers(algorithm).url + "/auth/jwks.json").json()["keys"]
    assert published
    for key in published:
        assert key["kid"] == jose.ask("thumbprint", jwk=key) == jwk.import_key(key).thumbprint()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_published_key_is_a_public_one(algorithm: str, signers: Callable[[str], Site]) -> None:
    answer = httpx2.get(signers(algorithm).url + "/auth/jwks.json")
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert not any(jwk.import_key(key).is_private for key in answer.json()["keys"])
    assert {key["alg"] for key in answer.json()["keys"]} == {algorithm}


@pytest.mark.parametrize("name", ["jose", "joserfc", "PyJWT"])
def test_a_shared_secret_is_the_same_to_them(name: str, jose: Jose, site: Site) -> None:
    token = access_token(site)
    asked = Wanted(url="", algorithm="HS256", issuer=ISSUER, audience=AUDIENCE)
    expected = dict(site.issuer.verifier.verify(token).claims)

    def read(secret: str) -> Any:
        if name == "joserfc":
            return read_with_joserfc(token, jwk.OctKey.import_key(secret), asked)[1]
        if name == "PyJWT":
            return read_with_pyjwt(token, secret, asked)[1]
        options = {"typ": "at+jwt", "issuer": ISSUER, "audience": AUDIENCE}
        return jose.ask("verifyBySecret", token=token, secret=secret, options=options)["claims"]

    assert read(SECRET) == expected
    with pytest.raises(REFUSED):
        read(SECRET + "?")


async def test_a_set_that_they_fetched_before_a_rotation_has_the_key_that_signs_after_it(jose: Jose) -> None:
    keys = KeyRing.generate("EdDSA")
    before = keys.jwks()
    keys.rotate()
    token = await minted(keys)
    assert jose.ask("verifyBySet", token=token, jwks=before, options={})["claims"]["sub"] == "alice"


async def test_a_set_that_they_fetch_after_a_rotation_has_the_key_that_signed_before_it(jose: Jose) -> None:
    keys = KeyRing.generate("EdDSA")
    token = await minted(keys)
    keys.rotate()
    assert jose.ask("verifyBySet", token=token, jwks=keys.jwks(), options={})["claims"]["sub"] == "alice"
