"""Faults in how tokens travel over HTTP."""

from .fault import Fault

COOKIE = "tests/web/test_cookie.py::test_"
ORIGIN = "tests/web/test_cross_origin.py::test_"
ROUTES = "tests/web/test_routes.py::test_"
KNOWN = "tests/web/test_known_tokens.py::test_"

_DELETES = (
    "            return answer.with_headers(self._cookie.delete()) if by_cookie and error.session_over else answer\n"
)

FAULTS = (
    Fault(
        name="a-cookie-deleted-on-a-503",
        file="web/tokens.py",
        old="        except GrantError as error:\n            answer = self._problems.answer(error)\n",
        new="        except AuthError as error:\n            answer = self._problems.answer(error)\n"
        "            if not isinstance(error, GrantError):\n"
        "                return answer.with_headers(self._cookie.delete())\n",
        tests=(COOKIE + "kept_and_still_good[store fails]",),
    ),
    Fault(
        name="a-cookie-deleted-on-any-refusal",
        file="web/tokens.py",
        old="if by_cookie and error.session_over else answer",
        new="if by_cookie else answer",
        tests=(COOKIE + "kept_and_still_good[other device]",),
    ),
    Fault(
        name="a-cookie-never-deleted",
        file="web/tokens.py",
        old=_DELETES,
        new="            return answer\n",
        tests=(COOKIE + "deleted_with_a_confirmed_end[revoked]",),
    ),
    Fault(
        name="a-cookie-deleted-on-a-race",
        file="web/tokens.py",
        old="        return self._tokens(pair, by_cookie=by_cookie)\n\n    async def _refresh_form",
        new="        answer = self._tokens(pair, by_cookie=by_cookie)\n"
        "        is_repeat = pair.session.last_used_at != self.issuer.clock()\n"
        "        return answer.with_headers(self._cookie.delete()) if by_cookie and is_repeat else answer\n\n"
        "    async def _refresh_form",
        tests=("tests/faults/test_found.py::test_the_loser_of_a_race_is_sent_one_cookie_and_no_other",),
    ),
    Fault(
        name="a-body-token-deletes-the-cookie",
        file="web/tokens.py",
        old="if by_cookie and error.session_over else answer",
        new="if error.session_over else answer",
        tests=(COOKIE + "a_body_token_never_deletes_a_cookie",),
    ),
    Fault(
        name="the-first-of-two-cookies-wins",
        file="web/transport.py",
        old="        if len(found) > 1:\n            raise InvalidRequest\n",
        new="",
        tests=("tests/catalogue/test_g_cookies.py::test_the_cookie_twice",),
    ),
    Fault(
        name="a-cookie-for-scripts-to-read",
        file="web/transport.py",
        old='attributes = "; HttpOnly" + ',
        new='attributes = "" + ',
        tests=(COOKIE + "attributes",),
    ),
    Fault(
        name="cookie-and-body-may-disagree",
        file="web/tokens.py",
        old="        if by_body is not None and by_body != by_cookie:\n            raise InvalidRequest\n",
        new="",
        tests=("tests/catalogue/test_g_cookies.py::test_g05_cookie_and_body_disagree",),
    ),
    Fault(
        name="a-refresh-from-any-page",
        file="web/tokens.py",
        old="            return by_body, False\n        request.check_origin(self._allowed_origins)\n",
        new="            return by_body, False\n",
        tests=(ORIGIN + "refused_before_anything_is_read",),
    ),
    Fault(
        name="a-login-from-any-page",
        file="web/tokens.py",
        old="        self.check_login_origin(request)\n",
        new="",
        tests=("tests/catalogue/test_g_cookies.py::test_login_from_other_sites",),
    ),
    Fault(
        name="a-logout-without-token-from-any-page",
        file="web/tokens.py",
        old="request.check_origin(self._allowed_origins)  # the cookie is to be deleted",
        new="pass",
        tests=(ORIGIN + "a_logout_without_a_token_is_checked_since_it_deletes_the_cookie",),
    ),
    Fault(
        name="another-subdomain-is-our-own-page",
        file="web/incoming.py",
        old='if site in ("same-origin", "none"):',
        new='if site in ("same-origin", "same-site", "none"):',
        tests=(ORIGIN + "refused_before_anything_is_read",),
    ),
    Fault(
        name="a-spent-token-logs-out-of-nothing-over-http",
        file="web/tokens.py",
        old="named = self.issuer.session_id_of(token) if token is not None else None",
        new="named = getattr(await self.issuer.session_of(token), 'id', None) if token is not None else None",
        tests=(ROUTES + "logout_with_an_old_generation_ends_the_session",),
    ),
    Fault(
        name="a-logout-answered-before-the-session-has-ended",
        file="web/tokens.py",
        old='            await self.issuer.revoke(named, reason="logout", device=self.device_of(request))\n',
        new='            __import__("asyncio").ensure_future(self.issuer.revoke(named, reason="logout"))\n',
        tests=("tests/catalogue/test_g_cookies.py::test_g09_logout_clears_exactly_and_the_store_first",),
    ),
    Fault(
        name="everywhere-is-here",
        file="web/tokens.py",
        old="                await self.issuer.logout_all(subject, device=self.device_of(request))\n",
        new="                pass\n",
        tests=(ROUTES + "logout_everywhere",),
    ),
    Fault(
        name="the-sessions-of-others-can-be-ended",
        file="web/routes.py",
        old="if session is None or session.subject != token.subject:",
        new="if session is None:",
        tests=(ROUTES + "nobody_ends_the_session_of_another",),
    ),
    Fault(
        name="the-last-of-two-authorization-headers-wins",
        file="web/middleware.py",
        old='authorization = value if authorization is None else b""',
        new="authorization = value",
        tests=(KNOWN + "two_headers_are_refused_although_one_is_known",),
    ),
    Fault(
        name="a-known-token-of-an-ended-session",
        file="web/middleware.py",
        old="                and known.session_id not in self._revoked\n",
        new="",
        tests=(KNOWN + "it_is_refused_once_its_session_ended",),
    ),
    Fault(
        name="a-known-token-a-moment-too-late",
        file="web/middleware.py",
        old="and known.ends_at > self._clock()",
        new="and known.ends_at >= self._clock()",
        tests=(KNOWN + "it_expires_to_the_second",),
    ),
    Fault(
        name="a-known-token-of-another-middleware",
        file="web/middleware.py",
        old="                and known.companion[0] is self._users\n",
        new="                and known.companion[0] is not None\n",
        tests=(KNOWN + "middlewares_that_share_an_issuer_do_not_share_their_settings",),
    ),
    Fault(
        name="a-request-shows-nothing-to-have-arrived",
        file="web/middleware.py",
        old="                self._acknowledge(known.token)\n",
        new="                pass\n",
        tests=("tests/web/test_lifespan.py::test_acknowledgements_are_written_at_shutdown",),
    ),
    Fault(
        name="requests-before-the-feed-is-loaded",
        file="web/middleware.py",
        old="            await self._backing.ready()\n        methods",
        new="            pass\n        methods",
        tests=("tests/web/test_gateway.py::test_a_feed_that_cannot_be_loaded_lets_nobody_in",),
    ),
    Fault(
        name="sockets-for-everybody",
        file="web/middleware.py",
        old="        return self._identify(scope, authorization)\n",
        new='        scope["user"], scope["auth"] = self._users.nobody()\n        return None\n',
        tests=("tests/web/test_websocket.py::test_refused_before_accept",),
    ),
    Fault(
        name="any-options-request-is-a-preflight",
        file="web/middleware.py",
        old='return b"origin" in names and b"access-control-request-method" in names',
        new="return True",
        tests=("tests/web/test_paths.py::test_other_options_requests_are_protected",),
    ),
    Fault(
        name="public-in-any-spelling",
        file="web/paths.py",
        old=" and not _ODD.search(path)\n",
        new="\n",
        tests=("tests/web/test_paths.py::test_protected",),
    ),
    Fault(
        name="a-token-that-may-be-stored-on-the-way",
        file="web/answers.py",
        old="return Answer(status, (_JSON, length(body), NO_STORE, *headers), body)",
        new="return Answer(status, (_JSON, length(body), *headers), body)",
        tests=("tests/catalogue/test_e_carriage.py::test_e18_every_answer_of_ours_says_how_to_cache_it",),
    ),
    Fault(
        name="a-body-without-limit",
        file="web/incoming.py",
        old="            if len(body) > MAX_BODY:\n                raise PayloadTooLarge\n",
        new="",
        tests=("tests/web/test_body_limit.py::test_one_byte_more_is_refused",),
    ),
    Fault(
        name="public-where-a-router-takes-the-root-path-out",
        file="web/paths.py",
        old=" and not _is_misplaced(scope)",
        new="",
        tests=("tests/web/test_paths.py::test_a_root_path_that_stands_elsewhere_in_the_path",),
    ),
    Fault(
        name="a-401-that-does-not-say-where-to-refresh",
        file="web/problems.py",
        old="        if self._refresh_url is not None and error.status == 401:\n",
        new="        if False:\n",
        tests=("tests/web/test_gateway.py::test_every_401_names_where_to_refresh_if_the_gateway_knows",),
    ),
    Fault(
        name="without-keys-everybody-is-sent-to-the-login",
        file="web/middleware.py",
        old="                self._verifier.require_keys()\n",
        new="",
        tests=("tests/web/test_gateway.py::test_without_keys_everything_protected_says_try_again_until_they_come",),
    ),
    Fault(
        name="an-etag-for-all-keys",
        file="web/routes.py",
        old="hashlib.sha256(body)",
        new='hashlib.sha256(b"")',
        tests=("tests/web/test_jwks.py::test_who_has_them_is_told_so_until_they_change",),
    ),
    Fault(
        name="the-server-hears-of-a-failed-start-before-the-store-is-closed",
        file="web/lifespan.py",
        old='if kind != "lifespan.startup.complete":',
        new='if kind.startswith("lifespan.shutdown."):',
        tests=("tests/web/test_lifespan.py::test_the_store_is_closed_before_the_server_hears_that_the_app_failed",),
    ),
)
