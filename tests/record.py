"""What a run of the tests says of the attack catalogue: which test belongs to which case, where it ran, how it ended.

A test belongs to a case by its name (``test_a14_…``), by the id of a parameter (``[E05-0]``), both only in
``tests/catalogue``, or by the mark ``@pytest.mark.case("H07")``, anywhere. ``--run-record FILE`` writes what
``python -m tests.catalogue FILE`` makes a table of.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .catalogue.standards import DUTIES

_IN_A_NAME = re.compile(r"(?<![A-Za-z0-9])([A-Ja-j](?:0[1-9]|1[0-9]|2[0-5]))(?![0-9A-Za-z])")
_SERVERS = {
    "uvicorn-h11": "uvicorn-h11",
    "uvicorn-httptools": "uvicorn-httptools",
    "uvicorn-websockets": "uvicorn-httptools",  # tests of sockets, where httptools reads the handshake
    "uvicorn-wsproto": "uvicorn-httptools",
    "hypercorn": "hypercorn",
    "granian": "granian",
}
_UNDER = re.compile(r"_under_(EdDSA|ES256|RS256)")
_CASES = "catalogue_cases"
_ALGORITHM = "catalogue_algorithm"
_OF_STANDARDS = {one for duty in DUTIES for one in duty.held_by if "::" in one}


def cases_of(item: pytest.Item) -> list[str]:
    """The ids of the cases that a test is about, sorted."""
    marked = {case for mark in item.iter_markers("case") for case in mark.args}
    if "catalogue" in item.path.parts:
        name = item.name.replace("uvicorn-h11", "").replace("_", "-")
        marked |= {found.upper() for found in _IN_A_NAME.findall(name)}
    return sorted(marked)


def algorithm_of(item: pytest.Item) -> str:
    """What tokens are signed with in a test: the end of its name says so, or its parameter ``algorithm``."""
    if found := _UNDER.search(item.name):
        return found[1]
    given = getattr(getattr(item, "callspec", None), "params", {}).get("algorithm")
    return given if isinstance(given, str) else "HS256"


class Recorder:
    """Notes how each test ended; with several processes, the one that distributes the tests does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        known = self._tests.setdefault(
            report.nodeid, {"outcome": "passed", "cases": [], "algorithm": "HS256", "seconds": 0}
        )
        said = dict(report.user_properties)
        known["cases"] = said.get(_CASES, known["cases"])
        known["algorithm"] = said.get(_ALGORITHM, known["algorithm"])
        known["seconds"] = round(known["seconds"] + report.duration, 3)
        if report.outcome != "passed" and known["outcome"] != "failed":
            known["outcome"] = report.outcome

    def pytest_sessionfinish(self) -> None:
        for nodeid, known in self._tests.items():
            known["server"] = next((server for text, server in _SERVERS.items() if text in nodeid), None)
        self._path.write_text(json.dumps(self._tests, indent=0))


def add_option(parser: pytest.Parser) -> None:
    parser.addoption("--run-record", type=Path, default=None, help="where to write how the tests ended")


def configure(config: pytest.Config) -> None:
    path = config.getoption("--run-record")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(path.absolute()), "run-record")


def mark(items: list[pytest.Item]) -> None:
    """Give each test of a case or a standard its mark, so that ``-m "case or standard"`` selects what the docs show."""
    for item in items:
        if item.nodeid.partition("[")[0] in _OF_STANDARDS:
            item.add_marker(pytest.mark.standard)
        cases = cases_of(item)
        if cases:
            item.user_properties += [(_CASES, cases), (_ALGORITHM, algorithm_of(item))]
            item.add_marker(pytest.mark.case(*cases))
