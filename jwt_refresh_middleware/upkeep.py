"""What has to be opened before a request is answered, and closed at the end: a feed, a source of keys, a store."""

from collections.abc import Callable, Sequence
from typing import Protocol


class Upkeep(Protocol):
    """Something with a background task of its own.

    Attributes:
        is_running: whether it is open and the event loop runs in which its task lives.
    """

    is_running: Callable[[], bool]

    async def open(self) -> None:
        """Open it, once, however often this is called."""

    async def ready(self) -> object:
        """Open it, if nobody has yet. Raises an AuthError if that fails."""

    async def close(self) -> None:
        """Close it. Closing twice is no error."""


class Together:
    """Several of them, opened in their order and closed the other way round."""

    def __init__(self, parts: Sequence[Upkeep]) -> None:
        """``parts``: in the order in which they are opened."""
        self._parts = parts
        self.is_running: Callable[[], bool] = self._all_run

    def _all_run(self) -> bool:
        return all(part.is_running() for part in self._parts)

    async def open(self) -> None:
        """Open each. Raises what the first that fails raises; those before it are closed again."""
        opened: list[Upkeep] = []
        try:
            for part in self._parts:
                await part.open()
                opened.append(part)
        except BaseException:
            await _close(opened)
            raise

    async def ready(self) -> None:
        """Open each that is not open. Raises what the first that fails raises."""
        for part in self._parts:
            await part.ready()

    async def close(self) -> None:
        """Close each, also if closing another one fails; raises the first failure then."""
        await _close(self._parts)


async def _close(parts: Sequence[Upkeep]) -> None:
    failure: BaseException | None = None
    for part in reversed(parts):
        try:
            await part.close()
        except BaseException as error:  # noqa: BLE001  raised below, when the others have been closed
            failure = failure or error
    if failure is not None:
        raise failure


def together(*parts: Upkeep | None) -> Upkeep | None:
    """One for all of them; None if there are none."""
    present = [part for part in parts if part is not None]
    return Together(present) if len(present) > 1 else present[0] if present else None
