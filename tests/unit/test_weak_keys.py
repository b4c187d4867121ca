"""What is weak, or no key at all, or a key where none should be. More of it: ``tests/catalogue/test_a_keys.py``."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware.encoding import b64url_encode
from jwt_refresh_middleware.weak_keys import check_ed25519, check_rsa, is_of_a_pair, readings
from tests.catalogue.odd_keys import CLOSE_PRIMES, roca_primes
from tests.rotation.support import QUICK

from .pairs import PAIRS, private_key

N = private_key("RS256").public_key().public_numbers().n


@pytest.mark.parametrize("exponent", [65537, 65539, 2**32 - 1])
def test_an_exponent_may_be_any_odd_number_of_common_size(exponent: int) -> None:
    check_rsa(N, exponent)


@pytest.mark.parametrize(
    "exponent", [-1, 0, 1, 2, 3, 17, 65535, 65536, 65538, 2**32, 2**32 + 1, pytest.param(N, id="the modulus")]
)
def test_other_exponents_are_refused(exponent: int) -> None:
    with pytest.raises(ValueError, match="exponent"):
        check_rsa(N, exponent)


@pytest.mark.parametrize("bits", [0, 512, 1024, 2047, 8193, 16_384])
def test_a_modulus_has_2048_to_8192_bits(bits: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        check_rsa((1 << bits >> 1) | 1, 65537)


@pytest.mark.parametrize("factor", [2, 3, 5, 7, 97, 163, 167])
def test_small_factors_are_found(factor: int) -> None:
    with pytest.raises(ValueError, match="small factor"):
        check_rsa(N // factor * factor, 65537)


def test_factors_that_lie_close_together_are_found() -> None:
    with pytest.raises(ValueError, match="close together"):
        check_rsa(CLOSE_PRIMES[0] * CLOSE_PRIMES[1], 65537)
    with pytest.raises(ValueError, match="close together"):
        check_rsa(CLOSE_PRIMES[0] ** 2, 65537)


def test_roca_is_recognised_by_the_modulus_alone() -> None:
    one, other = roca_primes()
    with pytest.raises(ValueError, match="ROCA"):
        check_rsa(one * other, 65537)
    check_rsa(one * CLOSE_PRIMES[1], 65537)  # half of it is from elsewhere


@QUICK
@given(st.binary(min_size=32, max_size=32))
def test_every_ed25519_key_that_was_generated_is_good(seed: bytes) -> None:
    check_ed25519(ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def test_half_of_all_random_bytes_are_no_ed25519_key() -> None:
    refused = 0
    for number in range(200):
        try:
            check_ed25519((number * 2**240 + 3).to_bytes(32, "little"))
        except ValueError:
            refused += 1
    assert 60 < refused < 140


@pytest.mark.parametrize("text", ["no base64: !", "ä", "", "abc\0"])
def test_what_is_no_base64_has_one_reading(text: str) -> None:
    assert readings(text.encode()) == [text.encode()]


@pytest.mark.parametrize("layout", ["{}", "{}\n", " {} ", "{}=", "{}==", "\t{}\r\n", "{}\\n", "\\r\\n{}"])
def test_base64_is_read_in_any_layout(layout: str) -> None:
    raw = bytes(range(200, 238))
    text = b64url_encode(raw).decode()
    for spelled in (text, text.replace("-", "+").replace("_", "/"), text[:20] + "\n" + text[20:]):
        assert readings(layout.format(spelled).encode())[1] == raw


@QUICK
@given(st.binary(max_size=300))
def test_random_bytes_are_no_key_of_a_pair(raw: bytes) -> None:
    assert not is_of_a_pair(raw)


@QUICK
@given(st.sampled_from(PAIRS), st.data())
def test_reading_der_that_was_cut_or_changed_ends_and_says_no_more_than_yes_or_no(
    name: str, data: st.DataObject
) -> None:
    der = bytearray(_der(name))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    assert is_of_a_pair(bytes(der)) in (True, False)
    assert not is_of_a_pair(_der(name)[: data.draw(st.integers(0, len(der) - 1))])
    assert is_of_a_pair(_der(name))
    assert not is_of_a_pair(_der(name) + b"\0")


def _der(name: str) -> bytes:

    made: bytes = private_key(name).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return made


@pytest.mark.parametrize("layout", ["{}", "{}\n", " {} ", "{}\\n"])
def test_hex_is_read_too_and_what_was_encoded_twice(layout: str) -> None:
    raw = bytes(range(200, 240))
    for spelled in (
        raw.hex(),
        raw.hex().upper(),
        raw.hex(":"),
        raw.hex(" "),
        b64url_encode(raw.hex().encode()).decode(),
    ):
        assert raw in readings(layout.format(spelled).encode())
    assert raw in readings(b64url_encode(b64url_encode(raw)))


def test_however_often_it_is_encoded_reading_it_ends() -> None:
    text = bytes(range(200, 240))
    for _ in range(12):
        text = text.hex().encode()
    assert 2 <= len(readings(text)) <= 9


@pytest.mark.parametrize("text", ['{"kty": "EC"}', '"{\\"kty\\": \\"EC\\"}"', "{'kty': 'EC'}", '[{"x": {"kty":1}}'])
def test_a_jwk_is_one_wherever_it_stands(text: str) -> None:
    assert is_of_a_pair(f"our key is {text} and no other".encode())
    assert not is_of_a_pair(text.replace("kty", "key").encode())
