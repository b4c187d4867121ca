"""Faults in what is done about a refresh token once it is judged."""

from .fault import Fault

LOST = "tests/rotation/test_lost_answers.py::test_"
ISSUER = "tests/unit/test_issuer.py::test_"
LIFECYCLE = "tests/unit/test_issuer_lifecycle.py::test_"
EVENTS = "tests/unit/test_issuer_events.py::test_"
FOUND = "tests/faults/test_found.py::test_"
RACE = "tests/rotation/test_concurrency.py::test_one_token_is_rotated_once"

FAULTS = (
    Fault(
        name="a-grace-that-slides",
        file="rotation.py",
        old="            if spent and proof is None:\n",
        new="            if spent and proof is None:\n"
        "                await ask(store.advance(replace(self._step(token, device, now), expected=row.generation)))\n",
        tests=(LOST + "the_window_does_not_slide[memory]",),
    ),
    Fault(
        name="the-loser-of-a-race-is-taken-for-a-thief",
        file="rotation.py",
        old="            verdict = self._judge(row, token, device, now, proof)\n",
        new="            verdict = self._judge(row, token, device, now, proof)\n"
        "            verdict = Verdict.REUSE if verdict is Verdict.REPEAT else verdict\n",
        tests=(RACE + "[memory-plain]",),
    ),
    Fault(
        name="a-lost-compare-and-swap-taken-for-won",
        file="rotation.py",
        old="            if won and row is not None:\n                return self._answer(Verdict.ROTATE",
        new="            if row is not None:\n                return self._answer(Verdict.ROTATE",
        tests=(LOST + "a_thief_is_caught_here_once_the_leeway_is_over[memory]",),
    ),
    Fault(
        name="a-lost-second-compare-and-swap-taken-for-won",
        file="rotation.py",
        old="            if won and row is not None:\n                return self._answer(verdict",
        new="            if row is not None:\n                return self._answer(verdict",
        tests=(RACE + "[memory-load_identity]",),
    ),
    Fault(
        name="a-refresh-that-never-wins-ends-the-session",
        file="rotation.py",
        old="        raise StoreUnavailable\n\n    def _judge",
        new="        raise RefreshInvalid(session_over=True)\n\n    def _judge",
        tests=(FOUND + "a_refresh_that_always_loses_is_told_to_try_again",),
    ),
    Fault(
        name="a-late-repeat-that-is-not-noted",
        file="rotation.py",
        old="late = verdict is Verdict.LATE_REPEAT and row.late != row.generation",
        new="late = False",
        tests=(LOST + "behind_a_gateway_never_late_twice_in_a_row[memory]",),
    ),
    Fault(
        name="a-late-repeat-whose-note-was-refused",
        file="rotation.py",
        old="if late and not await ask(store.note_late(row.id, row.generation)):",
        new="if late and not [await ask(store.note_late(row.id, row.generation))]:",
        tests=(LOST + "an_acknowledgement_that_comes_at_the_last_moment_counts[memory]",),
    ),
    Fault(
        name="reuse-does-not-end-the-session",
        file="rotation.py",
        old='            await self._backing.end(row.id, "reuse", row.subject, why=reuse, device=device)\n',
        new="            self._teller.tell(reuse)\n",
        tests=(LOST + "a_thief_is_caught_here_once_the_leeway_is_over[memory]",),
    ),
    Fault(
        name="reuse-without-its-event",
        file="rotation.py",
        old="row.subject, why=reuse, device=device)",
        new="row.subject, device=device)",
        tests=(LOST + "a_thief_is_caught_here_once_the_leeway_is_over[memory]",),
    ),
    Fault(
        name="reuse-answered-before-the-session-has-ended",
        file="rotation.py",
        old='await self._backing.end(row.id, "reuse", row.subject, why=reuse, device=device)',
        new='__import__("asyncio").ensure_future(self._backing.end(row.id, "reuse", row.subject, why=reuse))',
        tests=(FOUND + "reuse_is_answered_once_the_session_has_ended",),
    ),
    Fault(
        name="a-revoked-session-that-was-met-is-not-known-here",
        file="rotation.py",
        old="            self._backing.feed.add(row.id, row.revoked_at or now)\n",
        new="            pass\n",
        tests=(LIFECYCLE + "a_session_that_was_refused_as_revoked_is_revoked_here[memory]",),
    ),
    Fault(
        name="another-browser-ends-the-session",
        file="rotation.py",
        old="        if verdict is Verdict.MISMATCH:\n            return DeviceMismatch()\n",
        new="",
        tests=(LOST + "the_current_token_on_another_browser_changes_nothing[memory]",),
    ),
    Fault(
        name="the-device-is-compared-with-itself",
        file="rotation.py",
        old="bound = row.device if row is not None else device",
        new="bound = device",
        tests=(LOST + "the_current_token_on_another_browser_changes_nothing[memory]",),
    ),
    Fault(
        name="ahead-and-never-rotated",
        file="rotation.py",
        old="            expected=row.generation,\n",
        new="",
        tests=(LOST + "nobody_is_logged_out_by_an_old_backup[1]",),
    ),
    Fault(
        name="the-identity-is-not-asked-for-at-a-repeat",
        file="rotation.py",
        old="if self._load_identity is not None and identity is None:",
        new="if self._load_identity is not None and identity is None and verdict in _ROTATIONS:",
        tests=(FOUND + "the_identity_is_asked_for_at_a_repeat_too",),
    ),
    Fault(
        name="the-identity-is-asked-for-after-the-write",
        file="rotation.py",
        old="            if self._load_identity is not None and identity is None:\n",
        new="            if self._load_identity is not None and verdict in _ROTATIONS:\n"
        "                step = self._step_from(row, token, device, now, verdict, proof)\n"
        "                won, row = await ask(store.advance(step))\n"
        "                if won:\n"
        "                    identity = await self._identity(row, token, now)\n"
        "                    return self._answer(verdict, row, token, device, now, identity)\n"
        "                continue\n"
        "            if self._load_identity is not None and identity is None:\n",
        tests=(ISSUER + "a_subject_that_is_gone_is_refused_and_its_session_stays[memory]",),
    ),
    Fault(
        name="the-identity-is-asked-for-never",
        file="rotation.py",
        old="        if self._load_identity is None and proof is None:\n",
        new="        if proof is None:\n",
        tests=(ISSUER + "the_identity_is_loaded_at_every_refresh[memory]",),
    ),
    Fault(
        name="a-user-database-that-is-away-logs-out",
        file="rotation.py",
        old="            raise StoreUnavailable from error\n",
        new="            raise RefreshInvalid(session_over=True) from error\n",
        tests=(ISSUER + "a_user_database_that_is_away_costs_nothing[memory-error0]",),
    ),
    Fault(
        name="a-client-in-a-loop-is-not-slowed-down",
        file="rotation.py",
        old="        if wait:\n",
        new="        if False:\n",
        tests=(EVENTS + "a_client_in_a_loop_is_slowed_down_and_loses_nothing[memory]",),
    ),
    Fault(
        name="repeats-count-fully",
        file="limits.py",
        old="used + (_REPEATS_PER_ROTATION if rotation else 1))",
        new="used + _REPEATS_PER_ROTATION)",
        tests=("tests/unit/test_limits.py::test_a_repeat_counts_a_tenth",),
    ),
    Fault(
        name="the-limit-counts-all-sessions-together",
        file="limits.py",
        old="        window = self._windows.get(session_id)\n",
        new="        window = max(self._windows.values(), default=None, key=lambda window: window[1])\n",
        tests=("tests/unit/test_limits.py::test_sessions_do_not_disturb_each_other",),
    ),
)
