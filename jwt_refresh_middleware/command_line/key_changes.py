"""How a file of keys is changed by hand: one change at a time, each of them whole or not at all."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..key_file import read_key_file, write_key_file
from ..key_states import Contents, Held, in_order, living, rotated
from ..key_texts import MAX_KEYS, new_key
from .refused import Refused

fcntl: Any
try:
    import fcntl
except ImportError:  # not on Windows: there nothing keeps two commands apart
    fcntl = None


def change_key_file(path: Path, change: Callable[[Contents], Contents]) -> Contents:
    """Put what ``change`` makes of the file in its place, and return it. Two that do it at once follow each other.

    Raises:
        OSError: it cannot be read or written.
        ValueError: what is in it cannot be used.
        Refused: by ``change``.
    """
    with _locked(path):
        contents = change(read_key_file(path))
        write_key_file(path, contents)
    return contents


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone with the file. Since it is replaced by others who had the lock, it may be another one afterwards."""
    while fcntl is not None:
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                yield
                return
        finally:
            os.close(descriptor)
    yield


def step(contents: Contents, now: float, *, overlap: float, published_for: float | None) -> Contents:
    """One step further, and without what is gone. All times in seconds.

    Keys that have no end, as those of a JWK Set that was made elsewhere, stay until they are removed.

    Args:
        contents: of the file.
        now: since the epoch.
        overlap: how long the key that signed until now verifies.
        published_for: how long the next key must have been published; None: no matter how long.

    Raises:
        Refused: the next key is too young, or there are too many keys.
        ValueError: none of the keys can sign.
    """
    left = living(contents.held, now)
    upcoming = next((one for one in left if one.state == "next"), None)
    if upcoming is not None and published_for is not None and upcoming.since + published_for > now:
        wait = math.ceil(upcoming.since + published_for - now)
        raise Refused(
            f"the next key was published less than {published_for:g} s ago, and gateways may not have it yet: "
            f"try again in {wait} s (--published-for says how long it takes, --force does it anyway)"
        )
    if len(left) >= MAX_KEYS:
        raise Refused(f"there are {len(left)} keys that still verify, and a file holds {MAX_KEYS}")
    return Contents(rotated(left, now, overlap), contents.secrets)


def without(contents: Contents, kid: str, now: float) -> Contents:
    """The keys without one of them; if it was the current or the next one, another takes its place at once.

    Raises Refused if there is no key with this ``kid``.
    """
    removed = next((one for one in contents.held if one.key.kid == kid), None)
    if removed is None:
        raise Refused(f"there is no key {kid!r} in this file")
    left = [one for one in living(contents.held, now) if one is not removed]
    if removed.state == "current":
        upcoming = next((one for one in left if one.state == "next"), None)
        left = [one for one in left if one is not upcoming]
        successor = upcoming.key if upcoming is not None else new_key(removed.key.algorithm)
        left.append(Held(successor, "current", now))
    if removed.state != "previous":
        left.append(Held(new_key(removed.key.algorithm), "next", now))
    return Contents(in_order(left, now), contents.secrets)
