"""The list of ended sessions in memory, for as long as an access token of theirs could still live."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

Told = Callable[[], None]


@runtime_checkable
class Watchable(Protocol):
    """Whatever tells at once that a session has ended: a :class:`RevocationList`, or a feed that has one."""

    def watch(self, session_id: str, told: Told) -> None:
        """Call ``told`` when this session ends, once. It must not wait, and must not raise."""

    def unwatch(self, session_id: str, told: Told) -> None:
        """Forget it; no error if it was called already."""


class RevocationList:
    """Ended sessions of the last ``keep`` seconds. A look-up is one dictionary access.

    Attributes:
        ended: session id -> when it ended (seconds since the epoch), read-only.
        keep: seconds that an entry stays: the longest life of an access token, and its leeway.
    """

    def __init__(self, keep: float) -> None:
        self._ended: dict[str, float] = {}
        self.ended: Mapping[str, float] = MappingProxyType(self._ended)
        self.keep = keep
        self._watchers: dict[str, set[Told]] = {}

    def add(self, session_id: str, at: float) -> None:
        """Refuse access tokens of this session from now on."""
        self._ended.setdefault(session_id, at)
        self._tell(session_id)

    def update(self, feed: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
        """Take over what a store reports, and return what of it was new."""
        new = []
        for session_id, at in feed:
            if session_id not in self._ended:
                self._ended[session_id] = at
                new.append((session_id, at))
                self._tell(session_id)
        return new

    def prune(self, now: float) -> None:
        """Forget the sessions of which no access token can be alive at ``now``."""
        horizon = now - self.keep
        for session_id in [sid for sid, at in self._ended.items() if at < horizon]:
            del self._ended[session_id]

    def watch(self, session_id: str, told: Told) -> None:
        """Call ``told`` when this session ends, once. It must not wait, and must not raise."""
        self._watchers.setdefault(session_id, set()).add(told)

    def unwatch(self, session_id: str, told: Told) -> None:
        """Forget it; no error if it was called already."""
        watchers = self._watchers.get(session_id)
        if watchers is not None:
            watchers.discard(told)
            if not watchers:
                self._watchers.pop(session_id, None)

    def _tell(self, session_id: str) -> None:
        if self._watchers:
            for told in self._watchers.pop(session_id, ()):
                told()
