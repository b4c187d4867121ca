"""Faults to seed into a server's store, each a mistake that somebody has shipped: the harness must find every one."""

import asyncio
from dataclasses import replace
from itertools import count

from jwt_refresh_middleware import Session, SessionStore
from jwt_refresh_middleware.stores.base import Advance

FAULTS = {
    "no-compare": "a rotation increments the generation, whatever it is",
    "read-modify-write": "20 ms between reading the generation and writing it",
    "loser-refused": "who loses the race is told that there is no such session",
    "forgets": "every seventh rotation is answered and not written",
    "revoke-nothing": "the end of a session is answered and not written",
    "forgiving": "the leeway is an hour",
}


def seed(name: str, store: SessionStore) -> None:
    """Put the fault into ``store``; ``forgiving`` is an option of the issuer, and is set there."""
    if name == "revoke-nothing":
        store.revoke = _revoke_nothing  # type: ignore[method-assign]
    elif name != "forgiving":
        store.advance = _Advancing(name, store)  # type: ignore[method-assign]


async def _revoke_nothing(session_id: str, *, reason: str, now: float) -> bool:
    return True


class _Advancing:
    def __init__(self, name: str, store: SessionStore) -> None:
        self._how = getattr(self, f"_{name.replace('-', '_')}")
        self._get, self._advance = store.get, store.advance
        self._numbers = count(1)

    async def __call__(self, step: Advance) -> tuple[bool, Session | None]:
        answer: tuple[bool, Session | None] = await self._how(step)
        return answer

    async def _no_compare(self, step: Advance) -> tuple[bool, Session | None]:
        return await self._whatever_is_there(step, None)

    async def _read_modify_write(self, step: Advance) -> tuple[bool, Session | None]:
        row = await self._get(step.session_id)
        if row is None or row.generation != step.expected:
            return False, row
        await asyncio.sleep(0.02)
        return await self._whatever_is_there(step, step.to)

    async def _whatever_is_there(self, step: Advance, to: int | None) -> tuple[bool, Session | None]:
        """The write of a store that has no condition on the generation."""
        while True:
            row = await self._get(step.session_id)
            if row is None or row.revoked_at is not None:
                return False, row
            current = row.generation
            won, row = await self._advance(replace(step, expected=current, to=current + 1 if to is None else to))
            if won:
                return won, row

    async def _loser_refused(self, step: Advance) -> tuple[bool, Session | None]:
        won, row = await self._advance(step)
        return won, row if won else None

    async def _forgets(self, step: Advance) -> tuple[bool, Session | None]:
        row = await self._get(step.session_id)
        if row is not None and row.generation == step.expected and next(self._numbers) % 7 == 0:
            return True, replace(row, generation=step.to, last_used_at=step.now)
        return await self._advance(step)
