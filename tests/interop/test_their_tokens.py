"""Access tokens that jose and joserfc sign, with keys they made, verify in our Verifier."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwk
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from jwt_refresh_middleware import AccessToken, Issuer, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.errors import TokenExpired, TokenInvalid

from ..catalogue.server import RunningServer
from .forgery import with_another_signature, with_claims
from .jose import Jose
from .readers import Wanted, read_with_joserfc
from .site import SECRET
from .strangers import AUDIENCE, ISSUER, Made, OfJose, OfJoserfc, Stranger, claims

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc prefers the name Ed25519

ALGORITHMS = ["EdDSA", "Ed25519", "ES256", "RS256"]
KID = "2026-11"
FORMS: dict[str, Callable[[Made, str], KeyRing]] = {
    "JWK Set": lambda made, alg: KeyRing.from_jwks({"keys": [made.public | {"kid": KID, "alg": alg, "use": "sig"}]}),
    "bare JWK": lambda made, _: KeyRing.from_jwks(made.public),
    "private JWK": lambda made, _: KeyRing.from_jwks(made.private),
    "SPKI": lambda made, _: KeyRing.from_pem(made.pem["spki"]),
    "PKCS #8": lambda made, _: KeyRing.from_pem(made.pem["pkcs8"]),
    "PKCS #1 or SEC 1": lambda made, _: KeyRing.from_pem(made.pem["ownPrivate"]),
    "PKCS #1, public": lambda made, _: KeyRing.from_pem(made.pem["ownPublic"]),
}
MISSING = {
    (form, algorithm)
    for form, algorithms in {"PKCS #1 or SEC 1": ALGORITHMS[:2], "PKCS #1, public": ALGORITHMS[:3]}.items()
    for algorithm in algorithms
}
EXPORTS = [(form, algorithm) for form in FORMS for algorithm in ALGORITHMS if (form, algorithm) not in MISSING]


@pytest.fixture(params=["jose", "joserfc"])
def stranger(request: pytest.FixtureRequest) -> Stranger:
    return OfJose(request.getfixturevalue("jose")) if request.param == "jose" else OfJoserfc()


@pytest.fixture
def make(stranger: Stranger, made_keys: dict[tuple[str, str], Made]) -> Callable[[str], Made]:
    """A key of the stranger for an algorithm, the same for all tests: an RSA key takes its time."""

    def made(algorithm: str) -> Made:
        name = (type(stranger).__name__, algorithm)
        return made_keys.get(name) or made_keys.setdefault(name, stranger.make(algorithm))

    return made


def verify(keys: KeyRing | str, token: str) -> AccessToken:
    return Verifier(keys, issuer=ISSUER, audience=AUDIENCE).verify(token)


def header(algorithm: str, **more: Any) -> dict[str, Any]:
    return {"alg": algorithm, "typ": "at+jwt"} | more


@pytest.mark.parametrize(("form", "algorithm"), EXPORTS)
def test_a_key_in_every_form_checks_tokens_with_and_without_a_kid(
    stranger: Stranger, make: Callable[[str], Made], form: str, algorithm: str
) -> None:
    made = make(algorithm)
    keys = FORMS[form](made, algorithm)
    kid = KID if form == "JWK Set" else stranger.thumbprint(made.public)
    for more in ({}, {"kid": kid}):
        content = claims()
        token = verify(keys, stranger.sign(made.private, header(algorithm, **more), content))
        assert dict(token.claims) == content
        assert token.subject == content["sub"]
        assert token.scopes == ("openid", "profile")
        assert (token.session_id, token.generation, token.auth_time) == (None, None, None)


def test_a_key_that_joserfc_encrypts_is_read_with_its_password() -> None:
    key = jwk.ECKey.generate_key("P-256")
    keys = KeyRing.from_pem(key.as_pem(private=True, password="a password"), password=b"a password")
    assert verify(keys, OfJoserfc().sign(key.as_dict(private=True), header("ES256"), claims())).subject


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_kid_of_their_own_needs_a_key_that_has_it(
    stranger: Stranger, make: Callable[[str], Made], algorithm: str
) -> None:
    """A PEM text has no ``kid``, so its key goes by its thumbprint; a name that we do not know is not guessed at."""
    made = make(algorithm)
    token = stranger.sign(made.private, header(algorithm, kid=KID), claims())
    with pytest.raises(TokenInvalid):
        verify(KeyRing.from_pem(made.pem["spki"]), token)
    assert verify(KeyRing.from_jwks(made.public | {"kid": KID}), token).subject


@pytest.mark.parametrize(("published", "named"), [("EdDSA", "Ed25519"), ("Ed25519", "EdDSA")])
def test_a_key_for_one_name_of_ed25519_checks_tokens_that_say_the_other(
    stranger: Stranger, make: Callable[[str], Made], published: str, named: str
) -> None:
    made = make("EdDSA")
    keys = KeyRing.from_jwks({"keys": [made.public | {"kid": KID, "alg": published}]})
    assert verify(keys, stranger.sign(made.private, header(named, kid=KID), claims())).subject


def test_a_shared_secret_is_the_same_to_them(stranger: Stranger) -> None:
    token = stranger.sign_with_secret(SECRET, header("HS256"), claims())
    assert verify(SECRET, token).subject == claims()["sub"]
    with pytest.raises(TokenInvalid):
        verify(SECRET + "?", token)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_long_name_of_the_type_is_accepted(stranger: Stranger, make: Callable[[str], Made], algorithm: str) -> None:
    """RFC 9068, 2.1 and RFC 7515, 4.1.9: with ``application/`` or without."""
    made = make(algorithm)
    token = stranger.sign(made.private, header(algorithm, typ="application/at+jwt"), claims())
    assert verify(KeyRing.from_jwks(made.public), token).subject


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "", None])
def test_another_type_is_refused(
    stranger: Stranger, make: Callable[[str], Made], algorithm: str, typ: str | None
) -> None:
    made = make(algorithm)
    named = {"alg": algorithm} | ({} if typ is None else {"typ": typ})
    with pytest.raises(TokenInvalid):
        verify(KeyRing.from_jwks(made.public), stranger.sign(made.private, named, claims()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "wrong",
    [{"aud": ISSUER + "userinfo"}, {"aud": [AUDIENCE + "/"]}, {"iss": ISSUER.rstrip("/")}, {"nbf": 4_000_000_000}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_claim_for_somebody_else_is_refused(
    stranger: Stranger, make: Callable[[str], Made], algorithm: str, wrong: dict[str, Any]
) -> None:
    made = make(algorithm)
    with pytest.raises(TokenInvalid):
        verify(KeyRing.from_jwks(made.public), stranger.sign(made.private, header(algorithm), claims(**wrong)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_was_tampered_with_is_refused(stranger: Stranger, make: Callable[[str], Made], algorithm: str) -> None:
    made = make(algorithm)
    token = stranger.sign(made.private, header(algorithm), claims())
    for forged in (with_claims(token, sub="mallory"), with_another_signature(token)):
        with pytest.raises(TokenInvalid):
            verify(KeyRing.from_jwks(made.public), forged)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_has_expired_is_refused_as_expired(
    stranger: Stranger, make: Callable[[str], Made], algorithm: str
) -> None:
    made = make(algorithm)
    past = claims(iat=int(time.time()) - 600, exp=int(time.time()) - 1)
    with pytest.raises(TokenExpired):
        verify(KeyRing.from_jwks(made.public), stranger.sign(made.private, header(algorithm), past))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_key_under_the_same_kid_is_refused(
    stranger: Stranger, make: Callable[[str], Made], algorithm: str
) -> None:
    made, other = make(algorithm), stranger.make(algorithm)
    keys = KeyRing.from_jwks({"keys": [made.public | {"kid": KID, "alg": algorithm}]})
    with pytest.raises(TokenInvalid):
        verify(keys, stranger.sign(other.private, header(algorithm, kid=KID), claims()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("form", ["private JWK", "PKCS #8"])
async def test_a_key_that_they_made_signs_tokens_that_they_verify(
    stranger: Stranger, make: Callable[[str], Made], jose: Jose, form: str, algorithm: str
) -> None:
    made = make(algorithm)
    async with Issuer(FORMS[form](made, algorithm), MemoryStore(), issuer=ISSUER, audience=AUDIENCE) as issuer:
        token = (await issuer.login("alice")).access_token
        name = "EdDSA" if algorithm == "Ed25519" else algorithm  # a key that does not say is for the older name
        published = {"keys": [made.public | {"kid": stranger.thumbprint(made.public)}]}
        options = {"typ": "at+jwt", "issuer": ISSUER, "audience": AUDIENCE, "algorithms": [name]}
        expected = dict(issuer.verifier.verify(token).claims)
    assert jose.ask("verifyBySet", token=token, jwks=published, options=options)["claims"] == expected
    asked = Wanted(url="", algorithm=name, issuer=ISSUER, audience=AUDIENCE)
    assert read_with_joserfc(token, jwk.import_key(made.public), asked)[1] == expected


async def test_the_keys_of_a_mixed_set_are_fetched_and_what_cannot_be_used_is_left_out(
    stranger: Stranger, make: Callable[[str], Made]
) -> None:
    """As issuers publish them: keys for encryption and of other curves among those that sign, certificates beside."""
    ours = {algorithm: make(algorithm) for algorithm in ("EdDSA", "ES256", "RS256")}
    published = [made.public | {"kid": algorithm, "use": "sig"} for algorithm, made in ours.items()]
    published[2] |= {"x5t": "dGh1bWJwcmludA", "x5c": ["Y2VydGlmaWNhdGU="]}
    published += [
        jwk.RSAKey.generate_key(2048).as_dict(private=False, use="enc", alg="RSA-OAEP", kid="enc"),
        jwk.ECKey.generate_key("P-384").as_dict(private=False, use="sig", alg="ES384", kid="P-384"),
        jwk.OKPKey.generate_key("X25519").as_dict(private=False, kid="X25519"),
    ]
    app = Starlette(routes=[Route("/jwks", lambda _: JSONResponse({"keys": published}))])
    with RunningServer(app, "h11") as server:
        url = f"http://127.0.0.1:{server.port}/jwks"
        verifier = Verifier.from_jwks_url(url, issuer=ISSUER, audience=AUDIENCE)
        await verifier.backing.open()
        try:
            for algorithm, made in ours.items():
                token = stranger.sign(made.private, header(algorithm, kid=algorithm), claims())
                assert verifier.verify(token).subject == claims()["sub"]
        finally:
            await verifier.backing.close()
