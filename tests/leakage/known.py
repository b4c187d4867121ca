"""The secrets and tokens that came to be in this process, and whether a text has any part of one in it.

Of a secret made of the characters of tokens, every ninth piece of eight characters is remembered: whatever sixteen
characters of it stand in a text, one of these pieces is among them. Of a secret that is words, every piece is, and
every ninth of the text is looked up. So a megabyte takes some hundredths of a second, however many secrets there are.
"""

import json
import re
import threading
from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64
from collections import deque
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, NamedTuple

from .pieces import PIECE, STEP, WINDOW, pieces

SHORTEST = 8
"""A secret shorter than a window is a leak as a whole, if it has at least so many characters."""
_DIFFERENT = 6  # different characters, of a secret that is worth looking for: no run of one letter is
_MOST = 6_000
_RUN = re.compile(r"[A-Za-z0-9_-]{16,}")
_JWT = re.compile(r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]+)\.(?:[A-Za-z0-9_-]*\.)[A-Za-z0-9_-]{16,}")
# See jwt_refresh_middleware.refresh: 52 characters that begin with the version, and a signature of 43.
_REFRESH = re.compile(r"(?<![A-Za-z0-9_.-])A[Q-f][A-Za-z0-9_-]{50}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")


class Secret(NamedTuple):
    """Something that must not be seen, and what kind of thing it is: only that is ever told."""

    text: str
    kind: str


_OF_OURS = re.compile(r"(?i)jwt[-_]refresh[-_]middleware")
"""Our own name, which stands in reprs and in ``iss``, and may stand in somebody's bad secret."""


class Known:
    """What is looked for. Of more than some thousands the oldest are forgotten.

    What came to be in one file of tests is forgotten with it: some of them take words for secrets that others show,
    and what a test may show must not depend on which were run before it.
    """

    def __init__(self) -> None:
        self._new: deque[Secret] = deque(maxlen=_MOST)
        self._runs: dict[str, str] = {}
        self._pieces: dict[str, Secret] = {}
        self._words: dict[str, str] = {}
        self._word_pieces: dict[str, Secret] = {}
        self._short: dict[str, str] = {}
        self._lock = threading.Lock()
        self._before: tuple[dict[str, Any], ...] | None = None
        self.count = 0

    def add(self, text: str, kind: str) -> None:
        """Remember a secret; takes no time, since thousands of tokens are made in a second."""
        self._new.append(Secret(text, kind))

    def add_bytes(self, raw: bytes, kind: str) -> None:
        """The same of bytes: in base64url, in hex, and as Python writes them, so text as it is."""
        for spelling in (urlsafe_b64encode(raw).rstrip(b"=").decode(), raw.hex(), repr(raw)[2:-1]):
            self.add(spelling, kind)

    def begin_file(self) -> None:
        """Forget all but what was there before the first test."""
        with self._lock:
            self._learn()
            held = (self._runs, self._pieces, self._words, self._word_pieces, self._short)
            if self._before is None:
                self._before = tuple(one.copy() for one in held)
            for now, before in zip(held, self._before, strict=True):
                now.clear()
                now.update(before)

    def leaks(self, text: str) -> Iterator[str]:
        """The kinds of what ``text`` tells: of known secrets, and by their shape of others."""
        yield from _shapes(text)
        text = _OF_OURS.sub("", text)
        with self._lock:
            self._learn()
            for run in {*_RUN.findall(text)}:
                if not self._pieces.keys().isdisjoint(pieces(run)):
                    yield from self._leaks_of(run)
            if self._word_pieces:
                for at in range(0, len(text) - PIECE + 1, STEP):
                    secret = self._word_pieces.get(text[at : at + PIECE])
                    if secret is not None and _shared(text, secret.text, at) >= WINDOW:
                        yield secret.kind
            for short, kind in self._short.items():
                if short in text:
                    yield kind

    def _leaks_of(self, run: str) -> Iterator[str]:
        for at in range(len(run) - PIECE + 1):
            secret = self._pieces.get(run[at : at + PIECE])
            if secret is not None and _shared(run, secret.text, at) >= WINDOW:
                yield secret.kind

    def _learn(self) -> None:
        while self._new:
            text, kind = self._new.popleft()
            known = text in self._runs or text in self._words or text in self._short
            if known or len(text) < SHORTEST or len({*text}) < _DIFFERENT:
                continue
            self.count += 1
            secret = Secret(text, kind)
            if len(text) < WINDOW:
                _keep(self._short, {}, secret, ())
            elif _RUN.fullmatch(text):
                _keep(self._runs, self._pieces, secret, range(0, len(text) - PIECE + 1, STEP))
            else:
                _keep(self._words, self._word_pieces, secret, range(len(text) - PIECE + 1))


def _keep(kinds: dict[str, str], pieces: dict[str, Secret], secret: Secret, places: range | tuple[()]) -> None:
    kinds[secret.text] = secret.kind
    for at in places:
        pieces[secret.text[at : at + PIECE]] = secret
    if len(kinds) > _MOST:
        oldest = next(iter(kinds))
        del kinds[oldest]
        for at in range(len(oldest) - PIECE + 1):
            if pieces.get(oldest[at : at + PIECE], secret).text == oldest:
                del pieces[oldest[at : at + PIECE]]


def _shared(text: str, secret: str, at: int) -> int:
    """How many characters around ``at`` of ``text`` stand in ``secret`` in the same order: the piece, and more."""
    most, piece = 0, text[at : at + PIECE]
    before, behind = text[max(0, at - len(secret)) : at][::-1], text[at : at + len(secret)]
    place = secret.find(piece)
    while place >= 0:
        most = max(most, _same(before, secret[:place][::-1]) + _same(behind, secret[place:]))
        place = secret.find(piece, place + 1)
    return most


def _same(one: str, two: str) -> int:
    """How many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))


def _shapes(text: str) -> Iterator[str]:
    if "eyJ" in text:
        for found in _JWT.finditer(text):
            if _is_header(found[1]):
                yield "a JWT (by its shape)"
    if _REFRESH.search(text):
        yield "a refresh token (by its shape)"


def _is_header(encoded: str) -> bool:
    try:
        header = json.loads(a2b_base64(encoded.translate({45: 43, 95: 47}) + "=" * (-len(encoded) % 4)))
    except (Error, ValueError):
        return False
    return isinstance(header, dict) and "alg" in header
