"""What libFuzzer is let loose on: bytes in, an exception out if a property does not hold; and what it begins with."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from . import properties as p
from .forging import draft, keys
from .mutations import mutant
from .refresh_differential import MUTATIONS, THEIRS

_END = b"\xff\x00"  # between the parts of an input: in no JSON, and in no text


class Target(NamedTuple):
    """Attributes: ``check``: what is called with the bytes; ``seeds``: valid inputs, and some that are nearly."""

    check: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]


def _access_tokens() -> list[bytes]:
    rng = Random(1)
    made = [draft(rng, keys()["secret-1"]).signed() for _ in range(4)]
    return [*made, *(one.text for one in (mutant(rng) for _ in range(60)) if one.ring == "secrets")]


def _signed(data: bytes) -> None:
    """Header and claims are given, and signed as they are: otherwise nothing gets past the signature."""
    header, _, payload = data.partition(_END)
    p.check_signed(header, payload)


def _texts() -> list[bytes]:
    rng = Random(1)
    return [_END.join(draft(rng, keys()["secret-1"]).texts()) for _ in range(12)]


_SENT = [b"Bearer abc.def.ghi", b"bearer  abc ", b"Bearer\tabc", b"Bearer a, Bearer b", b"Basic dTpw", b"DPoP abc", b""]


def _cookies() -> list[bytes]:
    name, token = p.COOKIE.wire_name, p.signer().write(p.RefreshToken.of(b"h" * 32, 5)).encode()
    one = name + b"=" + token
    return [
        one,
        b"a=b; " + one + b"; c=d",
        one + b";" + one,
        name + b'="x"',
        b" =" + name + b"=x",
        name.lower() + b"=x",
    ]


def _refresh_tokens() -> list[bytes]:
    rng = Random(1)
    return [mutation(rng, rng.choice(THEIRS)) for mutation in MUTATIONS for _ in range(3)]


def _body(data: bytes) -> None:
    p.check_json_body(data)
    p.check_form_body(data)
    p.check_message(data.decode("utf-8", "surrogateescape"))


_BODIES = [
    b'{"refresh_token":"x","refreshToken":"x","all":true}', b'{"type":"token","access_token":"a.b.c"}', b"{}",
    b"grant_type=refresh_token&refresh_token=abc", b"a=%C3%A9&b=+&c", b'{"username":"ann","password":"\\u00e9,{"}',
]  # fmt: skip


def _jwk(data: bytes) -> None:
    read = p.tried(p.json_object, data, refusals=(ValueError,))
    if read is not p.REFUSED:
        p.check_jwks(read)
    p.check_pem(data)


def _jwks() -> list[bytes]:
    made = [p.KeyRing.from_pem(key.public_forms()[0]).jwks() for key in keys().values() if key.ring == "pairs"]
    pems = [key.public_forms()[0] for key in keys().values() if key.ring == "pairs"]
    private = [p.KeyRing.generate(name).keys[0].private_jwk() for name in ("EdDSA", "ES256", "HS256")]
    return [*pems, *(json.dumps(one).encode() for one in (*made, *private))]


def _path(data: bytes) -> None:
    """As a server decodes it."""
    path, _, root = data.partition(b"|")
    p.check_path("/" + path.decode("utf-8", "replace"), root.decode("utf-8", "replace"))


_PATHS = [
    b"docs", b"static/x/y.css", b"static/../admin", b"a/b/c|/a", b"api/docs|/api", b"docs\n", b"%64ocs", b"docs;x", b"",
    b"\xc3\xa9", b"static//x", b"static/.", b"docs\\", b"\xff", b"static/api/x|/api",
]  # fmt: skip


def _headers(data: bytes) -> None:
    """The other headers that decide something: addresses of proxies, origins, codings, sub-protocols."""
    one, _, rest = data.partition(b"\n")
    two, _, three = rest.partition(b"\n")
    p.check_address("10.0.0.1", [one, two])
    p.check_origin([(b"origin", one), (b"host", two), (b"sec-fetch-site", three)][: 2 + bool(three)], "https")
    p.check_caching(one, two)
    p.check_subprotocols([name.strip(" ") for name in one.decode("latin-1").split(",")])


_HEADERS = [
    b"198.51.100.7, 10.0.0.2\n[::1]:80", b"https://app.example.com\napi.test\nsame-site", b"gzip;q=0.5,*;q=0\n*",
    b"bearer, a.b.c, chat\nx", b"https://api.test\napi.test:443", b"::ffff:10.0.0.1\n1.2.3.4:5", b'identity, gzip\n"a"',
]  # fmt: skip

TARGETS: dict[str, Target] = {
    "access-token": Target(p.check_access_token, _access_tokens),
    "signed-token": Target(_signed, _texts),
    "authorization": Target(p.check_authorization, lambda: _SENT),
    "cookie": Target(p.check_cookie, _cookies),
    "refresh-token": Target(lambda data: p.check_refresh_token(data.decode("latin-1")), _refresh_tokens),
    "body": Target(_body, lambda: _BODIES),
    "key": Target(_jwk, _jwks),
    "path": Target(_path, lambda: _PATHS),
    "headers": Target(_headers, lambda: _HEADERS),
}
