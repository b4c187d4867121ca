"""Faults in the lives of sessions, and in what a process knows of them beside its store."""

from .fault import Fault

ISSUER = "tests/unit/test_issuer.py::test_"
LIFECYCLE = "tests/unit/test_issuer_lifecycle.py::test_"
EVENTS = "tests/unit/test_issuer_events.py::test_"
FEED = "tests/unit/test_feed.py::test_"
FOUND = "tests/faults/test_found.py::test_"
BACKING = "tests/unit/test_backing.py::test_"

FAULTS = (
    Fault(
        name="a-session-that-was-not-kept-is-answered",
        file="issuer.py",
        old="        await self.backing.ask(store.add(session))\n",
        new="        import asyncio\n\n"
        "        await asyncio.gather(self.backing.ask(store.add(session)), return_exceptions=True)\n",
        tests=(EVENTS + "every_verb_says_that_the_store_is_away_and_works_again",),
    ),
    Fault(
        name="the-idle-end-begins-after-the-absolute-one",
        file="issuer.py",
        old="expires_at=now + min(self._refresh_ttl, self._reauth_after)",
        new="expires_at=now + self._refresh_ttl",
        tests=(FOUND + "an_idle_lifetime_that_is_longer_than_the_absolute_one",),
    ),
    Fault(
        name="a-spent-token-logs-out-of-nothing",
        file="issuer.py",
        old="        session_id = self.session_id_of(refresh_token)\n",
        new="        found = await self.session_of(refresh_token)\n        session_id = found.id if found else None\n",
        tests=(ISSUER + "logout_with_any_generation_ends_the_session_and_is_idempotent",),
    ),
    Fault(
        name="logout-all-forgets-whom-to-keep",
        file="issuer.py",
        old="return await self.backing.end_all(subject, reason, keep)",
        new="return await self.backing.end_all(subject, reason, None)",
        tests=(ISSUER + "logout_all_keeps_one_and_counts_what_lived[memory]",),
    ),
    Fault(
        name="an-access-token-outlives-its-session",
        file="pairs.py",
        old="if expires_at > session.ends_at:",
        new="if False:",
        tests=(ISSUER + "lifetimes[memory]",),
    ),
    Fault(
        name="an-end-is-not-put-on-the-local-list",
        file="backing.py",
        old="subject: str | None, now: float) -> None:\n        self.feed.add(session_id, now)\n",
        new="subject: str | None, now: float) -> None:\n",
        tests=("tests/catalogue/test_c_claims.py::test_a_subject_that_was_removed",),
    ),
    Fault(
        name="an-end-whose-answer-was-lost-is-not-known-here",
        file="backing.py",
        old="here it is known from now on too\n            self.feed.add(session_id, now)\n",
        new="here it is known from now on too\n            pass\n",
        tests=(FOUND + "an_end_whose_answer_was_lost_is_known_here_when_it_is_asked_for_again",),
    ),
    Fault(
        name="the-feed-is-not-read-before-serving",
        file="feed.py",
        old="            await self._follow()\n",
        new="            self._following = asyncio.create_task(self._follow())\n",
        tests=(FOUND + "nobody_is_served_before_what_ended_is_known",),
    ),
    Fault(
        name="an-issuer-is-closed-before-it-is-open",
        file="backing.py",
        old="        await self._opening.finish()\n",
        new="",
        tests=(BACKING + "closing_while_it_opens_closes_what_was_opened[issuer]",),
    ),
    Fault(
        name="a-feed-is-closed-before-it-is-open",
        file="feed.py",
        old="        await self._opening.finish()\n",
        new="",
        tests=(BACKING + "closing_while_it_opens_closes_what_was_opened[feed]",),
    ),
    Fault(
        name="a-store-that-could-not-be-opened-stays-open",
        file="feed.py",
        old="                await self._source.close()\n            raise\n",
        new="                pass\n            raise\n",
        tests=(BACKING + "a_store_that_is_silent_at_the_start_is_not_waited_for",),
    ),
    Fault(
        name="acknowledgements-are-not-told",
        file="backing.py",
        old="        await self.flush()\n        self._round_number += 1\n",
        new="        self._round_number += 1\n",
        tests=(LIFECYCLE + "acknowledgements_are_written_in_the_background[memory]",),
        hangs=True,
    ),
    Fault(
        name="acknowledgements-that-could-not-be-told-are-dropped",
        file="backing.py",
        old="                    self.acknowledgements.put_back(pending)\n",
        new="",
        tests=(EVENTS + "every_verb_says_that_the_store_is_away_and_works_again",),
    ),
    Fault(
        name="a-flush-does-not-wait-for-anothers",
        file="backing.py",
        old="        await self._flushing.run(self._flush)\n",
        new="        await self._flush()\n",
        tests=(BACKING + "a_flush_beside_another_waits_until_everything_is_told",),
    ),
    Fault(
        name="one-theft-is-told-of-twice",
        file="backing.py",
        old="        if ended:\n            if why is not None:\n                self._teller.tell(why)\n",
        new="        if why is not None:\n            self._teller.tell(why)\n        if ended:\n",
        tests=("tests/rotation/test_interleavings.py::test_two_requests_in_every_order[oldest-oldest-within-plain]",),
    ),
    Fault(
        name="an-alarm-is-lost-with-the-answer-of-the-store",
        file="backing.py",
        old="            if why is not None:  # it may",
        new="            if False:  # it may",
        tests=(FOUND + "a_theft_is_told_of_though_the_store_did_not_answer",),
    ),
    Fault(
        name="a-silent-store-holds-up-the-start",
        file="feed.py",
        old="            await self._deadline.wait(self._source.open())\n",
        new="            await self._source.open()\n",
        tests=(BACKING + "a_store_that_is_silent_at_the_start_is_not_waited_for",),
    ),
    Fault(
        name="a-failing-store-is-a-refusal",
        file="backing.py",
        old="        return StoreUnavailable()\n",
        new="        from .errors import RefreshInvalid\n\n        return RefreshInvalid()\n",
        tests=("tests/web/test_cookie.py::test_kept_and_still_good[store fails]",),
    ),
    Fault(
        name="living-sessions-are-purged",
        file="backing.py",
        old="self.store.purge(self._clock() - self._keep_expired)",
        new="self.store.purge(self._clock() + self._keep_expired)",
        tests=(LIFECYCLE + "old_sessions_are_purged_in_the_background_a_day_after_their_end",),
    ),
    Fault(
        name="a-lower-generation-is-the-last-that-arrived",
        file="acknowledgements.py",
        old="if seen.get(session_id, 0) < generation:",
        new="if seen.get(session_id, 0) != generation:",
        tests=("tests/unit/test_acknowledgements.py::test_the_highest_generation_is_known_at_once_and_told_once",),
    ),
    Fault(
        name="what-is-put-back-lowers-what-arrived-since",
        file="acknowledgements.py",
        old="max(generation, self._pending.get(session_id, -1))",
        new="generation",
        tests=("tests/unit/test_acknowledgements.py::test_what_could_not_be_told_is_kept_and_never_lowered",),
    ),
    Fault(
        name="the-feed-without-overlap",
        file="feed.py",
        old="_OVERLAP = 60.0",
        new="_OVERLAP = 0.0",
        tests=(FEED + "what_ended_while_the_cable_was_out_is_read_afterwards",),
    ),
    Fault(
        name="the-feed-begins-with-now",
        file="feed.py",
        old="await self._catch_up(self._opened_at - self._revoked.keep)",
        new="await self._catch_up(self._opened_at)",
        tests=(FEED + "what_ended_before_is_known_from_the_start",),
    ),
    Fault(
        name="what-was-missed-is-not-read-when-the-push-is-back",
        file="feed.py",
        old="await self._catch_up(self._in_step_at - _OVERLAP)\n                            self._is_pushed, failing",
        new="self._is_pushed, failing",
        tests=(FOUND + "what_ended_before_the_push_began_is_read_when_it_begins",),
    ),
    Fault(
        name="a-store-that-pushes-is-believed",
        file="feed.py",
        old="if not self._is_pushed or self._round_number % _LOOK_ALL_THE_SAME == 0:",
        new="if not self._is_pushed:",
        tests=(FEED + "a_store_that_pushes_is_asked_now_and_then_all_the_same",),
        hangs=True,
    ),
    Fault(
        name="a-look-that-failed-counts",
        file="feed.py",
        old="        now = self._clock()\n        self._learn(await",
        new="        self._in_step_at = now = self._clock()\n        self._learn(await",
        tests=(FOUND + "what_ended_in_a_long_outage_is_read_after_it",),
    ),
    Fault(
        name="ends-are-forgotten-too-early",
        file="revocation.py",
        old="horizon = now - self.keep",
        new="horizon = now - self.keep / 2",
        tests=("tests/unit/test_revocation.py::test_entries_stay_exactly_as_long_as_they_are_needed",),
    ),
    Fault(
        name="a-wait-without-end",
        file="concurrency.py",
        old="                task.cancel()\n",
        new="",
        tests=(EVENTS + "a_store_that_hangs_is_a_store_that_is_away",),
        hangs=True,
    ),
)
