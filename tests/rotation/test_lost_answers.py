"""Lost answers are forgiven for as long as they were really lost; thieves are not."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jwt_refresh_middleware import Device, DevicePolicy, Issuer, SessionStore, TokenPair
from jwt_refresh_middleware.errors import TokenRevoked
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .support import CHROME, FIREFOX, Clock, Listener, acknowledge, make_issuer, outcome


@pytest.fixture
async def issuer(store: SessionStore, clock: Clock, listener: Listener) -> Issuer:
    return make_issuer(store, clock, listener)


async def _refresh(issuer: Issuer, pair: TokenPair) -> TokenPair:
    return await issuer.refresh(pair.refresh_token, device=FIREFOX)


@pytest.mark.case("H06", "H21")
async def test_a_closed_tab_costs_nothing_an_hour_later(issuer: Issuer, clock: Clock, listener: Listener) -> None:
    held = await issuer.login("ann", device=FIREFOX)
    lost = await _refresh(issuer, held)
    for hours in range(3):
        clock.advance(3600)
        again = await _refresh(issuer, held)
        assert again.refresh_token == lost.refresh_token, hours
    on = await _refresh(issuer, again)
    assert on.session.generation == 2
    assert await listener.names() == ["session_started", "rotated", *["late_repeated"] * 3, "rotated"]
    await issuer.aclose()


@pytest.mark.case("H03")
async def test_the_window_does_not_slide(issuer: Issuer, clock: Clock, listener: Listener) -> None:
    held = await issuer.login("ann", device=FIREFOX)
    new = await _refresh(issuer, held)
    acknowledge(issuer, new)
    for _ in range(3):
        clock.advance(3)
        assert (await _refresh(issuer, held)).refresh_token == new.refresh_token
    clock.advance(1)
    assert await outcome(issuer, held.refresh_token) == "refresh_invalid"
    await issuer.aclose()


@pytest.mark.case("H13")
async def test_a_late_repeat_lengthens_no_lifetime(issuer: Issuer, clock: Clock) -> None:
    held = await issuer.login("ann", device=FIREFOX)
    first = await _refresh(issuer, held)
    clock.advance(86_400)
    again = await _refresh(issuer, held)
    assert again.session.expires_at == first.session.expires_at
    assert again.refresh_expires_in == first.refresh_expires_in - 86_400
    clock.advance(6 * 86_400)
    assert await outcome(issuer, held.refresh_token) == "refresh_expired"
    await issuer.aclose()


@pytest.mark.case("H02")
async def test_a_thief_is_caught_here_once_the_leeway_is_over(issuer: Issuer, clock: Clock, listener: Listener) -> None:
    stolen = await issuer.login("ann", device=FIREFOX)
    owners = await _refresh(issuer, stolen)
    acknowledge(issuer, owners)  # the owner's next request, in this process
    clock.advance(10)
    assert await outcome(issuer, stolen.refresh_token) == "refresh_invalid"
    assert (await listener.names())[-2:] == ["reuse_detected", "revoked"]
    assert await outcome(issuer, owners.refresh_token) == "refresh_invalid"
    with pytest.raises(TokenRevoked):
        issuer.verifier.verify(owners.access_token)
    await issuer.aclose()


@pytest.mark.parametrize("flushed", [False, True])
async def test_another_process_knows_after_the_flush(
    issuer: Issuer, store: SessionStore, clock: Clock, flushed: bool
) -> None:
    stolen = await issuer.login("ann", device=FIREFOX)
    owners = await _refresh(issuer, stolen)
    acknowledge(issuer, owners)
    if flushed:
        await issuer.flush()
    clock.advance(11)
    other = make_issuer(store, clock)
    got = await outcome(other, stolen.refresh_token)
    assert (got == "refresh_invalid") == flushed
    assert await outcome(other, owners.refresh_token) == "refresh_invalid" if flushed else isinstance(got, TokenPair)
    await other.aclose()
    await issuer.aclose()


async def test_an_older_access_token_in_another_process_takes_nothing_back(store: SessionStore, clock: Clock) -> None:
    here, elsewhere = make_issuer(store, clock), make_issuer(store, clock)
    first = await _refresh(here, await here.login("ann", device=FIREFOX))
    second = await _refresh(here, first)
    for issuer, pair in ((here, second), (elsewhere, first)):  # the owner's second tab still uses the one before
        acknowledge(issuer, pair)
        await issuer.flush()
    clock.advance(11)
    assert await outcome(elsewhere, first.refresh_token) == "refresh_invalid"
    for issuer in (here, elsewhere):
        await issuer.aclose()


async def test_an_acknowledgement_that_comes_at_the_last_moment_counts(
    issuer: Issuer, store: SessionStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process wrote it after the row was read and before the note of the late repeat."""
    stolen = await issuer.login("ann", device=FIREFOX)
    await _refresh(issuer, stolen)
    clock.advance(11)
    note_late = store.note_late

    async def too_late(session_id: str, generation: int) -> bool:
        await store.acknowledge({session_id: generation})
        return await note_late(session_id, generation)

    monkeypatch.setattr(store, "note_late", too_late)
    assert await outcome(issuer, stolen.refresh_token) == "refresh_invalid"
    row = await store.get(stolen.session.id)
    assert row is not None
    assert (row.late, row.revoked_reason) == (-1, "reuse")
    await issuer.aclose()


@pytest.mark.case("H02")
async def test_behind_a_gateway_never_late_twice_in_a_row(issuer: Issuer, clock: Clock, listener: Listener) -> None:
    """No access token is ever seen here: a thief shadows the owner for one generation, no longer."""
    stolen = await issuer.login("ann", device=FIREFOX)
    await _refresh(issuer, stolen)
    clock.advance(60)
    shadowed = await _refresh(issuer, stolen)
    await _refresh(issuer, shadowed)
    clock.advance(60)
    assert await outcome(issuer, shadowed.refresh_token) == "refresh_invalid"
    assert (await listener.names())[-2:] == ["reuse_detected", "revoked"]
    await issuer.aclose()


@pytest.mark.parametrize("flushed", [False, True])
async def test_an_access_token_clears_the_note(
    issuer: Issuer, store: SessionStore, clock: Clock, flushed: bool
) -> None:
    held = await issuer.login("ann", device=FIREFOX)
    for _ in range(4):  # every single answer is lost once, and every second one is seen to arrive
        await _refresh(issuer, held)
        clock.advance(3600)
        held = await _refresh(issuer, held)
        acknowledge(issuer, held)
        if flushed:
            await issuer.flush()
            issuer = make_issuer(store, clock)
    assert held.session.generation == 4
    await issuer.aclose()


async def test_every_second_answer_may_be_lost_behind_a_gateway(issuer: Issuer, clock: Clock) -> None:
    held = await issuer.login("ann", device=FIREFOX)
    for _ in range(4):
        await _refresh(issuer, held)
        clock.advance(3600)
        held = await _refresh(issuer, held)
        held = await _refresh(issuer, held)
        clock.advance(3600)
    assert held.session.generation == 8
    await issuer.aclose()


@pytest.mark.case("H02", "H03")
async def test_late_repeats_can_be_switched_off(store: SessionStore, clock: Clock, listener: Listener) -> None:
    issuer = make_issuer(store, clock, listener, late_repeat=False)
    held = await issuer.login("ann", device=FIREFOX)
    lost = await _refresh(issuer, held)
    clock.advance(9.9)
    assert (await _refresh(issuer, held)).refresh_token == lost.refresh_token
    clock.advance(0.1)
    assert await outcome(issuer, held.refresh_token) == "refresh_invalid"
    assert "reuse_detected" in await listener.names()
    await issuer.aclose()


@pytest.mark.parametrize("seconds", [1, 3600])
@pytest.mark.case("H05")
async def test_a_repeat_for_another_browser_is_a_reuse(
    issuer: Issuer, clock: Clock, listener: Listener, seconds: float
) -> None:
    held = await issuer.login("ann", device=FIREFOX)
    new = await _refresh(issuer, held)
    clock.advance(seconds)
    assert await outcome(issuer, held.refresh_token, CHROME) == "refresh_invalid"
    assert (await listener.names())[-2:] == ["reuse_detected", "revoked"]
    assert await outcome(issuer, new.refresh_token) == "refresh_invalid"
    await issuer.aclose()


@pytest.mark.case("H05")
async def test_the_current_token_on_another_browser_changes_nothing(
    issuer: Issuer, store: SessionStore, clock: Clock, listener: Listener
) -> None:
    pair = await issuer.login("ann", device=FIREFOX)
    clock.advance(60)
    before = await store.get(pair.session.id)
    for _ in range(3):
        assert await outcome(issuer, pair.refresh_token, CHROME) == "device_mismatch"
        assert await outcome(issuer, pair.refresh_token, Device()) == "device_mismatch"
    assert await store.get(pair.session.id) == before
    assert (await _refresh(issuer, pair)).session.generation == 1
    assert await listener.names() == ["session_started", *["device_mismatch"] * 6, "rotated"]
    await issuer.aclose()


@pytest.mark.case("I01")
async def test_a_policy_may_end_the_session_instead(store: SessionStore, clock: Clock, listener: Listener) -> None:
    issuer = make_issuer(store, clock, listener, device_policy=DevicePolicy(on_user_agent_change="revoke"))
    pair = await issuer.login("ann", device=FIREFOX)
    assert await outcome(issuer, pair.refresh_token, CHROME) == "refresh_invalid"
    assert await outcome(issuer, pair.refresh_token, FIREFOX) == "refresh_invalid"
    assert await listener.names() == ["session_started", "device_mismatch", "revoked"]
    await issuer.aclose()


async def test_a_phone_roams_and_what_it_lost_is_found_elsewhere(
    issuer: Issuer, clock: Clock, listener: Listener
) -> None:
    train = Device(ip="198.51.100.9", user_agent=FIREFOX.user_agent)
    pair = await issuer.login("ann", device=FIREFOX)
    lost = await issuer.refresh(pair.refresh_token, device=train)
    clock.advance(3600)
    assert (await _refresh(issuer, pair)).refresh_token == lost.refresh_token
    back = await _refresh(issuer, lost)
    assert back.session.device.ip == FIREFOX.ip
    assert (await listener.names()).count("device_changed") == 2
    await issuer.aclose()


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.mark.parametrize("writes_lost", [1, 2, 5])
@pytest.mark.case("H17")
async def test_nobody_is_logged_out_by_an_old_backup(
    tmp_path: Path, clock: Clock, listener: Listener, writes_lost: int
) -> None:
    path, backup = tmp_path / "sessions.db", tmp_path / "backup.db"
    async with make_issuer(SQLiteStore(path), clock) as issuer:
        pair = await _refresh(issuer, await issuer.login("ann", device=FIREFOX))
        _copy(path, backup)
        for _ in range(writes_lost):
            spent, pair = pair, await _refresh(issuer, pair)
    clock.advance(60)
    async with make_issuer(SQLiteStore(backup), clock, listener) as restored:
        assert await outcome(restored, pair.refresh_token, CHROME) == "device_mismatch"
        new = await _refresh(restored, pair)
        assert new.session.generation == pair.session.generation + 1 == 2 + writes_lost
        assert (await _refresh(restored, pair)).refresh_token == new.refresh_token
        again = await _refresh(restored, new)
        assert again.session.generation == new.session.generation + 1
        assert await outcome(restored, spent.refresh_token) == "refresh_invalid"
        assert await outcome(restored, again.refresh_token) == "refresh_invalid"
        told = ["device_mismatch", "generation_ahead", "repeated", "rotated", "reuse_detected", "revoked"]
        assert await listener.names() == told
