"""Keys that no service may sign or verify with (A07), made the way somebody would make them."""

from typing import Any

from .forge import b64

_PRIMES = [n for n in range(2, 168) if all(n % d for d in range(2, n))]


def unsigned(number: int) -> str:
    """Base64urlUInt (RFC 7518, 2)."""
    return b64(number.to_bytes((number.bit_length() + 7) // 8 or 1, "big"))


def public_rsa(n: int, e: int = 65537) -> dict[str, Any]:
    return {"kty": "RSA", "n": unsigned(n), "e": unsigned(e)}


def private_rsa(p: int, q: int, e: int = 65537) -> dict[str, Any]:
    d = pow(e, -1, (p - 1) * (q - 1))
    return public_rsa(p * q, e) | {"d": unsigned(d), "p": unsigned(p), "q": unsigned(q)}


def roca_primes() -> tuple[int, int]:
    """Two primes as the faulty generator made them: k * M + (65537**a mod M), M the product of the first primes."""
    product = 1
    for prime in _PRIMES:
        product *= prime
    first = (3 << 1022) // product + 1
    second = (7 << 1021) // product + 1
    return (
        (first + _K1) * product + pow(65537, 12345, product),
        (second + _K2) * product + pow(65537, 67890, product),
    )


_K1, _K2 = 116, 44  # the first with which it is a prime

CLOSE_PRIMES = 2**1024 - 105, 2**1024 - 179
"""The two largest primes of 1024 bits."""
