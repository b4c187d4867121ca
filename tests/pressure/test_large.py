"""B11, B04: what is far too large is refused, and the server's memory stays within some megabytes."""

import pytest

from .large import bodies, headers, is_refused, send
from .place import SERVERS, Place
from .slow import is_back

_MEGABYTES = 24
_OF_HEADERS, _OF_BODIES = 96, 12
"""Megabytes: a server has a header whole before it refuses it, of 16 MB several times; of a body it keeps a little."""


@pytest.mark.alone
@pytest.mark.case("B11", "B04", "B09")
@pytest.mark.parametrize("server", SERVERS)
def test_what_is_far_too_large_is_refused_and_not_kept(place: Place) -> None:
    assert place.login("ann")
    before = place.look()
    for requests, most in ((bodies(_MEGABYTES), _OF_BODIES), (headers(), _OF_HEADERS)):
        for large in requests:
            held = place.look().vitals.rss
            place.peak(before.pid, reset=True)
            status = send(place, large)
            assert is_refused(large, status), (large.name, status)
            assert place.peak(before.pid) - held < most << 20, large.name
    assert is_back(place, before), place.look()
    after = place.look()
    assert (after.store, after.calls) == (before.store, before.calls)
    assert "Traceback" not in place.log()
