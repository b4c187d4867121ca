"""What must not get in or out: other origins, cookies twice, storage that is blocked, pages that come back."""

import pytest

from tests.client.browser.device import AUTH
from tests.client.browser.serving import until
from tests.client.node.running import need_modules

BLOCKED = """
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("blocked", "SecurityError"); } });
}
"""
POST = "(url) => fetch(url, { method: 'POST', credentials: 'include', mode: 'no-cors' }).then(() => 'sent', String)"
FORM = """(url) => {
  const form = document.createElement("form");
  Object.assign(form, { action: url, method: "POST" });
  document.body.append(form);
  form.submit();
}"""


def with_a_stranger(world, own: str, other: str):
    """A device with a session at ``own``, and a page of ``other`` in it."""
    device = world.device(address=own)
    device.tab().log_in()
    stranger = device.page()
    stranger.page.goto(other + "/plain")
    return device, stranger


def refused(world, device, post, *, cookie: bool, status: int):
    """Whatever ``post`` sends is refused, with the cookie or without; the session and its cookie stay."""
    before, number = device.cookies(), len(world.requests(AUTH))
    post()
    (request,) = until(lambda: [request for request in world.requests(AUTH)[number:] if request["status"]], "an answer")
    assert (request["cookie"], request["status"]) == (cookie, status)
    assert device.cookies() == before
    assert world.refreshes() == 0
    assert device.tab().subject() == "ann"


@pytest.mark.parametrize("turned", [False, True], ids=["to localhost", "to 127.0.0.1"])
@pytest.mark.parametrize(("route", "status"), [("refresh", 401), ("logout", 403)])
def test_a_post_from_another_site_comes_without_the_cookie(world, turned, route, status):
    addresses = [world.server.other_address, world.server.address]
    own, other = addresses[::-1] if turned else addresses
    device, stranger = with_a_stranger(world, own, other)
    post = lambda: stranger.run(POST, f"{own}/auth/{route}")  # noqa: E731
    refused(world, device, post, cookie=False, status=status)


@pytest.mark.parametrize("route", ["refresh", "logout"])
def test_a_form_from_another_site_with_the_cookie_is_refused(world, route):
    """Where the cookie is ``SameSite=None`` the browser sends it, and the server alone is left to say no."""
    world.server.control(reset={"samesite": "none"})
    device, stranger = with_a_stranger(world, world.server.address, world.server.other_address)
    post = lambda: stranger.run(FORM, f"{world.server.address}/auth/{route}")  # noqa: E731
    refused(world, device, post, cookie=True, status=403)


@pytest.mark.parametrize("route", ["refresh", "logout"])
def test_a_post_from_another_port_comes_with_the_cookie_and_is_refused(world, own_server, route):
    """To a browser another port is the same site: ``SameSite=Strict`` does not help here."""
    device, stranger = with_a_stranger(world, world.server.address, own_server.address)
    post = lambda: stranger.run(POST, f"{world.server.address}/auth/{route}")  # noqa: E731
    refused(world, device, post, cookie=True, status=403)


def test_a_request_to_another_origin_carries_no_token(world):
    device = world.device()
    tab = device.tab().log_in()
    tab.run("(url) => auth.fetch(url, { mode: 'no-cors' }).then(() => {})", f"{world.server.other_address}/open")
    tab.run("() => auth.fetch('/open').then(() => {})")
    assert [request["subject"] for request in world.requests("GET /open")] == [None, "ann"]


def test_a_cookie_that_is_there_twice_is_no_endless_loop(world):
    """One of an earlier set-up, with another path, hides the new one: the server says 400 until it is gone."""
    world.server.control(reset={"path": "/auth"})
    device = world.device()
    tab = device.tab().log_in()
    (cookie,) = device.cookies()
    assert (cookie["name"], cookie["path"]) == ("__Secure-refresh_token", "/auth")
    device.context.add_cookies([cookie | {"path": "/auth/refresh", "value": "an-old-one"}])
    answer = tab.run("() => auth.refresh().then((token) => `${token}`, (error) => `${error.status}`)")
    assert answer in ("null", "400")
    tab.run("() => new Promise((done) => setTimeout(done, 1500))")
    tab.run("() => parallel(5)")
    assert world.asked() <= 3
    assert world.refreshes() == 0
    device.context.clear_cookies()
    assert tab.log_in().subject() == "ann"


def test_cookies_that_are_cleared_end_the_session_once(world):
    device = world.device()
    tab = device.tab().log_in()
    device.context.clear_cookies()
    tab.run("() => auth.refresh().catch(() => {})")
    assert not tab.is_in()
    assert tab.ask() == 401
    tab.reload()
    assert tab.run("() => auth.restore()") is False
    assert world.asked() == 1
    assert device.reasons() == ["expired"]


def test_cookies_that_are_not_kept_at_all(world):
    """A browser that takes no cookie: the session lasts as long as the page's token, and there is no loop."""
    world.server.control(reset={"access_ttl": 1})
    device = world.device('{ loginUrl: "/login" }')
    device.context.route("**/auth/login", lambda route: route.continue_())
    tab = device.tab().log_in()
    device.context.clear_cookies()
    tab.page.wait_for_url("**/login")
    tab.ready()
    assert tab.run("() => auth.restore()") is False
    assert world.asked() == 1


def test_storage_that_is_blocked_a_session_all_the_same(world):
    device = world.device('{ storage: "localStorage" }', BLOCKED)
    tab = device.tab().log_in()
    assert tab.subject() == "ann"
    tab.reload()
    assert tab.run("() => auth.restore()") is True
    assert tab.subject() == "ann"
    tab.run("() => auth.logout()")
    assert tab.ask() == 401


def test_storage_that_is_blocked_a_visitor_is_asked_for_once(world):
    """Nothing says whether there was a session: the issuer is asked, and what it says is not asked again."""
    device = world.device(script=BLOCKED)
    tab = device.tab()
    assert tab.run("() => auth.restore()") is False
    tab.run("() => new Promise((done) => setTimeout(done, 2500))")
    assert world.asked() <= 1
    assert tab.log_in().subject() == "ann"


def test_storage_that_is_blocked_on_the_login_page_is_no_loop_of_reloads(world):
    device = world.device('{ loginUrl: "/login" }', BLOCKED)
    tab = device.tab("/login")
    until(lambda: world.asked() >= 1, "the issuer is asked")
    tab.page.wait_for_timeout(1500)
    assert len(world.requests("GET /login")) <= 2
    assert world.asked() <= 2


def test_storage_that_is_full_a_session_all_the_same(world):
    device = world.device()
    tab = device.tab()
    tab.run("""() => {
        for (let size = 2 ** 22, number = 0; size >= 1; ) {
            try { localStorage[`filled${number++}`] = "x".repeat(size); } catch { size = size >> 1; }
        }
        try { for (let number = 0; ; number++) localStorage[number] = ""; } catch {}
    }""")
    assert tab.log_in().subject() == "ann"
    assert tab.run("() => auth.refresh().then(Boolean)") is True
    tab.run("() => auth.logout()")
    assert not tab.is_in()


def leave(tab, path):
    """To another page, with the first one kept by the browser for the way back."""
    tab.run(
        """(path) => {
            window.unchanged = true;
            addEventListener("pageshow", (event) => { window.revived = event.persisted; });
            setTimeout(() => { location.href = path; });
        }""",
        path,
    )
    tab.page.wait_for_url("**" + path)
    return tab


def go_back(tab):
    tab.page.evaluate("() => { setTimeout(() => history.back()); }")
    tab.page.wait_for_url(tab.address + "/", wait_until="commit")
    return tab.ready()


def test_a_page_that_comes_back_as_it_was_goes_on(world):
    device = world.device()
    tab = go_back(leave(device.tab().log_in(), "/plain"))
    assert tab.run("() => window.unchanged && window.revived") is True  # else this test tests nothing
    assert tab.subject() == "ann"
    assert device.reasons() == []


def test_a_page_that_comes_back_after_its_session_was_ended_elsewhere(world):
    """It was frozen and could not be told: the first request says so."""
    laptop, phone = world.device(), world.device()
    tab = leave(laptop.tab().log_in(), "/plain")
    phone.tab().log_in().run("() => auth.logout({ all: true })")
    go_back(tab)
    assert tab.run("() => window.unchanged && window.revived") is True
    assert tab.ask() == 401
    assert not tab.is_in()
    assert world.asked() == 0


def test_going_back_after_the_logout_shows_nobody_signed_in(world):
    device = world.device()
    tab = leave(device.tab().log_in(), "/other").ready()
    assert tab.subject() == "ann"
    tab.run("() => auth.logout()")
    go_back(tab)
    tab.waits_for("!auth.isAuthenticated()")
    assert tab.ask() == 401
    assert tab.token() is None
    assert world.asked() == 1


def test_a_relative_url_of_axios_is_the_page_s_and_not_the_issuer_s(world):
    """With an issuer elsewhere the page's own origin is not one that gets the token."""
    need_modules()
    issuer = "fetch: async () => Response.json({ access_token: 'a.e30.c', expires_in: 900 })"
    device = world.device(f"{{ baseUrl: 'https://users.example', {issuer} }}")
    tab = device.tab().log_in()
    tab.run("""async () => {
        const { default: axios } = await import("/axios.js");
        const { attachAxios } = await import("/auth/client/axios.js");
        const http = axios.create();
        attachAxios(http, auth);
        http.interceptors.request.use((config) => config);
        http.defaults.adapter = async (config) => {
            window.sent = config.headers.get("Authorization") ?? null;
            return { data: {}, status: 200, headers: {}, config };
        };
        window.header = async (url) => { await http.get(url); return window.sent; };
    }""")
    assert tab.run("() => header('https://users.example/api')") == "Bearer a.e30.c"
    assert tab.run("() => header('/api')") is None
    assert tab.run("() => header(location.origin + '/api')") is None


def test_axios_in_the_browser(world):
    need_modules()
    world.server.control(reset={"access_ttl": 2})
    device = world.device("{ autoRefresh: false }")
    tab = device.tab().log_in()
    tab.run("""async () => {
        const { default: axios } = await import("/axios.js");
        const { attachAxios } = await import("/auth/client/axios.js");
        window.http = axios.create();
        window.detach = attachAxios(window.http, auth);
        window.get = (url) => http.get(url).then(({ status }) => status, ({ response }) => response?.status);
    }""")
    assert tab.run("() => http.get('/api').then(({ data }) => data.subject)") == "ann"
    world.expire(tab)
    before = world.asked()
    assert tab.run("() => Promise.all(Array.from({ length: 10 }, (_, index) => get(`/api/${index}`)))") == [200] * 10
    assert tab.run("() => http.post('/comment', { text: 'from Ann' }).then(({ status }) => status)") == 201
    assert world.server.told()["comments"] == [["ann", '{"text":"from Ann"}']]
    assert world.asked() == before + 1
    assert tab.run("() => get('/always')") == 401
    assert len(world.requests("GET /always")) == 2
    assert world.asked() == before + 2
    tab.run("(url) => get(url).then(() => {})", f"{world.server.other_address}/open")
    assert {request["subject"] for request in world.requests() if request["line"].endswith(" /open")} == {None}
    tab.run("() => detach()")
    assert tab.run("() => get('/api')") == 401
