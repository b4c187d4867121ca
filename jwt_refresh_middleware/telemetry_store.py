"""A store whose calls are measured."""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .telemetry import look

if TYPE_CHECKING:
    from .telemetry_instruments import Instruments

T = TypeVar("T")

MEASURED = (
    "add", "get", "advance", "note_late", "acknowledge", "revoke", "revoke_subject", "sessions", "revocations", "purge",
)  # fmt: skip


class MeasuredStore:
    """In front of a store: the same to whoever uses it, whatever it can do beside its contract."""

    def __init__(self, store: Any, instruments: "Instruments") -> None:
        self._store = store
        for name in MEASURED:
            if hasattr(store, name):
                setattr(self, name, _measured(store, name, instruments))
        if hasattr(store, "watch"):  # that it is there is looked for in the object itself
            self.watch = store.watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def __repr__(self) -> str:
        return repr(self._store)


def _measured(store: Any, name: str, instruments: "Instruments") -> Callable[..., Awaitable[Any]]:
    async def call(*arguments: Any, **named: Any) -> Any:
        span, began, error = instruments.call(name), perf_counter(), None
        try:
            return await getattr(store, name)(*arguments, **named)
        except BaseException as raised:
            error = raised
            raise
        finally:
            instruments.called(span, name, perf_counter() - began, error)

    return call


def measured(store: T) -> T:
    """``store`` with its calls measured, once; ``store`` itself where nothing is."""
    instruments = look()
    if instruments is None or isinstance(store, MeasuredStore):
        return store
    return cast("T", MeasuredStore(store, instruments))
