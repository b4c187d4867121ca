"""Group A: A05 to A07, keys that no service may work with, at the start and in a set of somebody else's."""

from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.key_texts import keys_of_set

from ..web.problems import assert_problem
from ..web.test_gateway import Gateway
from . import forge
from .forge import OURS, PAIRS, b64, pair
from .odd_keys import CLOSE_PRIMES, private_rsa, public_rsa, roca_primes, unsigned

RSA, OTHER_RSA = pair("RS256", OURS), pair("RS256", "somebody else's")
EC, ED = pair("ES256", OURS), pair("EdDSA", OURS)


def _jwk(name: str, **changes: Any) -> dict[str, Any]:
    """Our private key for an algorithm as a JWK; None takes a member out."""
    made = {"EdDSA": ED, "ES256": EC, "RS256": RSA}[name]
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    whole = KeyRing.from_pem(pem).keys[0].private_jwk() | changes
    return {member: value for member, value in whole.items() if value is not None}


def _public(name: str, **changes: Any) -> dict[str, Any]:
    return _jwk(name, **dict.fromkeys(("d", "p", "q", "dp", "dq", "qi")), **changes)


OCT = {"kty": "oct", "k": b64(bytes(range(32)))}
N, E = RSA.public_key().public_numbers().n, 65537

A05: dict[str, Mapping[str, Any]] = {
    "A05-rsa-for-ES256": _public("RS256", alg="ES256"),
    "A05-rsa-for-HS256": _public("RS256", alg="HS256"),
    "A05-rsa-for-PS256": _public("RS256", alg="PS256"),
    "A05-rsa-for-RS512": _public("RS256", alg="RS512"),
    "A05-rsa-for-none": _public("RS256", alg="none"),
    "A05-rsa-for-a-list": _public("RS256", alg=["RS256"]),
    "A05-ec-for-EdDSA": _public("ES256", alg="EdDSA"),
    "A05-ec-for-ES384": _public("ES256", alg="ES384"),
    "A05-ed-for-HS256": _public("EdDSA", alg="HS256"),
    "A05-ed-for-Ed448": _public("EdDSA", alg="Ed448"),
    "A05-oct-for-HS512": OCT | {"alg": "HS512"},
    "A05-oct-for-RS256": OCT | {"alg": "RS256"},
    "A05-oct-for-none": OCT | {"alg": "none"},
}
WEAK: dict[str, Mapping[str, Any]] = {
    "A07-rsa-1024": public_rsa(rsa.generate_private_key(65537, 1024).public_key().public_numbers().n),
    "A07-rsa-2047": public_rsa(N >> 1 | 1),
    "A07-rsa-16384": public_rsa(1 << 16383 | N),
    "A07-e-1": public_rsa(N, 1),
    "A07-e-3": public_rsa(N, 3),
    "A07-e-17": public_rsa(N, 17),
    "A07-e-even": public_rsa(N, 65538),
    "A07-e-zero": public_rsa(N, 0),
    "A07-e-huge": public_rsa(N, 2**32 + 1),
    "A07-e-as-large-as-n": public_rsa(N, N - 2),
    "A07-roca": public_rsa(roca_primes()[0] * roca_primes()[1]),
    "A07-roca-private": private_rsa(*roca_primes()),
    "A07-close-factors": public_rsa(CLOSE_PRIMES[0] * CLOSE_PRIMES[1]),
    "A07-close-factors-private": private_rsa(*CLOSE_PRIMES),
    "A07-factor-3": public_rsa((N // 3 | 1) * 3),
    "A07-factor-167": public_rsa((N // 167 | 1) * 167),
    "A07-even-modulus": public_rsa(N - 1),
    "A07-use-enc": _public("RS256", use="enc"),
    "A07-use-empty": _public("ES256", use=""),
    "A07-use-list": _public("ES256", use=["sig"]),
    "A07-key_ops-encrypt": _public("RS256", key_ops=["encrypt", "wrapKey"]),
    "A07-key_ops-sign-of-a-public-key": _public("RS256", key_ops=["sign"]),
    "A07-key_ops-empty": _public("EdDSA", key_ops=[]),
    "A07-key_ops-text": _public("EdDSA", key_ops="verify"),
    "A07-key_ops-of-lists": _public("EdDSA", key_ops=[["verify"]]),
    "A07-oct-empty": {"kty": "oct", "k": ""},
    "A07-oct-missing": {"kty": "oct"},
    "A07-oct-null": {"kty": "oct", "k": None},
    "A07-oct-31": {"kty": "oct", "k": b64(bytes(31))},
    "A07-oct-padded": {"kty": "oct", "k": b64(bytes(32)) + "="},
}
_P = 2**255 - 19
_ORDER_8 = (
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
)
_LOW = {"0": 0, "1": 1, "minus-1": _P - 1, "order-8": _ORDER_8[0], "order-8-other": _ORDER_8[1]}
_NOT_CANONICAL = {"p": _P, "p+1": _P + 1, "p+3": _P + 3, "2-to-255-minus-1": 2**255 - 1}
for _kind, _y in (_LOW | _NOT_CANONICAL | {"no-point": 2}).items():
    for _sign in (0, 1):
        _x = b64((_y | _sign << 255).to_bytes(32, "little"))
        WEAK[f"A07-ed25519-{_kind}-{_sign}"] = {"kty": "OKP", "crv": "Ed25519", "x": _x}

_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_EC_NUMBERS = EC.public_key().public_numbers()


def _coordinate(n: int) -> str:
    return b64(n.to_bytes(32, "big"))


ODD: dict[str, Mapping[str, Any]] = {
    "A07-ec-not-on-the-curve": _public("ES256", x=_coordinate(_EC_NUMBERS.x ^ 1)),
    "A07-ec-y-of-another": _public("ES256", y=_coordinate(_EC_NUMBERS.y ^ 1)),
    "A07-ec-zero": _public("ES256", x=_coordinate(0), y=_coordinate(0)),
    "A07-ec-over-p": _public("ES256", x=_coordinate(_P256)),
    "A07-ec-x-too-short": _public("ES256", x=b64(_EC_NUMBERS.x.to_bytes(32, "big")[1:])),
    "A07-ec-y-too-long": _public("ES256", y=b64(bytes(1) + _EC_NUMBERS.y.to_bytes(32, "big"))),
    "A07-ec-x-missing": _public("ES256", x=None),
    "A07-ec-P-384": _public("ES256", crv="P-384"),
    "A07-ec-secp256k1": _public("ES256", crv="secp256k1", alg=None),
    "A07-ec-p-256": _public("ES256", crv="p-256"),
    "A07-ec-no-curve": _public("ES256", crv=None),
    "A07-ec-d-of-another": _jwk("ES256", d=_coordinate(7)),
    "A07-ec-d-zero": _jwk("ES256", d=_coordinate(0)),
    "A07-ec-d-order": _jwk("ES256", d=_coordinate(_ORDER)),
    "A07-ec-d-number": _jwk("ES256", d=7),
    "A07-ed-short": _public("EdDSA", x=b64(bytes(31))),
    "A07-ed-x-number": _public("EdDSA", x=1),
    "A07-ed-x-umlaut": _public("EdDSA", x="ü" * 43),
    "A07-ed-x-standard-alphabet": _public("EdDSA", x="+" + _public("EdDSA")["x"][1:]),
    "A07-ed-d-of-another": _jwk("EdDSA", d=b64(bytes(range(32)))),  # CVE-2026-102275
    "A07-ed-d-short": _jwk("EdDSA", d=b64(bytes(31))),
    "A07-ed-d-empty": _jwk("EdDSA", d=""),
    "A07-ed-x-missing": _jwk("EdDSA", x=None),
    "A07-X25519": _public("EdDSA", crv="X25519"),
    "A07-Ed448": _public("EdDSA", crv="Ed448"),
    "A07-rsa-d-of-another": _jwk("RS256", d=unsigned(OTHER_RSA.private_numbers().d)),
    "A07-rsa-n-of-another": _jwk("RS256", n=unsigned(OTHER_RSA.public_key().public_numbers().n)),
    "A07-rsa-p-1": _jwk("RS256", p="AQ"),  # CVE-2026-102274: what raises something else than ValueError
    "A07-rsa-p-0": _jwk("RS256", p="AA"),
    "A07-rsa-q-missing": _jwk("RS256", q=None),
    "A07-rsa-d-0": _jwk("RS256", d="AA"),
    "A07-rsa-d-1-without-factors": _jwk("RS256", d="AQ", p=None, q=None),
    "A07-rsa-d-of-another-without-factors": _jwk(
        "RS256", d=unsigned(OTHER_RSA.private_numbers().d), p=None, q=None, dp=None, dq=None, qi=None
    ),
    "A07-rsa-three-primes": _jwk("RS256", oth=[{"r": "Aw", "d": "AQ", "t": "AQ"}]),
    "A07-rsa-n-list": _public("RS256", n=["AQAB"]),
    "A07-rsa-n-empty": _public("RS256", n=""),
    "A07-rsa-e-number": _public("RS256", e=65537),
    "A07-rsa-e-missing": _public("RS256", e=None),
    "A07-kty-missing": {"k": OCT["k"], "keys": None},
    "A07-kty-list": OCT | {"kty": ["oct"]},
    "A07-kty-list-of-a-public-key": _public("EdDSA") | {"kty": ["OKP"]},
    "A07-kty-object": OCT | {"kty": {"oct": 1}},
    "A07-kty-rsa-of-oct": OCT | {"kty": "RSA"},
    "A07-kty-case": OCT | {"kty": "OCT"},
    "A07-kid-number": OCT | {"kid": 1},
    "A07-kid-empty": OCT | {"kid": ""},
    "A07-kid-newline": OCT | {"kid": "a\nb"},
    "A07-kid-long": OCT | {"kid": "k" * 257},
}
NO_KEYS = A05 | WEAK | ODD


@pytest.mark.parametrize("jwk", NO_KEYS.values(), ids=NO_KEYS)
def test_a_key_that_cannot_be_used_is_an_error_at_the_start(jwk: Mapping[str, Any]) -> None:
    for jwks in (jwk, {"keys": [jwk]}, {"keys": [_public("EdDSA"), jwk]}):
        with pytest.raises(ValueError) as raised:
            KeyRing.from_jwks(jwks)
        said = str(raised.value) + repr(raised.value)
        assert not any(type(jwk.get(name)) is str and len(jwk[name]) > 8 and jwk[name] in said for name in ("d", "k"))


@pytest.mark.parametrize("jwk", NO_KEYS.values(), ids=NO_KEYS)
def test_a_key_that_cannot_be_used_is_left_out_of_a_set_of_somebody_elses(jwk: Mapping[str, Any]) -> None:
    told: list[ValueError] = []
    kept = keys_of_set({"keys": [jwk, _public("EdDSA")]}, tolerant=told.append)
    assert [key.public_jwk() for key in kept] == [_public("EdDSA")]
    assert len(told) == 1


@pytest.mark.parametrize("odd", [None, 1, "key", [], [{}], {}], ids=repr)
@pytest.mark.case("A06")
def test_what_is_no_jwk_is_left_out_too(odd: object) -> None:
    told: list[ValueError] = []
    assert len(keys_of_set({"keys": [odd, _public("ES256")]}, tolerant=told.append)) == 1
    assert len(told) == 1
    with pytest.raises(ValueError):
        KeyRing.from_jwks({"keys": [odd, _public("ES256")]})


MIXED = {
    "A06-oct-beside-rsa": [_public("RS256"), OCT],
    "A06-oct-beside-ed": [OCT, _jwk("EdDSA")],
    "A06-same-kid": [_public("RS256", kid="a"), _public("ES256", kid="a")],
    "A06-same-key": [_public("RS256"), _public("RS256")],
    "A06-public-beside-private": [_jwk("RS256"), _public("RS256")],
    "A06-same-oct": [OCT, OCT],
}


@pytest.mark.parametrize("listed", MIXED.values(), ids=MIXED)
def test_what_does_not_stand_in_one_set_is_an_error_at_the_start(listed: list[Mapping[str, Any]]) -> None:
    with pytest.raises(ValueError):
        KeyRing.from_jwks({"keys": listed})


def test_a06_a_published_set_never_has_secrets_that_are_used() -> None:
    told: list[ValueError] = []
    listed = [OCT, _jwk("ES256"), _public("RS256"), OCT | {"kid": "b"}, _jwk("EdDSA", kid="c")]
    kept = keys_of_set({"keys": listed}, tolerant=told.append)
    assert [(key.algorithm, key.is_private) for key in kept] == [("RS256", False)]
    assert len(told) == 4


def test_a06_a_kid_that_two_keys_have_is_used_for_neither() -> None:
    told: list[ValueError] = []
    listed = [_public("RS256", kid="a"), _public("ES256", kid="a"), _public("EdDSA")]
    assert [key.algorithm for key in keys_of_set({"keys": listed}, tolerant=told.append)] == ["EdDSA"]
    assert len(told) == 1


@pytest.mark.parametrize("without", ["alg", "use", "kid"])
@pytest.mark.parametrize("name", PAIRS)
def test_a05_what_a_key_does_not_say_is_known_by_its_type(name: str, without: str) -> None:
    key = KeyRing.from_jwks(_public(name, **{without: None})).keys[0]
    assert (key.algorithm, key.kid) == (name, KeyRing.from_jwks(_public(name)).keys[0].kid)


@pytest.mark.parametrize("name", PAIRS)
async def test_a05_a_header_does_not_choose_the_algorithm_of_a_key_that_names_none(name: str) -> None:
    gateway = Gateway(keys=KeyRing.from_jwks(_public(name, alg=None)))
    with forge.under(name):
        assert (await gateway.get("/x", forge.token())).status == 200
        for alg in ("HS256", "RS512", "PS256", "ES384", "Ed448", "none", ""):
            assert_problem(await gateway.get("/x", forge.with_header(alg=alg)), "token_invalid")


OTHER_KINDS = {
    "A07-X25519": x25519.X25519PrivateKey.generate(),
    "A07-Ed448": ed448.Ed448PrivateKey.generate(),
    "A07-P-384": ec.generate_private_key(ec.SECP384R1()),
    "A07-secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "A07-RSA-1024": rsa.generate_private_key(65537, 1024),
    "A07-RSA-e-3": rsa.generate_private_key(3, 2048),
}


@pytest.mark.parametrize("private", OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_other_kinds_of_pem_are_refused_at_the_start(private: Any) -> None:
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for pem in (private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), public):
        with pytest.raises(ValueError):
            KeyRing.from_pem(pem)


@pytest.mark.parametrize("length", [pytest.param(n, id=f"A07-{n}-bytes") for n in (0, 1, 16, 31)])
def test_weak_keys_are_refused_at_startup(length: int) -> None:
    weak, strong = "k" * length, "a secret that is long enough, by far"
    for start in (
        lambda: KeyRing.from_secret(weak),
        lambda: Verifier(weak),
        lambda: Issuer(weak, MemoryStore()),
        lambda: Issuer([strong, weak], MemoryStore()),
    ):
        with pytest.raises(ValueError, match="32 bytes"):
            start()


@pytest.mark.case("A07")
def test_the_keys_that_these_cases_change_are_good_themselves() -> None:
    """Otherwise the cases above would prove nothing."""
    for name in PAIRS:
        assert KeyRing.from_jwks(_jwk(name)).signing is not None
        assert KeyRing.from_jwks(_public(name)).signing is None
    assert KeyRing.from_jwks(OCT).signing is not None
    assert KeyRing.from_jwks(public_rsa(N)).keys[0].kid == KeyRing.from_jwks(_public("RS256")).keys[0].kid
    own = RSA.private_numbers()
    assert KeyRing.from_jwks(private_rsa(own.p, own.q)).signing is not None
