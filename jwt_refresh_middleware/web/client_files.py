"""The browser client's files: each read once, its answers made once; no request ever reaches the disk."""

import gzip
import hashlib
import re
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from starlette.types import Receive

from .answers import Answer, Headers, length
from .incoming import Incoming

FOLDER: Traversable = files("jwt_refresh_middleware") / "client"

# TypeScript has no registered media type; compilers and Deno go by the name, and as text no browser runs it.
_MEDIA_TYPES = {".js": b"text/javascript; charset=utf-8", ".d.ts": b"text/plain; charset=utf-8"}
# An upgrade of the library is seen at the next load; until then a visit costs a 304.
_CACHING = ((b"cache-control", b"no-cache"), (b"vary", b"Accept-Encoding"))
_MOST_CODINGS = 100
_CODING = re.compile(rb"([!#$%&'*+.^_`|~0-9a-z-]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


class _Variant(NamedTuple):
    """A file in one content coding."""

    etag: bytes
    whole: Answer
    unchanged: Answer


class ClientFile:
    """One file, plain and compressed, ready to be sent."""

    __slots__ = ("_compressed", "_plain")

    def __init__(self, content: bytes, media_type: bytes) -> None:
        described = ((b"content-type", media_type), (b"x-content-type-options", b"nosniff"))
        self._plain = _variant(content, described)
        compressed = gzip.compress(content, 9, mtime=0)
        self._compressed = _variant(compressed, (*described, (b"content-encoding", b"gzip")))

    async def answer(self, request: Incoming, _receive: Receive) -> Answer:
        """``GET /client/…``: the file, or 304 for who has it already; compressed for who says that they take that."""
        compressed = takes_gzip(request.headers.get(b"accept-encoding", b""))
        variant = self._compressed if compressed else self._plain
        named = names(request.headers.get(b"if-none-match", b""), variant.etag)
        return variant.unchanged if named else variant.whole


def _variant(body: bytes, described: Headers) -> _Variant:
    """The tag is made of the bytes that are sent: strong, and another one for each coding (RFC 9110, 8.8.3.3)."""
    etag = b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
    shared = ((b"etag", etag), *_CACHING)
    return _Variant(etag, Answer(200, (*described, length(body), *shared), body), Answer(304, shared, b""))


def client_files() -> dict[str, ClientFile]:
    """Each ``*.js`` and ``*.d.ts`` of the client by its name; none in an installation that left them out."""
    found = {}
    for entry in FOLDER.iterdir() if FOLDER.is_dir() else ():
        for suffix, media_type in _MEDIA_TYPES.items():
            if entry.name.endswith(suffix) and entry.is_file():
                found[entry.name] = _client_file(entry.read_bytes(), media_type)
    return found


@lru_cache(maxsize=32)
def _client_file(content: bytes, media_type: bytes) -> ClientFile:
    """The middlewares of one process share it: to compress a file takes longer than all else that makes one."""
    return ClientFile(content, media_type)


def names(if_none_match: bytes, etag: bytes) -> bool:
    """Whether the header names ``etag`` or everything (RFC 9110, 13.1.2).

    Looked for with its quotes: no tag has one inside, so what is found is a whole tag. A ``W/`` before it is no matter
    to the weak comparison.
    """
    return etag in if_none_match or if_none_match.strip(b" \t") == b"*"


def takes_gzip(accept_encoding: bytes) -> bool:
    """Whether gzip is accepted, and not less than the plain file (RFC 9110, 12.5.3). What is in doubt is False."""
    weights: dict[bytes, float] = {}
    for element in accept_encoding.lower().split(b",", _MOST_CODINGS):  # what is left over is in doubt
        coding = element.strip(b" \t")
        if not coding:  # RFC 9110, 5.6.1.2: to be ignored
            continue
        found = _CODING.fullmatch(coding)
        if found is None or found[1] in weights:
            return False
        weights[found[1]] = float(found[2] or 1)
    weight = weights.get(b"gzip", weights.get(b"*", 0))
    return weight > 0 and weight >= weights.get(b"identity", 0)
