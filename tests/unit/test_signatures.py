"""Key pairs: what they sign and verify, what they are called, and what of them may be seen."""

import pickle
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware import KeyRing
from jwt_refresh_middleware.encoding import b64url_decode, b64url_encode
from jwt_refresh_middleware.signatures import FAMILY, EcKey, Ed25519Key, RsaKey
from tests.rotation.support import QUICK

from .pairs import PAIRS, private_half, private_key, public_half

MESSAGE = b"eyJhbGciOiJ4In0.e30"
FAMILIES = {"EdDSA": Ed25519Key, "ES256": EcKey, "RS256": RsaKey}
SIZES = {"EdDSA": 64, "ES256": 64, "RS256": 256}


@pytest.mark.parametrize("name", PAIRS)
def test_what_the_private_half_signs_the_public_half_verifies(name: str) -> None:
    private, public = private_half(name), public_half(name)
    signature = private.sign(MESSAGE)
    assert len(signature) == SIZES[name]
    for key in (private, public):
        assert key.verifies(MESSAGE, b64url_encode(signature))
        assert not key.verifies(MESSAGE + b"x", b64url_encode(signature))
        assert not key.verifies(b"", b64url_encode(signature))
    for other in (*PAIRS, name):
        assert not public_half(other, 1).verifies(MESSAGE, b64url_encode(signature))


@pytest.mark.parametrize("name", PAIRS)
def test_a_signature_has_one_spelling(name: str) -> None:
    """And nothing that comes in makes it raise."""
    key = private_half(name)
    good = b64url_encode(key.sign(MESSAGE))
    others = [good + b"=", good + b"==", b" " + good, good + b"\n", good[:-1], good + b"A", b"", good + good, b"\xff"]
    others += [good[:5] + b"!!!!" + good[5:], good[:-1] + "é".encode(), good.swapcase(), b"." + good]
    others += [good[:-1] + bytes([one]) for one in range(256) if one != good[-1]]
    assert key.verifies(MESSAGE, good)
    assert not any(key.verifies(MESSAGE, other) for other in others)


@QUICK
@given(st.sampled_from(PAIRS), st.binary(max_size=300))
def test_random_bytes_are_no_signature_and_no_error(name: str, junk: bytes) -> None:
    assert not public_half(name).verifies(MESSAGE, junk)
    assert not public_half(name).verifies(MESSAGE, b64url_encode(junk))


def test_numbers_of_es256_keep_their_leading_zeros() -> None:
    """RFC 7518, 3.4: 64 bytes always. One s in 256 begins with a zero, which may not be left out."""
    key = private_half("ES256")
    for number in range(10_000):
        message = str(number).encode()
        signature = key.sign(message)
        assert len(signature) == 64
        if signature[32] == 0:
            break
    else:
        raise AssertionError("one in 10**17 runs")
    assert key.verifies(message, b64url_encode(signature))
    assert not key.verifies(message, b64url_encode(signature[:32] + signature[33:]))


@pytest.mark.parametrize("name", PAIRS)
def test_a_public_key_does_not_sign_and_has_no_private_jwk(name: str) -> None:
    public = public_half(name)
    assert not public.is_private
    for forbidden in (lambda: public.sign(MESSAGE), public.private_jwk, public.secret_of_its_own):
        with pytest.raises(ValueError, match="cannot sign"):
            forbidden()


@pytest.mark.parametrize("name", PAIRS)
def test_one_family_has_one_algorithm(name: str) -> None:
    for other in ("HS256", "none", "", "PS256", *(one for one in PAIRS if one != name)):
        with pytest.raises(ValueError, match="for"):
            FAMILIES[name](private_key(name), other)
    assert private_half(name).algorithm == name
    assert private_half(name).accepted == ({"EdDSA", "Ed25519"} if name == "EdDSA" else {name})
    assert FAMILY[name] is FAMILIES[name]
    assert "HS256" not in FAMILY


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_published_is_exactly_the_public_members(name: str) -> None:
    members = {"EdDSA": {"crv", "x"}, "ES256": {"crv", "x", "y"}, "RS256": {"n", "e"}}[name]
    private, public = private_half(name), public_half(name)
    assert private.public_jwk() == public.public_jwk()
    assert set(public.public_jwk() or {}) == members | {"kty", "use", "alg", "kid"}
    more = {"RS256": {"d", "p", "q", "dp", "dq", "qi"}}.get(name, {"d"})
    assert set(private.private_jwk()) == members | more | {"kty", "use", "alg", "kid"}


@pytest.mark.parametrize("name", PAIRS)
def test_a_jwk_is_read_as_the_key_that_wrote_it(name: str) -> None:
    private = private_half(name)
    again = KeyRing.from_jwks(private.private_jwk()).keys[0]
    assert again.private_jwk() == private.private_jwk()
    assert again.secret_of_its_own() == private.secret_of_its_own()
    assert private.verifies(MESSAGE, b64url_encode(again.sign(MESSAGE)))
    public = KeyRing.from_jwks(private.public_jwk() or {}).keys[0]
    assert (public.is_private, public.kid) == (False, private.kid)


@pytest.mark.parametrize("name", PAIRS)
def test_the_secret_of_a_key_is_no_part_of_its_jwk(name: str) -> None:
    """Whoever sees one of them does not know the other, and no two keys have the same."""
    secrets = {private_half(name, number).secret_of_its_own() for number in (0, 1)}
    assert len(secrets) == 2
    assert all(len(secret) == 32 for secret in secrets)
    spelled = repr(private_half(name).private_jwk())
    assert not any(b64url_encode(secret).decode() in spelled for secret in secrets)


@pytest.mark.parametrize("name", PAIRS)
def test_nothing_shows_the_private_half(name: str) -> None:
    key = private_half(name)
    jwk = key.private_jwk()
    shown = "".join((repr(key), str(key), f"{key!r}", repr([key]), repr(KeyRing([key])), str(KeyRing([key]))))
    assert key.kid in shown
    assert not any(jwk[member] in shown for member in ("d", "p", "q") if member in jwk)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        vars(key)


def test_an_ed25519_key_has_two_names_and_keeps_the_one_it_was_made_with() -> None:
    for name in ("EdDSA", "Ed25519"):
        key = KeyRing.generate(name).keys[0]  # type: ignore[arg-type]
        assert key.algorithm == name
        assert key.accepted == {"EdDSA", "Ed25519"}
        assert (key.public_jwk() or {})["alg"] == name
        assert KeyRing.from_jwks(key.private_jwk()).keys[0].algorithm == name


@pytest.mark.parametrize("name", PAIRS)
def test_the_kid_is_the_thumbprint_or_the_one_it_came_with(name: str) -> None:
    key = private_half(name)
    jwk = dict(key.public_jwk() or {})
    required = {"EdDSA": ("crv", "kty", "x"), "ES256": ("crv", "kty", "x", "y"), "RS256": ("e", "kty", "n")}[name]
    text = "{" + ",".join(f'"{member}":"{jwk[member]}"' for member in required) + "}"
    assert key.kid == b64url_encode(sha256(text.encode()).digest()).decode()
    assert KeyRing.from_jwks(jwk | {"kid": "named"}).keys[0].kid == "named"
    del jwk["kid"]
    assert KeyRing.from_jwks(jwk).keys[0].kid == key.kid


RFC_8037_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_8037_SIGNED = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
RFC_8037_SIGNATURE = b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"


def _key(jwk: dict[str, Any]) -> Any:
    return KeyRing.from_jwks(jwk).keys[0]


def test_rfc_8037_a1_to_a4() -> None:
    """A.1 and A.2: the key and its public half; A.3: the thumbprint; A.4: signing; A.5: verifying."""
    private = _key(RFC_8037_KEY)
    public = _key({name: value for name, value in RFC_8037_KEY.items() if name != "d"})
    assert private.kid == public.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert private.members() == {name: RFC_8037_KEY[name] for name in ("crv", "kty", "x")}
    assert b64url_encode(private.sign(RFC_8037_SIGNED)) == RFC_8037_SIGNATURE
    assert public.verifies(RFC_8037_SIGNED, RFC_8037_SIGNATURE)


RFC_7515_A3_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
}
RFC_7515_A3 = (
    b"eyJhbGciOiJFUzI1NiJ9."
    b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    b"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
)


def test_rfc_7515_a3() -> None:
    key = _key(RFC_7515_A3_KEY)
    assert key.verifies(*RFC_7515_A3)
    assert key.verifies(RFC_7515_A3[0], b64url_encode(key.sign(RFC_7515_A3[0])))
    assert b64url_decode(RFC_7515_A3[1])[:4] == bytes([14, 209, 33, 83])
