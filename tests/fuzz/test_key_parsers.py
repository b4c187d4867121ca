"""Key texts, files of keys, and what an issuer elsewhere answers: used as they are meant, or a ValueError."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwt_refresh_middleware import KeyRing
from jwt_refresh_middleware.key_file import key_file_text, read_key_file
from jwt_refresh_middleware.key_states import Contents
from jwt_refresh_middleware.remote import FetchFailed, RemoteKeys
from tests.rotation.support import QUICK

from . import properties as p
from .forging import keys
from .mutations import odd_bytes
from .strategies import LATIN, SEEDS, VALUES, glued, json_like, mutated

IN_A_FILE = settings(QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
PAIRS = [key for key in keys().values() if key.ring == "pairs"]


def _pem(key: Any, encryption: Any = None) -> bytes:
    made: bytes = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return made


PEMS = [_pem(key) for key in PAIRS] + [key.public_forms()[0] for key in PAIRS]
PEMS.append(_pem(PAIRS[0], BestAvailableEncryption(b"password")))


def _jwks() -> list[dict[str, Any]]:
    read = [KeyRing.from_pem(_pem(key)).keys[0] for key in PAIRS]
    public = [key.public_jwk() or {} for key in read]
    return [*(key.private_jwk() for key in read), *public, KeyRing.generate().keys[0].private_jwk()]


JWKS = _jwks()


@pytest.mark.parametrize("pem", PEMS[:-1])
def test_the_good_texts_are_read(pem: bytes) -> None:
    assert p.check_pem(pem) == 1
    assert p.check_pem(pem + b"\n" + PEMS[0]) in (0, 2)  # the same key twice is left to the ring


@pytest.mark.parametrize("jwk", JWKS)
def test_the_good_keys_are_read(jwk: dict[str, Any]) -> None:
    assert p.check_jwks({"keys": [jwk]}) == p.check_jwks(jwk) == 1


_LINES = [
    b"-----BEGIN PRIVATE KEY-----",
    b"-----END PRIVATE KEY-----",
    b"-----BEGIN PUBLIC KEY-----",
    b"\n",
    b"\r",
    b" ",
]


@QUICK
@given(mutated(PEMS) | glued([*_LINES, PEMS[0], PEMS[-1], b"AAAA", b"-----", b"\0", b"\xff"], 6) | LATIN)
def test_pem(text: bytes) -> None:
    p.check_pem(text)


@st.composite
def _changed_jwk(draw: st.DrawFn) -> dict[str, Any]:
    """A good key with members changed, exchanged with another's, added or left out."""
    jwk = dict(draw(st.sampled_from(JWKS)))
    other = draw(st.sampled_from(JWKS))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from([*jwk, *other, "use", "key_ops", "kid", "alg", "oth", "state", "x5c", "d", "k"]))
        what = draw(st.sampled_from(["leave out", "exchange", "change", "replace"]))
        if what == "leave out":
            jwk.pop(name, None)
        elif what == "exchange" and name in other:
            jwk[name] = other[name]
        elif what == "change" and isinstance(jwk.get(name), str):
            text = draw(mutated([jwk[name].encode() or b"x"])).decode("utf-8", "replace")
            jwk[name] = draw(
                st.sampled_from([text, jwk[name] + "=", "A" + jwk[name], "AAAA" + jwk[name], jwk[name][4:]])
            )
        else:
            jwk[name] = draw(
                VALUES | st.sampled_from(["sig", "enc", ["verify"], ["sign"], ["encrypt"], "RS256", "HS256"])
            )
    return jwk


@QUICK
@given(_changed_jwk())
def test_a_jwk(jwk: dict[str, Any]) -> None:
    p.check_jwks(jwk)


@QUICK
@given(st.lists(_changed_jwk() | VALUES, max_size=4), st.booleans())
def test_a_set(members: list[Any], more: bool) -> None:
    p.check_jwks({"keys": members, **({"kty": "oct"} if more else {})})


@QUICK
@given(VALUES)
def test_what_is_no_set(value: object) -> None:
    assert p.check_jwks(value) == 0
    assert p.check_jwks({"keys": value}) == 0


@QUICK
@given(mutated(PEMS) | json_like([json.dumps(JWKS[0]).encode(), b'{"keys":[]}']) | LATIN)
def test_an_environment_variable(text: bytes) -> None:
    said = text.decode("latin-1").replace("\0", "")
    ring = p.tried(KeyRing.from_env, "KEY", {"KEY": said}, refusals=(ValueError,))
    assert ring is p.REFUSED or ring.keys


def _file() -> dict[str, Any]:
    ring = KeyRing.from_jwks({"keys": [JWKS[0]]})
    ring.rotate()
    content: dict[str, Any] = json.loads(key_file_text(Contents(ring.held, ring.secrets)))
    return content


FILE = _file()


@IN_A_FILE
@given(st.data())
def test_a_file_of_keys(tmp_path: Path, data: st.DataObject) -> None:
    path, content = tmp_path / "keys.json", json.loads(json.dumps(FILE))
    path.write_text(json.dumps(content))
    before = read_key_file(path)
    assert [one.state for one in before.held] == ["current", "next"]
    jwk = data.draw(st.sampled_from(content["keys"]))
    name = data.draw(st.sampled_from([*jwk, "until"]))
    jwk[name] = data.draw(VALUES | st.sampled_from(["current", "previous", "next", 1e308, -1]))
    if data.draw(st.booleans()):
        content["secrets"] = data.draw(VALUES | st.lists(VALUES, max_size=2))
    path.write_bytes(data.draw(st.just(json.dumps(content).encode()) | mutated([json.dumps(content).encode()])))
    contents = p.tried(read_key_file, path, refusals=(ValueError,))
    if contents is not p.REFUSED:
        assert contents.held
        assert all(len(secret) >= 32 for secret in contents.secrets)


@QUICK
@given(st.lists(_changed_jwk(), max_size=3), SEEDS, st.booleans())
def test_what_an_issuer_answers(members: list[dict[str, Any]], seed: int, damaged: bool) -> None:
    """Keys come out, public ones only, none whose private half is in the answer too; or the fetch has failed."""
    source = RemoteKeys("https://users.example.com/jwks", refresh_interval=1, cooldown=1, timeout=1)
    body = json.dumps({"keys": members}).encode()
    if damaged:
        body = odd_bytes(Random(seed), body)
    found = p.tried(source._keys, body, refusals=(FetchFailed,))
    if found is not p.REFUSED:
        assert found
        assert not any(key.is_private for key in found)
        assert len({key.kid for key in found}) == len(found)


def test_the_public_half_of_another_key_is_refused() -> None:
    ours, others = (KeyRing.from_pem(_pem(key)).keys[0] for key in PAIRS if "Ed25519" in key.names)
    assert p.check_jwks(ours.private_jwk()) == 1
    assert p.check_jwks({**ours.private_jwk(), "x": (others.public_jwk() or {})["x"]}) == 0
