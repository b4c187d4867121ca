"""Places: what is one, what it is called, how far two of them are apart."""

from math import inf, nan, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware.places import CarefulLocator, Location, distance

BERLIN = Location(latitude=52.52, longitude=13.405, city="Berlin", country="DE")
SYDNEY = Location(latitude=-33.8688, longitude=151.2093)
LONDON = Location(latitude=51.5074, longitude=-0.1278)
NEW_YORK = Location(latitude=40.7128, longitude=-74.006)
HALF_WAY_ROUND = pi * 6371.0088
everywhere = st.builds(Location, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180))


def at(latitude, longitude):
    return Location(latitude=latitude, longitude=longitude)


@pytest.mark.parametrize(
    ("one", "two", "kilometres"),
    [
        (BERLIN, LONDON, 932),
        (LONDON, NEW_YORK, 5570),
        (BERLIN, SYDNEY, 16089),
        (at(0, 0), at(0, 1), 111.2),
        (at(60, 0), at(60, 1), 55.6),  # meridians come together
        (at(0, 0), at(1, 0), 111.2),
    ],
)
def test_known_distances(one, two, kilometres):
    assert distance(one, two) == pytest.approx(kilometres, rel=2e-3)


def test_over_the_date_line_is_the_short_way():
    assert distance(at(0, 179.5), at(0, -179.5)) == pytest.approx(111.2, rel=1e-3)
    assert distance(at(-17, 180), at(-17, -180)) == pytest.approx(0, abs=1e-6)


def test_antipodes():
    for one, two in ((at(0, 0), at(0, 180)), (at(90, 0), at(-90, 0)), (at(37.1, -122.3), at(-37.1, 57.7))):
        assert distance(one, two) == pytest.approx(HALF_WAY_ROUND)


def test_all_meridians_meet_at_the_poles():
    assert distance(at(90, 12), at(90, -100)) == pytest.approx(0, abs=1e-6)
    assert distance(at(-90, 12), at(0, 50)) == pytest.approx(HALF_WAY_ROUND / 2)


@given(everywhere, everywhere)
def test_any_two_places_have_a_distance(one, two):
    there = distance(one, two)
    assert 0 <= there <= HALF_WAY_ROUND * (1 + 1e-12)
    assert there == pytest.approx(distance(two, one), abs=1e-6)
    assert distance(one, one) == 0


@pytest.mark.parametrize("degrees", [90.001, -90.001, 1000, inf, -inf, nan])
def test_latitudes_end_at_the_poles(degrees):
    with pytest.raises(ValueError, match=r"^latitude must be from -90 to 90 degrees, not "):
        at(degrees, 0)


@pytest.mark.parametrize("degrees", [180.001, -180.001, 1000, inf, -inf, nan])
def test_longitudes_end_at_the_date_line(degrees):
    with pytest.raises(ValueError, match=r"^longitude must be from -180 to 180 degrees, not "):
        at(0, degrees)


def test_the_ends_of_the_ranges_are_in_them():
    assert [at(90, 180).latitude, at(-90, -180).longitude] == [90, -180]


@pytest.mark.parametrize(
    ("city", "country", "name"),
    [
        ("Berlin", "DE", "Berlin, DE"),
        (None, "DE", "DE"),
        ("Berlin", None, "Berlin"),
        (None, None, None),
        ("", "", None),
    ],
)
def test_names(city, country, name):
    assert Location(latitude=1, longitude=2, city=city, country=country).name == name


def test_a_locator_that_raises_knows_no_place(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def locate(self, ip: str) -> Location | None:
            raise OSError("the database is gone")

    careful = CarefulLocator(Broken())
    assert [careful.locate("203.0.113.7") for _ in range(3)] == [None] * 3
    assert caplog.text.count("the locator failed: OSError") == 1
