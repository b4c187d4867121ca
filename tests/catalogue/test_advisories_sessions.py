"""Advisories about sessions: races of refreshes, what a failure or a restart changes, and who is still let in."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware import Identity, MemoryStore, TokenPair
from jwt_refresh_middleware.errors import TokenRevoked
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from ..rotation.support import FIREFOX, Clock, Listener, acknowledge, make_issuer, outcome, successors
from ..web.problems import assert_problem
from ..web.support import CountingStore
from .attack import Target
from .forge import b64, spare_bits, token, unb64
from .test_a_signatures import ORDER


class Slow:
    """A store that lets everybody else run before and after whatever is asked of it."""

    def __init__(self, store: Any, *, before: Callable[[str], Any] | None = None) -> None:
        self._store = store
        self._before = before

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)

        async def call(*args: Any, **named: Any) -> Any:
            await asyncio.sleep(0)
            if self._before is not None:
                await self._before(name)
            answer = await verb(*args, **named)
            await asyncio.sleep(0)
            return answer

        return call


async def _events(issuer: Any, listener: Listener) -> list[str]:
    await issuer._events.finish()
    return [event.name for event in listener.events]


# Two at once


@pytest.mark.case("H07")
async def test_cve_2026_1035_both_have_read_before_either_writes() -> None:
    """There, two requests read that the token was fresh, and then both spent it."""
    reading, both_have_read = [], asyncio.Event()

    async def load(subject: str) -> Identity:
        reading.append(subject)
        if len(reading) == 2:
            both_have_read.set()
        await both_have_read.wait()
        return Identity(subject)

    listener = Listener()
    issuer = make_issuer(MemoryStore(), Clock(), listener, load_identity=load)
    async with issuer, asyncio.timeout(20):
        first = await issuer.login("ann", device=FIREFOX)
        answers = await asyncio.gather(*(outcome(issuer, first.refresh_token) for _ in range(2)))
        assert len(successors(answers)) == 1
        assert {one.session.generation for one in answers if isinstance(one, TokenPair)} == {1}
        assert (await _events(issuer, listener)).count("rotated") == 1


@pytest.mark.case("H07")
async def test_django_oauth_toolkit_558_fifty_at_once() -> None:
    """There, of refreshes at the same moment some got a second successor, and others an error of the database."""
    listener = Listener()
    issuer = make_issuer(Slow(MemoryStore()), Clock(), listener)
    async with issuer:
        first = await issuer.login("ann", device=FIREFOX)
        answers = await asyncio.gather(*(outcome(issuer, first.refresh_token) for _ in range(50)))
        assert all(isinstance(one, TokenPair) for one in answers)
        assert len(successors(answers)) == 1
        assert (await _events(issuer, listener)).count("rotated") == 1


@pytest.mark.case("H07")
async def test_cve_2026_50631_two_processes_and_one_token(tmp_path: Path) -> None:
    """There, a token that is good for one use was good for as many as came before the first one was written."""
    clock = Clock()
    issuers = [make_issuer(SQLiteStore(tmp_path / "sessions.db"), clock) for _ in range(2)]
    for issuer in issuers:
        await issuer.open()
    first = await issuers[0].login("ann", device=FIREFOX)
    answers = await asyncio.gather(*(outcome(issuers[number % 2], first.refresh_token) for number in range(20)))
    assert len(successors(answers)) == 1
    session = await issuers[1].session(first.session.id)
    assert session is not None
    assert session.generation == 1
    for issuer in issuers:
        await issuer.aclose()


@pytest.mark.case("H07", "H09")
@pytest.mark.parametrize("thief_first", [True, False])
async def test_cve_2026_53517_a_family_has_no_fork(thief_first: bool) -> None:
    """There, a thief's refresh and the owner's went different ways at once, and both families lived on."""
    clock, listener = Clock(), Listener()
    issuer = make_issuer(Slow(MemoryStore()), clock, listener)
    async with issuer:
        stolen = await issuer.login("ann", device=FIREFOX)
        current = await issuer.refresh(stolen.refresh_token, device=FIREFOX)
        acknowledge(issuer, current)
        clock.advance(60)
        order = [stolen.refresh_token, current.refresh_token]
        answers = await asyncio.gather(*(outcome(issuer, one) for one in (order if thief_first else order[::-1])))
        issued = [one.refresh_token for one in answers if isinstance(one, TokenPair)]
        for survivor in (*order, *issued):
            assert await outcome(issuer, survivor) == "refresh_invalid"
        assert await issuer.sessions("ann") == []
        assert (await _events(issuer, listener)).count("reuse_detected") == 1


@pytest.mark.case("H07")
async def test_cve_2026_126280_a_write_that_wrote_nothing() -> None:
    """There, the conditional write changed no row, nobody looked, and a token was handed out all the same."""
    clock, listener = Clock(), Listener()
    store = MemoryStore()
    ending: list[str] = []

    async def end_it_first(verb: str) -> None:
        if verb == "advance" and ending:
            await store.revoke(ending.pop(), reason="admin", now=clock())

    issuer = make_issuer(Slow(store, before=end_it_first), clock, listener)
    async with issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        ending.append(pair.session.id)
        assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
        row = await store.get(pair.session.id)
        assert row is not None
        assert (row.generation, row.revoked_reason) == (0, "admin")
        again = await issuer.login("ann", device=FIREFOX)
        acknowledge(issuer, await issuer.refresh(again.refresh_token, device=FIREFOX))
        clock.advance(60)
        assert await outcome(issuer, again.refresh_token) == "refresh_invalid"
        assert "reuse_detected" in await _events(issuer, listener), "and there it was told to nobody"


# What a failure, a restart or a long life changes


@pytest.mark.case("H04")
async def test_django_oauth_toolkit_1617_the_grace_is_of_one_generation() -> None:
    """There, any spent token was good for as long as the grace lasted, whatever had come after it."""
    issuer = make_issuer(MemoryStore(), Clock())
    async with issuer:
        pairs = [await issuer.login("ann", device=FIREFOX)]
        for _ in range(2):
            pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=FIREFOX))
        assert await outcome(issuer, pairs[0].refresh_token) == "refresh_invalid"
        assert await outcome(issuer, pairs[2].refresh_token) == "refresh_invalid", "the family has ended"


@pytest.mark.case("H25")
async def test_django_oauth_toolkit_1809_an_old_family_ends_as_fast_as_a_young_one() -> None:
    """There, a family was ended token by token: the longer it had lived, the longer that took."""
    calls = []
    for rotations in (2, 500):
        store, clock = CountingStore(MemoryStore()), Clock()
        issuer = make_issuer(store, clock)
        async with issuer:
            first = pair = await issuer.login("ann", device=FIREFOX)
            for _ in range(rotations):
                pair = await issuer.refresh(pair.refresh_token, device=FIREFOX)
            clock.advance(60)
            store.calls.clear()
            assert await outcome(issuer, first.refresh_token) == "refresh_invalid"
            assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
            calls.append(store.calls[:])
            assert len(await store.revocations(0)) == 1
    assert calls[0] == calls[1]
    assert len(calls[0]) < 8


@pytest.mark.case("H18")
async def test_cve_2026_9802_spent_is_spent_after_a_restart(tmp_path: Path) -> None:
    """There, which tokens were spent was known to the process only, and forgotten with it."""
    clock = Clock()
    async with make_issuer(SQLiteStore(tmp_path / "sessions.db"), clock) as issuer:
        first = await issuer.login("ann", device=FIREFOX)
        second = await issuer.refresh(first.refresh_token, device=FIREFOX)
        third = await issuer.refresh(second.refresh_token, device=FIREFOX)
    async with make_issuer(SQLiteStore(tmp_path / "sessions.db"), clock) as issuer:
        assert await outcome(issuer, first.refresh_token) == "refresh_invalid"
        assert await outcome(issuer, third.refresh_token) == "refresh_invalid", "a reuse, so it has ended"


@pytest.mark.case("H19")
@pytest.mark.parametrize("verb", ["get", "advance"])
async def test_keycloak_49213_what_fails_spends_nothing(verb: str) -> None:
    """There, the refresh was rolled back, and its token was spent nevertheless."""

    async def load(subject: str) -> Identity:
        return Identity(subject)

    failing: list[str] = []

    async def fail_once(name: str) -> None:
        if name in failing:
            failing.remove(name)
            raise OSError("rolled back")

    issuer = make_issuer(Slow(MemoryStore(), before=fail_once), Clock(), load_identity=load)
    async with issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        for generation in range(1, 4):
            failing.append(verb)
            assert await outcome(issuer, pair.refresh_token) == "store_unavailable"
            renewed = await issuer.refresh(pair.refresh_token, device=FIREFOX)
            assert renewed.session.generation == generation
            pair = renewed


# Who is still let in


@pytest.mark.case("H12")
async def test_cve_2024_22513_who_was_disabled() -> None:
    """There, a refresh never asked whether the account was still active."""
    disabled: set[str] = set()

    async def load(subject: str) -> Identity | None:
        return None if subject in disabled else Identity(subject)

    issuer = make_issuer(MemoryStore(), Clock(), load_identity=load)
    async with issuer:
        ann, ben = [await issuer.login(who, device=FIREFOX) for who in ("ann", "ben")]
        ann = await issuer.refresh(ann.refresh_token, device=FIREFOX)
        disabled.add("ann")
        assert await outcome(issuer, ann.refresh_token) == "refresh_invalid"
        assert isinstance(await outcome(issuer, ben.refresh_token), TokenPair)


@pytest.mark.case("H11")
async def test_cve_2026_43911_a_new_password_ends_every_session() -> None:
    """There, the change of the password ended what the server remembered, and refresh tokens went on."""
    issuer = make_issuer(Slow(MemoryStore()), Clock())
    async with issuer:
        devices = [await issuer.login("ann", device=FIREFOX) for _ in range(5)]
        refreshing = [outcome(issuer, pair.refresh_token) for pair in devices]
        *answers, ended = await asyncio.gather(*refreshing, issuer.logout_all("ann", reason="password_changed"))
        assert ended == 5
        issued = [one for one in answers if isinstance(one, TokenPair)]
        for pair in (*devices, *issued):
            assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
            with pytest.raises(TokenRevoked):
                issuer.verifier.verify(pair.access_token)


@pytest.mark.case("D06")
async def test_ghsa_xg6x_h9c9_2m83_what_is_remembered_has_no_second_factor() -> None:
    """There, a session that was remembered before its second factor counted as one that had passed it."""
    clock = Clock()
    issuer = make_issuer(MemoryStore(), clock)
    async with issuer:
        before = await issuer.login(Identity("ann", amr=["pwd"]), device=FIREFOX)
        seen = [issuer.verifier.verify(before.access_token) for _ in range(2)]
        clock.advance(5)
        assert await issuer.confirm(before.session.id, amr=["pwd", "otp"], acr="mfa", device=FIREFOX) is not None
        seen.append(issuer.verifier.verify(before.access_token))
        assert [(one.claims.get("acr"), one.claims["amr"]) for one in seen] == [(None, ["pwd"])] * 3
        after = issuer.verifier.verify((await issuer.refresh(before.refresh_token, device=FIREFOX)).access_token)
        assert (after.claims["acr"], after.claims["amr"]) == ("mfa", ["pwd", "otp"])


# Another spelling


@pytest.mark.case("B01", "A14", "H14")
@pytest.mark.parametrize("algorithm", ["ES256"], indirect=True)
async def test_cve_2026_102269_denied_in_every_spelling(target: Target, algorithm: str) -> None:
    """There, a list of denied tokens was compared with the text, which can be written in another way.

    Here a session is denied, by the name that is signed; and what has one spelling has no other.
    """
    service, ended = target.service, await target.service.login("bob")
    sid = service.issuer.session_id_of(ended.refresh)
    assert sid is not None
    text = token(sub="bob", sid=sid)
    await service.issuer.revoke(sid)
    head, body, signature = text.split(".")
    raw = int.from_bytes(unb64(signature)[32:], "big")
    malleable = f"{head}.{body}.{b64(unb64(signature)[:32] + (ORDER - raw).to_bytes(32, 'big'))}"
    for spelled, code in (
        (text, "token_revoked"), (malleable, "token_revoked"), (f"{text}=", "token_invalid"),
        (f"{head}.{body}.{spare_bits(signature)[0]}", "token_invalid"),
        (f"{head}=.{body}.{signature}", "token_invalid"),
    ):  # fmt: skip
        headers = {"authorization": f"Bearer {spelled}"}
        assert_problem(await service.ask("GET", "/x", headers=headers), code)
    genuine = target.honest.refresh
    for other in (genuine + "=", genuine[:53] + spare_bits(genuine[53:])[0], genuine + "A", genuine.lower()):
        await target.refused_refresh(other, reference=False)
    assert (await service.post("refresh", headers=target.honest.by_cookie)).status == 200, "none of them was a reuse"
