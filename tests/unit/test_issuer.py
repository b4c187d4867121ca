"""The issuer: logs in, rotates, ends; says what happened; refuses what cannot work."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware import Device, Identity, Issuer, MemoryStore, SessionStore, TokenPair
from jwt_refresh_middleware.errors import RateLimited, TokenRevoked
from jwt_refresh_middleware.events import Revoked
from jwt_refresh_middleware.refresh import RefreshSigner
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from tests.rotation.support import CHROME, FIREFOX, SECRET, START, Clock, Listener, make_issuer, outcome


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_ttl": timedelta(milliseconds=999)}, {"access_ttl": timedelta(0)}, {"refresh_ttl": timedelta(0)},
        {"reauth_after": timedelta(seconds=-1)}, {"reuse_leeway": timedelta(seconds=-1)}, {"issuer": ""},
        {"audience": ""}, {"issuer": "a\nb"}, {"sync_interval": timedelta(0)}, {"store_timeout": timedelta(0)},
        {"client_id": ""}, {"client_id": "a\nb"},
    ],
    ids=str,
)  # fmt: skip
def test_bad_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Issuer(SECRET, MemoryStore(), **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""}, {"subject": "x" * 256}, {"subject": "a\nb"}, {"subject": "\ud800"}, {"scopes": [""]},
        {"scopes": ["a b"]}, {"scopes": ['a"']}, {"scopes": ["ä"]}, {"amr": ["a b"]}, {"claims": {"x": object}},
        {"claims": {"x": float("nan")}}, {"claims": {"x": "\ud800"}}, {"claims": {"x": "y" * 9000}},
        *[{"claims": {name: 1}} for name in ("iss", "sub", "aud", "exp", "iat", "jti", "sid", "gen", "scope", "cnf")],
    ],
    ids=lambda wrong: str(wrong)[:40],
)  # fmt: skip
async def test_bad_identities_are_refused_and_leave_nothing(
    wrong: dict[str, Any], clock: Clock, listener: Listener
) -> None:
    store = MemoryStore()
    async with make_issuer(store, clock, listener) as issuer:
        with pytest.raises(ValueError):
            await issuer.login(wrong.pop("subject", "ann"), **wrong)
        assert await store.purge(float("inf")) == 0
        assert await listener.names() == []


async def test_one_str_is_no_list_of_scopes_and_an_identity_says_it_all(clock: Clock) -> None:
    async with make_issuer(MemoryStore(), clock) as issuer:
        with pytest.raises(TypeError):
            await issuer.login("ann", scopes="read write")
        for more in ({"scopes": ["read"]}, {"claims": {"a": 1}}, {"amr": ["pwd"]}):
            with pytest.raises(TypeError):
                await issuer.login(Identity("ann"), **more)


async def test_what_the_login_said_persists(store: SessionStore, clock: Clock) -> None:
    async with make_issuer(store, clock) as issuer:
        who = Identity("ann", ["read", "write"], {"plan": "pro", "roles": ["a"]}, ["pwd"])
        pair = await issuer.login(who, device=FIREFOX)
        for _ in range(2):
            token = issuer.verifier.verify(pair.access_token)
            assert (token.subject, token.scopes, token.auth_time) == ("ann", ("read", "write"), START)
            assert (token.claims["plan"], token.claims["roles"], token.claims["amr"]) == ("pro", ["a"], ["pwd"])
            clock.advance(3600)
            pair = await issuer.refresh(pair.refresh_token, device=FIREFOX)


@pytest.mark.case("H13")
async def test_lifetimes(store: SessionStore, clock: Clock) -> None:
    async with make_issuer(store, clock) as issuer:
        pair = await issuer.login("ann")
        week, month = 7 * 86_400, 30 * 86_400
        assert (pair.expires_in, pair.refresh_expires_in) == (900, week)
        for _ in range(4):
            clock.advance(week - 1)
            pair = await issuer.refresh(pair.refresh_token)
        assert pair.session.ends_at == START + month
        assert pair.refresh_expires_in == month - 4 * (week - 1)
        clock.now = START + month - 100.5
        pair = await issuer.refresh(pair.refresh_token)
        assert (pair.expires_in, pair.refresh_expires_in) == (101, 100), "no access token outlives its session"
        clock.now = START + month
        assert await outcome(issuer, pair.refresh_token) == "refresh_expired"


@pytest.mark.case("H13")
async def test_the_idle_end_at_the_edge(store: SessionStore, clock: Clock) -> None:
    async with make_issuer(store, clock, refresh_ttl=timedelta(seconds=100)) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        clock.advance(99.9)
        pair = await issuer.refresh(pair.refresh_token, device=FIREFOX)
        clock.advance(100)
        assert await outcome(issuer, pair.refresh_token) == "refresh_expired"
        assert await outcome(issuer, pair.refresh_token, CHROME) == "refresh_expired"
        assert await issuer.sessions("ann") == []
        assert await issuer.session(pair.session.id) is None


class Users:
    """``load_identity`` over a dictionary; a value may be an exception."""

    def __init__(self, **users: Any) -> None:
        self.users = users
        self.asked = 0

    async def __call__(self, subject: str) -> Identity | None:
        self.asked += 1
        found = self.users.get(subject)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.case("H12")
async def test_the_identity_is_loaded_at_every_refresh(store: SessionStore, clock: Clock) -> None:
    users = Users(ann=Identity("ann", ["read"], {"plan": "free"}))
    async with make_issuer(store, clock, load_identity=users) as issuer:
        pair = await issuer.login("ann", scopes=["admin"], claims={"plan": "pro"}, amr=["otp"])
        pair = await issuer.refresh(pair.refresh_token)
        token = issuer.verifier.verify(pair.access_token)
        assert (token.scopes, token.claims["plan"], token.claims["amr"]) == (("read",), "free", ["otp"])
        users.users["ann"] = Identity("ann", ["read", "write"])
        token = issuer.verifier.verify((await issuer.refresh(pair.refresh_token)).access_token)
        assert (token.scopes, "plan" in token.claims) == (("read", "write"), False)
        assert users.asked == 2


@pytest.mark.case("H12")
async def test_a_subject_that_is_gone_is_refused_and_its_session_stays(
    store: SessionStore, clock: Clock, listener: Listener
) -> None:
    users = Users()
    async with make_issuer(store, clock, listener, load_identity=users) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
        row = await store.get(pair.session.id)
        assert row is not None
        assert (row.generation, row.revoked_at) == (0, None)
        users.users["ann"] = Identity("ann")
        assert isinstance(await outcome(issuer, pair.refresh_token), TokenPair)
        assert await listener.names() == ["session_started", "rotated"]


@pytest.mark.parametrize("error", [OSError("away"), KeyError("ann"), RateLimited()])
async def test_a_user_database_that_is_away_costs_nothing(store: SessionStore, clock: Clock, error: Exception) -> None:
    users = Users(ann=error)
    async with make_issuer(store, clock, load_identity=users) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        expected = "rate_limited" if isinstance(error, RateLimited) else "store_unavailable"
        assert await outcome(issuer, pair.refresh_token) == expected
        users.users["ann"] = Identity("ann")
        assert isinstance(await outcome(issuer, pair.refresh_token), TokenPair)


async def test_nobody_is_asked_about_a_token_that_is_refused(store: SessionStore, clock: Clock) -> None:
    users = Users(ann=Identity("ann"))
    async with make_issuer(store, clock, load_identity=users) as issuer:
        pair = await issuer.login("ann", device=FIREFOX)
        assert await outcome(issuer, pair.refresh_token, CHROME) == "device_mismatch"
        await issuer.revoke(pair.session.id)
        assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
        assert users.asked == 0


@pytest.mark.parametrize("generation", [0, 1, 2])
@pytest.mark.case("H10")
async def test_logout_with_any_generation_ends_the_session_and_is_idempotent(
    store: SessionStore, clock: Clock, listener: Listener, generation: int
) -> None:
    async with make_issuer(store, clock, listener) as issuer:
        pairs = [await issuer.login("ann", device=FIREFOX)]
        for _ in range(2):
            pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=FIREFOX))
        for _ in range(3):
            await issuer.logout(pairs[generation].refresh_token)
        for pair in pairs:
            with pytest.raises(TokenRevoked):
                issuer.verifier.verify(pair.access_token)
        for pair in pairs:
            assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
        assert await listener.names() == ["session_started", "rotated", "rotated", "revoked"]
        assert isinstance(listener.events[-1], Revoked)
        assert listener.events[-1].reason == "logout"


async def test_logging_out_of_nothing_is_no_error(store: SessionStore, clock: Clock, listener: Listener) -> None:
    async with make_issuer(MemoryStore(), clock) as elsewhere:
        unknown = (await elsewhere.login("ann")).refresh_token
    async with make_issuer(store, clock, listener) as issuer:
        for token in ("", "x", "\ud800", unknown, unknown[:-1]):
            await issuer.logout(token)
        assert await issuer.revoke("nothing") is False
        assert await issuer.logout_all("nobody") == 0
        assert await outcome(issuer, unknown) == "refresh_invalid"
        assert await listener.names() == []


@pytest.mark.case("H11")
async def test_logout_all_keeps_one_and_counts_what_lived(store: SessionStore, clock: Clock) -> None:
    async with make_issuer(store, clock) as issuer:
        expired = await issuer.login("ann", device=FIREFOX)
        clock.advance(7 * 86_400)
        ended, kept, *others = [await issuer.login("ann", device=FIREFOX) for _ in range(4)]
        bobs = await issuer.login("bob", device=FIREFOX)
        assert await issuer.revoke(ended.session.id) is True
        assert await issuer.revoke(ended.session.id) is False
        assert await issuer.logout_all("ann", keep=kept.session.id) == len(others)
        assert [session.id for session in await issuer.sessions("ann")] == [kept.session.id]
        for pair in (*others, ended):
            assert await outcome(issuer, pair.refresh_token) == "refresh_invalid"
        assert await outcome(issuer, expired.refresh_token) in ("refresh_invalid", "refresh_expired")
        assert isinstance(await outcome(issuer, kept.refresh_token), TokenPair)
        assert await issuer.logout_all("ann") == 1
        assert await issuer.logout_all("ann") == 0
        assert isinstance(await outcome(issuer, bobs.refresh_token), TokenPair)


async def test_sessions_are_listed_oldest_first_and_only_the_subjects(store: SessionStore, clock: Clock) -> None:
    async with make_issuer(store, clock) as issuer:
        ids = []
        for number in range(4):
            ids.append((await issuer.login("ann", device=Device(ip=f"203.0.113.{number}"))).session.id)
            await issuer.login("bob")
            clock.advance(1)
        listed = await issuer.sessions("ann")
        assert [session.id for session in listed] == ids
        assert [session.device.ip for session in listed] == [f"203.0.113.{number}" for number in range(4)]
        assert await issuer.session(ids[0]) == listed[0]
        assert await issuer.sessions("nobody") == []


async def test_whose_a_refresh_token_is(store: SessionStore, clock: Clock) -> None:
    async with make_issuer(store, clock) as issuer:
        pairs = [await issuer.login("ann")]
        for _ in range(2):
            pairs.append(await issuer.refresh(pairs[-1].refresh_token))
        owners = [await issuer.session_of(pair.refresh_token) for pair in pairs]
        assert [owner and owner.subject for owner in owners] == [None, "ann", "ann"]
        assert {issuer.session_id_of(pair.refresh_token) for pair in pairs} == {pairs[0].session.id}
        assert (await issuer.session_of("x"), issuer.session_id_of("x")) == (None, None)
        await issuer.logout(pairs[0].refresh_token)
        assert await issuer.session_of(pairs[2].refresh_token) is None


@pytest.mark.case("H24")
async def test_the_store_holds_nothing_that_is_a_token(tmp_path: Path, clock: Clock) -> None:
    async with make_issuer(SQLiteStore(tmp_path / "s.db"), clock) as issuer:
        first = await issuer.login("ann")
        pair = await issuer.refresh(first.refresh_token)
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        handle = RefreshSigner(issuer.verifier.keys).read(pair.refresh_token).handle
    assert pair.session.id.encode() in stored
    for secret in (pair.refresh_token, first.refresh_token[:52], pair.access_token[-43:], SECRET, handle.hex()):
        assert secret.encode() not in stored
    assert handle not in stored


async def test_a_client_id_is_in_every_token_if_it_is_asked_for() -> None:
    for given, expected in ((None, None), ("reports", "reports")):
        async with Issuer(SECRET, MemoryStore(), client_id=given) as issuer:
            pair = await issuer.login("ann", claims={"plan": "pro"})
            assert issuer.verifier.verify(pair.access_token).claims.get("client_id") == expected
