"""Passwords: hashed with Argon2 in threads, so that the event loop goes on meanwhile."""

import secrets

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError

_AT_ONCE = 4  # each hash takes 64 MiB: a burst of logins must not take all the memory


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHash.recommended()
        self._limiter = CapacityLimiter(_AT_ONCE)
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """What to store of a password."""
        return await to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether ``password`` is the one of ``stored``.

        None, for a user who does not exist, takes as long as a wrong password: the time tells nobody who exists.
        """
        matches = await to_thread.run_sync(self._matches, password, stored or self._nobody, limiter=self._limiter)
        return matches and stored is not None

    def _matches(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(password, stored)
        except PwdlibError:  # what is stored is no hash that we know
            return False
