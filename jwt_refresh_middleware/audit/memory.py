"""An audit log in memory: for tests, and for trying things out."""

from collections.abc import Sequence
from datetime import timedelta

from . import AuditEntry


class MemoryAudit:
    """An :class:`AuditLog` of one process that ends with it.

    Attributes:
        keep: as in :class:`AuditLog`.
        everything: as in :class:`AuditLog`.
    """

    def __init__(self, most: int = 10_000, *, keep: timedelta | None = None, everything: bool = False) -> None:
        """An empty log.

        Args:
            most: how many entries are kept; of more, those written first are dropped. Default 10 000.
            keep: how long entries are kept. Default: until there are too many.
            everything: whether ``rotated`` and ``repeated`` are kept too. Default False.
        """
        self.keep = keep
        self.everything = everything
        self._most = most
        self._kept: dict[str, AuditEntry] = {}

    def __repr__(self) -> str:
        return f"MemoryAudit({self._most})"

    async def open(self) -> None:
        """See :meth:`AuditLog.open`."""

    async def close(self) -> None:
        """See :meth:`AuditLog.close`. The entries stay."""

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        """See :meth:`AuditLog.write`."""
        for entry in entries:
            self._kept.setdefault(entry.id, entry)
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    async def entries(
        self,
        *,
        subject: str | None = None,
        session_id: str | None = None,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        most: int = 100,
    ) -> list[AuditEntry]:
        """See :meth:`AuditLog.entries`."""
        found = [
            entry
            for entry in self._kept.values()
            if (subject is None or entry.subject == subject)
            and (session_id is None or entry.session_id == session_id)
            and (name is None or entry.name == name)
            and (since is None or entry.at >= since)
            and (until is None or entry.at < until)
        ]
        return sorted(found, key=lambda entry: (entry.at, entry.id), reverse=True)[:most]

    async def purge(self, before: float) -> int:
        """See :meth:`AuditLog.purge`. All at once."""
        over = [entry.id for entry in self._kept.values() if entry.at <= before]
        for ident in over:
            del self._kept[ident]
        return len(over)
