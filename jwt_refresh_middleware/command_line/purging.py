"""Deleting all that has expired. A store does a bounded piece at each call, and does not say when it is through."""

from typing import Any

from ..stores.base import SessionStore


async def purged(store: SessionStore, *, before: float) -> int:
    """Delete the sessions whose ``expires_at`` is not after ``before``; returns how many.

    Goes on until a whole round, from where a store begins to where it begins again, has found nothing.
    """
    deleted = found = 0
    while True:
        piece = await store.purge(before)
        deleted, found = deleted + piece, found + piece
        if _is_at_its_beginning(store):
            if not found:
                return deleted
            found = 0


def _is_at_its_beginning(store: Any) -> bool:
    """Whether the next piece is the first one. It is no part of the contract; who does not have it is asked until 0."""
    cleaning = getattr(store, "_cleaning", None)
    if cleaning is not None:  # Redis: a cursor for each server, and the next of the feeds
        return not any(cleaning._scanned.values()) and not cleaning._trimmed
    return not getattr(store, "_purged_upto", None)
