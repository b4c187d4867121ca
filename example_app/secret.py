"""The secret of a developer who has set none: generated once, kept in a file that only they can read."""

import logging
import os
import secrets
import time
from pathlib import Path

log = logging.getLogger(__name__)

_LENGTH = 43  # of token_urlsafe(32): 256 bits
_PATIENCE = 2.0


class SecretError(Exception):
    """The file cannot be made, or holds no secret; the message says what to do."""


def development_secret(path: Path) -> str:
    """The secret in ``path``, which is created with mode 0600 if it is missing. Of several processes one creates it.

    Raises:
        SecretError: the file cannot be written or read, or is damaged.
    """
    try:
        _create(path)
        log.warning("AUTH_SECRET is not set: using the development secret in %s", path)
        return _read(path)
    except OSError as error:
        raise SecretError(f"AUTH_SECRET is not set, and {path} cannot be used: {error.strerror}") from None


def _create(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
        file.flush()
        os.fsync(descriptor)


def _read(path: Path) -> str:
    """The secret; another process may be between creating the file and writing to it, so an empty one is read again."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        secret = path.read_text(encoding="utf-8", errors="replace").strip()
        if len(secret) >= _LENGTH:
            return secret
        if time.monotonic() > deadline:
            raise SecretError(f"{path} holds no secret: delete it, and a new one is made")
        time.sleep(0.02)
