"""Whether a key may be used for access tokens at all: what PyJWT knows of that, and what it lets through."""

from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from .keys import HmacKey, Key
from .weak_keys import is_of_a_pair, readings

_HS256 = HMACAlgorithm(HMACAlgorithm.SHA256)


def usable(key: Key) -> Key:
    """Refuse a shared secret that is somebody's public key, however it is spelled (RFC 8725, 2.1).

    PyJWT knows PEM, JWK and some DER; what it lets through is known here.
    """
    if not isinstance(key, HmacKey):
        return key
    try:
        for reading in readings(key.secret):
            _HS256.prepare_key(reading)
            if is_of_a_pair(reading):
                raise InvalidKeyError
    except InvalidKeyError:
        raise ValueError(
            "this secret is a key of a pair, which KeyRing.from_pem or from_jwks reads; a shared secret is random"
        ) from None
    return key
