"""E21: five hundred users at once, each on a connection that is kept, and none is told of another."""

import pytest

from .crowd import ACTIONS, run_crowd
from .place import SERVERS, Place

_USERS, _REQUESTS = 500, 5


@pytest.mark.case("E21", "E20")
@pytest.mark.parametrize("server", SERVERS)
def test_nobody_is_told_of_somebody_else(place: Place) -> None:
    crowd = run_crowd(place, _USERS, _REQUESTS, seed=20_261_128)
    assert crowd.mixed == crowd.wrong == 0, crowd.examples
    assert crowd.reconnected <= _USERS // 10, "the connections are to be kept"
    assert {*crowd.asked} == {*ACTIONS}
    assert crowd.after is not None
    assert crowd.after.calls - crowd.before.calls == crowd.asked["echo"], "the app saw nothing that was refused"
    assert crowd.after.most >= 20, "they were not there at the same time"
