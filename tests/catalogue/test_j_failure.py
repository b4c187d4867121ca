"""Group J: what leaks, and what happens when something fails.

Elsewhere: J02 (timing) and J05 (memory over many requests) in ``tests/pressure``, most of J01 in ``tests/leaks.py``.
"""

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from jwt_refresh_middleware import Identity
from jwt_refresh_middleware.errors import AuthError

from ..leakage.pieces import windows
from ..web.problems import assert_problem
from ..web.support import SECRET, Clock, Service
from .attack import Target
from .forge import refresh_token, spare_bits, token


async def _whole_flow(service: Service, said: list[str]) -> list[str]:
    """Everything that can happen to a session; returns every token that there was, and notes what objects print."""
    tokens = [await service.login(), await service.login(body=True)]
    for _ in range(3):
        newer = service.tokens(await service.post("refresh", headers=tokens[0].by_cookie))
        await service.get_in(newer)
        tokens.insert(0, newer)
    access = service.issuer.verifier.verify(tokens[0].access)
    pair = await service.issuer.login("bob")
    session = await service.issuer.session(pair.session.id)
    said += [repr(thing) for thing in (access, access.claims, pair, session, service.issuer, service.issuer.verifier)]
    said += [
        repr(service.issuer.verifier.keys),
        repr(service.app),
        str(service.events),
        repr(service.inner.scopes[-1]["user"]),
    ]
    service.clock.advance(60)
    await service.post("refresh", headers=tokens[3].by_cookie)
    for odd in ("made-up", tokens[1].refresh[:-1] + "~", refresh_token(bytes(32), 0)):
        try:
            await service.issuer.refresh(odd)
        except AuthError as error:
            said += [str(error), repr(error), *traceback.format_exception(error)]
    for forged in (tokens[0].access + "x", token(sub=""), "x.y.z"):
        try:
            service.issuer.verifier.verify(forged)
        except AuthError as error:
            said += [str(error), repr(error), *traceback.format_exception(error)]
    service.store.failure = OSError("refused")
    await service.post("refresh", headers=tokens[1].by_cookie)
    service.store.failure = None
    await service.post("logout", headers=tokens[0].by_cookie, json_body={"all": True})
    return [secret for each in tokens for secret in (each.access, each.refresh)] + [
        pair.access_token,
        pair.refresh_token,
    ]


async def test_j01_nothing_of_a_token_in_logs_reprs_or_errors(target: Target) -> None:
    said: list[str] = []
    secrets = await _whole_flow(target.service, said)
    await target.service.event_names()
    said += [str(target.service.events)]
    said += [record.getMessage() + repr(record.args) + (record.exc_text or "") for record in target.caplog.records]
    assert len(target.caplog.records) > 5
    pieces = windows("\n".join(said))
    for secret in (*secrets, SECRET):
        assert not pieces & windows(secret)


async def test_j01_nothing_of_a_token_in_the_store(target: Target) -> None:
    service = target.service
    tokens = await service.login()
    for _ in range(2):
        tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    rows = repr([await service.store.get(session.id) for session in await service.issuer.sessions("alice")])
    assert service.issuer.session_id_of(tokens.refresh) in rows
    assert not windows(rows) & (windows(tokens.refresh) | windows(tokens.access))


async def test_j03_one_answer_for_every_bad_refresh_token(target: Target) -> None:
    """Forged, unknown, spent, ended: who has the token learns nothing of which it was."""
    service = target.service
    spent = await service.login()
    newer = service.tokens(await service.post("refresh", headers=spent.by_cookie))
    await service.get_in(newer)
    service.clock.advance(60)
    ended = await service.login()
    await service.issuer.logout(ended.refresh)
    values = {
        "forged": "A" * 52 + "." + "A" * 43,
        "junk": "x",
        "spelling": target.honest.refresh[:53] + spare_bits(target.honest.refresh[53:])[0],
        "unknown": refresh_token(bytes(range(32)), 0),
        "spent": spent.refresh,
        "reused, the other client of it": newer.refresh,
        "ended": ended.refresh,
    }
    replies = [await service.post("refresh", json_body={"refresh_token": value}) for value in values.values()]
    for reply in replies:
        assert_problem(reply, "refresh_invalid")
    assert len({(reply.body, reply.headers) for reply in replies}) == 1


async def test_j03_one_answer_for_every_bad_access_token(target: Target) -> None:
    forged = [
        token(aud="x"),
        token(iss="x"),
        token(exp="1"),
        token(sub=""),
        token(jti=None),
        "x",
        target.honest.access[:-4],
    ]
    replies = [await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {one}"}) for one in forged]
    assert len({(reply.body, reply.headers) for reply in replies}) == 1


FAILURES = [OSError("x"), RuntimeError("x"), TimeoutError(), KeyError("x"), AssertionError(), RecursionError()]


@pytest.mark.parametrize("failure", [pytest.param(f, id=f"J04-{type(f).__name__}") for f in FAILURES])
async def test_a_store_that_raises_lets_nobody_in(target: Target, failure: Exception) -> None:
    service = target.service
    service.store.failure = failure
    before = service.inner.calls
    for route in ("refresh", "logout"):
        assert_problem(await service.post(route, headers=target.honest.by_cookie), "store_unavailable")
    fresh = Service()
    fresh.store.failure = failure
    assert_problem(await fresh.ask("GET", "/x", headers=target.honest.bearer), "store_unavailable")
    assert (service.inner.calls, fresh.inner.calls) == (before, 0)


@pytest.mark.parametrize("failure", [pytest.param(f, id=f"J04-{type(f).__name__}") for f in FAILURES])
async def test_a_user_loader_that_raises_lets_nobody_in(
    make_service: Callable[..., Service], failure: Exception
) -> None:
    async def load(_subject: str) -> Identity | None:
        raise failure

    service = make_service(issuer={"load_identity": load})
    tokens = await service.login()
    assert_problem(await service.post("refresh", headers=tokens.by_cookie), "store_unavailable")


async def test_j04_a_clock_that_raises_lets_nobody_in(target: Target) -> None:
    class Broken(Clock):
        def __call__(self) -> float:
            raise OSError("no clock")

    target.service.issuer.verifier.clock = Broken()
    before = target.service.inner.calls
    with pytest.raises(OSError, match="no clock"):
        await target.service.get_in(target.honest)
    assert target.service.inner.calls == before
    target.service.issuer.verifier.clock = target.service.clock


@pytest.mark.parametrize("key", ["user", "auth"])
async def test_j06_keys_of_the_scope_are_overwritten(target: Target, key: str) -> None:
    planted: Any = {"user": "root", "auth": "all"}[key]
    for path in ("/docs", "/"):
        await target.service.ask("GET", path, **{key: planted})
        assert target.service.inner.scopes[-1][key] != planted
    await target.attack("token_missing", **{key: planted})


async def test_j07_what_is_remembered_belongs_to_the_whole_token(target: Target) -> None:
    """Same header, same payload, same length, same signature but for one character: nobody else's user."""
    alice, bob = target.honest, await target.service.login("bob")
    for _ in range(2):
        assert (await target.service.get_in(alice)).body == b"hello alice"
        assert (await target.service.get_in(bob)).body == b"hello bob"
    head, body, signature = alice.access.split(".")
    for forged in (
        f"{head}.{body}.{bob.access.split('.')[2]}",
        f"{head}.{bob.access.split('.')[1]}.{signature}",
        f"{head}.{body}.{spare_bits(signature)[0]}",
        alice.access.swapcase(),
        alice.access[:-1],
    ):
        await target.refused(forged, secrets=[alice.access])


async def test_j07_what_is_remembered_is_still_checked_for_its_end(target: Target) -> None:
    tokens = await target.service.login()
    assert (await target.service.get_in(tokens)).status == 200
    await target.service.issuer.revoke(target.service.issuer.session_id_of(tokens.refresh) or "")
    assert_problem(await target.service.get_in(tokens), "token_revoked")
    target.service.clock.advance(900)
    assert_problem(await target.service.get_in(target.honest), "token_expired")


async def test_j07_a_thousand_tokens_more_than_are_remembered(target: Target) -> None:
    for number in range(5200):
        made = {"authorization": f"Bearer {token(sub=f'user-{number}')}"}
        assert (await target.service.ask("GET", "/x", headers=made)).body == f"hello user-{number}".encode()
    assert (await target.service.get_in(target.honest)).body == b"hello alice"
