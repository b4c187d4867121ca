"""What each case cost: refreshes answered, asked for, taken for a theft, and sessions that ended by themselves.

``at_the_end`` is how many refreshes were asked for when the token ended, without those of pages that were loaded.
"""

from collections.abc import Iterable, Iterator

import pytest

NAMES = ("at_the_end", "refreshes", "asked", "reuse", "logouts")


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
