"""Several tabs of one browser: they take turns, share what they get, and end together."""

import json
import time

import pytest

from tests.client.browser.serving import until

HIDDEN = "Object.defineProperty(Document.prototype, 'hidden', { get: () => Boolean(window.away), configurable: true });"


def all_with_one_token(tabs):
    """They have the same access token; gives back when it ends, in seconds since the epoch."""
    token = tabs[0].run("() => auth.refresh()")
    for tab in tabs:
        tab.waits_for(f"auth.getAccessToken().then((token) => token === {json.dumps(token)})")
    return tabs[0].run("(token) => JSON.parse(atob(token.split('.')[1])).exp", token)


@pytest.mark.parametrize("auto_refresh", [True, False], ids=["timer", "no_timer"])
@pytest.mark.parametrize("number", [2, 5])
def test_tabs_with_ten_requests_each_when_the_token_ends(world, number, auto_refresh, record_property):
    device = world.device(f"{{ autoRefresh: {json.dumps(auto_refresh)} }}")
    tabs = [device.tab().log_in(), *(device.tab() for _ in range(number - 1))]
    world.server.control(set_up={"access_ttl": 4})
    end = all_with_one_token(tabs)
    world.server.control(set_up={"access_ttl": 900}, hold=True)
    before = world.asked()
    until(lambda: time.time() > end, "the token ends")
    for tab in tabs:
        tab.begin("parallel(10)")
    world.holding()
    tabs[0].page.wait_for_timeout(300)  # whoever does not wait for their turn has asked by now
    world.server.control(hold=False)
    assert [tab.outcome() for tab in tabs] == [[200] * 10] * number
    record_property("at_the_end", world.asked() - before)
    assert world.asked() - before in (1, 2)
    assert device.reasons() == []
    assert len({tab.token() for tab in tabs}) <= 2


def test_five_tabs_that_are_loaded_again_at_once(world):
    device = world.device()
    device.tab().log_in()
    tabs = [device.tab() for _ in range(5)]
    for tab in tabs:
        tab.page.evaluate("() => { setTimeout(() => location.reload(), 100); window.ready = false; }")
    for tab in tabs:
        tab.ready()
        tab.begin("parallel(10)")
    assert [tab.outcome() for tab in tabs] == [[200] * 10] * 5
    assert world.asked() <= 10
    assert device.reasons() == []


def test_a_token_that_one_tab_gets_is_used_by_the_others(world):
    device = world.device()
    one, two = device.tab().log_in(), device.tab()
    two.token()
    asked = world.asked()
    fresh = one.run("() => auth.refresh()")
    two.waits_for(f"auth.getAccessToken().then((token) => token === {json.dumps(fresh)})")
    assert world.asked() == asked + 1


def test_a_login_reaches_a_tab_that_was_open_before(world):
    device = world.device()
    one, two = device.tab(), device.tab()
    one.log_in()
    two.waits_for("auth.isAuthenticated()")
    assert two.subject() == "ann"
    assert world.asked() == 0


@pytest.mark.parametrize("url", ['"/login"', '(reason) => "/login?why=" + reason'], ids=["text", "function"])
def test_a_logout_reaches_the_other_tabs_and_all_go_to_the_login(world, url):
    device = world.device(f"{{ loginUrl: {url} }}")
    one, two, three = device.tab().log_in(), device.tab(), device.tab("/other")
    assert two.subject() == three.subject() == "ann"
    one.run("() => { auth.logout(); }")
    for tab, reason in ((one, "user"), (two, "other-tab"), (three, "other-tab")):
        tab.page.wait_for_url(f"**/login?why={reason}" if "why" in url else "**/login")
        tab.ready()
        assert not tab.is_in()
        assert tab.ask() == 401


def test_the_login_page_itself_does_not_go_in_circles(world):
    """The session was ended elsewhere, and the page that finds out is the one to go to."""
    laptop, phone = world.device('{ loginUrl: "/login" }'), world.device()
    laptop.tab().log_in().page.close()
    phone.tab().log_in().run("() => auth.logout({ all: true })")
    tab = laptop.tab("/login")
    until(lambda: world.refreshes(401), "the page finds out")
    tab.page.wait_for_timeout(1500)
    assert len(world.requests("GET /login")) <= 2
    assert world.asked() == 1
    assert tab.ready().log_in().subject() == "ann"


def test_a_session_ended_elsewhere_ends_in_every_tab(world):
    """A phone ends all sessions of this person: the first request of the laptop notices.

    The reasons are read from the addresses: what a handler tells the test is now and then lost if its page goes.
    """
    laptop, phone = world.device('{ loginUrl: (reason) => "/login?why=" + reason }'), world.device()
    one, two = laptop.tab().log_in(), laptop.tab("/other")
    two.token()
    phone.tab().log_in().run("() => auth.logout({ all: true })")
    one.run("() => { ask('/api'); }")
    one.page.wait_for_url("**/login?why=expired")
    two.page.wait_for_url("**/login?why=other-tab")


def test_another_person_logs_in_in_the_other_tab(world):
    """What Ann began is not sent again as Bob; what comes after is Bob's, and the page is told."""
    world.server.control(reset={"access_ttl": 2})
    device = world.device("{ autoRefresh: false }")
    one, two = device.tab().log_in("ann"), device.tab()
    two.token()
    world.expire(one)
    world.server.control(hold=True)
    one.begin("auth.fetch('/comment', { method: 'POST', body: 'from Ann' }).then(({ status }) => status)")
    world.holding()
    two.begin("enter('bob').then(() => 'in')")
    world.server.control(hold=False)
    assert two.outcome() == "in"
    one.outcome()
    one.waits_for("events.filter((name) => name === 'signedin').length >= 2")
    assert "other-tab" in device.reasons()
    assert one.subject() == two.subject() == "bob"
    assert ["bob", "from Ann"] not in world.server.told()["comments"]


def test_a_request_that_was_refused_late_is_not_repeated_as_the_next_person(world):
    device = world.device("{ fetch: (...of) => (window.late ?? fetch)(...of) }")
    one, two = device.tab().log_in("ann"), device.tab()
    one.run("""() => {
        window.late = async (input, init) => {
            window.late = undefined;
            await new Promise((done) => (window.arrive = done));
            return new Response("{}", { status: 401 });
        };
    }""")
    one.begin("auth.fetch('/comment', { method: 'POST', body: 'from Ann' }).then(({ status }) => status)")
    one.waits_for("Boolean(window.arrive)")
    two.log_in("bob")
    one.waits_for("events.includes('signedout')")
    one.run("() => arrive()")
    assert one.outcome() == 401
    assert world.server.told()["comments"] == []
    assert one.subject() == "bob"


def test_a_tab_that_is_stuck_in_its_turn_is_passed_after_five_seconds(world):
    device = world.device("{ fetch: (...of) => (window.stuck ? new Promise(() => {}) : fetch(...of)), timeout: 600 }")
    one, two = device.tab().log_in(), device.tab()
    two.token()
    one.run("() => { window.stuck = true; auth.refresh(); }")
    one.waits_for("navigator.locks.query().then(({ held }) => held.length === 1)")
    asked, began = world.asked(), two.run("() => performance.now()")
    assert two.run("() => auth.refresh()") is not None
    took = two.run("() => performance.now()") - began
    assert 4000 < took < 12_000
    assert world.asked() == asked + 1


def test_a_logout_while_another_tab_is_taking_up_the_session(world):
    """The refresh is committed before the logout and answered after it: nobody is signed in again by that."""
    device = world.device()
    one, two = device.tab().log_in(), device.tab()
    two.token()
    world.server.control(hold=True)
    two.reload()
    two.begin("auth.restore()")
    world.holding()
    one.run("() => auth.logout()")
    world.server.control(hold=False)
    two.outcome()
    two.run("() => new Promise((done) => setTimeout(done, 500))")  # the tabs have had time to tell each other
    assert not one.is_in()
    assert not two.is_in()
    assert one.ask() == two.ask() == 401
    assert device.tab().run("() => auth.restore()") is False


def test_a_token_that_another_tab_notes_in_the_last_millisecond_is_waited_for(world):
    """It had its turn at once, but the other tab had been faster: its token is noted, and on its way."""
    tab = world.device("{ autoRefresh: false }").tab().log_in()
    fresh = tab.run("""async () => {
        const headers = { "Content-Type": "application/json" };
        const answer = await fetch("/auth/refresh", { method: "POST", headers, body: "{}" });
        return (await answer.json()).access_token;
    }""")
    tab.run(
        """(fresh) => {
        const request = LockManager.prototype.request;
        LockManager.prototype.request = (name, options, work) => {
            LockManager.prototype.request = request;
            localStorage[name] = Date.now() / 1000 + 900;
            setTimeout(() => new BroadcastChannel(name).postMessage([fresh, 900]), 5);
            performance.now = () => 0; // however slow this machine is: there was no line to stand in
            const working = work();
            delete performance.now;
            return working;
        };
    }""",
        fresh,
    )
    asked = world.asked()
    assert tab.run("() => auth.refresh()") == fresh
    assert world.asked() == asked


def test_a_tab_in_the_background_refreshes_by_no_timer_but_when_it_is_looked_at(world):
    world.server.control(reset={"access_ttl": 1})
    device = world.device(script=HIDDEN)
    tab = device.tab().log_in()
    tab.run("() => { window.away = true; document.dispatchEvent(new Event('visibilitychange', { bubbles: true })); }")
    asked = world.asked()
    tab.run("() => new Promise((done) => setTimeout(done, 2500))")
    assert world.asked() == asked
    world.server.control(set_up={"access_ttl": 900})
    tab.run("() => { window.away = false; document.dispatchEvent(new Event('visibilitychange', { bubbles: true })); }")
    tab.waits_for("events.includes('refreshed')")
    assert world.asked() == asked + 1
    assert tab.ask() == 200
