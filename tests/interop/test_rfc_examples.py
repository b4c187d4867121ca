"""The keys, signatures and thumbprints that the RFCs print."""

import json
from pathlib import Path
from typing import Any

import pytest
from jwt.utils import base64url_encode

from jwt_refresh_middleware import KeyRing

from .forgery import with_another_signature

EXAMPLES = json.loads(Path(__file__).with_name("rfc_examples.json").read_text())
SIGNED = [name for name, example in EXAMPLES.items() if "jws" in example]
THUMBPRINTS = [name for name, example in EXAMPLES.items() if "thumbprint" in example]
DETERMINISTIC = [name for name in SIGNED if "ES256" not in name]
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


def key_of(jwk: dict[str, Any]) -> Any:
    return KeyRing.from_jwks(jwk).held[0].key


def parts(jws: str) -> tuple[bytes, bytes]:
    signed, _, signature = jws.rpartition(".")
    return signed.encode(), signature.encode()


@pytest.mark.parametrize("name", SIGNED)
def test_their_signature_verifies_and_another_does_not(name: str) -> None:
    example = EXAMPLES[name]
    public = key_of({member: value for member, value in example["jwk"].items() if member not in PRIVATE})
    assert public.verifies(*parts(example["jws"]))
    assert not public.verifies(*parts(with_another_signature(example["jws"])))
    assert not public.verifies(b"x" + parts(example["jws"])[0], parts(example["jws"])[1])


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_our_signature_is_theirs(name: str) -> None:
    key, (signed, signature) = key_of(EXAMPLES[name]["jwk"]), parts(EXAMPLES[name]["jws"])
    assert base64url_encode(key.sign(signed)) == signature


def test_our_signature_by_es256_verifies_by_the_public_half() -> None:
    jwk = EXAMPLES["RFC 7515, A.3 (ES256)"]["jwk"]
    public = key_of({member: value for member, value in jwk.items() if member != "d"})
    assert public.verifies(b"signed", base64url_encode(key_of(jwk).sign(b"signed")))


def test_an_rsa_key_without_its_factors_signs_the_same() -> None:
    """RFC 7518, 6.3.2: only ``d`` is required."""
    example = EXAMPLES["RFC 7515, A.2 (RS256)"]
    bare = {member: value for member, value in example["jwk"].items() if member not in PRIVATE - {"d"}}
    signed, signature = parts(example["jws"])
    assert base64url_encode(key_of(bare).sign(signed)) == signature


@pytest.mark.parametrize("name", THUMBPRINTS)
def test_the_kid_of_a_key_without_one_is_the_thumbprint(name: str) -> None:
    assert key_of(EXAMPLES[name]["jwk"]).kid == EXAMPLES[name]["thumbprint"]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if "HS256" not in name])
def test_the_public_half_is_what_they_print(name: str) -> None:
    """RFC 8037, A.2."""
    jwk = EXAMPLES[name]["jwk"]
    expected = {member: value for member, value in jwk.items() if member not in PRIVATE}
    published = KeyRing.from_jwks(jwk).jwks()["keys"][0]
    assert published == expected | {"use": "sig", "alg": published["alg"], "kid": published["kid"]}
