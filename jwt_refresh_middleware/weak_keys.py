"""Key pairs that are too weak, or not what they look like: refused before anything is signed or checked with them."""

_LEAST_BITS, _MOST_BITS = 2048, 8192
_LEAST_EXPONENT, _MOST_EXPONENT = 65_537, 2**32
_ROCA_GENERATOR = 65_537
_PRIMES = tuple(n for n in range(3, 168, 2) if all(n % d for d in range(3, n, 2)))
_ROCA_GROUPS = {p: frozenset(pow(_ROCA_GENERATOR, k, p) for k in range(p - 1)) for p in _PRIMES}
_P25519 = 2**255 - 19
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
            over 2**32; a modulus with a small factor, or made as CVE-2017-15361 (ROCA) describes.
    """
    bits = modulus.bit_length()
    if not _LEAST_BITS <= bits <= _MOST_BITS:
        raise ValueError(f"an RSA key has {_LEAST_BITS} to {_MOST_BITS} bits, this one has {bits} (RFC 7518, 3.3)")
    if not _LEAST_EXPONENT <= exponent <= _MOST_EXPONENT or exponent % 2 == 0:
        raise ValueError("the public exponent of this RSA key is not usable; 65537 is the usual one (FIPS 186-5, 5.4)")
    if modulus % 2 == 0 or any(modulus % p == 0 for p in _PRIMES):
        raise ValueError("the modulus of this RSA key has a small factor")
    if all(modulus % p in group for p, group in _ROCA_GROUPS.items()):
        raise ValueError("this RSA key was made by a faulty generator (CVE-2017-15361, ROCA); make a new one")


def check_ed25519(public: bytes) -> None:
    """Refuse a public key of low order, or one that is not spelled canonically (RFC 8032, 5.1.3). Raises ValueError."""
    y = int.from_bytes(public, "little") % _SIGN_BIT
    if y >= _P25519 or y in _LOW_ORDER:
        raise ValueError("this Ed25519 key is not usable: its point is of low order, or not canonical")
