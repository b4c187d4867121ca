"""Faults in what keeps pages of others from using a cookie: the check of where a request comes from."""

from .fault import Fault

ORIGIN = "tests/web/test_cross_origin.py::test_"
REFUSED = (ORIGIN + "refused_before_anything_is_read",)
PASSES = (ORIGIN + "passes",)
SOCKET = "tests/web/test_websocket_origin.py::test_"

FAULTS = (
    Fault(
        name="a-page-that-sends-no-origin-is-no-page",
        file="web/incoming.py",
        old="if origin is None and site is None:",
        new="if origin is None:",
        tests=REFUSED,
    ),
    Fault(
        name="an-opaque-origin-is-nobody",
        file="web/incoming.py",
        old="if origin and (origin in allowed",
        new='if origin == "null" or origin and (origin in allowed',
        tests=REFUSED,
    ),
    Fault(
        name="what-begins-like-an-allowed-origin",
        file="web/incoming.py",
        old="if origin and (origin in allowed",
        new="if origin and (origin.startswith(tuple(allowed))",
        tests=REFUSED,
    ),
    Fault(
        name="what-ends-like-an-allowed-origin",
        file="web/incoming.py",
        old="if origin and (origin in allowed",
        new='if origin and (any(origin.endswith(one.partition("://")[2]) for one in allowed)',
        tests=REFUSED,
    ),
    Fault(
        name="what-begins-like-our-own-origin",
        file="web/incoming.py",
        old="origin.lower() == self.own_origin()):",
        new='origin.lower().startswith(self.own_origin() or "-")):',
        tests=REFUSED,
    ),
    Fault(
        name="any-scheme-is-ours",
        file="web/incoming.py",
        old="origin.lower() == self.own_origin()):",
        new='origin.lower().partition("://")[2] == (self.own_origin() or "").partition("://")[2]):',
        tests=(ORIGIN + "the_scheme_is_the_servers",),
    ),
    Fault(
        name="any-port-is-ours",
        file="web/incoming.py",
        old="origin.lower() == self.own_origin()):",
        new='origin.lower().rpartition(":")[0] == (self.own_origin() or "").rpartition(":")[0]'
        " or origin.lower() == self.own_origin()):",
        tests=REFUSED,
    ),
    Fault(
        name="an-empty-origin-is-none",
        file="web/incoming.py",
        old='        origin = self.text(b"origin")\n        if origin is None and',
        new='        origin = self.text(b"origin") or None\n        if origin is None and',
        tests=REFUSED,
    ),
    Fault(
        name="fetch-metadata-is-not-looked-at",
        file="web/incoming.py",
        old='        site = self.text(b"sec-fetch-site")\n',
        new="        site = None\n",
        tests=(*REFUSED, *PASSES),
    ),
    Fault(
        name="fetch-metadata-in-any-case",
        file="web/incoming.py",
        old='        if site in ("same-origin", "none"):\n',
        new='        if site is not None and site.lower() in ("same-origin", "none"):\n',
        tests=REFUSED,
    ),
    Fault(
        name="the-first-of-two-origins",
        file="web/transport.py",
        old='if name == b"cookie" else b""',
        new='if name == b"cookie" else values[0]',
        tests=(ORIGIN + "headers_that_come_twice_prove_nothing",),
    ),
    Fault(
        name="the-host-is-what-a-proxy-is-said-to-have-seen",
        file="web/incoming.py",
        old='        host = self.text(b"host")\n',
        new='        host = self.text(b"x-forwarded-host") or self.text(b"host")\n',
        tests=REFUSED,
    ),
    Fault(
        name="the-host-may-be-more-than-a-host",
        file="web/incoming.py",
        old="        if not host:\n            return None\n",
        new='        if not host:\n            return None\n        host = host.partition("#")[0].partition("@")[0]\n',
        tests=(ORIGIN + "the_host_header_cannot_be_a_url",),
    ),
    Fault(
        name="a-token-in-the-body-excuses-the-cookie",
        file="web/tokens.py",
        old="        if by_cookie is None:\n            return by_body, False\n",
        new="        if by_cookie is None or by_body is not None:\n            return by_body, False\n",
        tests=(ORIGIN + "a_cookie_beside_the_body_is_checked",),
    ),
    Fault(
        name="plain-text-is-json",
        file="web/incoming.py",
        old='        if kind == b"application/json":\n',
        new='        if kind in (b"application/json", b"text/plain"):\n',
        tests=("tests/catalogue/test_g_cookies.py::test_what_a_page_may_send_without_a_preflight",),
    ),
    Fault(
        name="an-allowed-origin-with-a-wildcard",
        file="web/middleware.py",
        old=' or "*" in host or ',
        new=" or ",
        tests=(ORIGIN + "what_cannot_be_an_allowed_origin",),
    ),
    Fault(
        name="the-scheme-of-a-socket-does-not-count",
        file="web/websocket.py",
        old="origin.lower() != incoming.own_origin():",
        new='origin.lower().partition("://")[2] != (incoming.own_origin() or "").partition("://")[2]:',
        tests=(SOCKET + "refused_also_on_a_public_path",),
    ),
    Fault(
        name="a-good-token-makes-up-for-the-page",
        file="web/websocket.py",
        old="            authorization = self._check_origin(scope).headers.get(",
        new='            authorization = dict(scope["headers"]).get(b"authorization")\n'
        "            if authorization is None:\n"
        "                authorization = self._check_origin(scope).headers.get(",
        tests=(SOCKET + "a_good_token_does_not_make_up_for_it",),
    ),
)
