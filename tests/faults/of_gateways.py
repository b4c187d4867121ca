"""Faults in where keys come from, and in how WebSockets are let in and ended."""

from .fault import Fault

REMOTE = "tests/unit/test_remote.py::test_"
FILE = "tests/unit/test_key_file.py::test_"
COMMANDS = "tests/unit/test_key_commands.py::test_"
LEASE = "tests/web/test_websocket_lease.py::test_"
RENEWAL = "tests/web/test_websocket_renewal.py::test_"
PROTOCOLS = "tests/web/test_websocket_protocols.py::test_"
GUARDS = "tests/fastapi/test_guards.py::test_"

FAULTS = (
    Fault(
        name="keys-from-anywhere-without-tls",
        file="remote.py",
        old='if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):',
        new='if parts.scheme not in ("https", "http"):',
        tests=(REMOTE + "nowhere_else",),
    ),
    Fault(
        name="a-redirect-to-other-keys",
        file="remote.py",
        old='"follow_redirects": False',
        new='"follow_redirects": True',
        tests=(REMOTE + "whatever_else_comes_the_keys_are_kept",),
    ),
    Fault(
        name="keys-without-a-limit",
        file="remote.py",
        old="        if len(body) > MAX_BYTES:\n",
        new="        if False:\n",
        tests=(REMOTE + "a_stream_is_cut_off",),
        hangs=True,
    ),
    Fault(
        name="an-unknown-key-asks-for-nothing",
        file="verifier.py",
        old="            self.keys.source.missed()\n",
        new="            pass\n",
        tests=(REMOTE + "an_unknown_kid_is_answered_at_once_and_asks_for_a_fetch",),
        hangs=True,
    ),
    Fault(
        name="fetches-without-a-cool-down",
        file="remote.py",
        old="                await asyncio.sleep(self._cooldown)\n",
        new="                await asyncio.sleep(0)\n",
        tests=(REMOTE + "unknown_kids_cause_one_fetch_for_each_cooldown",),
        hangs=True,
    ),
    Fault(
        name="an-empty-set-takes-all-keys-away",
        file="remote.py",
        old="        if not keys:\n",
        new="        if False:\n",
        tests=(REMOTE + "whatever_else_comes_the_keys_are_kept",),
    ),
    Fault(
        name="a-private-half-that-was-published-is-trusted",
        file="remote.py",
        old=" if not _is_lost(key, content, report)",
        new="",
        tests=(REMOTE + "a_key_that_is_no_good_is_left_out_with_one_warning",),
    ),
    Fault(
        name="a-failed-fetch-ends-all-others",
        file="remote.py",
        old="            self._complaints.about(error)\n            return False\n",
        new="            raise\n",
        tests=(REMOTE + "an_issuer_that_is_down_does_not_stop_the_start",),
        hangs=True,
    ),
    Fault(
        name="a-file-is-read-once",
        file="key_file.py",
        old="        if stamp == self._seen:\n",
        new="        if self._seen is not None:\n",
        tests=(FILE + "a_rotation_is_picked_up_and_old_tokens_stay_good",),
        hangs=True,
    ),
    Fault(
        name="keys-that-everybody-can-read",
        file="key_file.py",
        old="0o600",
        new="0o644",
        tests=(COMMANDS + "a_new_file_has_a_key_that_signs_and_one_that_is_next",),
    ),
    Fault(
        name="a-file-without-a-key-that-signs",
        file="key_file.py",
        old="        if self._signs and not _can_sign(contents):\n",
        new="        if False:\n",
        tests=(FILE + "a_file_that_goes_bad_changes_nothing_and_the_log_says_so_once",),
    ),
    Fault(
        name="a-rotation-before-gateways-have-the-key",
        file="command_line/key_changes.py",
        old="upcoming.since + published_for > now",
        new="upcoming.since > now",
        tests=(COMMANDS + "a_rotation_waits_until_everybody_can_have_the_next_key",),
    ),
    Fault(
        name="a-socket-for-pages-of-anybody",
        file="web/websocket.py",
        old="            raise CrossOrigin\n",
        new="            pass\n",
        tests=("tests/web/test_websocket_origin.py::test_refused_also_on_a_public_path",),
    ),
    Fault(
        name="a-socket-outlives-its-token",
        file="web/lease.py",
        old="            if self._known.ends_at <= self._terms.clock():\n",
        new="            if False:\n",
        tests=(LEASE + "expires_while_the_app_waits_for_a_message",),
        hangs=True,
    ),
    Fault(
        name="a-socket-outlives-its-session",
        file="web/lease.py",
        old="            (watchable.watch if on else watchable.unwatch)(session_id, self._told)\n",
        new="            pass\n",
        tests=(LEASE + "ends_at_once_in_the_process_that_ends_the_session",),
        hangs=True,
    ),
    Fault(
        name="a-socket-that-is-taken-over",
        file="web/lease.py",
        old="            if known.token.subject != self._known.token.subject:\n",
        new="            if False:\n",
        tests=(RENEWAL + "a_token_that_does_not_pass_ends_it",),
        hangs=True,
    ),
    Fault(
        name="a-fresh-token-changes-nothing",
        file="web/lease.py",
        old="            self._go_by(known)\n            _, self._scope",
        new="            _, self._scope",
        tests=(RENEWAL + "the_lease_goes_on_and_the_app_sees_nothing_of_it",),
        hangs=True,
    ),
    Fault(
        name="the-app-sees-the-token-of-a-socket",
        file="web/subprotocols.py",
        old='        return {**scope, "headers": headers, "subprotocols": self.others}\n',
        new="        return scope\n",
        tests=(PROTOCOLS + "the_member_behind_bearer_is_the_token_and_the_app_sees_neither",),
    ),
    Fault(
        name="two-tokens-for-one-socket",
        file="web/subprotocols.py",
        old="return self.authorization if bearer(header) is None else _MALFORMED",
        new="return self.authorization",
        tests=(PROTOCOLS + "a_header_and_a_protocol_are_one_token_too_many",),
    ),
    Fault(
        name="who-watches-is-not-told",
        file="revocation.py",
        old="                told()\n",
        new="                pass\n",
        tests=("tests/unit/test_revocation.py::test_who_watches_is_told_once_and_finds_it_listed",),
    ),
    Fault(
        name="fresh-for-ever",
        file="web/demands.py",
        old="token.auth_time is None or clock() - token.auth_time > max_age",
        new="token.auth_time is None",
        tests=(GUARDS + "fresh_until_the_very_second",),
    ),
)
