"""Login protection: how often credentials may be wrong, per account and per address.

Over the limit the answer is 429 for a while, and nobody is asked whether the credentials are right. It is never a lock:
that would let any stranger lock anybody out for good (OWASP, Authentication Cheat Sheet).
"""

import hashlib
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .attempts import Count, Limit, MemoryWindow, Window
from .devices import network
from .rounds import log

Rate = tuple[int, int]

STEP_UP_RATE: Rate = (5, 900)
"""What limits step-up attempts of a session where nothing else is said."""
_PREFIXES = (32, 64)  # of IPv6 one customer has a /64 at least: every address in it is theirs
_LONGEST_NAME = 1024


class LoginLimits:
    """How many logins may fail, and where that is counted. Give it to the middleware as ``login_limits``.

    A step-up is limited too: for each session as for an account, and for the address together with the logins.

    Attributes:
        is_shared: whether several processes count together.
        limits_addresses: whether failures are counted by address.
    """

    def __init__(
        self,
        *,
        per_account: Rate | None = (5, 900),
        per_address: Rate | None = (20, 900),
        storage: str = "memory://",
        account: Sequence[str] | Callable[[Mapping[str, Any]], str | None] = ("username", "email", "login", "name"),
        timeout: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is connected to yet.

        Args:
            per_account: at most so many failed logins of one account in any so many seconds; a success forgets them.
                Default 5 in 15 minutes. None for no limit.
            per_address: the same for one client address; all addresses of an IPv6 /64 count as one. A success forgets
                nothing. Default 20 in 15 minutes. None for no limit.
            storage: ``memory://``, for one process, or the URL of a Redis that several share (``redis://``,
                ``rediss://`` or ``unix://``; extras ``limits`` and ``redis``). Default ``memory://``.
            account: which fields of the credentials name the account; each that is there counts. Or what gives the name
                for the credentials, None if they have none; for accounts whose names have several spellings. Default
                ``("username", "email", "login", "name")``.
            timeout: seconds that Redis may take, before the login is answered with 503. Default 2.
            clock: seconds of any origin, for ``memory://``. Tests pass their own.

        Raises:
            ValueError: a limit or a storage that cannot be.
            TypeError: ``account`` is one str.
            ImportError: a library for Redis is not installed.
        """
        if isinstance(account, str):
            raise TypeError('account is a list of names: ["username"]')
        for name, rate in (("per_account", per_account), ("per_address", per_address)):
            _check(name, rate)
        self._account = account
        self._unsaid = True
        window, self._close = _windows(storage, timeout, clock)
        self._accounts = Limit("account", window("account", *per_account)) if per_account else None
        self._addresses = Limit("address", window("address", *per_address)) if per_address else None
        self._sessions = Limit("step_up", window("step_up", *(per_account or STEP_UP_RATE)))
        self.is_shared = self._close is not None
        self.limits_addresses = per_address is not None

    async def aclose(self) -> None:
        """Close what is open to Redis. The middleware does it at shutdown."""
        if self._close is not None:
            await self._close.aclose()

    def of_login(self, credentials: Mapping[str, Any], ip: str | None) -> list[Count]:
        """What a login with ``credentials`` from ``ip`` counts for, the address first."""
        names = self._names(credentials) if self._accounts else ()
        # One name is that of whoever logs in. Of several, one may be somebody else's, whose failures are not forgotten.
        accounts = [Count(self._accounts, name, clears=len(names) == 1) for name in names if self._accounts]
        return [*self._of_address(ip), *accounts]

    def of_step_up(self, session_id: str, ip: str | None) -> list[Count]:
        """What a step-up of a session from ``ip`` counts for, the address first."""
        return [*self._of_address(ip), Count(self._sessions, _hidden(session_id), clears=True)]

    def _of_address(self, ip: str | None) -> list[Count]:
        if not self._addresses or not ip:
            return []
        return [Count(self._addresses, _hidden(network(ip, *_PREFIXES)), clears=False)]

    def _names(self, credentials: Mapping[str, Any]) -> set[str]:
        """The accounts that credentials name, as keys: whichever of them ``authenticate`` looks at is among them."""
        if callable(self._account):
            values = [self._account(credentials)]
        else:
            values = [credentials.get(name) for name in self._account]
            if self._unsaid and not any(values):
                self._unsaid = False
                log.warning("a login had none of the fields %s: only its address is limited", ", ".join(self._account))
        return {_hidden(_normal(value)) for value in values if value not in (None, "")}


class StepUpLimit:
    """What limits step-ups without :class:`LoginLimits`: five failures of a session in 15 minutes, in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds of any origin."""
        self._sessions = Limit("step_up", MemoryWindow(*STEP_UP_RATE, clock))

    def of_login(self, _credentials: Mapping[str, Any], _ip: str | None) -> list[Count]:
        """Nothing: logins are not limited."""
        return []

    def of_step_up(self, session_id: str, _ip: str | None) -> list[Count]:
        """What a step-up of a session counts for."""
        return [Count(self._sessions, session_id, clears=True)]

    async def aclose(self) -> None:
        """Nothing is open."""


def _check(name: str, rate: Any) -> None:
    if rate is not None and (len(rate) != 2 or any(type(part) is not int or part < 1 for part in rate)):
        raise ValueError(f"{name} is (at least 1 failure, at least 1 second), in whole numbers, or None")


def _windows(storage: str, timeout: float, clock: Callable[[], float]) -> tuple[Callable[[str, int, int], Window], Any]:
    """What makes a window for ``what``, so many entries and seconds; and what is to be closed."""
    if storage == "memory://":
        return lambda _, most, seconds: MemoryWindow(most, seconds, clock), None
    if not storage.startswith(("redis://", "rediss://", "unix://")):  # it may hold a password: it is not shown
        raise ValueError("the storage of login limits is memory://, or a URL: redis://, rediss:// or unix://")
    try:
        from .shared_windows import SharedStorage, SharedWindow
    except ImportError as error:
        raise ImportError(
            'login limits in Redis need two libraries: pip install "jwt-refresh-middleware[limits,redis]"'
        ) from error
    shared = SharedStorage(storage, timeout)
    return lambda what, most, seconds: SharedWindow(what, most, seconds, shared), shared


def _normal(value: object) -> str:
    """One spelling of an account's name. All that is neither text nor a whole number counts as one account."""
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        return ""
    plain = unicodedata.normalize("NFKC", value.strip()[:_LONGEST_NAME]).casefold()
    return unicodedata.normalize("NFKC", plain).strip()


def _hidden(name: str) -> str:
    """What stands for a name where it is kept: people type their password into the wrong field."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
