"""How often somebody may try: at most so many failures in any stretch of so many seconds, by key.

What is counted is known before it happens: an attempt counts from its beginning, and is given back if it was no
failure. So attempts that come at once cannot all get past a limit that none of them has reached yet.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

_MOST_KEYS = 50_000  # some 25 MB of them


class Window(Protocol):
    """Counts in a window that moves: an entry is worth nothing after the window's length, whatever the time of day."""

    async def take(self, key: str) -> bool:
        """Add an entry for ``key``, unless it has as many as it may have."""
        ...

    async def give_back(self, key: str) -> None:
        """Take the newest entry of ``key`` away again."""
        ...

    async def clear(self, key: str) -> None:
        """Take all entries of ``key`` away."""
        ...

    async def wait(self, key: str) -> float:
        """Seconds until :meth:`take` adds one again; 0 if it would now."""
        ...


class MemoryWindow:
    """A window in this process, of at most 50 000 keys: then the one that was used longest ago is forgotten.

    The storage in memory of the library ``limits`` is not used: its clean-up goes through all keys at each hit, with a
    thread for each, and ends with a KeyError where a key was cleared meanwhile; what it had not reached stays for good.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        """``most`` entries in ``seconds``, as ``clock`` has them (of any origin)."""
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[str, list[float]] = OrderedDict()  # by their last use: a dict is slow at its head

    def __len__(self) -> int:
        return len(self._entries)

    async def take(self, key: str) -> bool:
        """See :class:`Window`."""
        now = self._clock()
        entries = self._entries.get(key)
        if entries is None:
            self._forget(now)
            entries = self._entries[key] = []
        else:
            self._entries.move_to_end(key)
        if self._left(entries, now) > 0:
            return False
        entries.append(now)
        del entries[: -self._most]
        return True

    async def give_back(self, key: str) -> None:
        """See :class:`Window`."""
        entries = self._entries.get(key)
        if entries:
            entries.pop()
        if not entries:
            self._entries.pop(key, None)

    async def clear(self, key: str) -> None:
        """See :class:`Window`."""
        self._entries.pop(key, None)

    async def wait(self, key: str) -> float:
        """See :class:`Window`."""
        return self._left(self._entries.get(key, ()), self._clock())

    def _left(self, entries: Sequence[float], now: float) -> float:
        if len(entries) < self._most:
            return 0
        return max(0, entries[0] + self._seconds - now)

    def _forget(self, now: float) -> None:
        """Make room for a key: of those that were used longest ago, drop what is over, a few at a time."""
        for _ in range(min(3, len(self._entries))):
            key, entries = next(iter(self._entries.items()))
            if len(self._entries) < _MOST_KEYS and entries[-1] + self._seconds > now:
                return
            del self._entries[key]


class Limit:
    """One limit: a window, and what is under way in this process.

    Attributes:
        what: is limited, as events call it: ``account``, ``address`` or ``step_up``.
    """

    def __init__(self, what: str, window: Window) -> None:
        self.what = what
        self._window = window
        self._under_way: Counter[str] = Counter()

    async def begin(self, key: str) -> bool:
        """Count an attempt that begins; False if there must be none. What began must :meth:`end`."""
        self._under_way[key] += 1
        begun = False
        try:
            begun = await self._window.take(key)
        finally:
            if not begun:
                self.end(key)
        return begun

    def end(self, key: str) -> None:
        """An attempt is over. It counts as a failure, unless :meth:`give_back` or :meth:`clear` was called before."""
        self._under_way[key] -= 1
        if self._under_way[key] <= 0:
            del self._under_way[key]

    async def give_back(self, key: str) -> None:
        """An attempt was no failure."""
        await self._window.give_back(key)

    async def clear(self, key: str) -> None:
        """An attempt was a success, so that the failures before it are forgotten."""
        await self._window.clear(key)

    async def wait(self, key: str) -> int:
        """Whole seconds until an attempt may begin, 0 for now; 1 if it hangs on others that are under way here."""
        left = await self._window.wait(key)
        return 1 if left and key in self._under_way else math.ceil(left)


class Count(NamedTuple):
    """A limit that an attempt counts for.

    Attributes:
        limit: the limit.
        key: whose.
        clears: whether a success is a reason to forget the failures before it, rather than only not to count.
    """

    limit: Limit
    key: str
    clears: bool
