"""``python -m tests.client.browser``: run the cases in Chromium; the last line is what each cost, as JSON."""

import json
import sys
from pathlib import Path

import pytest

from tests.client.browser.numbers import numbers_of


class Collected:
    def __init__(self) -> None:
        self.reports: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reports.append(report)


if __name__ == "__main__":
    collected = Collected()
    outcome = pytest.main([str(Path(__file__).parent), "-q", *sys.argv[1:]], plugins=[collected])
    print(json.dumps(numbers_of(collected.reports)))
    sys.exit(outcome)
