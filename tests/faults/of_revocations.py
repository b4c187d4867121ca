"""Faults in what makes the end of a session an end everywhere, at once and for as long as its tokens live."""

from .fault import Fault

LIST = "tests/unit/test_revocation.py::test_"
FEED = "tests/unit/test_feed.py::test_"

FAULTS = (
    Fault(
        name="an-end-moves-when-it-is-heard-of-again",
        file="revocation.py",
        old="        self._ended.setdefault(session_id, at)\n",
        new="        self._ended[session_id] = at\n",
        tests=(LIST + "what_was_added_is_listed_with_the_first_time",),
    ),
    Fault(
        name="who-watches-hears-of-ends-elsewhere-never",
        file="revocation.py",
        old="                new.append((session_id, at))\n                self._tell(session_id)\n",
        new="                new.append((session_id, at))\n",
        tests=(
            LIST + "all_who_watch_a_session_are_told_but_who_has_left",
            LIST + "who_watches_is_told_once_and_finds_it_listed",
            "tests/web/test_websocket_lease.py",
        ),
    ),
    Fault(
        name="who-leaves-takes-all-others-along",
        file="revocation.py",
        old="            watchers.discard(told)\n",
        new="            watchers.clear()\n",
        tests=(LIST + "all_who_watch_a_session_are_told_but_who_has_left",),
    ),
    Fault(
        name="what-others-see-is-a-copy",
        file="revocation.py",
        old="MappingProxyType(self._ended)",
        new="MappingProxyType({**self._ended})",
        tests=(LIST + "others_can_only_read_and_see_every_change",),
    ),
    Fault(
        name="an-end-that-is-known-is-news",
        file="revocation.py",
        old="            if session_id not in self._ended:\n",
        new="            if True:\n",
        tests=(LIST + "a_feed_says_what_is_new",),
    ),
    Fault(
        name="ended-sessions-are-never-forgotten",
        file="revocation.py",
        old="            del self._ended[session_id]\n",
        new="            pass\n",
        tests=(LIST + "entries_stay_exactly_as_long_as_they_are_needed",),
    ),
    Fault(
        name="a-verifier-does-not-look-at-its-feed",
        file="verifier.py",
        old="revoked = feed.ended if feed is not None else {}",
        new="revoked = {}",
        tests=(FEED + "a_verifier_with_a_feed_refuses_what_ended",),
    ),
    Fault(
        name="what-is-pushed-is-not-learned",
        file="feed.py",
        old="                        self._learn(ended)\n",
        new="",
        tests=(FEED + "a_pushed_end_is_known_at_once",),
    ),
    Fault(
        name="while-the-push-is-away-nobody-asks",
        file="feed.py",
        old="            finally:\n                self._is_pushed = False\n",
        new="            finally:\n                pass\n",
        tests=(FEED + "what_ended_while_the_cable_was_out_is_read_afterwards",),
    ),
    Fault(
        name="a-push-that-breaks-ends-the-watching",
        file="feed.py",
        old="                failing = True\n            finally:",
        new="                return\n            finally:",
        tests=(FEED + "what_ended_while_the_cable_was_out_is_read_afterwards",),
    ),
    Fault(
        name="a-feed-remembers-nothing-for-long",
        file="feed.py",
        old='RevocationList(seconds(access_ttl, "access_ttl", least=1))',
        new='RevocationList(seconds(access_ttl, "access_ttl", least=1) / 2)',
        tests=("tests/faults/test_strict.py::test_an_end_is_remembered_as_long_as_its_tokens_live",),
    ),
    Fault(
        name="an-issuer-does-not-know-its-own-ends",
        file="backing.py",
        old="        ended = events.Revoked(at=now, subject=subject, session_id=session_id",
        new="        self.feed._revoked._ended.pop(session_id, None)\n"
        "        ended = events.Revoked(at=now, subject=subject, session_id=session_id",
        tests=("tests/catalogue/test_c_claims.py::test_a_subject_that_was_removed",),
    ),
)
