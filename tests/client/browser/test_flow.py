"""The whole flow in one tab, and what is left where."""

import json
import time

import pytest

from tests.client.browser.device import AUTH, kept


def nothing_comes_of_it(tab):
    """What must not happen has this long to happen."""
    tab.run("() => new Promise((done) => setTimeout(done, 1500))")


def test_the_whole_flow(world):
    world.server.control(reset={"access_ttl": 2})
    device = world.device()
    tab = device.tab()
    tab.run("() => auth.register({ username: 'ann', password: 'secret' }).then(() => {})")
    assert tab.is_in()
    assert tab.subject() == "ann"
    world.expire(tab)
    assert tab.subject() == "ann"
    assert 1 <= world.refreshes() <= 2
    tab.run("() => auth.logout()")
    assert not tab.is_in()
    assert tab.ask() == 401
    wrong = "auth.login({ username: 'ann', password: 'wrong' })"
    assert tab.run(f"() => {wrong}.catch(({{ status, code }}) => [status, code])") == [401, "invalid_credentials"]
    assert not tab.is_in()
    assert tab.log_in().subject() == "ann"
    tab.run("() => auth.deleteAccount()")
    assert not tab.is_in()
    assert device.cookies() == []
    assert device.reasons() == ["user", "deleted"]


def test_an_anonymous_visitor_causes_no_request_and_no_401(world):
    device = world.device()
    tab = device.tab()
    assert tab.run("() => auth.restore()") is False
    assert tab.token() is None
    assert tab.ask("/open") in (200, 500)  # nobody is there to be named
    tab.reload()
    device.tab("/other")
    tab.page.evaluate("() => dispatchEvent(new Event('online'))")
    tab.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    assert tab.run("() => auth.restore()") is False
    assert world.requests(AUTH) == []
    assert [request for request in world.requests() if request["status"] == 401] == []
    assert device.told == []


def test_the_cookie_as_the_browser_has_it(world):
    device = world.device()
    device.tab().log_in()
    (cookie,) = device.cookies()
    assert cookie["name"] == "__Host-refresh_token"
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    assert (cookie["path"], cookie["domain"]) == ("/", "127.0.0.1")
    assert abs(cookie["expires"] - time.time() - 7 * 86_400) < 60


def test_in_memory_mode_no_token_is_anywhere(world):
    device = world.device()
    tab = device.tab().log_in()
    first = tab.token()
    tab.run("() => auth.refresh().then(() => {})")
    tab.ask("/api")
    secrets = [first, tab.token(), device.cookies()[0]["value"]]
    assert len(set(secrets)) == 3
    everywhere = json.dumps([kept(tab), device.console, device.urls])
    for secret in secrets:
        assert secret not in everywhere
        assert secret.rpartition(".")[2] not in everywhere
    assert (
        tab.run(
            "() => Object.keys(localStorage).concat(Object.keys(sessionStorage)).filter((key) => /token/i.test(key))"
        )
        == []
    )


def test_a_reload_takes_the_session_up_again_with_one_refresh(world):
    device = world.device()
    tab = device.tab().log_in()
    for number in (1, 2, 3):
        tab.reload()
        assert tab.run("() => auth.restore()") is True
        assert tab.subject() == "ann"
        assert world.asked() == number
    assert device.reasons() == []


def test_in_local_storage_mode_a_reload_asks_nobody_while_the_token_is_fresh(world):
    device = world.device('{ storage: "localStorage" }')
    tab = device.tab().log_in()
    token = tab.token()
    assert tab.run("() => localStorage.getItem('accessToken')") == token
    tab.reload()
    nothing_comes_of_it(tab)
    assert tab.subject() == "ann"
    assert device.tab("/other").token() == token
    assert world.asked() == 0
    assert device.cookies()[0]["value"] not in kept(tab)
    tab.run("() => auth.logout()")
    assert token not in kept(tab)
    assert tab.run("() => localStorage.length") == 0


def test_in_local_storage_mode_an_old_token_is_renewed_at_the_reload(world):
    world.server.control(reset={"access_ttl": 1})
    device = world.device('{ storage: "localStorage", autoRefresh: false }')
    tab = device.tab().log_in()
    old = tab.token()
    world.expire(tab)
    tab.reload()
    assert tab.subject() == "ann"
    assert tab.token() != old
    assert tab.run("() => localStorage.getItem('accessToken')") == tab.token()
    assert world.asked() == 1


@pytest.mark.parametrize("field_case", ["snake", "camel"])
def test_both_cases_of_names(world, field_case):
    world.server.control(reset={"field_case": field_case})
    tab = world.device().tab().log_in()
    old = tab.token()
    assert tab.run("() => auth.refresh()") not in (None, old)
    assert tab.subject() == "ann"


def test_body_transport_leaves_no_cookie(world):
    device = world.device('{ transport: "body", storage: sessionStorage }')
    tab = device.tab().log_in()
    old = tab.token()
    assert tab.run("() => auth.refresh()") != old
    tab.reload()
    assert tab.subject() == "ann"
    assert device.cookies() == []
    tab.run("() => auth.logout()")
    tab.waits_for("sessionStorage.length === 0")
    assert tab.ask() == 401
    assert tab.run("() => auth.getAccessToken()") is None


def test_without_a_timer_nothing_is_refreshed_until_somebody_asks(world):
    world.server.control(reset={"access_ttl": 1})
    device = world.device("{ autoRefresh: false }")
    tab = device.tab().log_in()
    world.expire(tab)
    asked = world.asked()
    nothing_comes_of_it(tab)
    assert world.asked() == asked
    assert tab.ask() == 200
    assert world.asked() == asked + 1


def test_the_timer_renews_a_token_before_its_end(world):
    world.server.control(reset={"access_ttl": 2})
    tab = world.device().tab().log_in()
    world.server.control(set_up={"access_ttl": 900})
    tab.waits_for("events.includes('refreshed')")
    assert tab.ask() == 200
    assert world.asked() == 1
    assert [request for request in world.requests() if request["status"] == 401] == []
