"""The table of cases: that it is whole, that it says what the contract says, and what has no test."""

import re
from collections import Counter

import pytest

from ..web.problems import TABLE
from .cases import CASES, GROUPS, Case, without_a_test

SIZES = {"A": 17, "B": 12, "C": 9, "D": 7, "E": 21, "F": 11, "G": 11, "H": 25, "I": 15, "J": 7}
NOT_BUILT = ["I04", "I05", "I06", "I07", "I08", "I09", "I10", "I13", "I14"]
_EXAMPLE = re.compile(r"`(\w+)`")
_OTHER_NAMES = {"auth_time", "reuse_detected", "generation_ahead", "acr_values", "max_age", "max_lifetime"}


def test_these_are_the_135_cases() -> None:
    assert sum(SIZES.values()) == 135
    assert [case.id for case in CASES] == [
        f"{group}{n:02}" for group, size in SIZES.items() for n in range(1, size + 1)
    ]
    assert list(GROUPS) == list(SIZES)
    assert Counter(case.id for case in CASES).most_common(1)[0][1] == 1


def test_the_parts_that_do_not_exist_are_these() -> None:
    assert [case.id for case in CASES if case.missing] == NOT_BUILT


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)  # by its id it would be a test of the case
def test_a_case_is_told_in_words_of_a_table(case: Case) -> None:
    told = {"title": case.title, "sent": case.sent, "expected": case.expected}
    assert all(told.values())
    for text in (*told.values(), case.deviation, case.missing):
        assert text == text.strip()
        assert text.isprintable(), "one line"
        assert text.count("`") % 2 == 0
    assert case.sent.endswith(".")
    assert case.expected.endswith(".")
    assert not case.deviation.endswith(".")
    assert not (case.deviation and case.missing)
    codes = [name for name in _EXAMPLE.findall(case.expected) if "_" in name]
    if not case.missing:
        assert set(codes) <= {*TABLE, *_OTHER_NAMES}


_WITH_STATUS = re.compile(r"([45]\d\d) `(\w+)`")


def test_each_code_is_told_with_its_own_status() -> None:
    told = [found for case in CASES if not case.missing for found in _WITH_STATUS.findall(case.expected)]
    assert len(told) > 60
    assert [(int(status), code) for status, code in told] == [(TABLE[code].status, code) for _, code in told]


def test_a_case_without_a_test_is_named() -> None:
    built = [case.id for case in CASES if not case.missing]
    assert without_a_test([]) == built
    assert without_a_test(built) == []
    assert without_a_test([one for one in built if one not in ("A01", "J07")]) == ["A01", "J07"]
