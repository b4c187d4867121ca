"""A proof that is wanted and given: what is refused until then, what it changes, and that nothing else changes it."""

import asyncio

import pytest

from jwt_refresh_middleware import Device, DevicePolicy, Identity, Issuer, MemoryStore, SessionStore, TokenPair
from jwt_refresh_middleware.devices import UNSETTLED
from jwt_refresh_middleware.doubts import in_place
from jwt_refresh_middleware.errors import DeviceMismatch, StepUpRequired
from jwt_refresh_middleware.events import StepUpDemanded, StepUpPassed
from jwt_refresh_middleware.standing import Standing

from .support import CHROME, FIREFOX, Clock, Listener, acknowledge, make_issuer, outcome

AWAY = Device(ip="198.51.100.1", user_agent=FIREFOX.user_agent)
MFA = "urn:example:mfa"


@pytest.fixture
async def issuer(store: SessionStore, clock: Clock, listener: Listener) -> Issuer:
    policy = DevicePolicy(on_ip_change="step_up", refresh_rate=None)
    return make_issuer(store, clock, listener, device_policy=policy)


def said(issuer: Issuer, pair: TokenPair) -> tuple[float | None, object, object]:
    """What the access token says of the authentication."""
    token = issuer.verifier.verify(pair.access_token)
    return token.auth_time, token.claims.get("amr"), token.claims.get("acr")


async def test_another_network_waits_for_a_proof_and_the_owner_does_not(
    issuer: Issuer, clock: Clock, listener: Listener
) -> None:
    pair = await issuer.login(Identity("ann", amr=["pwd"]), device=FIREFOX)
    start = clock.now
    for _ in range(2):  # it is refused again and again, and nothing has changed
        assert await outcome(issuer, pair.refresh_token, AWAY) == "step_up_required"
    row = await issuer.session(pair.session.id)
    assert row == pair.session
    clock.advance(100)
    pair = await issuer.refresh(pair.refresh_token, device=FIREFOX)  # the owner goes on at home
    proven = await issuer.step_up(pair.refresh_token, device=AWAY, amr=["pwd", "otp"], acr=MFA)
    assert proven.session.generation == 2
    assert said(issuer, pair) == (start, ["pwd"], None)
    assert said(issuer, proven) == (clock.now, ["pwd", "otp"], MFA)
    clock.advance(100)
    on = await issuer.refresh(proven.refresh_token, device=AWAY)
    assert said(issuer, on) == (clock.now - 100, ["pwd", "otp"], MFA)
    assert await outcome(issuer, on.refresh_token, FIREFOX) == "step_up_required"  # it lives there now
    names = await listener.names()
    assert names == [
        "session_started", "step_up_required", "step_up_required", "rotated", "device_changed", "rotated",
        "step_up_passed", "rotated", "step_up_required",
    ]  # fmt: skip
    asked, passed = listener.events[1], listener.events[6]
    assert isinstance(asked, StepUpDemanded)
    assert (asked.reason, asked.device, asked.subject, asked.session_id) == ("device", AWAY, "ann", row.id)
    assert isinstance(passed, StepUpPassed)
    assert (passed.amr, passed.acr, passed.device, passed.session_id) == (("pwd", "otp"), MFA, AWAY, row.id)
    await issuer.aclose()


async def test_another_browser_may_prove_itself_too(store: SessionStore, clock: Clock) -> None:
    policy = DevicePolicy(on_user_agent_change="step_up", refresh_rate=None)
    issuer = make_issuer(store, clock, device_policy=policy)
    pair = await issuer.login("ann", device=FIREFOX)
    assert await outcome(issuer, pair.refresh_token, CHROME) == "step_up_required"
    proven = await issuer.step_up(pair.refresh_token, device=CHROME)
    on = await issuer.refresh(proven.refresh_token, device=CHROME)
    assert await outcome(issuer, on.refresh_token, FIREFOX) == "step_up_required"
    assert await outcome(issuer, pair.refresh_token, CHROME) == "refresh_invalid"  # spent, as ever
    await issuer.aclose()


async def test_a_proof_is_no_way_around_a_refusal(store: SessionStore, clock: Clock) -> None:
    issuer = make_issuer(store, clock, device_policy=DevicePolicy(on_ip_change="refuse", refresh_rate=None))
    pair = await issuer.login("ann", device=FIREFOX)
    with pytest.raises(Exception, match="device_mismatch"):
        await issuer.step_up(pair.refresh_token, device=AWAY)
    assert await issuer.session(pair.session.id) == pair.session
    await issuer.aclose()


async def test_a_confirmation_lets_the_next_refresh_say_where_it_is(
    issuer: Issuer, clock: Clock, listener: Listener
) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    assert await outcome(issuer, pair.refresh_token, AWAY) == "step_up_required"
    clock.advance(5)
    row = await issuer.confirm(pair.session.id, amr=["otp"])
    assert row is not None
    assert (row.auth_time, row.authenticated_by, row.acr, row.generation) == (clock.now, ("otp",), None, 0)
    moved = await issuer.refresh(pair.refresh_token, device=AWAY)
    assert said(issuer, moved) == (clock.now, ["otp"], None)
    assert moved.session.device == AWAY
    assert not moved.session.standing.settling
    assert await outcome(issuer, moved.refresh_token, FIREFOX) == "step_up_required"  # that was once
    on = await issuer.refresh(moved.refresh_token, device=AWAY)
    assert on.session.generation == 2
    assert (await listener.names()).count("step_up_passed") == 1
    await issuer.aclose()


async def test_a_confirmation_with_a_device_holds_for_that_device(issuer: Issuer) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    row = await issuer.confirm(pair.session.id, device=AWAY, acr=MFA)
    assert row is not None
    assert (row.device, row.acr) == (AWAY, MFA)
    assert await outcome(issuer, pair.refresh_token, FIREFOX) == "step_up_required"
    moved = await issuer.refresh(pair.refresh_token, device=AWAY)
    assert said(issuer, moved)[2] == MFA
    await issuer.aclose()


async def test_a_confirmation_is_no_way_around_a_refusal(issuer: Issuer) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    await issuer.confirm(pair.session.id)
    assert await outcome(issuer, pair.refresh_token, CHROME) == "device_mismatch"
    await issuer.aclose()


async def test_two_marks_at_once_are_one(clock: Clock) -> None:
    """Both have read the session; whoever is second finds it changed, and reads it again."""
    store = MemoryStore()
    issuer = make_issuer(store, clock)
    row = (await issuer.login("ann", device=FIREFOX)).session
    marks = [in_place(row, binding=UNSETTLED, standing=Standing(step_up=reason)) for reason in ("one", "two")]
    assert [(await store.advance(mark))[0] for mark in marks] == [True, False]
    await issuer.aclose()


async def test_an_access_token_alone_says_what_was_proven(issuer: Issuer, clock: Clock) -> None:
    pair = await issuer.login(Identity("ann", ["read"], {"plan": "pro"}), device=FIREFOX)
    clock.advance(50)
    row = await issuer.confirm(pair.session.id, amr=["pwd"], device=FIREFOX)
    assert row is not None
    text, life = issuer.access_only(row)
    token = issuer.verifier.verify(text)
    assert (token.auth_time, token.session_id, token.scopes, token.generation) == (clock.now, row.id, ("read",), 0)
    assert (token.expires_at - clock.now, token.claims["plan"]) == (life, "pro")
    await issuer.aclose()


async def test_a_session_that_does_not_live_is_not_confirmed(issuer: Issuer, clock: Clock) -> None:
    assert await issuer.confirm("nothing") is None
    ended = await issuer.login("ann", device=FIREFOX)
    await issuer.revoke(ended.session.id)
    assert await issuer.confirm(ended.session.id) is None
    idle = await issuer.login("ann", device=FIREFOX)
    clock.advance(8 * 86_400)
    assert await issuer.confirm(idle.session.id) is None
    assert await outcome(issuer, idle.refresh_token) == "refresh_expired"
    await issuer.aclose()


async def test_a_proof_is_all_that_is_said(issuer: Issuer, clock: Clock) -> None:
    pair = await issuer.login(Identity("ann", amr=["pwd"], acr=MFA), device=FIREFOX)
    assert said(issuer, pair) == (clock.now, ["pwd"], MFA)
    clock.advance(60)
    pair = await issuer.step_up(pair.refresh_token, device=FIREFOX)
    assert said(issuer, pair) == (clock.now, None, None)
    pair = await issuer.step_up(pair.refresh_token, device=FIREFOX, acr="1", amr=["otp"])
    assert said(issuer, pair) == (clock.now, ["otp"], "1")
    pair = await issuer.step_up(pair.refresh_token, device=FIREFOX, amr=["pwd"])
    assert said(issuer, pair) == (clock.now, ["pwd"], None)  # no longer strong by a password alone
    await issuer.aclose()


async def test_a_confirmation_is_refused_where_a_refresh_would_be(
    store: SessionStore, clock: Clock, listener: Listener
) -> None:
    for policy in (DevicePolicy.strict(), DevicePolicy(on_ip_change="revoke")):
        issuer = make_issuer(store, clock, listener, device_policy=policy)
        pair = await issuer.login("ann", device=FIREFOX)
        with pytest.raises(DeviceMismatch):
            await issuer.confirm(pair.session.id, device=AWAY)
        assert await issuer.session(pair.session.id) == pair.session
        assert (await listener.names())[-1] == "device_mismatch"
        assert await issuer.confirm(pair.session.id, device=FIREFOX) is not None
    await issuer.aclose()


async def test_no_refresh_moves_what_was_proven(issuer: Issuer, clock: Clock) -> None:
    pair = await issuer.login(Identity("ann", amr=["pwd"]), device=FIREFOX)
    clock.advance(60)
    pair = await issuer.step_up(pair.refresh_token, device=FIREFOX, amr=["otp"], acr=MFA)
    proven = said(issuer, pair)
    held = pair
    for _ in range(5):
        clock.advance(3600)
        new = await issuer.refresh(held.refresh_token, device=FIREFOX)
        again = await issuer.refresh(held.refresh_token, device=FIREFOX)
        clock.advance(60)
        late = await issuer.refresh(held.refresh_token, device=FIREFOX)
        assert [said(issuer, one) for one in (new, again, late)] == [proven] * 3
        acknowledge(issuer, late)
        held = late
    await issuer.aclose()


async def test_a_proof_lengthens_no_lifetime(issuer: Issuer, clock: Clock) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    for _ in range(5):
        clock.advance(6 * 86_400 - 10)
        pair = await issuer.step_up(pair.refresh_token, device=FIREFOX)
        assert pair.session.ends_at == pair.session.created_at + 30 * 86_400
    clock.advance(50)
    with pytest.raises(Exception, match="refresh_expired"):
        await issuer.step_up(pair.refresh_token, device=FIREFOX)
    await issuer.aclose()


@pytest.mark.parametrize("late", [0, 60])
async def test_a_proof_with_a_token_whose_answer_was_lost_gets_the_same_successor(
    issuer: Issuer, clock: Clock, late: int
) -> None:
    held = await issuer.login("ann", device=FIREFOX)
    lost = await issuer.refresh(held.refresh_token, device=FIREFOX)
    clock.advance(late)
    assert await outcome(issuer, held.refresh_token, AWAY) == "step_up_required"  # in a tunnel, say
    proven = await issuer.step_up(held.refresh_token, device=AWAY, amr=["pwd"])
    assert proven.refresh_token == lost.refresh_token
    assert proven.session.last_used_at == lost.session.last_used_at  # the leeway does not slide
    assert said(issuer, proven) == (clock.now, ["pwd"], None)
    on = await issuer.refresh(proven.refresh_token, device=AWAY)
    assert on.session.generation == 2
    await issuer.aclose()


async def test_a_spent_token_is_a_theft_with_a_proof_too(issuer: Issuer, clock: Clock) -> None:
    first = await issuer.login("ann", device=FIREFOX)
    second = await issuer.refresh(first.refresh_token, device=FIREFOX)
    await issuer.refresh(second.refresh_token, device=FIREFOX)
    with pytest.raises(Exception, match="refresh_invalid"):
        await issuer.step_up(first.refresh_token, device=FIREFOX)
    assert await issuer.session(first.session.id) is None
    await issuer.aclose()


async def test_of_two_proofs_at_once_both_are_answered(issuer: Issuer) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    proofs = [issuer.step_up(pair.refresh_token, device=AWAY, amr=["pwd"]) for _ in range(5)]
    pairs = await asyncio.gather(*proofs)
    assert {one.refresh_token for one in pairs} == {pairs[0].refresh_token}
    assert {one.session.generation for one in pairs} == {1}
    await issuer.aclose()


async def test_a_proof_and_an_end_at_once_end(issuer: Issuer) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    await asyncio.gather(
        issuer.confirm(pair.session.id, acr=MFA), issuer.revoke(pair.session.id), issuer.confirm(pair.session.id)
    )
    assert await issuer.session(pair.session.id) is None
    assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
    await issuer.aclose()


@pytest.mark.parametrize("wrong", [{"acr": "two words"}, {"acr": ""}, {"amr": "pwd"}, {"amr": ["a b"]}])
async def test_what_cannot_be_said_is_refused_before_anything_changes(issuer: Issuer, wrong: dict[str, object]) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    with pytest.raises((ValueError, TypeError)):
        await issuer.step_up(pair.refresh_token, device=FIREFOX, **wrong)  # type: ignore[arg-type]
    with pytest.raises((ValueError, TypeError)):
        await issuer.confirm(pair.session.id, **wrong)  # type: ignore[arg-type]
    assert await issuer.session(pair.session.id) == pair.session
    await issuer.aclose()


async def test_the_error_says_what_a_client_does(issuer: Issuer) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    with pytest.raises(StepUpRequired) as caught:
        await issuer.refresh(pair.refresh_token, device=AWAY)
    assert (caught.value.status, caught.value.action) == (401, "step_up")
    await issuer.aclose()
