"""What goes wrong on the way: closed tabs, lost answers, servers that are down, clocks that lie."""

import pytest

from tests.client.browser.device import World
from tests.client.browser.serving import until

OUTAGES = ["503", "html", "portal", "drop"]


def lose_the_page(device, tab, how: str):
    """The tab ends, or its document does; gives back a tab that is there afterwards."""
    if how == "reload":
        return tab.reload()
    if how == "navigate":
        return tab.go("/other")
    tab.page.close()
    return device.tab()


@pytest.mark.parametrize("how", ["reload", "navigate", "close"])
def test_a_page_that_ends_in_the_middle_of_a_refresh(world, how):
    """The refresh is committed, and who asked for it is gone."""
    world.server.control(reset={"access_ttl": 1})
    device = world.device("{ autoRefresh: false }")
    tab = device.tab().log_in()
    world.expire(tab)
    world.server.control(hold=True)
    tab.begin("ask('/api')")
    world.holding()
    tab = lose_the_page(device, tab, how)
    tab.begin("parallel(5)")
    world.server.control(hold=False)
    assert tab.outcome() == [200] * 5
    assert tab.subject() == "ann"
    assert tab.run("() => auth.refresh().then(Boolean)") is True
    assert device.reasons() == []
    assert world.refreshes(401) == 0


def test_answers_that_are_lost_on_the_way(world):
    """Twice in a row the refresh is committed and its answer never arrives."""
    world.server.control(reset={"access_ttl": 1})
    device = world.device("{ autoRefresh: false }")
    tab = device.tab().log_in()
    world.expire(tab)
    world.server.control(faults=["drop", "drop"])
    until(lambda: tab.run("() => parallel(10)") == [200] * 10, "it gets through")
    assert device.reasons() == []


@pytest.mark.parametrize("fault", OUTAGES)
def test_an_outage_ends_no_session_and_is_over_by_itself(world, fault):
    world.server.control(reset={"access_ttl": 1})
    device = world.device("{ autoRefresh: false }")
    tab = device.tab().log_in()
    world.expire(tab)
    world.server.control(faults=[fault] * 1000)
    answers = tab.run("() => parallel(10)")
    assert all(answer == 401 or str(answer).startswith("AuthError") for answer in answers)
    # Ten requests share two attempts, and those whose 401 comes after these share the next ones. What is cut off the
    # browser itself repeats, on each of its six connections that had been used before.
    assert world.asked() <= (6 * (1 + 6) if fault == "drop" else 6)
    assert tab.is_in()
    world.server.control(faults=[])
    tab.run("() => auth.refresh().then(() => {})")
    assert tab.run("() => parallel(10)") == [200] * 10
    assert device.reasons() == []
    assert ("refresherror", None) in device.told


def test_a_server_that_is_down_is_asked_seldom(world):
    world.server.control(reset={"access_ttl": 1})
    device = world.device()
    tabs = [device.tab().log_in(), device.tab()]
    tabs[1].token()
    world.server.control(faults=["503"] * 10_000)
    world.expire(*tabs)
    before = world.asked()
    for tab in tabs:
        tab.begin("(async (end) => { while (performance.now() < end) await parallel(5); })(performance.now() + 4000)")
    for tab in tabs:
        tab.outcome()
    assert world.asked() - before <= 14
    assert all(tab.is_in() for tab in tabs)


def test_the_server_says_how_long_to_wait(world):
    world.server.control(reset={"access_ttl": 1})
    device = world.device()
    tab = device.tab().log_in()
    world.server.control(faults=["later"], set_up={"access_ttl": 900})
    tab.waits_for("events.includes('refresherror')")
    asked, began = world.asked(), tab.run("() => performance.now()")
    tab.waits_for("events.includes('refreshed')")
    assert tab.run("() => performance.now()") - began > 2500
    assert world.asked() == asked + 1


def test_offline_and_back(world):
    world.server.control(reset={"access_ttl": 1})
    device = world.device()
    tab = device.tab().log_in()
    device.context.set_offline(True)
    world.server.control(set_up={"access_ttl": 900})
    tab.waits_for("events.includes('refresherror')")
    assert "AuthError" in str(tab.ask()) or "TypeError" in str(tab.ask())
    assert tab.is_in()
    device.context.set_offline(False)
    tab.waits_for("events.includes('refreshed')")
    assert tab.run("() => parallel(10)") == [200] * 10
    assert device.reasons() == []


def test_a_server_that_is_killed_and_started_again(browser, own_server, record_property):
    world = World(own_server, browser)
    try:
        device = world.device()
        tab = device.tab().log_in()
        own_server.kill()
        tab.waits_for("events.includes('refresherror')")
        assert "Error" in str(tab.ask())
        assert tab.is_in()
        own_server.start()
        until(lambda: tab.ask() == 200, "the session goes on")
        assert tab.subject() == "ann"
        assert device.tab().subject() == "ann"
        assert device.reasons() == []
        assert world.reuse() == 0
        for name, number in world.numbers().items():
            record_property(name, number)
    finally:
        world.close()


def test_an_endpoint_that_always_says_401(world):
    device = world.device()
    tab = device.tab().log_in()
    assert tab.ask("/always") == 401
    assert world.asked() == 1
    assert len(world.requests("GET /always")) == 2
    assert tab.is_in()
    assert tab.run("() => Promise.all(Array.from({ length: 10 }, () => ask('/always')))") == [401] * 10
    assert world.asked() <= 3
    assert tab.ask() == 200
    assert device.reasons() == []


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_jumps(world, hours):
    world.server.control(reset={"access_ttl": 3})
    device = world.device()
    tab = device.page()
    tab.page.clock.install()
    tab.go().log_in()
    now = tab.run("() => Date.now()")
    tab.page.clock.set_system_time((now + hours * 3_600_000) / 1000)
    assert abs(tab.run("() => Date.now()") - now) > 80_000_000
    for _ in range(5):
        assert tab.run("() => parallel(3)") == [200] * 3
    assert world.asked() <= 2
    tab.page.clock.set_system_time(now / 1000)
    world.expire(tab)
    for _ in range(5):
        assert tab.run("() => parallel(3)") == [200] * 3
    assert world.asked() <= 5
    assert device.reasons() == []


def test_a_clock_that_stands_still(world):
    world.server.control(reset={"access_ttl": 2})
    device = world.device("{ autoRefresh: false }")
    tab = device.page()
    tab.page.clock.install()
    tab.go()
    tab.page.clock.set_fixed_time(tab.run("() => Date.now()") / 1000)
    tab.log_in()
    assert tab.run("() => Date.now()") == tab.run("() => new Promise((done) => setTimeout(() => done(Date.now()), 50))")
    world.expire(tab)
    assert tab.run("() => parallel(10)") == [200] * 10
    assert world.asked() == 1
    assert device.reasons() == []
