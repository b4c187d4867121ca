"""Checks and findings: what is looked for, and what was found."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found. It holds no secret, no hash of one, and no URL with a password.

    Attributes:
        check: the id of the :class:`Check` that found it.
        severity: ``error`` (it does not work, or lets in who should not come in), ``warning`` (it works, but not as
            safely or for as long as it seems) or ``info`` (worth knowing; nothing need be wrong).
        summary: what was found, in one line.
        advice: what to do, in one line.
        where: which part of the app it is about.
    """

    check: str
    severity: Severity
    summary: str
    advice: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is looked for; the page docs/doctor.md lists them all.

    Attributes:
        id: its name, ``group.what``.
        severity: of what it finds, unless a finding says otherwise.
        what: what it finds.
        why: what is bad about it.
        advice: what to do.
    """

    id: str
    severity: Severity
    what: str
    why: str
    advice: str

    def found(self, summary: str, where: str, *, severity: Severity | None = None) -> Finding:
        """It was found. ``severity``: default, the check's."""
        return Finding(
            check=self.id, severity=severity or self.severity, summary=summary, advice=self.advice, where=where
        )


_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Each finding once, the worst first; those of one severity in the order they were found."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: _ORDER[finding.severity]))
