"""A file of keys: a JWK Set (RFC 7517, 5) with private members and states; read, written, watched."""

import asyncio
import errno
import json
import math
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .concurrency import SingleFlight
from .encoding import b64url_decode, b64url_encode, json_object
from .key_states import Contents, Held, in_order
from .key_texts import MAX_KEYS, key_of_jwk
from .keys import MIN_SECRET_BYTES
from .rounds import Rounds, log

MAX_BYTES = 512 * 1024
_STATES = ("current", "previous", "next")


def _never() -> bool:
    return False


def read_key_file(path: Path) -> Contents:
    """What is in a file of keys. Keys without a state are in the order of a ring: the first private one signs.

    Raises:
        OSError: it cannot be read.
        ValueError: what is in it cannot be used; the message names the file and nothing of its contents.
    """
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        if len(raw) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        return _contents(json_object(raw))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _contents(content: Mapping[str, Any]) -> Contents:
    listed = content.get("keys")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_KEYS:
        raise ValueError(f"a JWK Set has a list of 1 to {MAX_KEYS} keys (RFC 7517, 5.1)")
    held = in_order([_held(jwk) if _has_state(jwk) else key_of_jwk(jwk) for jwk in listed], 0.0)
    if "secrets" not in content:
        return Contents(held, tuple(one.key.secret_of_its_own() for one in held if one.key.is_private))
    texts = content["secrets"]
    if not isinstance(texts, list) or not texts or not all(type(text) is str and text.isascii() for text in texts):
        raise ValueError("the member secrets is a list of base64url texts")
    return Contents(held, tuple(_secret(text) for text in texts))


def _secret(text: str) -> bytes:
    secret = b64url_decode(text.encode("ascii"))
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(f"each of the secrets has at least {MIN_SECRET_BYTES} bytes")
    return secret


def _has_state(jwk: object) -> bool:
    return isinstance(jwk, Mapping) and "state" in jwk


def _held(jwk: Mapping[str, Any]) -> Held:
    state, since, until = jwk["state"], jwk.get("since", 0), jwk.get("until", float("inf"))
    if state not in _STATES or type(since) not in (int, float) or type(until) not in (int, float):
        raise ValueError("a key has a state (current, previous or next), and since and until are numbers")
    return Held(key_of_jwk(jwk), state, float(since), float(until))


def key_file_text(contents: Contents) -> str:
    """What :func:`read_key_file` reads as ``contents``, its times in whole seconds. It is as secret as the keys.

    Raises ValueError if the current key is public only.
    """
    keys = [_jwk(one) for one in contents.held]
    return json.dumps({"keys": keys, "secrets": [b64url_encode(one).decode() for one in contents.secrets]}, indent=2)


def _jwk(one: Held) -> dict[str, Any]:
    whole = one.key.is_private or one.state == "current"
    jwk = (one.key.private_jwk() if whole else one.key.public_jwk()) or {}
    jwk |= {"state": one.state, "since": math.floor(one.since)}
    return jwk if one.until == math.inf else {**jwk, "until": math.ceil(one.until)}  # never gone too early


def write_key_file(path: Path, contents: Contents, *, new: bool = False) -> None:
    """Put ``contents`` in the place of what is at ``path``, whole or not at all; readable by its owner only.

    The owner stays who it was: a file that root has changed can still be read by the service. A symbolic link stays
    one. ``new``: nothing may be at ``path`` yet; of several processes that make it at once, one does.

    Raises:
        FileExistsError: something is there although the file is to be new.
        ValueError: the current key is public only.
        OSError: it cannot be written, or would belong to somebody else.
    """
    if not new:
        path = path.resolve()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key_file_text(contents) + "\n")
            file.flush()
            os.fsync(file.fileno())
            if not new:
                _keep_owner(file.fileno(), path)
        _put_in_place(beside, path, new=new)
        _sync_directory(path)
    finally:
        with suppress(OSError):
            beside.unlink()


def _keep_owner(descriptor: int, path: Path) -> None:
    made, before = os.fstat(descriptor), path.stat()
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)


def _sync_directory(path: Path) -> None:
    """So that the change outlives a power failure too, where a directory can be opened."""
    with suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put_in_place(beside: Path, path: Path, *, new: bool) -> None:
    if not new:
        beside.replace(path)
        return
    try:
        os.link(beside, path)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "there is a file of this name already", str(path)) from None


class KeyFile:
    """The source of a ring whose keys are in a file. It is looked at in a thread, at every interval.

    A file that is missing or damaged changes nothing: the ring goes on with what it has, and the log says so once. So
    does one with which a service that could sign could not any more.

    Attributes:
        is_running, tell: as in :class:`.key_states.Source`.
    """

    def __init__(self, path: Path, interval: float) -> None:
        """``interval``: seconds between two looks."""
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._complained: str | None = None
        self._signs = False
        self._rounds = Rounds(self._look, interval)
        self._opening = SingleFlight()
        self.is_running: Callable[[], bool] = _never
        self.tell: Callable[[Contents], None] = _nobody

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._path

    def read(self) -> Contents:
        """What is in the file now. Raises OSError and ValueError as :func:`read_key_file` does."""
        self._seen = self._stamp()
        contents = read_key_file(self._path)
        self._signs = _can_sign(contents)
        self._judge_mode()
        return contents

    def _judge_mode(self) -> None:
        if self._signs and os.name == "posix" and self._path.stat().st_mode & 0o077:
            log.warning("%s holds private keys and can be read by others: chmod 600 it", self._path)

    def _stamp(self) -> tuple[int, ...]:
        found = self._path.stat()
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    async def open(self) -> None:
        """Begin to look, once."""
        if not self.is_running():
            await self._opening.run(self._open)

    async def _open(self) -> None:
        await self._look()
        self._rounds.start()
        self.is_running = asyncio.get_running_loop().is_running

    async def ready(self) -> None:
        """Open it, if nobody has yet."""
        await self.open()

    async def close(self) -> None:
        """Stop looking."""
        await self._opening.finish()
        self.is_running = _never
        await self._rounds.stop()

    def missed(self) -> None:
        """Nothing to do: the file is looked at soon anyway."""

    async def _look(self) -> None:
        try:
            contents = await asyncio.to_thread(self._changed)
            if contents is not None:
                self.tell(contents)
                log.info("%s: the keys have changed", self._path)
            self._complained = None
        except (OSError, ValueError) as error:
            self._complain(str(error))

    def _changed(self) -> Contents | None:
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        contents = read_key_file(self._path)
        if self._signs and not _can_sign(contents):
            raise ValueError(f"{self._path}: no key in it signs: the current one has to be private")
        self._judge_mode()
        self._seen = stamp
        return contents

    def _complain(self, reason: str) -> None:
        if reason != self._complained:
            log.error("the keys stay as they are: %s", reason)
        self._complained = reason


def _can_sign(contents: Contents) -> bool:
    """Whether an issuer can live with it."""
    return bool(contents.secrets) and contents.held[0].state == "current" and contents.held[0].key.is_private


def _nobody(_contents: Contents) -> None:
    """Nobody follows the file yet."""
