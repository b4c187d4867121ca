"""Faults in the decision on a refresh token."""

from .fault import Fault

VERDICT = "tests/unit/test_verdict.py::test_the_table"
LOST = "tests/rotation/test_lost_answers.py::test_"
ISSUER = "tests/unit/test_issuer.py::test_"

FAULTS = (
    Fault(
        name="a-grace-for-any-older-generation",
        file="sessions.py",
        old="if generation != current - 1 or not same_device",
        new="if not same_device",
        tests=(VERDICT,),
    ),
    Fault(
        name="a-grace-without-end",
        file="sessions.py",
        old="if now - session.last_used_at < reuse_leeway:",
        new="if True:",
        tests=(LOST + "the_window_does_not_slide[memory]",),
    ),
    Fault(
        name="no-grace",
        file="sessions.py",
        old="if now - session.last_used_at < reuse_leeway:",
        new="if False:",
        tests=(LOST + "the_window_does_not_slide[memory]",),
    ),
    Fault(
        name="a-late-repeat-twice-in-a-row",
        file="sessions.py",
        old="late_before = session.late == generation and arrived < generation",
        new="late_before = False",
        tests=(LOST + "behind_a_gateway_never_late_twice_in_a_row[memory]",),
    ),
    Fault(
        name="a-late-repeat-of-what-was-acknowledged",
        file="sessions.py",
        old="if late_repeat and arrived < current and not late_before:",
        new="if late_repeat and not late_before:",
        tests=(LOST + "a_thief_is_caught_here_once_the_leeway_is_over[memory]",),
    ),
    Fault(
        name="late-repeats-cannot-be-switched-off",
        file="sessions.py",
        old="if late_repeat and arrived < current and not late_before:",
        new="if arrived < current and not late_before:",
        tests=(LOST + "late_repeats_can_be_switched_off[memory]",),
    ),
    Fault(
        name="what-arrived-here-is-known-to-the-row-only",
        file="sessions.py",
        old="arrived = max(session.acknowledged, acknowledged)",
        new="arrived = session.acknowledged",
        tests=(LOST + "a_thief_is_caught_here_once_the_leeway_is_over[memory]",),
    ),
    Fault(
        name="what-arrived-elsewhere-is-not-looked-at",
        file="sessions.py",
        old="arrived = max(session.acknowledged, acknowledged)",
        new="arrived = acknowledged",
        tests=(LOST + "an_older_access_token_in_another_process_takes_nothing_back[memory]",),
    ),
    Fault(
        name="generation-ahead-is-reuse",
        file="sessions.py",
        old="return Verdict.ROTATE if generation == current else Verdict.AHEAD",
        new="return Verdict.ROTATE if generation == current else Verdict.REUSE",
        tests=(LOST + "nobody_is_logged_out_by_an_old_backup[1]",),
    ),
    Fault(
        name="device-judged-after-the-generation",
        file="sessions.py",
        old="    if generation >= current:\n",
        new="    if generation == current:\n        return Verdict.ROTATE\n    if generation > current:\n",
        tests=(LOST + "the_current_token_on_another_browser_changes_nothing[memory]",),
    ),
    Fault(
        name="device-policy-ignored-at-a-repeat",
        file="sessions.py",
        old=" or not same_device or change in (Change.REFUSED, Change.STOLEN):",
        new=":",
        tests=(VERDICT, LOST + "a_repeat_for_another_browser_is_a_reuse[memory-1]"),
    ),
    Fault(
        name="an-ended-session-is-judged-like-any-other",
        file="sessions.py",
        old="return self.revoked_at is None and now < self.expires_at and now < self.ends_at",
        new="return now < self.expires_at and now < self.ends_at",
        tests=(ISSUER + "whose_a_refresh_token_is[memory]",),
    ),
    Fault(
        name="the-idle-end-is-a-moment-too-late",
        file="sessions.py",
        old="now < self.expires_at",
        new="now <= self.expires_at",
        tests=(ISSUER + "the_idle_end_at_the_edge[memory]",),
    ),
)
