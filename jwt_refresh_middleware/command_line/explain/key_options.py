"""Keys for ``explain``: from a file, from the URL of a JWK Set, from the environment."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from ...encoding import json_object
from ...key_file import MAX_BYTES, read_key_file
from ...keyring import KeyRing
from ...verifier import Verifier
from ..refused import Failed, Refused


def keys_of(file: Path | None, jwks_url: str | None, names: list[str] | None, timeout: float) -> KeyRing | None:
    """The keys that were named; None if there were none. Raises Refused for more than one source, Failed, OSError."""
    if sum(bool(source) for source in (file, jwks_url, names)) > 1:
        raise Refused("keys come from one place: --keys, --jwks-url or --secret-from-env")
    if file is not None:
        return _of_file(file)
    if jwks_url:
        return asyncio.run(_fetched(jwks_url, timedelta(seconds=timeout)))
    return _of_environment(names) if names else None


def _of_file(path: Path) -> KeyRing:
    """A file of keys, a JWK Set, one JWK, or PEM."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        if not raw.lstrip().startswith(b"{"):
            return KeyRing.from_pem(raw)
        content = json_object(raw)
        if "keys" not in content:
            return KeyRing.from_jwks(content)
    except ValueError as error:
        raise Failed(f"{path}: {error}") from None
    contents = read_key_file(path)
    return KeyRing(contents.held, secrets=contents.secrets)


def _of_environment(names: list[str]) -> KeyRing:
    if len(names) == 1:
        return KeyRing.from_env(names[0])
    rings = [KeyRing.from_env(name) for name in names]
    return KeyRing([key for ring in rings for key in ring.keys])


async def _fetched(url: str, patience: timedelta) -> KeyRing:
    try:
        verifier = Verifier.from_jwks_url(url, timeout=patience)
    except ValueError as error:
        raise Refused(str(error)) from None
    with _overheard() as said:
        source = verifier.keys.source
        assert source is not None
        await source.open()
        await source.close()
    if not verifier.keys.held:
        raise Failed(said[0] if said else f"there is no key that can be used at {url.partition('?')[0]}")
    return verifier.keys


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What the package logs meanwhile: why there are no keys is told to nobody else."""
    said: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler, log = Handler(), logging.getLogger("jwt_refresh_middleware")
    log.addHandler(handler)
    try:
        yield said
    finally:
        log.removeHandler(handler)
