"""KeyRing: how it is made, what it shows, how it changes, and who is told."""

import gc
import json
import pickle
import weakref
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.encoding import b64url_decode
from jwt_refresh_middleware.errors import KeysUnavailable, TokenInvalid
from jwt_refresh_middleware.key_states import Contents, Held
from jwt_refresh_middleware.keys import HmacKey
from tests.rotation.support import SECRET, Clock, make_issuer

from .pairs import ALL, PAIRS, private_half, private_pem, public_half, public_pem

OTHER_SECRET = "another secret of the tests, and long enough as well"
LIFE = 900 + 60
"""Of a key after it has stopped signing: the access tokens' lifetime and the largest leeway, in seconds."""


def _header(token: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(b64url_decode(token.partition(".")[0].encode()))
    return made


async def _token(ring: KeyRing, clock: Clock | None = None) -> str:
    return (await make_issuer(MemoryStore(), clock or Clock(), secret=ring).login("ann")).access_token


def _states(ring: KeyRing) -> list[str]:
    return [one.state for one in ring.held]


# How it is made


@pytest.mark.parametrize("name", PAIRS)
async def test_the_first_private_key_signs_and_all_verify(name: str) -> None:
    clock = Clock()
    new, old = private_pem(name), private_pem(name, 1)
    for ring, signing in (
        (KeyRing.from_pem(new, old), new),
        (KeyRing.from_pem(new + old), new),
        (KeyRing.from_pem(old.decode(), new.decode()), old),
        (KeyRing.from_pem(public_pem(name), old), old),
        (KeyRing.from_jwks({"keys": [private_half(name).private_jwk(), private_half(name, 1).private_jwk()]}), new),
    ):
        token = await _token(ring)
        assert _header(token) == {"alg": name, "typ": "at+jwt", "kid": KeyRing.from_pem(signing).keys[0].kid}
        assert Verifier(ring, clock=clock).verify(token).subject == "ann"
    for signed in (new, old):
        assert Verifier(KeyRing.from_pem(new, old), clock=clock).verify(await _token(KeyRing.from_pem(signed)))


async def test_key_pairs_of_different_types_stand_in_one_ring() -> None:
    ring = KeyRing.from_pem(*(private_pem(name) for name in PAIRS))
    for name in PAIRS:
        assert Verifier(ring, clock=Clock()).verify(await _token(KeyRing.from_pem(private_pem(name))))


@pytest.mark.parametrize("name", PAIRS)
async def test_a_public_ring_verifies_and_is_no_issuers(name: str) -> None:
    ring = KeyRing.from_pem(public_pem(name))
    assert Verifier(ring, clock=Clock()).verify(await _token(KeyRing.from_pem(private_pem(name)))).subject == "ann"
    assert (ring.signing, ring.secrets) == (None, ())
    with pytest.raises(ValueError, match="needs a key that can sign"):
        Issuer(ring, MemoryStore())
    with pytest.raises(ValueError, match="cannot be rotated"):
        ring.rotate()
    assert ring.jwks() == {"keys": [public_half(name).public_jwk()]}


@pytest.mark.parametrize("name", PAIRS)
def test_secrets_and_pairs_make_no_ring(name: str) -> None:
    secret = HmacKey(SECRET.encode())
    for keys in ([secret, private_half(name)], [public_half(name), secret]):
        with pytest.raises(ValueError, match="shared secrets and key pairs"):
            KeyRing(keys)


@pytest.mark.parametrize("name", PAIRS)
def test_no_key_comes_twice(name: str) -> None:
    for make in (
        lambda: KeyRing.from_pem(private_pem(name), private_pem(name)),
        lambda: KeyRing.from_pem(private_pem(name) + public_pem(name)),
        lambda: KeyRing([private_half(name), HmacKey(SECRET.encode(), private_half(name).kid)]),
        lambda: KeyRing.from_secret([SECRET, SECRET]),
    ):
        with pytest.raises(ValueError, match="twice"):
            make()


def test_a_ring_needs_a_key() -> None:
    for make in (lambda: KeyRing(()), lambda: KeyRing.from_jwks({"keys": []}), lambda: KeyRing.from_secret([])):
        with pytest.raises(ValueError, match="at least one key"):
            make()
    with pytest.raises(ValueError, match="no key in this PEM"):
        KeyRing.from_pem("")


def test_what_other_secrets_are_derived_from_is_long_enough() -> None:
    assert KeyRing([private_half("EdDSA")], secrets=[bytes(32)]).secrets == (bytes(32),)
    with pytest.raises(ValueError, match="32 bytes"):
        KeyRing([private_half("EdDSA")], secrets=[bytes(32), bytes(31)])


def test_an_encrypted_pem_needs_its_password() -> None:
    pem = private_pem("ES256", password=b"open sesame")
    assert KeyRing.from_pem(pem, password=b"open sesame").signing is not None
    for password in (None, b"another"):
        with pytest.raises(ValueError, match="assword"):
            KeyRing.from_pem(pem, password=password)


@pytest.mark.parametrize("name", ALL)
async def test_generated_keys_sign_verify_and_have_a_follower(name: Any) -> None:
    ring = KeyRing.generate(name)
    assert _states(ring) == ["current", "next"]
    token = await _token(ring)
    assert (_header(token)["alg"], _header(token)["kid"]) == (name, ring.keys[0].kid)
    assert Verifier(ring, clock=Clock()).verify(token).subject == "ann"
    assert KeyRing.generate(name).keys[0].kid != ring.keys[0].kid
    assert len(ring.secrets) == 1


def test_only_keys_of_a_known_kind_are_generated() -> None:
    for name in ("none", "HS512", "PS256", "eddsa", ""):
        with pytest.raises(ValueError, match="unsupported algorithm"):
            KeyRing.generate(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("signed_as", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("published_as", ["EdDSA", "Ed25519", None])
async def test_both_names_of_ed25519_are_one_algorithm(signed_as: Any, published_as: str | None) -> None:
    """RFC 9864: a new name for what RFC 8037 called EdDSA; issuers and verifiers change on different days."""
    ring = KeyRing.generate(signed_as)
    jwk = {name: value for name, value in (ring.keys[0].public_jwk() or {}).items() if name != "alg"}
    verifier = Verifier(KeyRing.from_jwks(jwk | ({"alg": published_as} if published_as else {})), clock=Clock())
    assert verifier.verify(await _token(ring)).subject == "ann"


# The environment


ENVIRONMENTS: dict[str, tuple[Callable[[], str], bool]] = {
    "pem": (lambda: private_pem("ES256").decode(), True),
    "pem-escaped": (lambda: private_pem("ES256").decode().replace("\n", "\\n"), True),
    "pem-escaped-crlf": (lambda: private_pem("ES256").decode().replace("\n", "\\r\\n"), True),
    "pem-blanks-around": (lambda: f"\n {private_pem('ES256').decode()} ", True),
    "public-pem": (lambda: public_pem("ES256").decode(), False),
    "jwk": (lambda: json.dumps(private_half("ES256").private_jwk()), True),
    "jwks": (lambda: json.dumps({"keys": [public_half("ES256").public_jwk()]}), False),
}


@pytest.mark.parametrize(("text", "signs"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_keys_from_the_environment(text: Callable[[], str], signs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_KEYS", text())
    ring = KeyRing.from_env("AUTH_KEYS", {"AUTH_KEYS": text()})
    assert ring.keys[0].kid == private_half("ES256").kid
    assert (ring.signing is not None) == signs


def test_a_secret_from_the_environment() -> None:
    assert KeyRing.from_env("S", {"S": f" {SECRET}\n"}).keys == KeyRing.from_secret(SECRET).keys


@pytest.mark.parametrize("environ", [{}, {"KEYS": ""}, {"KEYS": "  \n"}, {"OTHER": SECRET}])
def test_a_variable_that_is_missing_or_empty(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="the environment variable KEYS holds no key"):
        KeyRing.from_env("KEYS", environ)


BAD = ['{"k":"%s"', '{"kty":"oct","kty":"oct","k":"%s"}', '{"keys":["%s"]}', '{"k":"%s\udcff"}', "%s\udcff"]


@pytest.mark.parametrize("text", [*BAD, "-----BEGIN PRIVATE KEY-----%s", '{"kty":"oct","k":"%s","alg":"HS512"}'])
def test_a_variable_that_cannot_be_read_is_not_quoted(text: str) -> None:
    """Neither by the message, nor by what hangs on the exception: a JSONDecodeError has the whole document."""
    with pytest.raises(ValueError) as raised:
        KeyRing.from_env("KEYS", {"KEYS": text % OTHER_SECRET.replace(" ", "")})
    assert raised.value.__cause__ is None
    assert OTHER_SECRET.replace(" ", "") not in repr(raised.value) + repr(vars(raised.value))


def test_a_weak_secret_in_the_environment() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyRing.from_env("KEYS", {"KEYS": "x" * 31})


# What it shows (catalogue J01)


@pytest.mark.parametrize("name", ALL)
def test_nothing_shows_what_is_secret(name: Any) -> None:
    ring = KeyRing.generate(name)
    verifier = Verifier(ring)
    contents = Contents(ring.held, ring.secrets)
    shown = "".join(f"{thing!r}{thing!s}" for thing in (ring, ring.held, ring.keys, ring.signing, verifier, contents))
    for key in ring.keys:
        jwk = key.private_jwk()
        assert key.kid in shown
        assert not any(jwk[member] in shown for member in ("d", "p", "q", "k") if member in jwk)
        assert repr(key.secret_of_its_own()) not in shown
    for look in (vars, pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            look(ring)


# Rotation


@pytest.mark.parametrize("name", ALL)
async def test_next_current_previous_gone(name: Any) -> None:
    clock = Clock()
    issuer = make_issuer(MemoryStore(), clock, secret=KeyRing.generate(name))
    ring = issuer.verifier.keys
    first, second = ring.keys
    start = clock()

    clock.advance(100)
    ring.rotate()
    assert [(one.key, one.state, one.since) for one in ring.held[:2]] == [
        (second, "current", start + 100),
        (first, "previous", start + 100),
    ]
    assert _states(ring) == ["current", "previous", "next"]
    assert ring.held[1].until == start + 100 + LIFE
    assert _header((await issuer.login("ann")).access_token)["kid"] == second.kid

    clock.advance(LIFE - 0.001)
    ring.rotate()
    assert _states(ring) == ["current", "previous", "previous", "next"]
    clock.advance(0.001)
    ring.rotate()
    assert first not in ring.keys
    assert second in ring.keys


@pytest.mark.parametrize("name", ALL)
async def test_a_key_is_published_before_it_signs(name: Any) -> None:
    """A ring without a next key gets one and goes on signing with the one it has."""
    clock = Clock()
    ring = KeyRing([KeyRing.generate(name).keys[0]], clock=clock)
    issuer = make_issuer(MemoryStore(), clock, secret=ring)
    seen: set[str] = set()
    for round_ in range(4):
        signing = _header((await issuer.login("ann")).access_token)["kid"]
        assert round_ == 0 or signing in seen
        seen = {key.kid for key in ring.keys}
        ring.rotate()
        assert (ring.keys[0].kid == signing) == (round_ == 0)


@pytest.mark.parametrize("minutes", [0.5, 15, 120])
def test_the_overlap_is_as_long_as_access_tokens_live_and_a_minute(minutes: float) -> None:
    clock = Clock()
    ring = KeyRing.generate("EdDSA")
    make_issuer(MemoryStore(), clock, secret=ring, access_ttl=timedelta(minutes=minutes))
    ring.rotate()
    assert ring.held[1].until - clock() == max(LIFE, 60 * minutes + 60)


def test_an_issuer_that_comes_later_lengthens_what_verifiers_know_already() -> None:
    clock = Clock()
    ring = KeyRing([private_half("EdDSA"), private_half("EdDSA", 1)], clock=clock)
    ring.rotate()
    ring.rotate()
    verifier = Verifier(ring, clock=clock)
    until = ring.held[1].until
    make_issuer(MemoryStore(), clock, secret=ring, access_ttl=timedelta(hours=2))
    assert ring.held[1].until == until - LIFE + 7260
    assert verifier._known_keys.held == ring.held


@pytest.mark.parametrize("name", ["EdDSA", "ES256"])
def test_what_is_published_is_public_and_has_the_next_key_and_none_that_is_gone(name: Any) -> None:
    clock = Clock()
    ring = KeyRing.generate(name)
    make_issuer(MemoryStore(), clock, secret=ring)
    old = ring.keys[0]
    ring.rotate()
    for at, expected in ((0.0, True), (LIFE - 0.001, True), (0.001, False)):
        clock.advance(at)
        jwks = ring.jwks()
        kids = [jwk["kid"] for jwk in jwks["keys"]]
        assert (old.kid in kids) == expected
        assert {ring.held[0].key.kid, ring.held[-1].key.kid} <= set(kids)
        assert all(set(jwk) <= {"kty", "crv", "x", "y", "use", "alg", "kid"} for jwk in jwks["keys"])
        assert json.loads(json.dumps(jwks)) == jwks
        KeyRing.from_jwks(jwks)


@pytest.mark.parametrize("name", ["HS256", "EdDSA"])
async def test_refresh_tokens_survive_any_number_of_rotations(name: Any) -> None:
    clock = Clock()
    issuer = make_issuer(MemoryStore(), clock, secret=KeyRing.generate(name))
    pair, ring = await issuer.login("ann"), issuer.verifier.keys
    for _ in range(12):
        ring.rotate()
        clock.advance(3600)
        pair = await issuer.refresh(pair.refresh_token)
        assert issuer.verifier.verify(pair.access_token).subject == "ann"
    await issuer.aclose()


def test_keys_that_come_from_elsewhere_are_rotated_there(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [private_half("EdDSA").private_jwk()]}))
    path.chmod(0o600)
    with pytest.raises(ValueError, match="rotated there"):
        KeyRing.from_file(path).rotate()


# Who follows it


async def test_verifiers_and_minters_follow_a_ring() -> None:
    clock, ring = Clock(), KeyRing.generate("EdDSA")
    issuer, gateway = make_issuer(MemoryStore(), clock, secret=ring), Verifier(ring, clock=clock)
    for _ in range(3):
        ring.rotate()
        token = (await issuer.login("ann")).access_token
        assert _header(token)["kid"] == ring.keys[0].kid
        assert gateway.verify(token) == issuer.verifier.verify(token)


async def test_a_verifier_that_is_garbage_is_not_kept_alive() -> None:
    ring = KeyRing.generate("EdDSA")
    verifier = Verifier(ring)
    gone = weakref.ref(verifier)
    del verifier
    gc.collect()
    assert gone() is None
    ring.rotate()
    assert ring._followers == []


async def test_a_token_under_a_key_that_was_taken_away_is_refused_at_once() -> None:
    clock = Clock()
    ring, stolen = KeyRing.from_pem(private_pem("EdDSA")), KeyRing.from_pem(private_pem("EdDSA", 1))
    ring.replace(Contents((*ring.held, Held(stolen.keys[0], "previous", 0)), ring.secrets))
    verifier = Verifier(ring, clock=clock)
    good, bad = await _token(ring, clock), await _token(stolen, clock)
    for token in (good, bad, good, bad):
        verifier.verify(token)
    ring.replace(Contents(ring.held[:1], ring.secrets))
    assert verifier.remembered == {}
    assert verifier.verify(good)
    with pytest.raises(TokenInvalid):
        verifier.verify(bad)


class Distracted:
    """A key that is taken away while it checks a signature: another thread would do that."""

    def __init__(self, key: Any, ring: Callable[[], KeyRing], instead: Contents) -> None:
        self._key, self._ring, self._instead = key, ring, instead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        self._ring().replace(self._instead)
        return bool(self._key.verifies(message, signature))


async def test_a_token_that_was_being_checked_when_its_key_went_is_not_remembered() -> None:
    clock, good, stolen = Clock(), private_half("EdDSA"), private_half("EdDSA", 1)
    rings: list[KeyRing] = []
    distracted: Any = Distracted(stolen, lambda: rings[0], Contents((Held(good, "current", 0),), ()))
    rings.append(KeyRing([good, distracted], secrets=(), clock=clock))
    verifier = Verifier(rings[0], clock=clock)
    token = await _token(KeyRing([stolen]), clock)
    assert verifier.verify(token).subject == "ann", "it began while the key was there"
    assert verifier.remembered == {}
    for _ in range(2):
        with pytest.raises(TokenInvalid):
            verifier.verify(token)


# All or nothing


@pytest.mark.parametrize(
    "contents",
    [
        lambda ring: Contents((Held(public_half("EdDSA", 1), "current", 0),), ring.secrets),
        lambda _: Contents((Held(private_half("EdDSA", 1), "current", 0),), (b"short",)),
        lambda ring: Contents((Held(HmacKey(public_pem("ES256")), "current", 0),), ring.secrets),
        lambda _: Contents((Held(private_half("EdDSA", 1), "current", 0),), ()),
        lambda ring: Contents((), ring.secrets),
        lambda ring: Contents((*ring.held, ring.held[0]), ring.secrets),
        lambda ring: Contents((*ring.held, Held(HmacKey(SECRET.encode()), "previous", 0)), ring.secrets),
    ],
    ids=["cannot-sign", "short-secret", "public-key-as-secret", "no-secret", "nothing", "twice", "mixed"],
)
async def test_a_ring_changes_wholly_or_not_at_all(contents: Callable[[KeyRing], Contents]) -> None:
    """Also if only the last of its followers cannot work with it."""
    clock, ring = Clock(), KeyRing.from_pem(private_pem("EdDSA"))
    gateway = Verifier(ring, clock=clock)
    issuer = make_issuer(MemoryStore(), clock, secret=ring)
    pair = await issuer.login("ann")
    before = ring.held, ring.secrets, ring.jwks()
    with pytest.raises((ValueError, IndexError)):
        ring.replace(contents(ring))
    assert (ring.held, ring.secrets, ring.jwks()) == before
    again = await issuer.refresh(pair.refresh_token)
    for token in (pair.access_token, again.access_token):
        assert gateway.verify(token) == issuer.verifier.verify(token)


def test_a_verifier_whose_ring_is_empty_has_no_keys() -> None:
    ring = KeyRing.from_pem(public_pem("EdDSA"))
    verifier = Verifier(ring)
    ring.replace(Contents((), ()))
    with pytest.raises(KeysUnavailable):
        verifier.verify("a.b.c")
