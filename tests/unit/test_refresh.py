"""Refresh tokens: one spelling each, one successor each, and a secret that only the client holds."""

import base64
import hashlib
import string

import itsdangerous
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware import KeyRing
from jwt_refresh_middleware.errors import RefreshInvalid
from jwt_refresh_middleware.keys import derived
from jwt_refresh_middleware.refresh import RefreshSigner, RefreshToken
from tests.rotation.support import QUICK, SECRET

OTHER = "another secret of the tests, long enough as well"
SIGNER = RefreshSigner(KeyRing.from_secret(SECRET))
TOKEN = RefreshToken.first()
TEXT = SIGNER.write(TOKEN)
ALPHABET = string.ascii_letters + string.digits + "-_"


def _refused(text: object, signer: RefreshSigner = SIGNER) -> None:
    with pytest.raises(RefreshInvalid):
        signer.read(text)


@QUICK
@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**48 - 1))
def test_what_was_written_is_read(handle: bytes, generation: int) -> None:
    token = RefreshToken.of(handle, generation)
    assert SIGNER.read(SIGNER.write(token)) == token
    assert SIGNER.write(token) == SIGNER.write(RefreshToken.of(handle, generation))


def test_the_successor_is_a_pure_function() -> None:
    first = SIGNER.read(TEXT)
    second = SIGNER.write(first.at(first.generation + 1))
    assert second != TEXT
    assert {SIGNER.write(SIGNER.read(TEXT).at(1)) for _ in range(5)} == {second}
    assert SIGNER.read(second).at(0) == first


def test_the_session_id_tells_nothing_and_does_not_move() -> None:
    expected = base64.urlsafe_b64encode(hashlib.sha256(TOKEN.handle).digest()[:16]).rstrip(b"=").decode()
    assert TOKEN.session_id == TOKEN.at(7).session_id == expected
    assert RefreshToken.first().session_id != TOKEN.session_id


def test_the_handle_is_random_and_not_in_the_repr() -> None:
    assert len(TOKEN.handle) == 32
    assert len({RefreshToken.first().handle for _ in range(100)}) == 100
    for spelled in (TOKEN.handle.hex(), str(TOKEN.handle), TEXT, TEXT[:52]):
        assert spelled not in repr(TOKEN)


def test_every_other_last_character_is_refused() -> None:
    """itsdangerous accepts those that differ in spare bits only."""
    payload, _, _ = TEXT.partition(".")
    for other in ALPHABET:
        if other != TEXT[-1]:
            _refused(TEXT[:-1] + other)
        if other != payload[-1]:
            _refused(payload[:-1] + other + TEXT[len(payload) :])


def test_a_changed_character_anywhere_is_refused() -> None:
    for index, character in enumerate(TEXT):
        _refused(TEXT[:index] + ("A" if character != "A" else "B") + TEXT[index + 1 :])


@pytest.mark.parametrize(
    "spelling",
    [
        TEXT + "=", TEXT + "==", TEXT.replace(".", "=."), TEXT + "!!!!", TEXT + "\n", " " + TEXT,
        TEXT + " ", TEXT + "é",
        TEXT[:-1], TEXT + "A", TEXT + "AAAA", TEXT[1:], "A" + TEXT, TEXT.upper(), TEXT.swapcase(),
        TEXT + ".", "." + TEXT,
        TEXT.replace(".", ".."), TEXT.replace(".", "-"), TEXT.replace("-", "+").replace("_", "/") + "+", f'"{TEXT}"',
        TEXT[:-1] + "\ud800", "\udfff" * len(TEXT), TEXT[:-1] + "\0", TEXT[:-1] + "\N{FULLWIDTH DIGIT ONE}", "", ".",
        TEXT * 2, "A" * 52 + "." + "A" * 43, TEXT.encode(), bytearray(TEXT.encode()), None, 0, [TEXT], "A" * 1_000_000,
    ],
    ids=range(35),
)  # fmt: skip
def test_other_spellings_are_refused(spelling: object) -> None:
    _refused(spelling)


def test_the_other_alphabet_is_refused() -> None:
    for generation in range(200):  # until one of them has a character that the alphabets spell differently
        text = SIGNER.write(TOKEN.at(generation))
        other = text.translate(str.maketrans("-_", "+/"))
        if other != text:
            _refused(other)
            return
    pytest.fail("no token with - or _ was found")


@QUICK
@given(st.text(max_size=120) | st.text(st.characters(), min_size=96, max_size=96) | st.binary())
def test_whatever_comes_is_refused_and_raises_nothing_else(text: object) -> None:
    _refused(text)


@QUICK
@given(st.text(ALPHABET, min_size=52, max_size=52), st.text(ALPHABET, min_size=43, max_size=43))
def test_the_right_shape_alone_is_refused(payload: str, signature: str) -> None:
    _refused(f"{payload}.{signature}")


def _signed(key: bytes, salt: bytes, payload: bytes) -> str:
    signer = itsdangerous.Signer(key, salt=salt, key_derivation="none", digest_method=hashlib.sha256)
    return signer.sign(base64.urlsafe_b64encode(payload).rstrip(b"=")).decode()


def test_the_secret_itself_and_keys_for_other_purposes_do_not_sign() -> None:
    key = KeyRing.from_secret(SECRET).keys[0]
    salt = b"jwt_refresh_middleware.refresh-token"
    payload = b"\x01" + TOKEN.handle + bytes(6)
    assert _signed(derived(key.secret, salt), salt, payload) == TEXT, "what follows would be refused for another reason"
    _refused(_signed(SECRET.encode(), salt, payload))
    _refused(_signed(derived(key.secret, b"another purpose"), salt, payload))
    _refused(_signed(derived(OTHER.encode(), salt), salt, payload))
    _refused(_signed(derived(key.secret, salt), salt, b"\x02" + payload[1:]))
    _refused(_signed(derived(key.secret, salt), salt, payload + b"\0"))
    _refused(_signed(derived(key.secret, salt), salt, payload[:-1]))


def test_keys_change_without_losing_a_token() -> None:
    both = RefreshSigner(KeyRing.from_secret([OTHER, SECRET]))
    new = RefreshSigner(KeyRing.from_secret(OTHER))
    assert both.read(TEXT) == TOKEN
    assert both.write(TOKEN) == new.write(TOKEN) != TEXT
    assert both.read(new.write(TOKEN)) == TOKEN
    _refused(TEXT, new)
    _refused(both.write(TOKEN), SIGNER)
