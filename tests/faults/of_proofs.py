"""Faults in what a session has to prove, in what a proof changes, and in guessing at credentials."""

from .fault import Fault

UP = "tests/rotation/test_step_up.py::test_"
VERDICT = "tests/unit/test_verdict.py::test_the_table"
WATCHED = "tests/rotation/test_watching.py::test_"
ROUTE = "tests/web/test_step_up.py::test_"
LIMITS = "tests/web/test_login_limits.py::test_"
ADDRESSES = "tests/web/test_addresses.py::test_"
NO_PROOF = UP + "another_network_waits_for_a_proof_and_the_owner_does_not[memory]"
SAID = UP + "a_proof_is_all_that_is_said[memory]"

FAULTS = (
    # the verdict
    Fault(
        name="a-marked-session-goes-on",
        file="sessions.py",
        old="wanting = not proven and (session.step_up is not None or change is Change.DOUBTED)",
        new="wanting = not proven and change is Change.DOUBTED",
        tests=(VERDICT,),
    ),
    Fault(
        name="a-doubted-device-goes-on",
        file="sessions.py",
        old="wanting = not proven and (session.step_up is not None or change is Change.DOUBTED)",
        new="wanting = not proven and session.step_up is not None",
        tests=(VERDICT,),
    ),
    Fault(
        name="a-proof-is-never-enough",
        file="sessions.py",
        old="wanting = not proven and (session.step_up is not None or change is Change.DOUBTED)",
        new="wanting = session.step_up is not None or change is Change.DOUBTED",
        tests=(VERDICT,),
    ),
    Fault(
        name="a-repeat-needs-no-proof",
        file="sessions.py",
        old="return Verdict.STEP_UP if wanting else Verdict.REPEAT",
        new="return Verdict.REPEAT",
        tests=(VERDICT,),
    ),
    Fault(
        name="a-late-repeat-needs-no-proof",
        file="sessions.py",
        old="return Verdict.STEP_UP if wanting else Verdict.LATE_REPEAT",
        new="return Verdict.LATE_REPEAT",
        tests=(VERDICT,),
    ),
    Fault(
        name="a-proof-gets-past-a-refusal",
        file="rotation.py",
        old="        change = self._policy.compare(bound, device)\n",
        new="        change = Change.SAME if proof else self._policy.compare(bound, device)\n",
        tests=(UP + "a_proof_is_no_way_around_a_refusal[memory]",),
    ),
    # what a proof changes
    Fault(
        name="a-proof-does-not-move-auth-time",
        file="proofs.py",
        old="return Standing(auth_time=self.at, amr=self.amr,",
        new="return Standing(auth_time=self.at - 1, amr=self.amr,",
        tests=(NO_PROOF,),
    ),
    Fault(
        name="a-refresh-moves-auth-time",
        file="minting.py",
        old='"auth_time":{int(auth_time)},',
        new='"auth_time":{issued_at},',
        tests=(UP + "no_refresh_moves_what_was_proven[memory]",),
    ),
    Fault(
        name="a-proof-does-not-raise-the-context",
        file="proofs.py",
        old="amr=self.amr, acr=self.acr, settling=settling)",
        new="amr=self.amr, settling=settling)",
        tests=(NO_PROOF,),
    ),
    Fault(
        name="a-proof-forgets-how",
        file="proofs.py",
        old="auth_time=self.at, amr=self.amr, acr=self.acr",
        new="auth_time=self.at, acr=self.acr",
        tests=(NO_PROOF,),
    ),
    Fault(
        name="a-password-keeps-what-a-second-factor-reached",
        file="sessions.py",
        old="return self.amr if self.standing.auth_time is None else self.standing.amr",
        new="return self.standing.amr or self.amr",
        tests=(SAID,),
    ),
    Fault(
        name="a-confirmation-from-where-a-refresh-is-refused",
        file="proofs.py",
        old="if device is not None and self._policy.compare(row.device, device) in (Change.REFUSED, Change.STOLEN):",
        new="if False:",
        tests=(UP + "a_confirmation_is_refused_where_a_refresh_would_be[memory]",),
    ),
    Fault(
        name="a-confirmation-from-where-a-refresh-ends-the-session",
        file="proofs.py",
        old="in (Change.REFUSED, Change.STOLEN):",
        new="is Change.REFUSED:",
        tests=(UP + "a_confirmation_is_refused_where_a_refresh_would_be[memory]",),
    ),
    Fault(
        name="the-context-is-not-in-the-token",
        file="minting.py",
        old='more = "" if standing.acr is None else',
        new='more = "" if True else',
        tests=(NO_PROOF,),
    ),
    Fault(
        name="a-proof-lets-the-leeway-slide",
        file="rotation.py",
        old="step = self._step(token, device, now) if verdict in _ROTATIONS else in_place(row, ip=device.ip)",
        new="step = self._step(token, device, now)",
        tests=(UP + "a_proof_with_a_token_whose_answer_was_lost_gets_the_same_successor[memory-60]",),
    ),
    Fault(
        name="a-change-in-place-loses-no-race",
        file="doubts.py",
        old="        bindings=(row.binding,),\n",
        new='        bindings=(row.binding, "?"),\n',
        tests=("tests/rotation/test_step_up.py::test_two_marks_at_once_are_one",),
    ),
    # a confirmation
    Fault(
        name="a-confirmation-without-a-device-changes-nothing",
        file="rotation.py",
        old="if change is Change.DOUBTED and row is not None and row.standing.settling:",
        new="if False:",
        tests=(UP + "a_confirmation_lets_the_next_refresh_say_where_it_is[memory]",),
    ),
    Fault(
        name="a-confirmation-lets-through-what-is-refused",
        file="rotation.py",
        old="if change is Change.DOUBTED and row is not None and row.standing.settling:",
        new="if change is not Change.SAME and row is not None and row.standing.settling:",
        tests=(UP + "a_confirmation_is_no_way_around_a_refusal[memory]",),
    ),
    Fault(
        name="a-confirmation-settles-for-ever",
        file="proofs.py",
        old="return replace(row.standing, settling=False) if row.standing.settling else None",
        new="return None",
        tests=(UP + "a_confirmation_lets_the_next_refresh_say_where_it_is[memory]",),
    ),
    Fault(
        name="a-confirmation-does-not-say-where",
        file="proofs.py",
        old='return {"ip": seen.ip, "user_agent": seen.user_agent, "binding": self._policy.binding(seen)}',
        new="return {}",
        tests=(UP + "a_confirmation_with_a_device_holds_for_that_device[memory]",),
    ),
    Fault(
        name="a-dead-session-is-confirmed",
        file="proofs.py",
        old="if row is None or not row.is_live(self._clock()):",
        new="if row is None:",
        tests=(UP + "a_session_that_does_not_live_is_not_confirmed[memory]",),
    ),
    Fault(
        name="a-failed-login-counts",
        file="issuer.py",
        old="                self.backing.abandon(session.id)\n",
        new="",
        tests=(WATCHED + "a_login_that_failed_does_not_count",),
    ),
    # over HTTP
    Fault(
        name="anybodys-credentials-are-a-proof",
        file="web/step_up.py",
        old="return who if subject == session.subject else None",
        new="return who",
        tests=(ROUTE + "wrong_and_right_for_somebody_else_are_one_answer",),
    ),
    Fault(
        name="two-sessions-in-one-step-up",
        file="web/step_up.py",
        old="if session_id is not None and access is not None and access.session_id != session_id:",
        new="if False:",
        tests=(ROUTE + "two_sources_that_disagree",),
    ),
    Fault(
        name="a-step-up-that-failed-is-not-told",
        file="web/step_up.py",
        old="            self._issuer.login_failed(device, session)\n",
        new="",
        tests=(ROUTE + "wrong_and_right_for_somebody_else_are_one_answer",),
    ),
    Fault(
        name="step-ups-without-limit",
        file="web/step_up.py",
        old="who = await self._tokens.throttle.step_up(session, device, ask)",
        new="who = await ask()",
        tests=(ROUTE + "after_five_failures_nobody_is_asked_any_more",),
    ),
    Fault(
        name="logins-without-limit",
        file="web/throttle.py",
        old="if not await self._stored(count.limit.begin(count.key)):",
        new="if not [await self._stored(count.limit.begin(count.key))]:",
        tests=(LIMITS + "the_sixth_guess_is_not_looked_at",),
    ),
    Fault(
        name="a-success-does-not-clear-the-account",
        file="web/throttle.py",
        old="await (count.limit.clear(count.key) if count.clears else count.limit.give_back(count.key))",
        new="await count.limit.give_back(count.key)",
        tests=(LIMITS + "a_success_clears_the_account",),
    ),
    Fault(
        name="a-success-clears-the-address",
        file="web/throttle.py",
        old="await (count.limit.clear(count.key) if count.clears else count.limit.give_back(count.key))",
        new="await count.limit.clear(count.key)",
        tests=(LIMITS + "but_not_the_address",),
    ),
    Fault(
        name="guesses-while-the-counting-is-away",
        file="web/throttle.py",
        old="            raise StoreUnavailable from error\n",
        new="            return True  # type: ignore[return-value]\n",
        tests=(LIMITS + "without_the_storage_nobody_is_asked",),
    ),
    # whose address it is
    Fault(
        name="everybody-may-say-where-they-are",
        file="web/addresses.py",
        old="if not self._trusted or not peer or not self._is_trusted(address(peer)):",
        new="if not self._trusted or not peer:",
        tests=(ADDRESSES + "a_peer_that_is_not_trusted_is_the_client_whatever_it_says",),
    ),
    Fault(
        name="the-client-says-who-it-is",
        file="web/addresses.py",
        old="return entries[: -_MOST_HOPS - 1 : -1]",
        new="return entries[:_MOST_HOPS]",
        tests=(ADDRESSES + "it_is_read_from_the_right",),
    ),
)
