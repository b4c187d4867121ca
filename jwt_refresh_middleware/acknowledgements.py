"""Which generations have been seen to arrive: known here at once, told to the store in batches."""

from collections import OrderedDict
from collections.abc import Mapping

from .access import AccessToken

_MOST_REMEMBERED = 65_536


class Acknowledgements:
    """An access token shows that its holder has the generation it was issued with.

    The first token of each generation is noted, in memory and without waiting; the store learns of it later.
    """

    def __init__(self) -> None:
        self.seen: OrderedDict[str, int] = OrderedDict()  # a dict that is emptied from its front is slow to find it
        """Highest generation seen of each session; of at most 65 536 sessions, those known longest go first."""
        self._pending: dict[str, int] = {}

    def note(self, token: AccessToken) -> None:
        """Take note of a verified token."""
        session_id, generation = token.session_id, token.generation
        if not generation or session_id is None:  # generation 0 was exchanged for nothing: no answer can be lost
            return
        seen = self.seen
        if seen.get(session_id, 0) < generation:
            seen[session_id] = generation
            self._pending[session_id] = generation
            if len(seen) > _MOST_REMEMBERED:
                seen.popitem(last=False)

    def known(self, session_id: str) -> int:
        """The highest generation seen of a session, -1 for none."""
        return self.seen.get(session_id, -1)

    def take(self) -> Mapping[str, int]:
        """What the store does not know yet; it is the caller's from now on."""
        pending, self._pending = self._pending, {}
        return pending

    def put_back(self, pending: Mapping[str, int]) -> None:
        """Keep for the next time what could not be told."""
        for session_id, generation in pending.items():
            self._pending[session_id] = max(generation, self._pending.get(session_id, -1))
