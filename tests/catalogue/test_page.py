"""The tables of docs/security.md: what a run must have for them to be made, and what stands in them."""

from typing import Any

import pytest

from .advisories import ADVISORIES
from .cases import CASES
from .page import faults, page_with, tally
from .standards import DUTIES

_PARTS = ("summary", "cases", "advisories", "standards")
_PAGE = "".join(
    f"text\n<!-- {one}: made by python -m tests.catalogue -->\nSTALE\n<!-- end of {one} -->\n" for one in _PARTS
)


def _test(*cases: str, outcome: str = "passed", server: str | None = None, algorithm: str = "HS256") -> dict[str, Any]:
    return {"cases": [*cases], "outcome": outcome, "server": server, "algorithm": algorithm}


@pytest.fixture
def run() -> dict[str, dict[str, Any]]:
    """As short as a run can be."""
    made = {f"tests/x.py::test_of[{case.id}]": _test(case.id) for case in CASES if not case.missing}
    made |= {one: _test() for duty in DUTIES for one in duty.held_by if "::" in one}
    return made | {one: _test() for advisory in ADVISORIES for one in advisory.tests}


def test_a_whole_run_has_no_faults(run: dict[str, dict[str, Any]]) -> None:
    assert faults(run) == []


def test_each_thing_that_is_missing_is_named(run: dict[str, dict[str, Any]]) -> None:
    del run["tests/x.py::test_of[A01]"]
    held = next(one for duty in DUTIES for one in duty.held_by if "::" in one)
    ours = next(one for advisory in ADVISORIES for one in advisory.tests)
    del run[held], run[ours]
    run |= {"tests/x.py::test_a": _test("B01", outcome="failed"), "tests/x.py::test_b": _test("Z01")}
    run["tests/x.py::test_c"] = _test(next(case.id for case in CASES if case.missing))
    found = "\n".join(faults(run))
    assert "A01 " in found
    assert "test_a: failed" in found
    assert "no case Z01" in found
    assert "is said to be missing, and a test of it ran" in found
    assert f"{held} did not run" in found
    assert any(one.ids[0] in found for one in ADVISORIES if ours in one.tests)


def test_numbers_are_told_by_place(run: dict[str, dict[str, Any]]) -> None:
    run |= {f"tests/x.py::test_{n}": _test("A01", server="granian", algorithm="ES256") for n in range(3)}
    run["tests/x.py::test_z"] = _test("A01", server="granian", outcome="failed")
    counts = tally(run, "A01")
    assert (str(counts[None]), str(counts["granian"])) == ("1", "**1 of 4 failed**")


def test_only_the_parts_that_are_made_change(run: dict[str, dict[str, Any]]) -> None:
    page = page_with(_PAGE, run)
    assert page.count("text\n") == len(_PARTS)
    assert "STALE" not in page
    assert all(f"| {case.id} |" in page for case in CASES)
    assert page_with(page, run) == page
    run["tests/x.py::test_more"] = _test("A01", server="hypercorn")
    assert page_with(page, run) != page


def test_a_page_without_a_place_for_a_table_is_an_error(run: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="standards"):
        page_with(_PAGE.replace("end of standards", ""), run)
