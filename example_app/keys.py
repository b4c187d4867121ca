"""The keys of a developer who has made none: generated once, kept in a file that only they can read."""

import logging
from contextlib import suppress
from pathlib import Path

from jwt_refresh_middleware import KeyRing

log = logging.getLogger(__name__)


class KeysError(Exception):
    """The file cannot be made, or its keys cannot be used; the message says what to do."""


def development_keys(path: Path) -> KeyRing:
    """The keys in ``path``, which is made if it is missing. Of several processes one makes it.

    Raises:
        KeysError: the file cannot be written or read, or is damaged.
    """
    try:
        with suppress(FileExistsError):
            KeyRing.generate("EdDSA").save(path)
    except OSError as error:
        raise KeysError(f"{path} cannot be made: {error.strerror}") from None
    log.warning("AUTH_KEYS is not set: using the development keys in %s", path)
    return keys_in(path)


def keys_in(path: Path) -> KeyRing:
    """The keys in a file, which is looked at again while the app runs. Raises KeysError."""
    try:
        return KeyRing.from_file(path)
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise KeysError(f"{error}; `python -m jwt_refresh_middleware keys generate` makes a new one") from None
