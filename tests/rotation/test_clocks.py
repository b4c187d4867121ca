"""Clocks that jump, and machines whose clocks differ: nobody is logged out for it, and no thief goes unnoticed."""

import random
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import SessionStore, TokenPair

from .support import FIREFOX, Clock, Listener, acknowledge, make_issuer, outcome

LEEWAY = 10.0
JUMPS = (-LEEWAY, -0.001, 0.0, LEEWAY, 1.0, -3600.0, 3600.0)


def issuers(store: SessionStore, clocks: list[Clock], listener: Listener) -> list[Any]:
    return [make_issuer(store, clock, listener) for clock in clocks]


@pytest.mark.parametrize("skew", [-30.0, 30.0])
@pytest.mark.parametrize("jumping", [False, True])
@pytest.mark.parametrize("seed", range(3))
async def test_an_honest_client_of_two_machines(
    store: SessionStore, listener: Listener, skew: float, jumping: bool, seed: int
) -> None:
    """Every other answer is lost and asked for again at the other machine, whose clock is another."""
    chance, clocks = random.Random(seed), [Clock(), Clock()]
    clocks[1].advance(skew)
    here, there = issuers(store, clocks, listener)
    held = await here.login("ann", device=FIREFOX)
    for _ in range(40):
        lost = await outcome(chance.choice((here, there)), held.refresh_token)
        assert isinstance(lost, TokenPair), lost
        again = await outcome(chance.choice((here, there)), held.refresh_token)
        assert isinstance(again, TokenPair), again
        assert again.refresh_token == lost.refresh_token
        held = again
        seen_at = max((here, there), key=lambda issuer: issuer.clock())  # to the other it may be of the future
        acknowledge(seen_at, held)
        await seen_at.flush()
        passed = chance.choice((1.0, 20.0, 900.0))
        for clock in clocks:
            clock.advance(passed)
        if jumping:
            chance.choice(clocks).advance(chance.choice(JUMPS))
            difference = clocks[1]() - clocks[0]()
            clocks[1].advance(max(-30.0, min(30.0, difference)) - difference)
    assert not {"reuse_detected", "revoked"} & {*await listener.names()}
    for issuer in (here, there):
        await issuer.aclose()


@pytest.mark.parametrize("skew", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.case("H04")
async def test_a_thief_of_two_generations_ago_ends_it_whatever_the_clocks_say(
    store: SessionStore, listener: Listener, skew: float, jump: float
) -> None:
    clocks = [Clock(), Clock()]
    clocks[1].advance(skew)
    here, there = issuers(store, clocks, listener)
    pairs = [await here.login("ann", device=FIREFOX)]
    for issuer in (there, here):
        pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=FIREFOX))
    for clock in clocks:
        clock.advance(jump)
    assert await outcome(there, pairs[0].refresh_token) == "refresh_invalid"
    for issuer in (here, there):
        assert await outcome(issuer, pairs[-1].refresh_token) == "refresh_invalid"
        await issuer.aclose()
    assert (await listener.names()).count("reuse_detected") == 1


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_jumps_between_two_tabs(store: SessionStore, listener: Listener, jump: float) -> None:
    """Nobody has seen the answer arrive: whatever time it seems to be, the second tab gets the same."""
    clock = Clock()
    issuer = make_issuer(store, clock, listener)
    held = await issuer.login("ann", device=FIREFOX)
    clock.advance(60)
    first = await outcome(issuer, held.refresh_token)
    clock.advance(jump)
    second = await outcome(issuer, held.refresh_token)
    assert isinstance(first, TokenPair)
    assert isinstance(second, TokenPair)
    assert first.refresh_token == second.refresh_token
    await issuer.aclose()


@pytest.mark.case("H13")
async def test_the_absolute_end_does_not_move_with_a_clock_that_goes_back(store: SessionStore) -> None:
    clock = Clock()
    issuer = make_issuer(store, clock, refresh_ttl=timedelta(days=7), reauth_after=timedelta(days=30))
    pair = await issuer.login("ann", device=FIREFOX)
    ends_at = pair.session.ends_at
    for _ in range(5):
        clock.advance(-86_400)
        pair = await issuer.refresh(pair.refresh_token, device=FIREFOX)
        assert pair.session.ends_at == ends_at
        assert pair.session.expires_at <= clock() + 7 * 86_400
    clock.advance(40 * 86_400)
    assert await outcome(issuer, pair.refresh_token) == "refresh_expired"
    await issuer.aclose()
