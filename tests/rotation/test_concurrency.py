"""Many at once, in one process: one rotation, one successor, and what has ended stays ended."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jwt_refresh_middleware import Identity, Issuer, SessionStore, TokenPair
from jwt_refresh_middleware.errors import TokenRevoked

from .support import FIREFOX, Clock, Listener, make_issuer, outcome, successors

CLIENTS = 50


async def _identity(subject: str) -> Identity:
    await asyncio.sleep(0)
    return Identity(subject, ["read"])


@pytest.mark.parametrize("options", [{}, {"load_identity": _identity}], ids=["plain", "load_identity"])
@pytest.mark.case("H07")
async def test_one_token_is_rotated_once(
    store: SessionStore, clock: Clock, listener: Listener, options: dict[str, Any]
) -> None:
    async with make_issuer(store, clock, listener, **options) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        seen = {pair.refresh_token}
        for generation in range(1, 6):
            answers = await asyncio.gather(*(outcome(issuer, pair.refresh_token, FIREFOX) for _ in range(CLIENTS)))
            assert len(successors(answers)) == 1
            pair = answers[0] if isinstance(answers[0], TokenPair) else pytest.fail(answers[0])
            assert pair.refresh_token not in seen
            seen.add(pair.refresh_token)
            assert {one.session.generation for one in answers if isinstance(one, TokenPair)} == {generation}
        names = Counter(await listener.names())
        assert names == {"session_started": 1, "rotated": 5, "repeated": 5 * (CLIENTS - 1)}


@pytest.mark.case("H07")
async def test_several_issuers_over_one_store_rotate_once(store: SessionStore, clock: Clock) -> None:
    listeners = [Listener() for _ in range(4)]
    issuers = [make_issuer(store, clock, listener) for listener in listeners]
    pair = await issuers[0].login("ann", device=FIREFOX)
    tokens = [outcome(issuers[number % 4], pair.refresh_token, FIREFOX) for number in range(CLIENTS)]
    answers = await asyncio.gather(*tokens)
    assert len(successors(answers)) == 1
    names = Counter([name for listener in listeners for name in await listener.names()])
    assert names == {"session_started": 1, "rotated": 1, "repeated": CLIENTS - 1}
    for issuer in issuers:
        await issuer.aclose()


async def test_independent_sessions_do_not_disturb_each_other(
    store: SessionStore, clock: Clock, listener: Listener
) -> None:
    async with make_issuer(store, clock, listener) as issuer:
        pairs = [await issuer.login(f"user-{number % 5}", device=FIREFOX) for number in range(CLIENTS)]
        for _ in range(5):
            pairs = await asyncio.gather(*(issuer.refresh(pair.refresh_token, device=FIREFOX) for pair in pairs))
        assert len({pair.session.id for pair in pairs}) == len({pair.refresh_token for pair in pairs}) == CLIENTS
        assert {pair.session.generation for pair in pairs} == {5}
        assert Counter(await listener.names()) == {"session_started": CLIENTS, "rotated": 5 * CLIENTS}


async def test_one_session_ends_and_its_neighbours_go_on(store: SessionStore, clock: Clock) -> None:
    async with make_issuer(store, clock) as issuer:
        pairs = [await issuer.login("ann", device=FIREFOX) for _ in range(20)]
        refreshes = [outcome(issuer, pair.refresh_token) for pair in pairs[1:]]
        *answers, ended = await asyncio.gather(*refreshes, issuer.revoke(pairs[0].session.id))
        assert ended is True
        assert all(isinstance(answer, TokenPair) for answer in answers)


async def _logout(issuer: Issuer, pair: TokenPair) -> object:
    return await issuer.logout(pair.refresh_token)


async def _revoke(issuer: Issuer, pair: TokenPair) -> object:
    return await issuer.revoke(pair.session.id)


async def _logout_all(issuer: Issuer, pair: TokenPair) -> object:
    return await issuer.logout_all("ann")


async def _nothing_lives(issuer: Issuer, pairs: list[TokenPair]) -> None:
    for pair in pairs:
        with pytest.raises(TokenRevoked):  # at once: asking for a refresh first would tell the issuer
            issuer.verifier.verify(pair.access_token)
    for pair in pairs:
        assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
    assert await issuer.sessions("ann") == []


@pytest.mark.parametrize("options", [{}, {"load_identity": _identity}], ids=["plain", "load_identity"])
@pytest.mark.parametrize("end", [_logout, _revoke, _logout_all])
@pytest.mark.case("H08", "H11")
async def test_no_refresh_outlives_the_end_it_raced(
    store: SessionStore, clock: Clock, end: Callable[[Issuer, TokenPair], Awaitable[object]], options: dict[str, Any]
) -> None:
    async with make_issuer(store, clock, **options) as issuer:
        for position in (0, 1, 5, 19, 20):
            pair = await issuer.login("ann", device=FIREFOX)
            work: list[Any] = [outcome(issuer, pair.refresh_token) for _ in range(20)]
            work.insert(position, end(issuer, pair))
            answers = await asyncio.gather(*work)
            await _nothing_lives(issuer, [pair, *(one for one in answers if isinstance(one, TokenPair))])


@pytest.mark.parametrize("after_leeway", [False, True])
@pytest.mark.case("H09")
async def test_nothing_survives_an_old_token_racing_the_owners(
    store: SessionStore, clock: Clock, listener: Listener, after_leeway: bool
) -> None:
    async with make_issuer(store, clock, listener) as issuer:
        for first in ("thief", "owner"):
            stolen = await issuer.login("ann", device=FIREFOX)
            pairs = [stolen]
            for _ in range(2):
                pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=FIREFOX))
            clock.advance(11 if after_leeway else 1)
            tokens = [stolen.refresh_token, pairs[-1].refresh_token]
            work = [outcome(issuer, token) for token in (tokens if first == "thief" else reversed(tokens))]
            answers = await asyncio.gather(*work)
            assert "refresh_invalid" in answers
            await _nothing_lives(issuer, [*pairs, *(one for one in answers if isinstance(one, TokenPair))])
        assert (await listener.names()).count("reuse_detected") == 2


async def test_every_end_of_a_session_counts_once(store: SessionStore, clock: Clock, listener: Listener) -> None:
    async with make_issuer(store, clock, listener) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        did = await asyncio.gather(*(issuer.revoke(pair.session.id) for _ in range(20)), issuer.logout_all("ann"))
        assert sum(did) == 1
        assert (await listener.names()).count("revoked") == 1


@pytest.mark.case("H21")
async def test_a_cancelled_refresh_costs_nothing(store: SessionStore, clock: Clock) -> None:
    """The client hung up at any moment of it: its token, or what came of it, is still good."""
    async with make_issuer(store, clock) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        for turns in range(12):
            task = asyncio.ensure_future(issuer.refresh(pair.refresh_token, device=FIREFOX))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            again = await outcome(issuer, pair.refresh_token)
            assert isinstance(again, TokenPair)
            pair = again


@pytest.mark.case("H07")
async def test_a_busy_crowd_of_owners_loses_nobody(store: SessionStore, clock: Clock, listener: Listener) -> None:
    """Refreshes, lost answers, retries and second tabs in a random order, all at once: no false alarm."""
    rng = random.Random(7)

    async def owner(issuer: Issuer, number: int) -> None:
        pair = await issuer.login(f"user-{number}", device=FIREFOX)
        for _ in range(15):
            tabs = await asyncio.gather(
                *(issuer.refresh(pair.refresh_token, device=FIREFOX) for _ in range(rng.randint(1, 4)))
            )
            if rng.random() < 0.7:  # else the answer was lost: the owner still holds the old token
                pair = tabs[0]
            for _ in range(rng.randint(0, 3)):
                await asyncio.sleep(0)

    async with make_issuer(store, clock, listener) as issuer:
        await asyncio.gather(*(owner(issuer, number) for number in range(20)))
        assert set(await listener.names()) == {"session_started", "rotated", "repeated"}
