"""Places from a database, which is written here: no address in it is anybody's."""

import sys
from importlib import import_module
from time import perf_counter

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from jwt_refresh_middleware.geoip import GeoIP2Locator
from jwt_refresh_middleware.places import Location

LONDON = {
    "city": {"names": {"en": "London", "fr": "Londres"}},
    "country": {"iso_code": "GB"},
    "location": {"latitude": 51.5142, "longitude": -0.0931},
}
SOMEWHERE_IN_SPAIN = {"country": {"iso_code": "ES"}, "location": {"latitude": 40.4, "longitude": -3.7}}
AT_SEA = {"location": {"latitude": 0.0, "longitude": 0.0}}
ENTRIES = {
    "203.0.113.0/24": LONDON,
    "2001:db8:1::/48": LONDON,
    "2001:db8:2::/48": SOMEWHERE_IN_SPAIN,
    "198.51.100.0/25": AT_SEA,
    "198.51.100.128/26": {"city": {"names": {"en": "Nowhere"}}, "country": {"iso_code": "DE"}},
    "198.51.100.192/27": {"location": {"latitude": 1.0}},
    "198.51.100.224/27": {"location": {"longitude": 1.0}},
}
DAMAGED = {
    "192.0.2.0/28": {"location": {"latitude": 900.0, "longitude": 1.0}},
    "192.0.2.16/28": {"location": {"latitude": "north", "longitude": 1.0}},
    "192.0.2.32/28": {"location": [1.0, 2.0]},
    "192.0.2.48/28": "no entry at all",
    "192.0.2.64/28": {"city": "London", "location": {"latitude": 1.0, "longitude": 1.0}},
}


def written(path, entries=ENTRIES, *, kind="GeoLite2-City", version=6):
    writer = MMDBWriter(version, kind, ipv4_compatible=version == 6)
    for net, entry in entries.items():
        writer.insert_network(IPSet([net]), entry)
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return written(tmp_path_factory.mktemp("geoip") / "city.mmdb")


@pytest.fixture
def locator(database):
    with GeoIP2Locator(database) as opened:
        yield opened


def test_a_town(locator):
    expected = Location(latitude=51.5142, longitude=-0.0931, city="London", country="GB")
    assert locator.locate("203.0.113.77") == expected
    assert locator.locate("2001:db8:1::5") == expected


def test_a_country_without_a_town(locator):
    assert locator.locate("2001:db8:2::5") == Location(latitude=40.4, longitude=-3.7, country="ES")


def test_zero_is_a_coordinate(locator):
    assert locator.locate("198.51.100.1") == Location(latitude=0, longitude=0)


@pytest.mark.parametrize("ip", ["::ffff:203.0.113.77", "::FFFF:cb00:714d", "2001:DB8:1:0::5", "2001:db8:1::5%eth0"])
def test_other_spellings_of_an_address(locator, ip):
    assert locator.locate(ip).name == "London, GB"


@pytest.mark.parametrize("ip", ["198.51.100.129", "198.51.100.193", "198.51.100.225"])
def test_entries_without_both_coordinates_are_no_places(locator, ip):
    assert locator.locate(ip) is None


@pytest.mark.parametrize("ip", ["192.0.2.1", "10.1.2.3", "127.0.0.1", "::1", "fe80::1%eth0", "192.168.1.1", "3fff::1"])
def test_unknown_and_private_addresses(locator, ip):
    assert locator.locate(ip) is None


NO_ADDRESSES = ("", " ", "localhost", "unix:/run/app.sock", "203.0.113", "203.0.113.077", "203.0.113.256", "3405803853")
NEARLY = (
    "203.0.113.77 ",
    "203.0.113.77\x00",
    "203.0.113.77:443",
    "[2001:db8:1::5]",
    "2001:db8:1::5::",
    "%eth0",
    "\ud800",
)


@pytest.mark.parametrize("ip", [*NO_ADDRESSES, *NEARLY, "9" * 4000])
def test_what_is_no_address(locator, ip):
    assert locator.locate(ip) is None


@pytest.mark.parametrize("ip", [net.replace("/28", "") for net in DAMAGED])
def test_damaged_entries_are_no_places(tmp_path, ip):
    with GeoIP2Locator(written(tmp_path / "damaged.mmdb", DAMAGED)) as locator:
        assert locator.locate(ip) is None


def test_towns_in_another_language(database):
    with GeoIP2Locator(str(database), locales=["fr", "en"]) as locator:
        assert locator.locate("203.0.113.77").city == "Londres"


def test_ipv6_in_a_database_of_ipv4_only(tmp_path):
    path = written(tmp_path / "four.mmdb", {"203.0.113.0/24": LONDON}, version=4)
    with GeoIP2Locator(path) as locator:
        assert (locator.locate("2001:db8:1::5"), locator.locate("203.0.113.77").city) == (None, "London")


def test_other_makers_of_city_databases(tmp_path):
    with GeoIP2Locator(written(tmp_path / "other.mmdb", kind="DBIP-City-Lite")) as locator:
        assert locator.locate("203.0.113.77").city == "London"


@pytest.mark.parametrize("kind", ["GeoLite2-ASN", "GeoLite2-Country"])
def test_databases_of_another_kind(tmp_path, kind):
    path = written(tmp_path / "other.mmdb", {"203.0.113.0/24": {"autonomous_system_number": 64500}}, kind=kind)
    with pytest.raises(ValueError, match=rf"other\.mmdb is a {kind} database; places need one of the kind City$"):
        GeoIP2Locator(path)


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.mmdb"):
        GeoIP2Locator(tmp_path / "nothing.mmdb")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xab\xcd\xefMaxMind.com", b"\x00" * 100_000])
def test_no_database(tmp_path, content):
    path = tmp_path / "text.mmdb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"text\.mmdb is not a MaxMind DB file$"):
        GeoIP2Locator(path)


def test_once_closed_it_finds_nothing(database):
    with GeoIP2Locator(database) as locator:
        assert locator.locate("203.0.113.77") is not None
    assert locator.locate("203.0.113.77") is None
    locator.close()


def test_what_was_found_is_remembered_for_4096_addresses(locator):
    first = locator.locate("203.0.113.77")
    for number in range(4095):
        locator.locate(f"2001:db8:1::{number:x}")
    assert locator.locate("::ffff:203.0.113.77") is first
    for number in range(4096):
        locator.locate(f"2001:db8:1::1:{number:x}")
    assert locator.locate("203.0.113.77") is not first


def test_an_address_that_is_remembered_costs_next_to_nothing(locator):
    def seconds(ips):
        began = perf_counter()
        for ip in ips:
            locator.locate(ip)
        return perf_counter() - began

    addresses = [f"2001:db8:1::{number:x}" for number in range(2000)]
    assert seconds(addresses) > 2 * seconds(addresses)


def test_the_library_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "geoip2", None)
    monkeypatch.setitem(sys.modules, "geoip2.database", None)
    monkeypatch.delitem(sys.modules, "jwt_refresh_middleware.geoip")
    with pytest.raises(ImportError, match=r"pip install 'jwt-refresh-middleware\[geoip\]'$"):
        import_module("jwt_refresh_middleware.geoip")
