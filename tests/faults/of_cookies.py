"""Faults in the cookie itself: how it is written, found and deleted."""

from .fault import Fault

COOKIE = "tests/web/test_cookie.py::test_"
ATTRIBUTES = (COOKIE + "attributes",)
CATALOGUE = "tests/catalogue/test_g_cookies.py::test_"

FAULTS = (
    Fault(
        name="a-cookie-over-plain-http",
        file="web/transport.py",
        old='("; Secure" if self.secure else "")',
        new='""',
        tests=ATTRIBUTES,
    ),
    Fault(
        name="a-cookie-for-requests-of-other-sites",
        file="web/transport.py",
        old="; SameSite={self.samesite.capitalize()}; Path",
        new="; Path",
        tests=ATTRIBUTES,
    ),
    Fault(
        name="a-cookie-without-its-prefix",
        file="web/transport.py",
        old='prefix = "" if not self.secure else',
        new='prefix = "" if True else',
        tests=ATTRIBUTES,
    ),
    Fault(
        name="host-only-with-a-domain",
        file="web/transport.py",
        old='"__Host-" if self.path == "/" and self.domain is None else',
        new='"__Host-" if self.path == "/" else',
        tests=ATTRIBUTES,
    ),
    Fault(
        name="a-cookie-outlives-its-session",
        file="web/tokens.py",
        old="self._cookie.set(pair.refresh_token, pair.refresh_expires_in)",
        new="self._cookie.set(pair.refresh_token, 400 * 86_400)",
        tests=(COOKIE + "max_age_never_passes_the_absolute_end",),
    ),
    Fault(
        name="what-is-in-the-cookie-is-in-the-body-too",
        file="web/tokens.py",
        old="            return _pair_answer(self._beside_cookie, pair, cookie)\n",
        new="            return _pair_answer(self._in_body, pair, cookie)\n",
        tests=("tests/web/test_routes.py",),
    ),
    Fault(
        name="deleted-under-another-path",
        file="web/transport.py",
        old="={self._attributes}; Max-Age=0;",
        new="=; HttpOnly; Path=/auth; Max-Age=0;",
        tests=(CATALOGUE + "g09_logout_clears_exactly_and_the_store_first",),
    ),
    Fault(
        name="the-name-within-another-name",
        file="web/transport.py",
        old='if before.endswith(b";") or (not before and not end):',
        new="if True:",
        tests=(CATALOGUE + "another_name", CATALOGUE + "another_name_beside_ours_is_ignored"),
    ),
    Fault(
        name="a-value-without-its-quotes",
        file="web/transport.py",
        old='.partition(b";")[0].strip(b" \\t"))',
        new='.partition(b";")[0].strip(b\' \\t"\'))',
        tests=(CATALOGUE + "values_are_never_unquoted",),
    ),
    Fault(
        name="only-the-first-cookie-header",
        file="web/transport.py",
        old='b"; ".join(values) if name == b"cookie"',
        new='values[0] if name == b"cookie"',
        tests=(COOKIE + "the_cookie_in_the_second_header",),
    ),
    Fault(
        name="samesite-none-without-secure",
        file="web/transport.py",
        old=' or (self.samesite == "none" and not self.secure):',
        new=":",
        tests=(COOKIE + "what_cannot_be_a_cookie",),
    ),
    Fault(
        name="attributes-in-the-path-of-a-cookie",
        file="web/transport.py",
        old=' or ";" in value or "," in value:',
        new=":",
        tests=(COOKIE + "what_cannot_be_a_cookie",),
    ),
    Fault(
        name="a-failed-logout-deletes-the-cookie",
        file="web/tokens.py",
        old='            await self.issuer.revoke(named, reason="logout", device=self.device_of(request))\n',
        new="            try:\n"
        '                await self.issuer.revoke(named, reason="logout", device=self.device_of(request))\n'
        "            except AuthError:\n"
        "                pass\n",
        tests=(COOKIE + "a_logout_that_failed_keeps_the_cookie",),
    ),
)
