"""Keys that are too weak, or not what they look like: refused before anything is signed or checked with them."""

import re
from binascii import a2b_base64, a2b_hex
from math import isqrt

_LEAST_BITS, _MOST_BITS = 2048, 8192
_LEAST_EXPONENT, _MOST_EXPONENT = 65_537, 2**32
_ROCA_GENERATOR = 65_537
_PRIMES = tuple(n for n in range(3, 168, 2) if all(n % d for d in range(3, n, 2)))
_ROCA_GROUPS = {p: frozenset(pow(_ROCA_GENERATOR, k, p) for k in range(p - 1)) for p in _PRIMES}
_FERMAT_STEPS = 100
_P25519 = 2**255 - 19
_D25519 = -121_665 * pow(121_666, -1, _P25519) % _P25519
_SIGN_BIT = 2**255
_LOW_ORDER = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)  # the y of the points whose order divides 8: everybody's signature can be made for some of them


def check_rsa(modulus: int, exponent: int) -> None:
    """Refuse an RSA key that can be broken, or that would be slow to check with.

    Raises:
        ValueError: under 2048 bits (RFC 7518, 3.3) or over 8192; an exponent under 65537 (FIPS 186-5, 5.4), even, or
            over 2**32; a modulus with a small factor, with two that lie close together (CVE-2022-26320), or made as
            CVE-2017-15361 (ROCA) describes.
    """
    bits = modulus.bit_length()
    if not _LEAST_BITS <= bits <= _MOST_BITS:
        raise ValueError(f"an RSA key has {_LEAST_BITS} to {_MOST_BITS} bits, this one has {bits} (RFC 7518, 3.3)")
    if not _LEAST_EXPONENT <= exponent <= _MOST_EXPONENT or exponent % 2 == 0:
        raise ValueError("the public exponent of this RSA key is not usable; 65537 is the usual one (FIPS 186-5, 5.4)")
    if modulus % 2 == 0 or any(modulus % p == 0 for p in _PRIMES):
        raise ValueError("the modulus of this RSA key has a small factor")
    if _has_close_factors(modulus):
        raise ValueError("the factors of the modulus of this RSA key lie close together (CVE-2022-26320)")
    if all(modulus % p in group for p, group in _ROCA_GROUPS.items()):
        raise ValueError("this RSA key was made by a faulty generator (CVE-2017-15361, ROCA); make a new one")


def _has_close_factors(modulus: int) -> bool:
    """Fermat's way to find them: it takes a few steps if they are close, and for ever if they are not."""
    first = isqrt(modulus - 1) + 1  # the square root, rounded up
    return any(isqrt(rest := a * a - modulus) ** 2 == rest for a in range(first, first + _FERMAT_STEPS))


def check_ed25519(public: bytes) -> None:
    """Refuse what is no public key: a point of low order, none at all, or one in another spelling (RFC 8032, 5.1.3).

    Raises ValueError.
    """
    y = int.from_bytes(public, "little") % _SIGN_BIT
    if y >= _P25519 or y in _LOW_ORDER:
        raise ValueError("this Ed25519 key is not usable: its point is of low order, or not canonical")
    u, v = y * y - 1, _D25519 * y * y + 1
    if pow(u * v, (_P25519 - 1) // 2, _P25519) != 1:  # Euler: x*x = u/v has no solution
        raise ValueError("this Ed25519 key is not usable: it is no point of the curve")


_LEFT_OUT = re.compile(rb"[\s=]+|\\[nrt]")  # blanks, padding, and line breaks that were escaped on the way
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_SEQUENCE, _INTEGER, _BITS, _OCTETS, _NAME = 0x30, 0x02, 0x03, 0x04, b"\x06"
_SSH_KEY = re.compile(rb"\s*(?:\x00\x00\x00.)?(?:ssh-|ecdsa-sha2-|sk-)[a-z]", re.DOTALL)
_JWK = re.compile(rb"[\"']kty\\*[\"']")  # JSON within JSON has a backslash before the quote
_MOST_READINGS = 8
_LONG = 64  # bytes of a number: there is no RSA key with a shorter one, nor a random secret with such a long one
_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B256 = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def readings(secret: bytes) -> list[bytes]:
    """A shared secret as it is, and what it spells if it happens to be base64, base64url or hex, of any layout.

    What that spells is read once more: who puts a key into a YAML file of secrets often encodes it a second time.
    """
    found = [secret]
    for reading in found:
        if len(found) < _MOST_READINGS:
            found += [raw for raw in (_of_base64(reading), _of_hex(reading)) if raw]
    return found


def _of_base64(text: bytes) -> bytes:
    text = _LEFT_OUT.sub(b"", text).translate(_FROM_URL)
    try:
        return a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return b""


def _of_hex(text: bytes) -> bytes:
    try:
        return a2b_hex(_LEFT_OUT.sub(b"", text).replace(b":", b""))
    except ValueError:
        return b""


def is_of_a_pair(raw: bytes) -> bool:
    """Whether it is a key of a pair, or a certificate: DER (RFC 5280, 5958, 8017, 5915), OpenSSH, a point on P-256.

    So is whatever has a JWK in it, if only as text within other text.

    What has no form of its own, the 32 bytes of an Ed25519 key or a bare RSA modulus, cannot be told from a random
    secret; nor is a random secret ever taken for a key (one in 2**40 would be).
    """
    return _is_der_key(raw) or _is_point(raw) or (_SSH_KEY.match(raw) or _JWK.search(raw)) is not None


def _is_der_key(raw: bytes) -> bool:
    outer = _elements(raw)
    if len(outer) != 1 or outer[0][0] != _SEQUENCE:
        return False
    parts = _elements(outer[0][1])
    tags, first = [tag for tag, _ in parts], parts[0][1] if parts else b""
    if tags[:2] == [_INTEGER, _INTEGER]:  # PKCS#1: a public key, or a private one, which has a version first
        return len(first) >= _LONG or (first == b"\0" and len(parts[1][1]) >= _LONG)
    if tags[:2] == [_INTEGER, _OCTETS]:  # SEC 1
        return first == b"\1"
    if tags[:3] == [_INTEGER, _SEQUENCE, _OCTETS]:  # PKCS#8
        return parts[1][1][:1] == _NAME
    if tags in ([_SEQUENCE, _BITS], [_SEQUENCE, _OCTETS]):  # SPKI; PKCS#8, encrypted
        return first[:1] == _NAME
    return tags == [_SEQUENCE, _SEQUENCE, _BITS] and parts[1][1][:1] == _NAME  # a certificate


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of what stands in DER one after the other; nothing if it is not that to the end."""
    found, at = [], 0
    while at + 2 <= len(der):
        tag, size = der[at], der[at + 1]
        at += 2
        if size >= 0x80:
            at, size = at + size - 0x80, int.from_bytes(der[at : at + size - 0x80], "big")
        found.append((tag, der[at : at + size]))
        at += size
    return found if at == len(der) else []


def _is_point(raw: bytes) -> bool:
    if len(raw) != 65 or raw[0] != 4:
        return False
    x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
    return (y * y - x * x * x + 3 * x - _B256) % _P256 == 0
