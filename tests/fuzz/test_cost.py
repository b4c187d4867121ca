"""No parser takes longer than it has to: sixteen times the input is not 256 times the time."""

import pytest

from .cost import LONGER, WORST, cost


@pytest.mark.alone
@pytest.mark.case("B04", "B09", "B11")
@pytest.mark.parametrize("name", WORST)
def test_the_worst_input_costs_what_it_is_long(name: str) -> None:
    found = cost(name)
    assert found.ratio < LONGER * 5, found
    assert found.seconds < 0.1


def test_what_is_quadratic_is_seen() -> None:
    def quadratic(data: bytes) -> None:
        for at in range(0, len(data), 32):
            data[at:].count(b"x")

    WORST["planted"] = (quadratic, lambda n: b"y" * n)
    try:
        assert cost("planted").ratio > LONGER * 5
    finally:
        del WORST["planted"]
