"""The conformance suite: what every store has to pass, the package's own and yours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from ..devices import DevicePolicy
from ..events import Event
from ..issuer import Issuer
from ..sessions import Device
from ..standing import NO_STANDING, Place, Standing
from ..stores.base import SessionStore
from .faults import FaultyStore, live_a_life
from .values import NOW, Clock, a_session, a_step

_STANDING = Standing(
    auth_time=NOW + 1 / 3,
    amr=("pwd", "otp"),
    acr="urn:example:gold",
    step_up="Größe \u2028 😀 {%s} ' \" \\ \n\x00;--",
    settling=True,
    places=(Place(ip="fe80::1%eth0", last_used_at=NOW + 0.123456), Place(ip="203.0.113.9", last_used_at=NOW - 1e6 / 7)),
)
_SECRET = "a secret of the suite, and certainly more than thirty-two bytes"


@asynccontextmanager
async def _opened_later(issuer: Issuer) -> AsyncIterator[None]:
    """Where opening fails, the first use opens."""
    try:
        yield
    finally:
        await issuer.aclose()


class StoreSuite:
    """What every store has to pass. Each test gets an open, empty ``store``."""

    async def test_gives_back_what_was_added(self, store: SessionStore) -> None:
        session = a_session()
        await store.add(session)
        assert await store.get(session.id) == session

    async def test_keeps_a_session_with_nothing_optional(self, store: SessionStore) -> None:
        session = a_session(device=Device(), binding="", scopes=(), claims=MappingProxyType({}), amr=())
        await store.add(session)
        assert await store.get(session.id) == session

    async def test_keeps_every_character_and_every_digit(self, store: SessionStore) -> None:
        session = a_session(
            subject="Zoë \u2028 😀 {%s} ' \" \\ ;--",
            device=Device(ip="fe80::1%eth0", user_agent="é😀" * 127),
            binding="Ünknown/1.0\nfe80::/64\t",
            created_at=NOW + 0.123456,
            last_used_at=NOW + 1 / 3,
            expires_at=NOW + 1e6 / 7,
            ends_at=NOW + 2**21 + 0.1,
            claims=MappingProxyType({"ключ": ["\x00", "\n", 1e300, -0.5, 2**53, None, True, {"": ""}]}),
        )
        await store.add(session)
        assert await store.get(session.id) == session
        won, moved = await store.advance(a_step(session, now=NOW + 2 / 3, expires_at=NOW + 2e6 / 7))
        assert won and moved is not None
        assert (moved.last_used_at, moved.expires_at, moved.claims) == (NOW + 2 / 3, NOW + 2e6 / 7, session.claims)
        assert await store.sessions(session.subject, now=NOW) == [moved]

    async def test_tells_subjects_apart_to_the_letter(self, store: SessionStore) -> None:
        subjects = ("ann", "Ann", "ann ", " ann", "änn", "a\u0308nn", "ann%", "a_n", "a" * 254, "a" * 255)
        for number, subject in enumerate(subjects):
            await store.add(a_session(number, subject=subject))
        for number, subject in enumerate(subjects):
            assert [row.id for row in await store.sessions(subject, now=NOW)] == [a_session(number).id]
        assert [ident for ident, _ in await store.revoke_subject("ann", reason="test", now=NOW)] == [a_session(0).id]
        assert len(await store.revocations(0)) == 1

    async def test_missing_is_an_outcome(self, store: SessionStore) -> None:
        assert await store.get("nobody") is None
        assert await store.advance(a_step(a_session())) == (False, None)
        assert await store.note_late("nobody", 1) is False
        assert await store.revoke("nobody", reason="test", now=NOW) is False
        assert await store.revoke_subject("nobody", reason="test", now=NOW) == []
        assert await store.sessions("nobody", now=NOW) == []
        await store.acknowledge({"nobody": 3})
        assert await store.get("nobody") is None

    async def test_refuses_an_id_that_is_taken(self, store: SessionStore) -> None:
        await store.add(a_session())
        try:
            await store.add(a_session(subject="somebody-else"))
        except ValueError:
            assert await store.get(a_session().id) == a_session()
        else:
            raise AssertionError("a second session with the same id was accepted")

    async def test_open_again_changes_nothing(self, store: SessionStore) -> None:
        await store.add(a_session())
        await asyncio.gather(*(store.open() for _ in range(5)))
        assert await store.get(a_session().id) == a_session()

    async def test_advances_once(self, store: SessionStore) -> None:
        session = a_session()
        await store.add(session)
        step = a_step(session)
        moved = replace(
            session,
            generation=1,
            last_used_at=step.now,
            expires_at=step.expires_at,
            device=replace(session.device, ip=step.ip),
        )
        assert await store.advance(step) == (True, moved)
        assert await store.get(session.id) == moved
        assert await store.advance(step) == (False, moved)

    async def test_advancing_leaves_alone_what_it_does_not_name(self, store: SessionStore) -> None:
        session = a_session(generation=7, late=5, binding="Firefox\n")
        await store.add(session)
        await store.acknowledge({session.id: 6})
        won, moved = await store.advance(a_step(session, ip=None))
        assert won is True
        assert moved == await store.get(session.id)
        left = replace(session, generation=8, last_used_at=NOW + 60, expires_at=NOW + 60 + 7 * 86_400, acknowledged=6)
        assert moved == left

    async def test_concurrent_advances_have_one_winner(self, store: SessionStore) -> None:
        session = a_session()
        await store.add(session)
        outcomes = await asyncio.gather(*(store.advance(a_step(session)) for _ in range(50)))
        assert [won for won, _ in outcomes].count(True) == 1
        assert {row.generation for _, row in outcomes if row is not None} == {1}

    async def test_independent_sessions_do_not_disturb_each_other(self, store: SessionStore) -> None:
        sessions = [a_session(number) for number in range(40)]
        await asyncio.gather(*(store.add(session) for session in sessions))
        outcomes = await asyncio.gather(*(store.advance(a_step(session)) for session in sessions))
        assert all(won for won, _ in outcomes)
        assert [row.id for _, row in outcomes if row is not None] == [session.id for session in sessions]

    async def test_advances_only_what_may_be_advanced(self, store: SessionStore) -> None:
        session = a_session(generation=5)
        await store.add(session)
        for refused in (
            a_step(session, expected=4, to=5),
            a_step(session, expected=6, to=7),
            a_step(session, bindings=("Chrome\n203.0.113.0/24", "\n203.0.113.0/24")),
            a_step(session, now=session.expires_at),
        ):
            assert await store.advance(refused) == (False, session)
        assert await store.get(session.id) == session

    async def test_takes_any_of_the_bindings(self, store: SessionStore) -> None:
        bindings = ("Firefox\n203.0.113.0/24", "\n203.0.113.0/24", "Firefox\n", "\n")
        for number, binding in enumerate(bindings):
            session = a_session(number, binding=binding)
            await store.add(session)
            assert (await store.advance(a_step(session, bindings=("other",))))[0] is False
            assert (await store.advance(a_step(session, bindings=bindings)))[0] is True

    async def test_moves_to_another_device(self, store: SessionStore) -> None:
        session = a_session()
        await store.add(session)
        won, moved = await store.advance(a_step(session, user_agent="curl/8.0", binding="curl\nx", ip="198.51.100.1"))
        assert won and moved is not None
        assert (moved.device, moved.binding) == (Device(ip="198.51.100.1", user_agent="curl/8.0"), "curl\nx")
        assert await store.get(session.id) == moved

    async def test_leaves_the_address_if_none_is_known(self, store: SessionStore) -> None:
        session = a_session()
        await store.add(session)
        won, moved = await store.advance(a_step(session, ip=None))
        assert won and moved is not None and moved.device == session.device

    async def test_never_passes_the_absolute_end(self, store: SessionStore) -> None:
        session = a_session()
        await store.add(session)
        won, moved = await store.advance(a_step(session, expires_at=session.ends_at + 1))
        assert won and moved is not None and moved.expires_at == session.ends_at == moved.ends_at

    async def test_can_skip_generations(self, store: SessionStore) -> None:
        session = a_session(generation=3)
        await store.add(session)
        won, moved = await store.advance(a_step(session, to=9))
        assert won and moved is not None and moved.generation == 9

    async def test_revocation_wins(self, store: SessionStore) -> None:
        session = a_session()
        await store.add(session)
        assert await store.revoke(session.id, reason="test", now=NOW + 5) is True
        ended = replace(session, revoked_at=NOW + 5, revoked_reason="test")
        assert await store.get(session.id) == ended
        assert await store.advance(a_step(session)) == (False, ended)
        assert await store.note_late(session.id, 0) is False
        await store.acknowledge({session.id: 7})
        assert await store.revoke(session.id, reason="again", now=NOW + 9) is False
        assert await store.get(session.id) == ended

    async def test_revocation_racing_rotation_leaves_nothing_live(self, store: SessionStore) -> None:
        sessions = [a_session(number) for number in range(20)]
        for session in sessions:
            await store.add(session)
        steps = [store.advance(a_step(session)) for session in sessions]
        ends = [store.revoke(session.id, reason="test", now=NOW) for session in sessions]
        outcomes = await asyncio.gather(*steps, *ends)
        assert outcomes[len(sessions) :] == [True] * len(sessions)
        for session in sessions:
            row = await store.get(session.id)
            assert row is not None and row.revoked_at == NOW
            assert (await store.advance(a_step(row)))[0] is False

    async def test_every_end_belongs_to_one_call(self, store: SessionStore) -> None:
        for number in range(4):
            await store.add(a_session(number))
        one_by_one = [store.revoke(a_session(n % 4).id, reason="test", now=NOW) for n in range(20)]
        together = [store.revoke_subject("user-0", reason="test", now=NOW) for _ in range(5)]
        ended, listed = await asyncio.gather(asyncio.gather(*one_by_one), asyncio.gather(*together))
        assert sum(ended) + sum(len(ids) for ids in listed) == 4
        assert len(await store.revocations(NOW)) == 4

    async def test_the_end_of_a_subject_racing_rotations_leaves_nothing_live(self, store: SessionStore) -> None:
        sessions = [a_session(number, subject="ann") for number in range(30)]
        for session in sessions:
            await store.add(session)
        work = asyncio.gather(*(store.advance(a_step(session)) for session in sessions))
        _, ended = await asyncio.gather(work, store.revoke_subject("ann", reason="test", now=NOW))
        assert sorted(ident for ident, _ in ended) == sorted(session.id for session in sessions)
        assert await store.sessions("ann", now=NOW) == []
        for session in sessions:
            row = await store.get(session.id)
            assert row is not None and row.revoked_at == NOW

    async def test_ends_all_sessions_of_a_subject(self, store: SessionStore) -> None:
        for number in range(8):
            await store.add(a_session(number))
        keep = a_session(2)
        ended = await store.revoke_subject("user-0", reason="test", now=NOW, keep=keep.id)
        assert sorted(ended) == [(a_session(number).id, a_session(number).expires_at) for number in (0, 1, 3)]
        assert [row.id for row in await store.sessions("user-0", now=NOW)] == [keep.id]
        assert len(await store.sessions("user-1", now=NOW)) == 4
        assert [ident for ident, _ in await store.revoke_subject("user-0", reason="test", now=NOW)] == [keep.id]
        assert await store.revoke_subject("user-0", reason="test", now=NOW) == []

    async def test_keeps_what_was_proven_and_what_is_wanted(self, store: SessionStore) -> None:
        session = a_session(standing=_STANDING)
        await store.add(session)
        assert await store.get(session.id) == session
        assert await store.sessions(session.subject, now=NOW) == [session]
        assert (await store.advance(a_step(session, expected=1)))[1] == session
        won, moved = await store.advance(a_step(session))
        assert won and moved is not None and moved.standing == _STANDING, "a rotation leaves it"
        assert await store.note_late(session.id, 1) is True
        await store.acknowledge({session.id: 1})
        assert await store.revoke(session.id, reason="test", now=NOW) is True
        ended = replace(moved, late=1, acknowledged=1, revoked_at=NOW, revoked_reason="test")
        assert await store.get(session.id) == ended

    async def test_each_thing_that_was_proven_is_kept_by_itself(self, store: SessionStore) -> None:
        everything = {name: getattr(_STANDING, name) for name in ("auth_time", "amr", "acr", "step_up", "places")}
        for number, (name, value) in enumerate(everything.items()):
            session = a_session(number, standing=Standing(**{name: value}))
            await store.add(session)
            assert await store.get(session.id) == session

    async def test_moves_what_was_proven(self, store: SessionStore) -> None:
        session = a_session()
        await store.add(session)
        for standing in (_STANDING, replace(_STANDING, step_up=None), NO_STANDING, Standing(step_up="again")):
            won, moved = await store.advance(a_step(session, standing=standing))
            assert won and moved == replace(
                session,
                generation=session.generation + 1,
                last_used_at=session.last_used_at + 60,
                expires_at=session.last_used_at + 60 + 7 * 86_400,
                device=replace(session.device, ip="203.0.113.8"),
                standing=standing,
            )
            assert await store.get(session.id) == moved
            session = moved

    async def test_moves_what_was_proven_along_with_the_device(self, store: SessionStore) -> None:
        session = a_session(standing=_STANDING)
        await store.add(session)
        named = {"user_agent": "curl/8.0", "binding": "curl\nx", "standing": NO_STANDING}
        won, moved = await store.advance(a_step(session, **named))
        assert won and moved is not None
        assert (moved.device.user_agent, moved.binding, moved.standing) == tuple(named.values())
        assert await store.get(session.id) == moved

    async def test_who_loses_moves_nothing_that_was_proven(self, store: SessionStore) -> None:
        session = a_session(standing=_STANDING)
        await store.add(session)
        for refused in ({"expected": 4}, {"bindings": ("other",)}, {"now": session.expires_at}):
            step = a_step(session, standing=NO_STANDING, **refused)
            assert await store.advance(step) == (False, session)
        assert await store.get(session.id) == session

    async def test_changes_a_session_without_rotating_it(self, store: SessionStore) -> None:
        session = a_session(generation=3)
        await store.add(session)
        same = {"to": 3, "now": session.last_used_at, "expires_at": session.expires_at, "ip": None}
        assert await store.advance(a_step(session, **same, standing=_STANDING)) == (
            True,
            replace(session, standing=_STANDING),
        )
        assert await store.get(session.id) == replace(session, standing=_STANDING)
        assert (await store.advance(a_step(session)))[0] is True, "the token that the client has is still good"

    async def test_concurrent_changes_without_a_rotation_have_one_winner(self, store: SessionStore) -> None:
        """Where the generation stays, the binding is what is compared and swapped."""
        session = a_session()
        await store.add(session)
        steps = [
            a_step(session, to=0, binding=f"{session.binding}\n{number}", standing=Standing(step_up=f"{number}"))
            for number in range(20)
        ]
        outcomes = await asyncio.gather(*(store.advance(step) for step in steps))
        won = [number for number, (won, _) in enumerate(outcomes) if won]
        assert len(won) == 1
        row = await store.get(session.id)
        assert row is not None
        assert (row.generation, row.binding, row.step_up) == (0, f"{session.binding}\n{won[0]}", f"{won[0]}")
        assert [moved for _, moved in outcomes] == [row] * 20

    async def test_lists_live_sessions_oldest_first(self, store: SessionStore) -> None:
        for number in (3, 0, 2, 1):
            await store.add(a_session(number))
        await store.revoke(a_session(1).id, reason="test", now=NOW)
        await store.advance(a_step(a_session(0), expires_at=NOW + 100))
        assert [row.id for row in await store.sessions("user-0", now=NOW + 99)] == [a_session(n).id for n in (0, 2, 3)]
        assert [row.id for row in await store.sessions("user-0", now=NOW + 100)] == [a_session(n).id for n in (2, 3)]

    async def test_lists_the_newest_only(self, store: SessionStore) -> None:
        for number in (3, 6, 0, 5, 2, 1, 4):
            await store.add(a_session(number, subject="ann", created_at=NOW + number // 2))
        await store.add(a_session(7, created_at=NOW + 7))
        await store.revoke(a_session(5).id, reason="test", now=NOW)
        await store.advance(a_step(a_session(4), expires_at=NOW + 100))
        for most, expected in (
            (1, [6]),
            (2, [4, 6]),
            (4, [2, 3, 4, 6]),
            (6, [0, 1, 2, 3, 4, 6]),
            (99, [0, 1, 2, 3, 4, 6]),
        ):
            listed = await store.sessions("ann", now=NOW + 99, most=most)
            assert [row.id for row in listed] == [a_session(number).id for number in expected]
        assert [row.id for row in await store.sessions("ann", now=NOW + 100, most=2)] == [
            a_session(n).id for n in (3, 6)
        ]
        assert await store.sessions("nobody", now=NOW, most=3) == []

    async def test_acknowledgement_only_rises(self, store: SessionStore) -> None:
        session = a_session(generation=4)
        await store.add(session)
        await store.acknowledge({session.id: 3, "nobody": 1})
        assert await store.get(session.id) == replace(session, acknowledged=3)
        await store.acknowledge({session.id: 2})
        assert await store.get(session.id) == replace(session, acknowledged=3)
        await store.acknowledge({session.id: 4})
        assert await store.get(session.id) == replace(session, acknowledged=4)

    async def test_acknowledges_in_batches(self, store: SessionStore) -> None:
        sessions = [a_session(number, generation=2) for number in range(30)]
        for session in sessions:
            await store.add(session)
        await store.acknowledge({session.id: number % 3 for number, session in enumerate(sessions)})
        for number, session in enumerate(sessions):
            assert await store.get(session.id) == replace(session, acknowledged=number % 3)
        await store.acknowledge({})

    async def test_notes_a_late_repeat(self, store: SessionStore) -> None:
        session = a_session(generation=4, acknowledged=3)
        await store.add(session)
        assert await store.note_late(session.id, 3) is False
        assert await store.note_late(session.id, 5) is False
        assert await store.get(session.id) == session
        assert await store.note_late(session.id, 4) is True
        assert await store.get(session.id) == replace(session, late=4)

    async def test_notes_no_late_repeat_of_what_has_arrived(self, store: SessionStore) -> None:
        session = a_session(generation=4, acknowledged=4)
        await store.add(session)
        assert await store.note_late(session.id, 4) is False
        assert await store.get(session.id) == session

    async def test_reports_revocations(self, store: SessionStore) -> None:
        for number in range(6):
            await store.add(a_session(number))
        await store.revoke(a_session(0).id, reason="test", now=NOW + 10)
        await store.revoke(a_session(5).id, reason="test", now=NOW + 20)
        await store.revoke_subject("user-0", reason="test", now=NOW + 30, keep=a_session(1).id)
        assert sorted(await store.revocations(NOW + 20)) == [
            (a_session(2).id, NOW + 30),
            (a_session(3).id, NOW + 30),
            (a_session(5).id, NOW + 20),
        ]
        assert len(await store.revocations(0)) == 4
        assert await store.revocations(NOW + 31) == []

    async def test_purges_what_is_over(self, store: SessionStore) -> None:
        for number in range(10):
            await store.add(a_session(number, expires_at=NOW + number))
        await store.revoke(a_session(9).id, reason="test", now=NOW)
        deleted = 0
        for _ in range(3):
            deleted += await store.purge(NOW + 4)
        assert deleted == 5
        assert [await store.get(a_session(number).id) is None for number in range(10)] == [True] * 5 + [False] * 5
        assert [row.id for row in await store.sessions("user-1", now=0)] == [a_session(n).id for n in (5, 6, 7)]
        assert len(await store.revocations(0)) == 1

    async def test_a_failure_at_any_operation_costs_nobody_a_session(self, store: SessionStore) -> None:
        """Whichever operation fails, before or after its work is done: the same token, tried again, goes on."""
        for after in (False, True):
            fail_at = 1
            while await self._a_life_with_a_fault(store, fail_at, after):
                fail_at += 1
            assert fail_at > 15, "that many operations there are at least"

    async def _a_life_with_a_fault(self, store: SessionStore, fail_at: int, after: bool) -> bool:
        """Whether there was an operation to fail at."""
        names = []

        async def note(event: Event) -> None:
            names.append(event.name)

        faulty, clock = FaultyStore(store, fail_at=fail_at, after=after), Clock()
        never, policy = timedelta(days=1), DevicePolicy(refresh_rate=None)
        issuer = Issuer(_SECRET, faulty, clock=clock, sync_interval=never, device_policy=policy, on_event=note)
        async with issuer if fail_at > 1 else _opened_later(issuer):
            await live_a_life(issuer, clock, f"user-{fail_at}-{after}")
        failed = faulty.operations >= fail_at
        assert "reuse_detected" not in names
        assert ("store_unavailable" in names) == failed
        return failed
