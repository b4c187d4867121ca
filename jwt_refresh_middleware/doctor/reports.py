"""A report as text and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .examination import Report
from .findings import Severity

_HEADINGS: dict[Severity, str] = {"error": "Errors", "warning": "Warnings", "info": "Worth knowing"}


def as_lines(report: Report) -> Iterator[str]:
    """For people: by severity, a line for each finding and one for what to do."""
    for severity, heading in _HEADINGS.items():
        if not report.count(severity):
            continue
        yield f"{heading}:"
        for finding in report.findings:
            if finding.severity == severity:
                yield f"  {finding.check}: {finding.summary} ({finding.where})"
                yield f"      {finding.advice}"
        yield ""
    counted = f"{report.count('error')} errors, {report.count('warning')} warnings, {report.count('info')} notes"
    yield f"{report.target}: {counted}" if report.findings else f"{report.target}: nothing found"


def as_json(report: Report) -> dict[str, Any]:
    """For programs: ``target``, ``middlewares``, the number of each severity, and ``findings``."""
    return {
        "target": report.target,
        "middlewares": [*report.middlewares],
        "errors": report.count("error"),
        "warnings": report.count("warning"),
        "infos": report.count("info"),
        "findings": [asdict(finding) for finding in report.findings],
    }
