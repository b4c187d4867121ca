"""What is done to good tokens: most of it before they are signed, so that the signature lets it through.

Each kind of mutation is a function of its own; its name is what the table of the differential test calls it.
"""

import base64
import hmac
import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jwt_refresh_middleware.testing import NOW

from .forging import AUDIENCE, ISSUER, Draft, Ring, Signing, b64, compact, draft, keys

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
_DATES = ("exp", "iat", "nbf", "auth_time")
_TEXTS = ("iss", "sub", "jti", "sid", "scope")
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, -0.0, 2**63, 2**70, 1e308, "", " ", "0", "9_9", "١٢٣", "true", [], {}, [None],
    [[]], {"a": 1}, [1], "a\0b", "a\r\nb", "\u202e", "\x7f", "\x85", "\ufeff", "\N{GRINNING FACE}", "x" * 300,
)  # fmt: skip
ALGORITHMS = (
    "none", "None", "HS256", "hs256", "HS256 ", "HS384", "HS512", "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA",
    "eddsa", "Ed25519", "ED25519", "Ed448", "", "dir",
)  # fmt: skip
TYPES = (
    "at+jwt", "application/at+jwt", "AT+JWT", "Application/AT+JWT", "JWT", "jwt", "", "at+jwt ", " at+jwt", "at-jwt",
    "dpop+jwt", "logout+jwt", "application/jwt", "at+jwt;v=1", "at+jwt\0", "at+\u212aWT", "application/at+jwt,",
)  # fmt: skip
_HEADERS: tuple[tuple[str, Any], ...] = (
    ("crit", ["exp"]), ("crit", []), ("crit", None), ("crit", ["b64"]), ("crit", "b64"), ("b64", True), ("b64", False),
    ("zip", "DEF"), ("enc", "A128GCM"), ("cty", "JWT"), ("jku", "https://evil.example/jwks.json"), ("jwk", {}),
    ("x5u", "https://evil.example/x"), ("x5c", ["AAAA"]), ("foo", "bar"), ("foo", {"deep": [1]}), ("", 1),
    ("Alg", "none"), ("alg\0", "none"), ("x5t", "AAAA"), ("url", "x"), ("nonce", "x"), ("epk", {}), ("exp", 1),
)  # fmt: skip
_JUNK = (b"=", b"==", b"====", b"!", b"\n", b"\r\n", b" ", b"\t", b"\0", b".", b"\xc3\xa9", b"%3D", b"AA", b"A", b"+/")


def _perturbed(rng: Random, text: str) -> Any:
    return rng.choice(
        [
            text + "/", text[:-1], text + "x", " " + text, text + " ", text.upper(), text.title(), text + "\0",
            text + "\n", [text], [text, text], {text: text}, text + "\u0301", text * 2, text.replace("e", "\u0435"),
            text.encode(), [text, 1], [[text]],
        ]
    )  # fmt: skip


def untouched(rng: Random, made: Draft) -> None:
    pass


def a_claim_of_another_type(rng: Random, made: Draft) -> None:
    made.claims[rng.choice([*made.claims, *_DATES, *_TEXTS, "aud", "gen", "cnf"])] = rng.choice(ODD)


def a_claim_missing(rng: Random, made: Draft) -> None:
    made.claims.pop(rng.choice([*made.claims]), None)


def a_date_near_an_edge(rng: Random, made: Draft) -> None:
    edge = rng.choice([-2, -1, -0.5, -1e-6, 0, 0.0, 1e-6, 0.5, 1, 2, 899, 1e9, 1e12, -NOW, -NOW - 1])
    at: Any = int(NOW) + edge
    made.claims[rng.choice(_DATES)] = rng.choice([at, at, at, str(at), float(at), [at]])


def a_text_nearly_right(rng: Random, made: Draft) -> None:
    name = rng.choice([*_TEXTS, "aud"])
    value = _perturbed(rng, {"iss": ISSUER, "aud": AUDIENCE}.get(name, "ann"))
    made.claims[name] = value.decode() if isinstance(value, bytes) else value


def an_audience_list(rng: Random, made: Draft) -> None:
    members = [AUDIENCE, AUDIENCE, "other", "API", "", None, 1, [AUDIENCE], {"api": 1}, "apis", True]
    made.claims["aud"] = [rng.choice(members) for _ in range(rng.randrange(4))]


def more_claims(rng: Random, made: Draft) -> None:
    for _ in range(rng.randrange(1, 4)):
        made.claims[rng.choice(["", "a", "é", "Exp", "EXP ", "__class__", "a.b", "x" * 40, "\N{GRINNING FACE}"])] = (
            rng.choice(ODD)
        )


def another_typ(rng: Random, made: Draft) -> None:
    made.header["typ"] = rng.choice(TYPES)


def another_alg(rng: Random, made: Draft) -> None:
    made.header["alg"] = rng.choice(ALGORITHMS)


def another_kid(rng: Random, made: Draft) -> None:
    made.header["kid"] = rng.choice([*keys(), made.key.kid.upper(), made.key.kid + " ", "", "../x", "' OR 1=1", "a\0"])


def a_header_of_another_type(rng: Random, made: Draft) -> None:
    made.header[rng.choice(["alg", "typ", "kid"])] = rng.choice(ODD)


def a_header_missing(rng: Random, made: Draft) -> None:
    made.header.pop(rng.choice(["alg", "typ", "kid"]), None)


def more_headers(rng: Random, made: Draft) -> None:
    for _ in range(rng.randrange(1, 3)):
        name, value = rng.choice(_HEADERS)
        made.header[name] = value


def _with_a_name_twice(rng: Random, text: bytes) -> bytes:
    members = json.loads(text)
    name = rng.choice([*members]) if members else "a"
    value = members.get(name, 1) if rng.random() < 0.5 else rng.choice(ODD)
    spelled = compact(name)
    if rng.random() < 0.3 and name:
        spelled = b'"\\u%04x' % ord(name[0]) + compact(name[1:])[1:] if ord(name[0]) < 0x10000 else spelled
    twin = spelled + b":" + compact(value)
    if rng.random() < 0.3:  # in an object inside
        return text[:-1] + b',"inside":{"a":1,"a":2}}'
    return b"{" + twin + b"," + text[1:] if rng.random() < 0.5 else text[:-1] + b"," + twin + b"}"


def _odd_json(rng: Random, text: bytes) -> bytes:
    tricks: list[Callable[[], bytes]] = [
        lambda: b"\xef\xbb\xbf" + text,
        lambda: text.decode().encode(rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32"])),
        lambda: rng.choice([b" ", b"\n", b"\t\r", b"\0", b"\x0c", b"\xc2\xa0"]) + text,
        lambda: text + rng.choice([b" ", b"\n", b"\0", b"x", b"{}", b",", b"}", b"//", b"\xff"]),
        lambda: text[:-1] + rng.choice([b",}", b',"a":NaN}', b',"a":1e999}', b',"a":-Infinity}', b',"a":01}']),
        lambda: text[:-1] + rng.choice([b',"a":.5}', b',"a":1.}', b',"a":0x1}', b',"a":1_0}', b",a:1}", b",'a':1}"]),
        lambda: (
            text[:-1] + rng.choice([b',"a":"\\ud800"}', b',"\\udfff":1}', b',"a":"\\ud83d\\ude00"}', b',"a":"\\x"}'])
        ),
        lambda: text[:-1] + rng.choice([b',"a":"\xff"}', b',"a":"\xed\xa0\x80"}', b',"a":"\n"}', b',"a":"\0"}']),
        lambda: text[:-1] + b',"a":' + rng.choice([b"9" * 30, b"9" * 5000, b"1" + b"0" * 400, b"1E5", b"-0"]) + b"}",
        lambda: text[:-1] + b',"a":' + b"[" * (depth := rng.choice([3, 90, 990, 1500])) + b"]" * depth + b"}",
        lambda: text[:-1] + b',"a":' + b'{"a":' * (depth := rng.choice([3, 90, 990])) + b"1" + b"}" * depth + b"}",
        lambda: rng.choice([b"[" + text + b"]", b"null", b"1", b'"' + text + b'"', b"", b"{}", b"[]", text + text]),
        lambda: text[:-1] + b',"a":"' + b"x" * rng.choice([3000, 6000, 9000]) + b'"}',
        lambda: text.replace(b":", b" : ").replace(b",", b" ,\n"),
        lambda: text.replace(b'"exp"', b'"\\u0065xp"').replace(b'"alg"', b'"\\u0061lg"'),
    ]
    return rng.choice(tricks)()


def odd_bytes(rng: Random, text: bytes) -> bytes:
    """A few bytes of it changed, put in or left out."""
    raw = bytearray(text)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(raw) + 1)
        what = rng.random()
        if what < 0.3 and at < len(raw):
            raw[at] ^= 1 << rng.randrange(8)
        elif what < 0.6:
            raw[at:at] = rng.choice([b'"', b",", b":", b"{", b"}", b"\\", b"0", b"-", b"e", b"\0", rng.randbytes(1)])
        elif what < 0.8:
            del raw[at : at + rng.choice([1, 1, 2, 5])]
        else:
            raw[at:at] = raw[at : at + rng.randrange(1, 12)]
    return bytes(raw)


def a_claim_twice(rng: Random, made: Draft) -> None:
    made.payload_text = _with_a_name_twice(rng, made.texts()[1])


def a_header_twice(rng: Random, made: Draft) -> None:
    made.header_text = _with_a_name_twice(rng, made.texts()[0])


def odd_json_in_the_payload(rng: Random, made: Draft) -> None:
    made.payload_text = _odd_json(rng, made.texts()[1])


def odd_json_in_the_header(rng: Random, made: Draft) -> None:
    made.header_text = _odd_json(rng, made.texts()[0])


def bytes_of_the_payload(rng: Random, made: Draft) -> None:
    made.payload_text = odd_bytes(rng, made.texts()[1])


def bytes_of_the_header(rng: Random, made: Draft) -> None:
    made.header_text = odd_bytes(rng, made.texts()[0])


def another_text_of(rng: Random, segment: bytes) -> bytes:
    """base64 that a lenient decoder may read as the same, or nearly."""
    padded = segment + b"=" * (-len(segment) % 4)
    at = rng.randrange(len(segment) + 1)
    last = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return rng.choice(
        [
            padded,
            segment + rng.choice(_JUNK),
            rng.choice(_JUNK) + segment,
            segment[:at] + rng.choice(_JUNK) + segment[at:],
            segment.translate(bytes.maketrans(b"-_", b"+/")),
            segment[:-1] + bytes([rng.choice(last)]),
            segment[:-1],
            segment[:at] + segment[at + 1 :],
            base64.encodebytes(base64.urlsafe_b64decode(padded)).strip(),
            b"",
        ]
    )


def another_spelling_of_the_header(rng: Random, made: Draft) -> None:
    made.header_segment = another_text_of(rng, made.segments()[0])


def another_spelling_of_the_payload(rng: Random, made: Draft) -> None:
    made.payload_segment = another_text_of(rng, made.segments()[1])


Before = Callable[[Random, Draft], None]
SIGNED: tuple[Before, ...] = (
    a_claim_of_another_type, a_claim_missing, a_date_near_an_edge, a_text_nearly_right, an_audience_list, more_claims,
    another_typ, another_alg, another_kid, a_header_of_another_type, a_header_missing, more_headers, a_claim_twice,
    a_header_twice, odd_json_in_the_payload, odd_json_in_the_header, bytes_of_the_payload, bytes_of_the_header,
    another_spelling_of_the_header, another_spelling_of_the_payload,
)  # fmt: skip
"""What happens before the signature is made."""


def bits(rng: Random, token: bytes, key: Signing) -> bytes:
    raw = bytearray(token)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def bytes_of_the_token(rng: Random, token: bytes, key: Signing) -> bytes:
    return odd_bytes(rng, token)


def cut_or_grown(rng: Random, token: bytes, key: Signing) -> bytes:
    return rng.choice([token[: rng.randrange(len(token))], token + rng.choice(_JUNK), token[rng.randrange(9) :]])


def spliced(rng: Random, token: bytes, key: Signing) -> bytes:
    """Segments of two good tokens of any two keys, in any order and number."""
    other = draft(rng, rng.choice([*keys().values()])).signed().split(b".")
    segments = [rng.choice(pair) for pair in zip(token.split(b"."), other, strict=True)]
    if rng.random() < 0.3:
        segments = [rng.choice(segments) for _ in range(rng.choice([1, 2, 4, 5]))]
    return b".".join(segments)


def another_spelling_of_the_signature(rng: Random, token: bytes, key: Signing) -> bytes:
    message, _, signature = token.rpartition(b".")
    return message + b"." + another_text_of(rng, signature)


def another_signature(rng: Random, token: bytes, key: Signing) -> bytes:
    """The same numbers in another form, or other numbers that some arithmetic takes for the same."""
    message, _, text = token.rpartition(b".")
    raw = base64.urlsafe_b64decode(text + b"==")
    if key.algorithm == "ES256":
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        raw = rng.choice(
            [encode_dss_signature(r, s), raw[:32] + bytes(32), raw[32:] + raw[:32], b"\0" + raw, bytes(64)]
        )
    elif "Ed25519" in key.names:
        s = int.from_bytes(raw[32:], "little") + _ED25519_ORDER
        raw = rng.choice([raw[:32] + s.to_bytes(32, "little"), raw + b"\0", bytes(64), raw[32:] + raw[:32]])
    elif key.algorithm == "RS256":
        modulus = key.public.public_numbers().n
        raw = rng.choice(
            [b"\0" + raw, (int.from_bytes(raw, "big") + modulus).to_bytes(257, "big"), raw[:-1], bytes(256)]
        )
    else:
        raw = rng.choice([raw[:16], raw + b"\0", raw[::-1], bytes(32), raw.hex().encode()])
    return message + b"." + b64(raw)


def the_other_s(rng: Random, token: bytes, key: Signing) -> bytes:
    """(r, n-s), which is as good as (r, s) where ECDSA is concerned; a good token otherwise."""
    message, _, text = token.rpartition(b".")
    raw = base64.urlsafe_b64decode(text + b"==")
    if key.algorithm != "ES256":
        return token
    s = _P256_ORDER - int.from_bytes(raw[32:], "big")
    return message + b"." + b64(raw[:32] + s.to_bytes(32, "big"))


def another_algorithm_under_what_is_public(rng: Random, token: bytes, key: Signing) -> bytes:
    """No signature at all, or an HMAC under what everybody knows (RFC 8725, 2.1)."""
    header = {"alg": rng.choice(["none", "HS256", "HS256"]), "typ": "at+jwt", "kid": key.kid}
    if rng.random() < 0.3:
        del header["kid"]
    message = b64(compact(header)) + b"." + token.split(b".")[1]
    if header["alg"] == "none":
        return message + b"."
    return message + b"." + b64(hmac.digest(rng.choice(key.public_forms()), message, "sha256"))


After = Callable[[Random, bytes, Signing], bytes]
UNSIGNED: tuple[After, ...] = (
    bits, bytes_of_the_token, cut_or_grown, spliced, another_spelling_of_the_signature, another_signature, the_other_s,
    another_algorithm_under_what_is_public,
)  # fmt: skip
"""What happens to a token that is signed already."""


class Mutant(NamedTuple):
    """A token, and what was done to it; ``signed``: its signature was made for what it says now."""

    kind: str
    ring: Ring
    text: bytes
    signed: bool


_SHARES = {"secret-1": 40, "secret-2": 12, "ed-1": 16, "ed-2": 10, "ec-1": 18, "rsa-1": 4}
"""How often each key is drawn: RSA signs ten times as slowly as the others."""


def mutant(rng: Random) -> Mutant:
    """The next token: 3 % are good ones, of the others four in five carry a signature of what they say."""
    (kid,) = rng.choices([*_SHARES], [*_SHARES.values()])
    key = keys()[kid]
    made, what = draft(rng, key), rng.random()
    if what < 0.03:
        return Mutant("untouched", key.ring, made.signed(), True)
    if what < 0.2:
        after = rng.choice(UNSIGNED)
        signed = after is the_other_s
        return Mutant(_name(after), key.ring, after(rng, made.signed(), key), signed)
    chosen = [rng.choice(SIGNED)]
    if rng.random() < 0.15:  # two at once; what works on the text comes after what works on the values
        chosen = sorted({*chosen, rng.choice(SIGNED)}, key=SIGNED.index)
    for before in chosen:
        before(rng, made)
    kind = _name(chosen[0]) if len(chosen) == 1 else "two at once"
    return Mutant(kind, key.ring, made.signed(), True)


def _name(mutation: Before | After) -> str:
    return mutation.__name__.replace("_", " ")
