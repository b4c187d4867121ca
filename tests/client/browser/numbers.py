"""What each case cost: refreshes answered, refreshes asked for, reuses, sessions that ended by themselves."""

from collections.abc import Iterable, Iterator

import pytest

NAMES = ("refreshes", "asked", "reuse", "logouts")


def numbers_of(reports: Iterable[object]) -> dict[str, dict[str, int]]:
    """By the name of the test; only of tests that count."""
    found = {}
    for report in reports:
        if not isinstance(report, pytest.TestReport) or report.when != "teardown":
            continue
        if numbers := {name: value for name, value in report.user_properties if name in NAMES}:
            found[report.nodeid.rpartition("::")[2]] = numbers
    return found


def lines_of(reports: Iterable[object]) -> Iterator[str]:
    for name, numbers in numbers_of(reports).items():
        yield f"{name}: " + ", ".join(f"{number} {what}" for what, number in numbers.items())
