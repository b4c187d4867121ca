"""What the watching rules find: tables, without any store."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware import Device, DevicePolicy, Session
from jwt_refresh_middleware.events import ConcurrentNetworks, ImpossibleTravel
from jwt_refresh_middleware.places import Location, distance
from jwt_refresh_middleware.standing import Place, Standing
from jwt_refresh_middleware.watching import Finding, findings, has_moved, moved_places, too_many, worst
from tests.rotation.support import QUICK

NOW = 100_000.0
HOME, NEXT_DOOR, AWAY, THIRD = "203.0.113.7", "203.0.113.8", "198.51.100.1", "192.0.2.1"
AT_ONCE = DevicePolicy(concurrent_networks="event", concurrent_window=900)
TRAVEL = DevicePolicy(impossible_travel="event", max_speed=1000)


def session(
    ip: str | None = HOME, ago: float = 500, name: str = "s", places: tuple[tuple[str, float], ...] = ()
) -> Session:
    """A session that was used from ``ip`` so many seconds ago, and from ``places`` before."""
    earlier = tuple(Place(ip=where, last_used_at=NOW - before) for where, before in places)
    return Session(
        id=name, subject="ann", created_at=0, last_used_at=NOW - ago, expires_at=NOW * 2, ends_at=NOW * 2,
        device=Device(ip=ip), standing=Standing(places=earlier),
    )  # fmt: skip


def other(ip: str | None, ago: float) -> Session:
    return session(ip, ago, "o")


@pytest.mark.parametrize(
    ("it", "others", "here", "found"),
    [
        # other sessions of the subject
        (session(), [], HOME, None),
        (session(), [other(AWAY, 0)], HOME, "o"),
        (session(), [other(AWAY, 899.9)], HOME, "o"),
        (session(), [other(AWAY, 900)], HOME, None),
        (session(), [other(HOME, 0)], HOME, None),
        (session(), [other(NEXT_DOOR, 0)], HOME, None),
        (session(), [other(None, 0)], HOME, None),
        (session(), [other(AWAY, 0)], None, None),
        (session(), [other(HOME, 0), session(AWAY, 0, "p")], HOME, "p"),
        (session(), [session(AWAY, 0)], HOME, None),  # the session itself, as it is listed
        # the session itself: in two networks in one moment
        (session(HOME, 9.9), [], AWAY, "s"),
        (session(HOME, 10), [], AWAY, None),
        (session(HOME, 0), [], NEXT_DOOR, None),
        (session(HOME, 0), [], HOME, None),
        (session(None, 0), [], AWAY, None),
        # or back where it was until just now
        (session(AWAY, 300, places=((HOME, 400),)), [], HOME, "s"),
        (session(AWAY, 300, places=((HOME, 899.9),)), [], NEXT_DOOR, "s"),
        (session(AWAY, 300, places=((HOME, 900),)), [], HOME, None),
        (session(AWAY, 300, places=((THIRD, 400),)), [], HOME, None),
        (session(AWAY, 300, places=((THIRD, 400), (HOME, 500))), [], HOME, "s"),
        (session(AWAY, 300, places=((HOME, 400),)), [], AWAY, None),
    ],
)
def test_two_networks_at_once(it: Session, others: list[Session], here: str | None, found: str | None) -> None:
    said = findings(AT_ONCE, None, it, others, Device(ip=here), NOW)
    assert [finding.other_session_id for finding in said] == ([] if found is None else [found])
    for finding in said:
        event = finding.event
        assert isinstance(event, ConcurrentNetworks)
        assert (event.subject, event.session_id, event.device, event.at) == ("ann", "s", Device(ip=here), NOW)
        assert event.other_session_id == found
        assert event.other.ip == (it.device.ip if found == "s" else AWAY)


class Atlas:
    """A locator: Berlin, Paris (877 km) and Potsdam (27 km from Berlin)."""

    PLACES = {  # noqa: RUF012
        HOME: Location(latitude=52.52, longitude=13.405),
        AWAY: Location(latitude=48.8566, longitude=2.3522),
        THIRD: Location(latitude=52.3906, longitude=13.0645),
    }

    def locate(self, ip: str) -> Location | None:
        return self.PLACES.get(ip)


HOUR = 3600


@pytest.mark.parametrize(
    ("it", "others", "here", "found"),
    [
        (session(HOME, HOUR), [], AWAY, None),  # 877 km/h
        (session(HOME, 0.8 * HOUR), [], AWAY, "s"),  # 1097 km/h
        (session(HOME, 0), [], AWAY, "s"),
        (session(HOME, -5), [], AWAY, "s"),  # the other worker's clock is ahead
        (session(HOME, 0), [], THIRD, None),  # not far enough for a database of addresses
        (session(HOME, 0), [], HOME, None),
        (session(HOME, 0), [], "10.0.0.1", None),
        (session("10.0.0.1", 0), [], AWAY, None),
        (session(HOME, 0), [], None, None),
        (session(None, 0), [], AWAY, None),
        (session(HOME), [other(AWAY, 0.8 * HOUR)], HOME, "o"),
        (session(HOME), [other(AWAY, HOUR)], HOME, None),
        (session(HOME), [other(THIRD, 0), session(AWAY, 0, "p")], HOME, "p"),
        (session(HOME), [other(None, 0)], HOME, None),
    ],
)
def test_impossible_travel(it: Session, others: list[Session], here: str | None, found: str | None) -> None:
    said = findings(TRAVEL, Atlas(), it, others, Device(ip=here), NOW)
    assert [finding.other_session_id for finding in said] == ([] if found is None else [found])
    for finding in said:
        event = finding.event
        assert isinstance(event, ImpossibleTravel)
        assert event.kilometers == 877
        assert event.speed > 1000
        assert event.other_session_id == found


def test_a_speed_is_what_was_travelled_in_an_hour() -> None:
    (finding,) = findings(TRAVEL, Atlas(), session(HOME, HOUR / 2), [], Device(ip=AWAY), NOW)
    assert isinstance(finding.event, ImpossibleTravel)
    assert finding.event.speed == pytest.approx(2 * 877, abs=2)


def test_a_rule_that_is_off_finds_nothing_and_asks_nobody() -> None:
    class Refusing:
        def locate(self, ip: str) -> Location | None:
            raise AssertionError(ip)

    off = DevicePolicy()
    assert findings(off, Refusing(), session(HOME, 0), [other(AWAY, 0)], Device(ip=AWAY), NOW) == []
    assert findings(AT_ONCE, Refusing(), session(HOME, 100), [], Device(ip=AWAY), NOW) == []
    assert findings(TRAVEL, None, session(HOME, 0), [], Device(ip=AWAY), NOW) == []


def test_both_rules_speak_and_the_gravest_counts() -> None:
    both = replace(AT_ONCE, impossible_travel="step_up")
    said = findings(both, Atlas(), session(HOME, 0), [], Device(ip=AWAY), NOW)
    assert [(finding.rule, finding.action) for finding in said] == [
        ("concurrent_networks", "event"),
        ("impossible_travel", "step_up"),
    ]
    gravest = worst(said)
    assert gravest is not None
    assert gravest.rule == "impossible_travel"
    assert worst([]) is None


@pytest.mark.parametrize(("one", "two"), [("event", "step_up"), ("event", "revoke"), ("step_up", "revoke")])
def test_what_is_graver(one: str, two: str) -> None:
    event = ConcurrentNetworks(at=0, other=Device(), other_session_id="o")

    def finding(action: str) -> Finding:
        return Finding(rule="concurrent_networks", action=action, event=event, other_session_id="o")  # type: ignore[arg-type]

    for pair in ([finding(one), finding(two)], [finding(two), finding(one)]):
        gravest = worst(pair)
        assert gravest is not None
        assert gravest.action == two


def test_networks_are_the_policys() -> None:
    wide = replace(AT_ONCE, ipv4_prefix=4)
    narrow = replace(AT_ONCE, ipv4_prefix=32)
    assert findings(wide, None, session(HOME, 0), [], Device(ip=AWAY), NOW) == []
    assert len(findings(narrow, None, session(HOME, 0), [], Device(ip=NEXT_DOOR), NOW)) == 1
    six = session("2001:db8:0:1::1", 0)
    assert findings(AT_ONCE, None, six, [], Device(ip="2001:DB8:0:1:ffff::2"), NOW) == []
    assert len(findings(AT_ONCE, None, six, [], Device(ip="2001:db8:0:2::1"), NOW)) == 1
    assert findings(replace(AT_ONCE, ipv6_prefix=48), None, six, [], Device(ip="2001:db8:0:2::1"), NOW) == []


@pytest.mark.parametrize(
    ("before", "here", "moved"),
    [(HOME, AWAY, True), (HOME, NEXT_DOOR, False), (HOME, HOME, False), (None, HOME, False), (HOME, None, False),
     ("::ffff:203.0.113.9", HOME, False)],
)  # fmt: skip
def test_a_move_is_to_another_network(before: str | None, here: str | None, moved: bool) -> None:
    assert has_moved(AT_ONCE, session(before), Device(ip=here)) is moved


def test_the_last_four_places_are_kept() -> None:
    it = session(HOME, 5, places=tuple((f"192.0.{n}.1", 10.0 + n) for n in range(4)))
    places = moved_places(it)
    assert places[0] == Place(ip=HOME, last_used_at=NOW - 5)
    assert [place.ip for place in places] == [HOME, "192.0.0.1", "192.0.1.1", "192.0.2.1"]
    assert moved_places(session(None)) == ()


@QUICK
@given(
    st.lists(st.tuples(st.sampled_from([HOME, AWAY, THIRD, None, "testclient"]), st.floats(-100, 2000)), max_size=5),
    st.sampled_from([HOME, AWAY, None, "testclient", "::1"]),
)
def test_any_places_are_looked_at_without_an_error(elsewhere: list[tuple[str | None, float]], here: str | None) -> None:
    policy = replace(AT_ONCE, impossible_travel="revoke")
    others = [session(ip, ago, f"o{number}") for number, (ip, ago) in enumerate(elsewhere)]
    said = findings(policy, Atlas(), session(), others, Device(ip=here), NOW)
    assert len(said) <= 2
    if here is None:
        assert said == []


def began(name: str, at: float) -> Session:
    return Session(id=name, subject="ann", created_at=at, last_used_at=at, expires_at=NOW * 2, ends_at=NOW * 2)


@pytest.mark.parametrize(
    ("limit", "rule", "new", "listed", "ended"),
    [
        (2, "end_oldest", "b", {"a": 0, "b": 50}, []),
        (2, "refuse_new", "b", {"a": 0, "b": 50}, []),
        (2, "end_oldest", "c", {"a": 0, "b": 50, "c": 99}, ["a"]),
        (1, "end_oldest", "c", {"a": 0, "b": 50, "c": 99}, ["a", "b"]),
        (2, "refuse_new", "c", {"a": 0, "b": 50, "c": 99}, ["c"]),
        (1, "refuse_new", "c", {"a": 0, "b": 50, "c": 99}, ["c"]),  # the limit was higher once
        # at the same moment: all agree who goes, whoever looks
        (1, "end_oldest", "a", {"a": 98, "b": 99}, ["a"]),
        (1, "end_oldest", "b", {"a": 98, "b": 99}, ["a"]),
        (1, "refuse_new", "b", {"a": 98, "b": 99}, ["b"]),
        (1, "refuse_new", "a", {"a": 98, "b": 99}, ["b"]),
        (1, "refuse_new", "a", {"a": 90, "b": 99.9}, ["b"]),
        (1, "refuse_new", "a", {"a": 90, "b": 100}, ["a"]),  # a clock that is behind: b was there before
        (1, "refuse_new", "a", {"a": 90, "b": 95, "c": 100}, ["a"]),
    ],
)
def test_who_goes_beyond_the_limit(limit: int, rule: str, new: str, listed: dict[str, float], ended: list[str]) -> None:
    rows = [began(name, at) for name, at in listed.items()]
    policy = DevicePolicy(session_limit=limit, on_session_limit=rule)  # type: ignore[arg-type]
    assert too_many(policy, limit, next(row for row in rows if row.id == new), rows) == ended


def test_exactly_as_far_and_exactly_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    atlas, hours = Atlas(), 0.5
    far = distance(atlas.PLACES[HOME], atlas.PLACES[AWAY])
    it, here = session(HOME, hours * HOUR), Device(ip=AWAY)
    assert findings(replace(TRAVEL, max_speed=far / hours), atlas, it, [], here, NOW) == []
    assert len(findings(replace(TRAVEL, max_speed=far / hours - 0.001), atlas, it, [], here, NOW)) == 1
    monkeypatch.setattr("jwt_refresh_middleware.watching.LEAST_KILOMETERS", far)
    assert len(findings(TRAVEL, atlas, it, [], here, NOW)) == 1
    monkeypatch.setattr("jwt_refresh_middleware.watching.LEAST_KILOMETERS", far + 0.001)
    assert findings(TRAVEL, atlas, it, [], here, NOW) == []
