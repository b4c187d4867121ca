"""Sessions in the memory of one process: for tests and for trying things out. A restart logs everyone out."""

from collections.abc import Mapping
from dataclasses import replace

from ..sessions import Device, Session
from .base import Advance


class MemoryStore:
    """A :class:`SessionStore` in dictionaries. No method awaits anything, so each is atomic in its event loop."""

    def __init__(self) -> None:
        self._rows: dict[str, Session] = {}
        self._of_subject: dict[str, set[str]] = {}

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do; the sessions stay for as long as the object lives."""

    async def add(self, session: Session) -> None:
        """See :meth:`SessionStore.add`."""
        if session.id in self._rows:
            raise ValueError("a session with this id exists")
        self._rows[session.id] = session
        self._of_subject.setdefault(session.subject, set()).add(session.id)

    async def get(self, session_id: str) -> Session | None:
        """See :meth:`SessionStore.get`."""
        return self._rows.get(session_id)

    async def advance(self, step: Advance) -> tuple[bool, Session | None]:
        """See :meth:`SessionStore.advance`."""
        row = self._rows.get(step.session_id)
        if (
            row is None
            or row.generation != step.expected
            or row.revoked_at is not None
            or row.expires_at <= step.now
            or row.binding not in step.bindings
        ):
            return False, row
        device = row.device
        self._rows[row.id] = moved = replace(
            row,
            generation=step.to,
            last_used_at=step.now,
            expires_at=min(step.expires_at, row.ends_at),
            device=Device(
                ip=device.ip if step.ip is None else step.ip,
                user_agent=device.user_agent if step.user_agent is None else step.user_agent,
            ),
            binding=row.binding if step.binding is None else step.binding,
            standing=row.standing if step.standing is None else step.standing,
        )
        return True, moved

    async def note_late(self, session_id: str, generation: int) -> bool:
        """See :meth:`SessionStore.note_late`."""
        row = self._rows.get(session_id)
        if row is None or row.revoked_at is not None or row.generation != generation or row.acknowledged >= generation:
            return False
        self._rows[session_id] = replace(row, late=generation)
        return True

    async def acknowledge(self, generations: Mapping[str, int]) -> None:
        """See :meth:`SessionStore.acknowledge`."""
        for session_id, generation in generations.items():
            row = self._rows.get(session_id)
            if row is not None and row.revoked_at is None and row.acknowledged < generation:
                self._rows[session_id] = replace(row, acknowledged=generation)

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        """See :meth:`SessionStore.revoke`."""
        row = self._rows.get(session_id)
        if row is None or row.revoked_at is not None:
            return False
        self._rows[session_id] = replace(row, revoked_at=now, revoked_reason=reason)
        return True

    async def revoke_subject(
        self, subject: str, *, reason: str, now: float, keep: str | None = None
    ) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revoke_subject`."""
        return [
            (session_id, self._rows[session_id].expires_at)
            for session_id in self._of_subject.get(subject, ())
            if session_id != keep and await self.revoke(session_id, reason=reason, now=now)
        ]

    async def sessions(self, subject: str, *, now: float, most: int | None = None) -> list[Session]:
        """See :meth:`SessionStore.sessions`."""
        rows = [self._rows[session_id] for session_id in self._of_subject.get(subject, ())]
        live = sorted((row for row in rows if row.is_live(now)), key=lambda row: (row.created_at, row.id))
        return live if most is None else live[-most:]

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revocations`."""
        return [(r.id, r.revoked_at) for r in self._rows.values() if r.revoked_at is not None and r.revoked_at >= since]

    async def purge(self, before: float) -> int:
        """See :meth:`SessionStore.purge`."""
        old = [row for row in self._rows.values() if row.expires_at <= before]
        for row in old:
            del self._rows[row.id]
            siblings = self._of_subject[row.subject]
            siblings.discard(row.id)
            if not siblings:
                del self._of_subject[row.subject]
        return len(old)
