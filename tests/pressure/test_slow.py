"""Slow clients keep nobody waiting; those that are gone leave nothing behind, and lose nothing.

None is ended by us: how long a request may take is for the server to say, or for the proxy before it.
"""

import pytest

from .place import SERVERS, Place
from .slow import WAYS, gone_in_the_middle, is_back, is_calm, slow_clients, speed

_EACH, _TIMES, _GONE = 20, 60, 20
_FOR_EVER = {"uvicorn-h11": {*WAYS}, "uvicorn-httptools": {*WAYS}}
"""Which clients a server keeps waiting on as long as they like, within this test at least: bodies in each case."""
_BODIES = {"body of a login", "body of a refresh", "body in chunks"}


@pytest.mark.alone
@pytest.mark.case("J05")
@pytest.mark.parametrize("server", SERVERS)
def test_slow_clients_keep_nobody_waiting_and_leave_nothing_behind(place: Place) -> None:
    speed(place, 10)
    before = place.look()
    alone = speed(place, _TIMES)
    with slow_clients(place, _EACH) as clients:
        assert is_calm(before.pid), "whoever is not read from, or says nothing, is work"
        beside = speed(place, _TIMES, clients.drip)
        held, meanwhile = clients.still_open(), place.look()
    assert beside["cpu"] < 3 * alone["cpu"] + 2, "each request costs more while others are slow"
    assert {way for way, number in held.items() if number == _EACH} >= _FOR_EVER.get(place.server, _BODIES)
    assert meanwhile.tasks - before.tasks >= 3 * _EACH, "they were not slow enough to be there"
    assert meanwhile.store["add"] == meanwhile.store["advance"] == 2 * _TIMES + 10, "who is slow reaches no store"
    assert is_back(place, before), place.look()


@pytest.mark.case("J05", "H21")
@pytest.mark.parametrize("server", SERVERS)
def test_who_hangs_up_in_the_middle_loses_no_session(place: Place) -> None:
    """The old token is good for another try; half a login begins no session."""
    place.login("warm")
    place.ask("POST", "/auth/refresh")
    before = place.look()
    found = gone_in_the_middle(place, _GONE)
    assert (found.kept, found.logins) == (_GONE, 0), found.examples
    if place.server.startswith("uvicorn"):
        assert found.late > 0, "no refresh was done whose client was gone"
    assert is_back(place, before), place.look()
    assert "Traceback" not in place.log()
