"""Makes tables of a run: what was tried, where, and what came of it; which duty of a standard is held by what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .advisories import ADVISORIES, Advisory
from .cases import CASES, GROUPS, Case
from .standards import DUTIES

PLACES: Mapping[str | None, str] = {
    None: "in process",
    "uvicorn-h11": "h11",
    "uvicorn-httptools": "httptools",
    "hypercorn": "hypercorn",
    "granian": "granian",
}
"""The columns of the table: the server that a test ran on, and how the column is called."""

_IDS = {case.id for case in CASES}

Run = Mapping[str, Mapping[str, Any]]
"""What ``--run-record`` wrote: for each node id its outcome, cases, server and algorithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the tests of one case ended in one place."""

    passed: int = 0
    failed: int = 0

    def __str__(self) -> str:
        if self.failed:
            return f"**{self.failed} of {self.passed + self.failed} failed**"
        return f"{self.passed}" if self.passed else "-"


def tally(run: Run, case: str) -> dict[str | None, Tally]:
    """The tests of a case by the place where they ran."""
    counts: dict[str | None, Tally] = {}
    for test in run.values():
        if case in test["cases"]:
            before = counts.get(test["server"], Tally())
            passed = test["outcome"] == "passed"
            counts[test["server"]] = Tally(passed=before.passed + passed, failed=before.failed + (not passed))
    return counts


def faults(run: Run) -> list[str]:
    """What keeps the page from being written: cases and duties that nothing holds, tests that did not pass."""
    found = [f"{nodeid}: {test['outcome']}" for nodeid, test in run.items() if test["outcome"] != "passed"]
    for case in CASES:
        tried = any(count.passed for count in tally(run, case.id).values())
        if tried == bool(case.missing):
            found.append(f"{case.id} {case.title}: {'is said to be missing, and a' if tried else 'no'} test of it ran")
    named = {(nodeid, one) for nodeid, test in run.items() for one in test["cases"]}
    found += sorted(f"{nodeid}: there is no case {one}" for nodeid, one in named if one not in _IDS)
    functions = {nodeid.partition("[")[0] for nodeid in run}
    for duty in DUTIES:
        held = [one for one in duty.held_by if "::" in one]
        found += [f"{duty.standard} {duty.section}: {one} did not run" for one in held if one not in functions]
    found += [f"{_names(one)}: no test of it ran" for one in ADVISORIES if not one.note and not _tests_of(run, one)]
    return found


def summary(run: Run) -> str:
    """One paragraph of figures."""
    tests = sum(bool(test["cases"]) for test in run.values())
    missing = [case for case in CASES if case.missing]
    otherwise = [case for case in CASES if case.deviation and not case.missing]
    held = len(CASES) - len(missing)
    parts = [
        f"{len(CASES)} cases: {held} hold, shown by {tests} tests, and {len(missing)} belong to parts that are not "
        f"built yet ({_list(missing)}).",
        f"In {len(otherwise)} of those that hold we answer otherwise than the catalogue asked for at first; the table "
        f"says why ({_list(otherwise)}).",
    ]
    return " ".join(parts)


def _list(cases: Iterable[Case]) -> str:
    return ", ".join(case.id for case in cases)


def cases_table(run: Run) -> list[str]:
    """A table for each group."""
    lines = []
    for letter, name in GROUPS.items():
        columns = ["case", "what is sent", "expected", *PLACES.values(), "with"]
        lines += [f"#### {letter}. {name}", "", _row(columns), _row("---" for _ in columns)]
        lines += [_case(run, case) for case in CASES if case.id[0] == letter]
        lines.append("")
    return lines


def _case(run: Run, case: Case) -> str:
    sent = f"**{case.title}**: {case.sent}"
    if case.missing:
        return _row([case.id, sent, f"*not built: {case.missing}*", *("-" for _ in PLACES), "-"])
    expected = f"{case.expected} *Otherwise than asked: {case.deviation}*" if case.deviation else case.expected
    counts = tally(run, case.id)
    used = {test["algorithm"] for test in run.values() if case.id in test["cases"]}
    algorithms = "all" if len(used) == 4 else ", ".join(sorted(used))
    return _row([case.id, sent, expected, *(str(counts.get(place, Tally())) for place in PLACES), algorithms])


def advisories_table(run: Run) -> list[str]:
    """Which test each published mistake of others has left behind."""
    columns = ["advisory", "of", "what it teaches", "cases", "tests"]
    lines = [_row(columns), _row("---" for _ in columns)]
    for one in ADVISORIES:
        tests = f"{len(_tests_of(run, one))}" if not one.note else f"*{one.note}*"
        lines.append(_row([_names(one), one.product, one.lesson, " ".join(one.cases) or "-", tests]))
    return lines


def standards_table() -> list[str]:
    """Each duty with what holds it."""
    columns = ["standard", "section", "duty", "held by"]
    lines = [_row(columns), _row("---" for _ in columns)]
    for duty in DUTIES:
        held = [one if "::" not in one else f"`{one.rpartition('/')[2]}`" for one in duty.held_by]
        words = ", ".join(held) + (f" *{duty.note}*" if duty.note else "")
        lines.append(_row([duty.standard, duty.section, duty.duty, words.strip()]))
    return lines


def _tests_of(run: Run, advisory: Advisory) -> list[str]:
    functions = set(advisory.tests)
    return [nodeid for nodeid in run if nodeid.partition("[")[0] in functions]


def _names(advisory: Advisory) -> str:
    return ", ".join(advisory.ids) or "-"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page_with(page: str, run: Run) -> str:
    """The page with its generated parts made anew; what is written by hand stays."""
    parts = {
        "summary": [summary(run)],
        "cases": cases_table(run),
        "advisories": advisories_table(run),
        "standards": standards_table(),
    }
    for name, lines in parts.items():
        begin, end = f"<!-- {name}: made by python -m tests.catalogue -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the page has no part {begin} … {end}")
        page = "\n".join([before + begin, "", *lines, *([] if lines[-1] == "" else [""]), end + after])
    return page
