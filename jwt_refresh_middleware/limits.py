"""How often one session may be refreshed: stops a client that is caught in a refresh loop."""

import math
from collections import OrderedDict

_MOST_WATCHED = 10_000
_REPEATS_PER_ROTATION = 10  # fifty tabs that wake up together are no loop


class RefreshRate:
    """Counts the refreshes of each session in windows of fixed length, in this process."""

    def __init__(self, rate: tuple[int, float] | None) -> None:
        """``rate``: at most so many rotations in so many seconds; None for no limit. A repeat counts a tenth."""
        self._rate = rate
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()  # by their beginning

    def wait(self, session_id: str, now: float) -> int:
        """Seconds until this session may be refreshed again, at least 1 if it has used up its window; else 0."""
        window = self._windows.get(session_id)
        if self._rate is None or window is None:
            return 0
        limit, seconds = self._rate
        started, used = window
        if 0 <= now - started < seconds and used >= limit * _REPEATS_PER_ROTATION:
            return max(1, math.ceil(started + seconds - now))
        return 0

    def count(self, session_id: str, now: float, *, rotation: bool) -> None:
        """Add one refresh."""
        if self._rate is None:
            return
        seconds = self._rate[1]
        started, used = self._windows.get(session_id, (now, 0))
        if not 0 <= now - started < seconds:
            started, used = now, 0
            self._windows.pop(session_id, None)
        if len(self._windows) >= _MOST_WATCHED and session_id not in self._windows:
            self._windows.popitem(last=False)  # looking for what is over would take longer than a refresh
        self._windows[session_id] = (started, used + (_REPEATS_PER_ROTATION if rotation else 1))
