"""The cases of groups B, E, F and G that depend on how a server reads bytes, on four real ones.

All others are run there by ``test_servers_tokens.py`` and its neighbours.

A server may refuse a request itself (400, 431, or by hanging up); if it passes it on, the answer is ours. It is never a
5xx, the app is never reached, nor is the store.
"""

import time
from collections.abc import Iterator

import pytest

from ..matrix.serving import SERVERS, Running
from ..web.asgi import Reply
from ..web.problems import assert_problem
from ..web.support import COOKIE
from .forge import token
from .server import request, talk

GOOD = token().encode()
BOB = token(sub="bob").encode()
BEARER = b"Authorization: Bearer " + GOOD


class Wire:
    """A service behind a server of its own process."""

    def __init__(self, running: Running) -> None:
        self.server = running.server
        self.log = running.log
        self._port = running.port
        self.seen()

    def talk(self, raw: bytes) -> list[Reply]:
        return talk(self._port, raw)

    def get(self, target: str | bytes, *headers: bytes, host: bytes | None = b"testserver") -> list[Reply]:
        """One GET request, its target and headers sent as they are."""
        return self.talk(request(target, *headers, host=host))

    def seen(self) -> dict[str, list[str]]:
        """What has reached the app and the store since the last time."""
        seen: dict[str, list[str]] = self.get("/seen")[0].json()
        return seen

    def refused(self, replies: list[Reply], *codes: str) -> None:
        """Refused by the server itself or with one of ``codes``; nothing was reached, and the next one is served."""
        assert len(replies) <= 1
        for reply in replies:
            if reply.one("content-type") == "application/problem+json":
                assert reply.code in codes
                assert_problem(reply, reply.code or "", action="refresh" if reply.code == "token_invalid" else None)
            else:
                assert reply.status in (400, 431)
            assert GOOD[:16] not in reply.body
        assert self.seen() == {"paths": [], "people": [], "store": []}
        self.served(self.get("/private", BEARER))
        assert self.seen() == {"paths": ["/private"], "people": ["alice"], "store": []}

    def served(self, replies: list[Reply], body: bytes = b"hello alice") -> None:
        assert [(reply.status, reply.body) for reply in replies] == [(200, body)]


@pytest.fixture(params=SERVERS, scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    server = Running("catalogue", request.param)
    yield server
    server.close()


@pytest.fixture
def wire(running: Running) -> Wire:
    return Wire(running.ready())


def cases(named: dict[str, list[bytes]]) -> list[object]:
    return [pytest.param(value, id=f"{name}-{n}") for name, values in named.items() for n, value in enumerate(values)]


SCHEMES = {"E03": [b"Basic " + GOOD, b"Token " + GOOD, b"JWT " + GOOD, b"Bearer1 " + GOOD, GOOD]}


@pytest.mark.parametrize("value", cases(SCHEMES))
def test_another_scheme(wire: Wire, value: bytes) -> None:
    wire.refused(wire.get("/private", b"Authorization: " + value), "token_missing")


WHITE = {
    "E04-good": [
        b"Bearer " + GOOD,
        b"Bearer  " + GOOD,
        b"bearer " + GOOD + b"  ",
        b"BEARER " + GOOD + b"\t",
        b" Bearer " + GOOD,
    ]
}


@pytest.mark.parametrize("value", cases(WHITE))
def test_blanks_that_are_allowed(wire: Wire, value: bytes) -> None:
    wire.served(wire.get("/private", b"Authorization: " + value))


MALFORMED = {
    "E04-bad": [b"Bearer\t" + GOOD, b"Bearer", b"Bearer ", b"Bearer \t ", b"", b"Bearer " + GOOD + b" " + GOOD],
    "E06": [b"Bearer " + GOOD + b", Bearer " + GOOD, b"Bearer " + GOOD + b"," + GOOD, b"Bearer x, Bearer " + GOOD],
}


@pytest.mark.parametrize("value", cases(MALFORMED))
def test_malformed(wire: Wire, value: bytes) -> None:
    wire.refused(wire.get("/private", b"Authorization: " + value), "token_malformed")


TWICE = {"E05": [b"Bearer made.up.token", b"Bearer " + BOB, b"Bearer " + GOOD, b"Basic eDp5", b""]}


@pytest.mark.parametrize("other", cases(TWICE))
@pytest.mark.parametrize("order", [1, -1])
def test_two_headers(wire: Wire, other: bytes, order: int) -> None:
    headers = [BEARER, b"authorization: " + other][::order]
    wire.refused(wire.get("/private", *headers), "token_malformed")


ODD = {"E07": [b"\0", b"\x80", b"\xff", b"\xc3\xa9", b"\x01", b"\x7f", b"\x0b", b"\r", b"\n", b"\r\n ", b"\r\n\t"]}


@pytest.mark.parametrize("odd", cases(ODD))
def test_odd_bytes_inside_the_token(wire: Wire, odd: bytes) -> None:
    """A bare line break ends the header for some; what follows is then a header of its own, and no good one."""
    value = b"Authorization: Bearer " + GOOD[:30] + odd + GOOD[30:]
    wire.refused(wire.get("/private", value), "token_invalid", "token_malformed")


@pytest.mark.parametrize("fold", cases({"E07-fold": [b"\r\n ", b"\r\n\t", b"\r\n  "]}))
def test_a_folded_header(wire: Wire, fold: bytes) -> None:
    """Servers that unfold it make one blank of it, which is what may stand there."""
    replies = wire.get("/private", b"Authorization: Bearer" + fold + GOOD)
    if replies and replies[0].status == 200:
        wire.served(replies)
        return
    wire.refused(replies, "token_malformed", "token_missing")


PATHS = {
    "F01": [b"/admin%0A", b"/docs%0A", b"/%0A", b"/public/x%0A", b"/docs%0D%0A"],
    "F02": [
        b"//admin",
        b"//docs",
        b"/./docs",
        b"/x/../docs",
        b"/docs;x",
        b"/docs/.",
        b"/docs/",
        b"/public/../admin",
        b"///",
    ],
    "F03": [
        b"/%2e/docs",
        b"/public%2f..%2fadmin",
        b"/public/%2e%2e/admin",
        b"/public/%00",
        b"/public/%ff",
        b"/public/%5c..%5cx",
    ],
    "F03-twice": [b"/public/%252e%252e/admin", b"/docs%2500", b"/docs%3F", b"/docs%23", b"/docs%20", b"/public%252fx"],
    "F03-raw": [b"/public/\xff", b"/public/\\..\\admin", b"/docs\\", b"/public/\xc3\xbc\x7f"],
}


@pytest.mark.parametrize("path", cases(PATHS))
def test_protected_unless_canonical(wire: Wire, path: bytes) -> None:
    wire.refused(wire.get(path), "token_missing")


@pytest.mark.parametrize(
    "path", cases({"F03-public": [b"/%64ocs", b"/public%2fx", b"/public/%C3%BC", b"/docs?x=/../admin"]})
)
def test_public(wire: Wire, path: bytes) -> None:
    wire.served(wire.get(path), b"hello anonymous")


TARGETS = {
    "F07": [
        b"http://evil/admin",
        b"http://testserver/admin",
        b"admin",
        b"/admin#/docs",
        b"*",
        b"@evil",
        b"https://evil@testserver/admin",
    ]
}


@pytest.mark.parametrize("target", cases(TARGETS))
@pytest.mark.parametrize("method", [b"GET", b"OPTIONS", b"HEAD"])
def test_targets_that_are_no_paths(wire: Wire, target: bytes, method: bytes) -> None:
    replies = wire.talk(request(target, method=method))
    if method == b"HEAD":
        assert all(reply.status in (400, 401) for reply in replies)
        assert wire.seen()["paths"] == []
    else:
        wire.refused(replies, "token_missing")


@pytest.mark.parametrize("target", cases({"F07-docs": [b"http://evil/docs", b"/docs#x", b"https://testserver/docs"]}))
def test_targets_of_a_public_page_reach_nothing_else(wire: Wire, target: bytes) -> None:
    wire.get(target)
    assert set(wire.seen()["paths"]) <= {"/docs"}


HOSTS = {
    "F08": [
        b"evil/public/x?",
        b"evil#",
        b"evil?/docs",
        b"user@evil",
        b"",
        b"[::1",
        b"evil:99999",
        b"evil/docs",
        b"\xff",
    ]
}


@pytest.mark.parametrize("host", cases(HOSTS))
def test_host_poisoning(wire: Wire, host: bytes) -> None:
    wire.refused(wire.get("/admin", host=host), "token_missing")
    wire.refused(wire.get("/admin", b"Host: " + host), "token_missing")


@pytest.mark.parametrize("host", cases({"F08-none": [b"Host: testserver", b"X-Forwarded-Host: evil/docs"]}))
def test_other_hosts(wire: Wire, host: bytes) -> None:
    wire.refused(wire.get("/admin", host, host=None), "token_missing")


def test_e20_pipelined_requests_of_several_people(wire: Wire) -> None:
    tokens = [GOOD, BOB, None, GOOD, None, BOB]
    credentials = [[b"Authorization: Bearer " + one] if one else [] for one in tokens]
    raw = b"".join(request("/", *headers, last=n == len(tokens) - 1) for n, headers in enumerate(credentials))
    received = wire.talk(raw)
    assert received[0].status == 200
    assert wire.seen()["people"] == ["alice", "bob", None, "alice", None, "bob"]


def test_e20_a_refusal_between_others_on_one_connection(wire: Wire) -> None:
    bad = b"Authorization: Bearer made.up.token"
    replies = wire.talk(request("/x", bad, last=False) + request("/x", last=False) + request("/x", BEARER))
    assert [reply.status for reply in replies] == [401, 401, 200]
    assert [reply.code for reply in replies] == ["token_invalid", "token_missing", None]


IN_URL = token(sub="carol").encode()
"""It ends in the access log of a server: the reason why it is never read there."""

ELSEWHERE = {
    "E08": [b"/private?access_token=" + IN_URL, b"/private?token=" + IN_URL],
    "F04": [b"/publicity", b"/public", b"/PUBLIC/x", b"/Docs", b"/docsx"],
    "F05": [b"/docs/", b"/private/"],
}


@pytest.mark.parametrize("name", cases({"E08-form": [b"access_token", b"token", b"authorization", b"jwt"]}))
def test_a_token_in_a_form_opens_nothing(wire: Wire, name: bytes) -> None:
    body = name + b"=" + GOOD
    kind = b"Content-Type: application/x-www-form-urlencoded"
    raw = request("/private", kind, b"Content-Length: %d" % len(body), method=b"POST") + body
    wire.refused(wire.talk(raw), "token_missing")


@pytest.mark.parametrize("path", cases(ELSEWHERE))
def test_neither_a_token_in_the_query_nor_a_similar_path_opens_anything(wire: Wire, path: bytes) -> None:
    wire.refused(wire.get(path), "token_missing")


SMUGGLED = {
    "E10": [
        b"X-Middleware-Subrequest: middleware",
        b"X-Original-URL: /docs",
        b"X-Rewrite-URL: /docs",
        b"X-Forwarded-Prefix: /public",
        b"X-Forwarded-User: alice",
        b"X-HTTP-Method-Override: OPTIONS",
        b"Forwarded: for=127.0.0.1;host=evil",
    ]
}


@pytest.mark.parametrize("header", cases(SMUGGLED))
def test_headers_of_proxies_open_nothing(wire: Wire, header: bytes) -> None:
    wire.refused(wire.get("/private", header), "token_missing")


def post(*headers: bytes, method: bytes = b"POST") -> bytes:
    return request("/auth/refresh", *headers, b"Content-Length: 0", method=method)


NAME = COOKIE.encode()
COOKIES = {
    "invalid_request": [
        [b"Cookie: " + NAME + b"=a; " + NAME + b"=b"],
        [b"Cookie: " + NAME + b"=a", b"Cookie: " + NAME + b"=b"],
        [b"Cookie: " + NAME + b"=a", b"Cookie: x=y; " + NAME + b"=a"],
    ],
    "refresh_invalid": [
        [b"Cookie: " + NAME + b'="a\\075"'],
        [b"Cookie: x=y", b"Cookie: " + NAME + b"=a"],
    ],
    "refresh_missing": [[], [b"Cookie: " + NAME.upper() + b"=a"], [b"Cookie: =" + NAME + b"=a"], [b"Cookie: x=y"]],
}


@pytest.mark.parametrize("code", COOKIES)
def test_g02_g03_g04_cookies(wire: Wire, code: str) -> None:
    for headers in COOKIES[code]:
        wire.refused(wire.talk(post(*headers)), code)


SITES = {
    "G06": [
        b"Origin: https://evil.example",
        b"Origin: null",
        b"Origin: http://testserver.evil",
        b"Origin: http://testserver:81",
        b"Sec-Fetch-Site: cross-site",
        b"Sec-Fetch-Site: same-site",
    ]
}


@pytest.mark.parametrize("header", cases(SITES))
def test_requests_from_other_sites(wire: Wire, header: bytes) -> None:
    wire.refused(wire.talk(post(b"Cookie: " + NAME + b"=a", header)), "cross_origin")


METHODS = [b"GET", b"PUT", b"PATCH", b"DELETE", b"TRACE", b"OPTIONS", b"QUERY", b"FOO", b"POST2", b""]


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout", "/auth/login"])
@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_f11_only_post_changes_anything(wire: Wire, method: bytes, path: str) -> None:
    """With or without a cookie that would be good enough; a server need not know every method."""
    override = b"X-HTTP-Method-Override: POST"
    headers = (b"Cookie: " + NAME + b"=a", override, b"Content-Length: 0")
    replies = wire.talk(request(path, *headers, method=method))
    wire.refused(replies, "method_not_allowed")
    assert all(reply.one("allow") == "POST" for reply in replies if reply.code)


@pytest.mark.parametrize(
    "size", [pytest.param(n, id=f"B11-{n}") for n in (8193, 60_000, 70_000, 1_000_000, 16_000_000)]
)
def test_large_tokens(wire: Wire, size: int) -> None:
    large = GOOD + b"A" * (size - len(GOOD))
    wire.refused(wire.get("/private", b"Authorization: Bearer " + large), "token_invalid")


@pytest.mark.parametrize("size", [pytest.param(n, id=f"B11-cookie-{n}") for n in (8193, 60_000)])
def test_large_cookies(wire: Wire, size: int) -> None:
    cookie = f"Cookie: {COOKIE}={'A' * size}".encode()
    replies = wire.talk(request("/auth/refresh", cookie, b"Content-Length: 0", method=b"POST"))
    wire.refused(replies, "refresh_invalid")


def _large(size: int) -> bytes:
    return b"Authorization: Bearer " + GOOD + b"A" * (size - len(GOOD))


DIFFERENCES: dict[str, tuple[bytes, str, str, str, str]] = {
    "E07 a folded header": (
        request("/x", b"Authorization: Bearer\r\n " + GOOD), "/x", "400", "/x", "400"
    ),
    "E04 blanks after the token": (request("/x", BEARER + b"  "), "/x", "/x", "/x", "/x"),
    "E07 a byte over 0x7f": (
        request("/x", BEARER[:60] + b"\x80" + BEARER[60:]), *["token_invalid"] * 4
    ),
    "B11 70 kB": (request("/x", _large(70_000)), "token_invalid", "token_invalid", "431", "token_invalid"),
    "B11 1 MB": (request("/x", _large(1_000_000)), "400", "token_invalid", "431", "431"),
    "F07 the absolute form": (
        request("http://evil/docs"), "token_missing", "/docs", "token_missing", "/docs"
    ),
    "F07 a fragment": (request("/docs#x"), "token_missing", "/docs", "token_missing", "/docs"),
    "F07 no slash": (request("x", BEARER), "x", "400", "x", ""),
    "F08 two hosts": (request("/x", BEARER, b"Host: evil"), "400", "/x", "400", "/x"),
    "F08 no host": (request("/x", BEARER, host=None), "400", "/x", "400", "/x"),
    "F11 another case": (
        request("/auth/refresh", b"Content-Length: 0", method=b"post"),
        "method_not_allowed", "400", "refresh_missing", "method_not_allowed",
    ),
    "F11 a blank more": (
        request("/auth/refresh", b"Content-Length: 0", method=b"POST "),
        "400", "refresh_missing", "400", "400",
    ),
    "two lengths": (
        request("/x", BEARER, b"Content-Length: 3", b"Content-Length: 4", method=b"POST") + b"abcd", *["400"] * 4
    ),
    "a length beside chunks": (
        request("/x", BEARER, b"Content-Length: 3", b"Transfer-Encoding: chunked", method=b"POST") + b"0\r\n\r\n",
        "/x", "400", "/x", "/x",
    ),
}  # fmt: skip
"""What each server makes of a request: the path that reaches the app, our code, or its own status. In the order of
``SERVERS``. None of it lets anybody in: what reaches the app is public, or came with a good token."""


@pytest.mark.parametrize("what", DIFFERENCES)
def test_where_servers_differ(wire: Wire, what: str) -> None:
    raw, *outcomes = DIFFERENCES[what]
    (reply,) = wire.talk(raw)
    reached = wire.seen()["paths"]
    assert (reached[0] if reached else reply.code or str(reply.status)) == outcomes[SERVERS.index(wire.server)]


def test_no_token_is_in_the_log(wire: Wire) -> None:
    """After all these requests: what a server says of a request that it refuses, too."""
    wire.talk(request("/logged", BEARER))
    wire.talk(request("/logged", BEARER[:60] + b"\0" + BEARER[60:]))
    deadline = time.monotonic() + 20
    while "/logged" not in (log := wire.log()):  # granian answers before it writes
        assert time.monotonic() < deadline, log
        time.sleep(0.02)
    for secret in (GOOD, BOB):
        _, payload, signature = secret.decode().split(".")
        assert payload not in log
        assert signature[:16] not in log
