"""Refused requests by the thousand on kept connections: the server's memory and descriptors stay as they are."""

import pytest

from .place import Place
from .served_flood import served_flood

_MANY = 6_000


@pytest.mark.alone
@pytest.mark.case("J05", "H15")
@pytest.mark.parametrize("server", ["uvicorn-httptools"])
def test_a_server_that_refuses_grows_by_nothing(place: Place) -> None:
    found = served_flood(place, _MANY, seed=20_261_128)
    assert sum(found.answers.values()) == _MANY // 16 * 16
    assert found.unexpected == 0, found.answers
    assert found.reached == 0
    assert found.after.records == found.before.records
    assert found.after.tasks <= found.before.tasks + 1
    assert found.after.vitals.fds <= found.before.vitals.fds + 1
    assert found.rss_growth < 2 << 20
