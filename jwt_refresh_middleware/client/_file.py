"""A file that the processes of a service share their tokens by."""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class TokenFile:
    """Tokens in a JSON file: ``RefreshAuth(url, load=file.load, save=file.save, lock=file)``.

    A reader sees the old file or the new one, never a part; after :meth:`save` the tokens survive a loss of power. Only
    the owner may read it (mode 0600; on Windows what the directory says). As a lock it works between the processes and
    threads of one machine, by a file beside it (``….lock``) that stays; the system frees it when a process dies.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """``path``: in a directory that exists. Nothing is opened yet."""
        self._path = Path(path)
        self._mutex = threading.Lock()  # one descriptor at a time
        self._descriptor = -1

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"

    def load(self) -> dict[str, Any] | None:
        """The tokens; None if there is no file.

        Raises:
            ValueError: the file is not a JSON object. What it holds is not told.
            OSError: it cannot be read.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        tokens = _parse(content)
        if tokens is None:
            raise ValueError(f"the token file {self._path} is not a JSON object")
        return tokens

    def save(self, tokens: Mapping[str, Any]) -> None:
        """Replace the file, all at once.

        Raises:
            OSError: it cannot be written; the old one stays.
        """
        descriptor, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)  # mode 0600
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(dict(tokens), file)
                file.flush()
                os.fsync(descriptor)
            os.replace(name, self._path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name)
            raise
        _sync_directory(self._path.parent)

    def delete(self) -> None:
        """Remove the file, after a logout. No error if there is none."""
        self._path.unlink(missing_ok=True)

    def acquire(self, block: bool = False, /) -> bool:
        """Take the lock if it is free; whether it was. It never waits.

        Raises:
            ValueError: ``block`` is true.
            OSError: the lock's file cannot be opened.
        """
        if block:
            raise ValueError("this lock does not wait")
        if not self._mutex.acquire(blocking=False):
            return False
        descriptor = -1
        try:
            descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            _try_lock(descriptor)
        except OSError as error:
            self._mutex.release()
            if descriptor < 0:
                raise
            os.close(descriptor)
            if isinstance(error, (BlockingIOError, PermissionError)):  # somebody has it, on POSIX and on Windows
                return False
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next one in; to close the file frees it."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
        self._mutex.release()


def _parse(content: bytes) -> dict[str, Any] | None:
    """None instead of an error, since that of json carries the text."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _sync_directory(directory: Path) -> None:
    """The new name is in the directory, which has to reach the disk too. Windows knows no such thing."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
