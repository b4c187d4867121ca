"""What counts as the same device."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware import Device, DevicePolicy
from jwt_refresh_middleware.devices import address, agent_family, network
from jwt_refresh_middleware.sessions import Change
from tests.rotation.support import QUICK

_WEBKIT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_ANDROID = "Mozilla/5.0 (Linux; Android 16; SM-S938B) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox"),
        (f"{_IPHONE} FxiOS/140.0 Mobile/15E148 Safari/605.1.15", "Firefox"),
        (f"{_WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome"),
        (f"{_ANDROID} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome"),
        (f"{_IPHONE} CriOS/140.0.7339.101 Mobile/15E148 Safari/604.1", "Chrome"),
        (f"{_WEBKIT} HeadlessChrome/140.0.0.0 Safari/537.36", "Chrome"),
        (f"{_WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge"),
        (f"{_ANDROID} Chrome/140.0.0.0 Mobile Safari/537.36 EdgA/140.0.0.0", "Edge"),
        (f"{_IPHONE} Version/19.0 EdgiOS/140.0 Mobile/15E148 Safari/605.1.15", "Edge"),
        (f"{_WEBKIT} Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763", "Edge"),
        (f"{_WEBKIT} Chrome/140.0.0.0 Safari/537.36 OPR/124.0.0.0", "Opera"),
        ("Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18", "Opera"),
        (f"{_ANDROID} SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36", "Samsung Internet"),
        (f"{_WEBKIT} Chrome/138.0.0.0 Safari/537.36 Vivaldi/7.5", "Vivaldi"),
        (f"{_WEBKIT} Chrome/138.0.0.0 YaBrowser/25.8 Safari/537.36", "Yandex"),
        (f"{_IPHONE} Version/19.0 Mobile/15E148 Safari/604.1", "Safari"),
        ("python-httpx2/2.16.2", "python-httpx2"),
        ("curl/8.16.0", "curl"),
        ("okhttp/5.1.0 extra", "okhttp"),
        ("MyApp/3 (iPhone; iOS 19) Firefox/140.0", "MyApp"),
        ("MyApp", "MyApp"),
        ("Mozilla/5.0 (compatible; Something)", "Mozilla"),
        ("", ""),
        (None, ""),
    ],
)
def test_families(agent: str | None, family: str) -> None:
    assert agent_family(agent) == family


@pytest.mark.parametrize(
    ("ip", "one_spelling", "its_network"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("::FFFF:CB00:7107", "203.0.113.7", "203.0.113.0/24"),
        ("2001:DB8::1", "2001:db8::1", "2001:db8::/64"),
        ("2001:0db8:0:0:0:0:0:0001", "2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::9", "2001:db8::ffff:0:0:9", "2001:db8::/64"),
        ("2001:db8:0:1::9", "2001:db8:0:1::9", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("fe80::1%25wlan0", "fe80::1", "fe80::/64"),
        ("testclient", "testclient", "testclient"),
        ("/run/app.sock", "/run/app.sock", "/run/app.sock"),
        ("999.1.1.1", "999.1.1.1", "999.1.1.1"),
        ("a:b", "a:b", "a:b"),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_addresses(ip: str | None, one_spelling: str, its_network: str) -> None:
    assert address(ip) == one_spelling
    assert network(ip) == its_network


@QUICK
@given(st.ip_addresses(v=6))
def test_every_spelling_of_an_address_is_one(ip: object) -> None:
    exploded = ip.exploded  # type: ignore[attr-defined]
    assert address(str(ip)) == address(exploded.upper()) == address(f"{ip}%eth0")
    assert network(str(ip)) == network(exploded)


@QUICK
@given(st.text(max_size=60))
def test_any_text_has_a_family_and_a_network(text: str) -> None:
    assert isinstance(agent_family(text), str)
    assert isinstance(network(text), str)


OLD_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
NEW_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = f"{_WEBKIT} Chrome/140.0.0.0 Safari/537.36"
HOME = Device(ip="203.0.113.7", user_agent=OLD_FIREFOX)
NEIGHBOUR = Device(ip="203.0.113.8", user_agent=OLD_FIREFOX)
AWAY = Device(ip="198.51.100.1", user_agent=OLD_FIREFOX)
UPDATED = Device(ip="203.0.113.7", user_agent=NEW_FIREFOX)
OTHER = Device(ip="203.0.113.7", user_agent=CHROME)
NAMELESS = Device(ip="203.0.113.7")
NOWHERE = Device(user_agent=OLD_FIREFOX)
SAME, ALLOWED, DOUBTED, REFUSED, STOLEN = Change

_ROAMING, _STRICT, _OFF = DevicePolicy.roaming(), DevicePolicy.strict(), DevicePolicy.off()
_REVOKING = DevicePolicy(ip="exact", on_ip_change="revoke", user_agent="exact", on_user_agent_change="revoke")


@pytest.mark.parametrize(
    ("policy", "home", "neighbour", "away", "updated", "other", "nameless", "nowhere"),
    [
        (_ROAMING, SAME, SAME, ALLOWED, SAME, REFUSED, REFUSED, ALLOWED),
        (_STRICT, SAME, REFUSED, REFUSED, SAME, REFUSED, REFUSED, REFUSED),
        (_OFF, SAME, SAME, SAME, SAME, SAME, SAME, SAME),
        (DevicePolicy(on_ip_change="refuse"), SAME, SAME, REFUSED, SAME, REFUSED, REFUSED, REFUSED),
        (DevicePolicy(user_agent="exact"), SAME, SAME, ALLOWED, REFUSED, REFUSED, REFUSED, ALLOWED),
        (DevicePolicy(on_user_agent_change="allow"), SAME, SAME, ALLOWED, SAME, ALLOWED, ALLOWED, ALLOWED),
        (_REVOKING, SAME, STOLEN, STOLEN, STOLEN, STOLEN, STOLEN, STOLEN),
        (DevicePolicy(on_ip_change="step_up"), SAME, SAME, DOUBTED, SAME, REFUSED, REFUSED, DOUBTED),
        (DevicePolicy(on_user_agent_change="step_up"), SAME, SAME, ALLOWED, SAME, DOUBTED, DOUBTED, ALLOWED),
        (DevicePolicy(on_ip_change="refuse", ipv4_prefix=1), SAME, SAME, SAME, SAME, REFUSED, REFUSED, REFUSED),
        (DevicePolicy(on_ip_change="refuse", ipv4_prefix=32), SAME, REFUSED, REFUSED, SAME, REFUSED, REFUSED, REFUSED),
    ],
    ids=[
        "roaming",
        "strict",
        "off",
        "refuse-ip",
        "exact-agent",
        "allow-agent",
        "revoke",
        "step-up-ip",
        "step-up-agent",
        "wide",
        "narrow",
    ],
)
def test_policies_by_table(policy: DevicePolicy, home: Change, neighbour: Change, away: Change, updated: Change,
                           other: Change, nameless: Change, nowhere: Change) -> None:  # fmt: skip
    seen = (HOME, NEIGHBOUR, AWAY, UPDATED, OTHER, NAMELESS, NOWHERE)
    expected = [home, neighbour, away, updated, other, nameless, nowhere]
    assert [policy.compare(HOME, device) for device in seen] == expected


@pytest.mark.parametrize("policy", [_ROAMING, _STRICT, _REVOKING, DevicePolicy(user_agent="exact")])
def test_what_was_absent_at_login_is_not_compared(policy: DevicePolicy) -> None:
    assert policy.compare(NAMELESS, HOME) is SAME
    assert policy.compare(Device(), AWAY) is SAME
    assert policy.same_device(NAMELESS, OTHER)
    assert policy.compare(NOWHERE, AWAY) is SAME


def test_the_worse_of_agent_and_address_counts() -> None:
    thief = Device(ip="198.51.100.1", user_agent=CHROME)
    assert DevicePolicy(on_ip_change="revoke").compare(HOME, thief) is STOLEN
    assert DevicePolicy(on_user_agent_change="revoke").compare(HOME, thief) is STOLEN
    assert _ROAMING.compare(HOME, thief) is REFUSED


@pytest.mark.parametrize(
    "policy",
    [
        _ROAMING, _STRICT, _OFF, _REVOKING, DevicePolicy(user_agent="exact"),
        DevicePolicy(ip="off", concurrent_networks="step_up"), DevicePolicy(ipv4_prefix=32, on_ip_change="step_up"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bound", [HOME, AWAY, OTHER, NAMELESS])
@pytest.mark.parametrize("seen", [HOME, NEIGHBOUR, AWAY, UPDATED, OTHER, NAMELESS])
def test_the_shortcut_never_lets_through_what_the_policy_would_not(
    policy: DevicePolicy, bound: Device, seen: Device
) -> None:
    """A store compares one string; it may match only where the policy sees no change."""
    if policy.binding(bound) in policy.bindings(seen):
        assert policy.compare(bound, seen) is SAME
    assert policy.binding(bound) in policy.bindings(bound)


def test_user_agents_are_kept_to_255_characters() -> None:
    long = Device(user_agent="x" * 10_000)
    assert long.user_agent == "x" * 255
    assert DevicePolicy(user_agent="exact").compare(long, Device(user_agent="x" * 9_999)) is SAME


@pytest.mark.parametrize(
    ("policy", "watches"),
    [
        (DevicePolicy(), False),
        (DevicePolicy(concurrent_networks="event"), True),
        (DevicePolicy(impossible_travel="event"), True),
        (DevicePolicy(session_limit=3), False),
    ],
)
def test_what_looks_at_places(policy: DevicePolicy, watches: bool) -> None:
    assert policy.watches_places is watches


def test_a_session_is_bound_to_its_network_where_only_the_rules_look_at_it() -> None:
    off, watched = DevicePolicy(ip="off"), DevicePolicy(ip="off", concurrent_networks="event")
    assert off.binding(HOME) in off.bindings(AWAY)
    assert watched.binding(HOME) in watched.bindings(NEIGHBOUR)
    assert watched.binding(HOME) not in watched.bindings(AWAY)
    assert watched.compare(HOME, AWAY) is SAME
    exact = DevicePolicy(ip="exact", concurrent_networks="event")
    assert exact.binding(HOME) not in exact.bindings(NEIGHBOUR)


def test_networks_as_the_rules_see_them() -> None:
    policy = DevicePolicy(ipv4_prefix=16, ipv6_prefix=48)
    assert policy.network("::ffff:203.0.113.7") == "203.0.0.0/16"
    assert policy.network("2001:DB8:1:2::3%eth0") == "2001:db8:1::/48"
    assert (policy.network(None), policy.network("testclient")) == ("", "testclient")
