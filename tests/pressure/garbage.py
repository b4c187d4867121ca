"""Tokens that nobody with our key has signed, of many kinds, the same for the same seed.

None of them has a blank, a comma, a semicolon or a control character in it: every server passes them on in a header.
"""

import random
import string
from collections.abc import Callable, Mapping

from ..catalogue.forge import ALPHABET, b64, claims, header, jws, refresh_token, segment, spare_bits
from ..web.support import COOKIE

_SOMEBODY_ELSE = "the secret of somebody else, long enough too: 0123456789"
_HIGH = bytes(range(0xA1, 0x100))
_SAFE = (string.ascii_letters + string.digits + "-_.~+/=!").encode()
_BLOB = 1 << 18
LONGEST = 16_000
"""Characters: within what all servers take in a header."""

Request = tuple[tuple[tuple[bytes, bytes], ...], bytes]
"""Headers and body."""


class Garbage:
    """An endless supply of refused tokens; some are made of the genuine ones of somebody honest."""

    def __init__(self, seed: int, access: str, refresh: str) -> None:
        self.dice = random.Random(seed)
        self.access, self.refresh = access, refresh
        self._letters = bytes(self.dice.choices(ALPHABET.encode(), k=_BLOB)).decode()
        self._any = bytes(self.dice.choices(_SAFE, k=_BLOB)).decode()
        self._high = bytes(self.dice.choices(_HIGH, k=4096)).decode("latin-1")

    def letters(self, length: int) -> str:
        """Some of the alphabet of base64url."""
        at = self.dice.randrange(_BLOB - length)
        return self._letters[at : at + length]

    def junk(self, length: int) -> str:
        """Some of everything that can stand in a header."""
        at = self.dice.randrange(_BLOB - length)
        return self._any[at : at + length]

    def high(self) -> str:
        """A few characters that are no ASCII."""
        at = self.dice.randrange(4000)
        return self._high[at : at + self.dice.randint(1, 90)]

    def flipped(self, text: str) -> str:
        """``text`` with one character replaced by another of the alphabet."""
        at = self.dice.randrange(len(text))
        return text[:at] + self.dice.choice([c for c in ALPHABET if c != text[at]]) + text[at + 1 :]

    def truncated(self, text: str) -> str:
        return text[: self.dice.randrange(1, len(text))]

    def almost(self, text: str) -> str:
        """``text`` whose signature is right up to a place, and not from there to its end."""
        right = self.dice.randrange(43)
        head, rest = text[: len(text) - 43 + right], text[len(text) - 43 + right :]
        made = self.letters(len(rest))
        return head + (made if made[0] != rest[0] else self.dice.choice(ALPHABET.replace(rest[0], "")) + made[1:])

    def spelled(self, text: str) -> str:
        """The same bytes in another spelling, for who decodes leniently."""
        ways = (
            text[:-43] + spare_bits(text[-43:])[0],
            text + "=" * self.dice.randint(1, 3),
            text.replace(".", "=."),
            text[:60] + "!!!!" + text[60:],
            text + "." + text[-43:],
            text.replace("-", "+").replace("_", "/") + "=",
        )
        return self.dice.choice(ways)

    def tail(self) -> str:
        """As long as a MAC."""
        return self.letters(43)


def _nested(g: Garbage) -> bytes:
    opening = g.dice.choice([b"[", b'{"a":'])
    return opening * g.dice.randint(1, 5_000 // len(opening))


def _odd_number(g: Garbage) -> bytes:
    return b'{"alg":"HS256","typ":"at+jwt","n":%s}' % g.dice.choice([b"9" * g.dice.randint(1, 5000), b"1e999", b"NaN"])


def _with_header(g: Garbage, **changes: object) -> str:
    return f"{segment(header(**changes))}.{segment(claims(sub=g.letters(8)))}.{g.tail()}"


ACCESS: Mapping[str, Callable[[Garbage], str]] = {
    "letters": lambda g: g.letters(g.dice.randint(1, 400)),
    "junk": lambda g: g.junk(g.dice.randint(1, 400)),
    "not ASCII": lambda g: g.access[:20] + g.high(),
    "dots": lambda g: "." * g.dice.randint(1, 300),
    "a signature of letters": lambda g: g.access[:-43] + g.tail(),
    "right up to a place": lambda g: g.almost(g.access),
    "signed by somebody else": lambda g: jws(header(), claims(sub=g.letters(8)), _SOMEBODY_ELSE),
    "truncated": lambda g: g.truncated(g.access),
    "one character changed": lambda g: g.flipped(g.access),
    "another spelling": lambda g: g.spelled(g.access),
    "alg none": lambda g: _with_header(g, alg=g.dice.choice(["none", "None", "NONE"])).rpartition(".")[0] + ".",
    "another algorithm": lambda g: _with_header(g, alg=g.dice.choice(["RS256", "EdDSA", "HS512"])),
    "an unknown kid": lambda g: _with_header(g, kid=g.letters(g.dice.randint(1, 600))),
    "deep header": lambda g: f"{b64(_nested(g))}.{g.letters(60)}.{g.tail()}",
    "deep payload": lambda g: f"{g.access.partition('.')[0]}.{b64(_nested(g))}.{g.tail()}",
    "odd numbers": lambda g: f"{b64(_odd_number(g))}.{g.tail()}.{g.tail()}",
    "huge": lambda g: g.letters(g.dice.randint(8193, LONGEST)),
    "huge and almost right": lambda g: g.access + "A" * g.dice.randint(8192, LONGEST - 1000),
    "a refresh token": lambda g: g.refresh,
}
"""Each is refused with ``token_invalid``."""

REFRESH: Mapping[str, Callable[[Garbage], str]] = {
    "letters": lambda g: g.letters(g.dice.randint(1, 400)),
    "junk": lambda g: g.junk(g.dice.randint(1, 400)),
    "not ASCII": lambda g: g.refresh[:6] + g.high(),
    "the right shape": lambda g: f"{g.letters(52)}.{g.tail()}",
    "a signature of letters": lambda g: g.refresh[:-43] + g.tail(),
    "right up to a place": lambda g: g.almost(g.refresh),
    "signed by somebody else": lambda g: refresh_token(g.dice.randbytes(32), 0, secret=_SOMEBODY_ELSE),
    "for another purpose": lambda g: refresh_token(g.dice.randbytes(32), 3, salt=b"itsdangerous.Signer"),
    "truncated": lambda g: g.truncated(g.refresh),
    "one character changed": lambda g: g.flipped(g.refresh),
    "another spelling": lambda g: g.spelled(g.refresh),
    "huge": lambda g: g.letters(g.dice.randint(1000, LONGEST)),
    "an access token": lambda g: g.access,
}
"""Each is refused with ``refresh_invalid``."""


def access_request(g: Garbage) -> tuple[str, Request]:
    """The next kind of access token, and a request with it."""
    kind = g.dice.choice([*ACCESS])
    return kind, (((b"authorization", b"Bearer " + ACCESS[kind](g).encode("latin-1")),), b"")


def refresh_request(g: Garbage) -> tuple[str, Request]:
    """The next kind of refresh token, and a request with it: the cookie, or a body of JSON, or one form in four."""
    kind = g.dice.choice([*REFRESH])
    token = REFRESH[kind](g)
    transport = g.dice.randrange(4)
    if transport < 2:
        return kind, (((b"cookie", b"theme=dark; %s=" % COOKIE.encode() + token.encode("latin-1")),), b"")
    if transport == 2 or not token.isascii():
        return kind, (((b"content-type", b"application/json"),), b'{"refresh_token":"%s"}' % token.encode())
    quoted = token.replace("+", "%2B").replace("=", "%3D").encode()
    body = b"grant_type=refresh_token&refresh_token=" + quoted
    return f"{kind}, in a form", (((b"content-type", b"application/x-www-form-urlencoded"),), body)
