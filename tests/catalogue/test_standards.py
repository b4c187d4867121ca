"""Each duty that we claim is held by something that exists; and what nothing else held."""

import ast
import re
import secrets
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from jwt_refresh_middleware import DevicePolicy, Identity, Issuer, MemoryStore

from ..web.support import SECRET, Clock, Service
from .advisories import GROUP_SIZES
from .forge import parts, unb64
from .standards import DUTIES, Duty

ROOT = Path(__file__).parents[2]
CASES = {f"{group}{number:02}" for group, size in GROUP_SIZES.items() for number in range(1, size + 1)}


@cache
def _tests_in(file: str) -> set[str]:
    """The names of the tests in a file, those in classes too. Read and not imported: nothing runs."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, functions)}


@pytest.mark.parametrize("duty", [pytest.param(d, id=f"{n}-{d.standard}-{d.section}") for n, d in enumerate(DUTIES)])
def test_every_duty_is_held_or_says_why_not(duty: Duty) -> None:
    assert duty.held_by or duty.note
    for name in duty.held_by:
        file, _, test = name.partition("::")
        if test:
            assert re.fullmatch(r"tests/[a-z_/]+/test_[a-z_]+\.py", file), name
            assert test.startswith("test_")
            assert test in _tests_in(file), name
        else:
            assert name in CASES, name


def test_no_duty_stands_there_twice() -> None:
    assert len({(duty.standard, duty.section, duty.duty) for duty in DUTIES}) == len(DUTIES)


# What no case of the catalogue holds


@pytest.mark.standard
async def test_an_access_token_lives_for_minutes(make_service: Callable[..., Service]) -> None:
    """RFC 6750, 5.3 speaks of an hour or less; the default here is a quarter of that."""
    tokens = await make_service().login()
    said = make_service().issuer.verifier.verify(tokens.access)
    assert said.expires_at - said.issued_at == tokens.reply.json()["expires_in"] == 900


@pytest.mark.standard
async def test_our_access_tokens_say_what_rfc_9068_requires() -> None:
    """RFC 9068, 2.1 and 2.2; and 2.2.1, how the person has authenticated."""
    async with Issuer(SECRET, MemoryStore(), client_id="app", audience="api", clock=Clock()) as issuer:
        who = Identity("ann", ["read", "write"], amr=["pwd", "otp"], acr="mfa")
        first = await issuer.login(who)
        for pair in (first, await issuer.refresh(first.refresh_token)):
            token = issuer.verifier.verify(pair.access_token)
            assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= set(token.claims)
            assert {name: token.claims[name] for name in ("aud", "sub", "client_id", "scope", "acr", "amr")} == {
                "aud": "api", "sub": "ann", "client_id": "app", "scope": "read write", "acr": "mfa",
                "amr": ["pwd", "otp"],
            }  # fmt: skip
            assert token.claims["auth_time"] == token.issued_at
            assert b'"typ":"at+jwt"' in unb64(parts(pair.access_token)[0])
        assert issuer.verifier.verify(first.access_token).token_id != token.token_id


@pytest.mark.standard
async def test_what_names_a_session_or_a_token_is_random_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """ASVS 7.2.3: 128 bits. Where they come from is looked at too: ``secrets``, and nothing else of that name."""
    drawn: list[bytes] = []

    def draw(size: int) -> bytes:
        drawn.append(genuine(size))
        return drawn[-1]

    genuine = secrets.token_bytes
    monkeypatch.setattr("jwt_refresh_middleware.refresh.secrets.token_bytes", draw)
    monkeypatch.setattr("jwt_refresh_middleware.minting.token_bytes", draw)
    async with Issuer(SECRET, MemoryStore(), device_policy=DevicePolicy.off()) as issuer:
        pair = await issuer.login("ann")
    handle, token_id = sorted(drawn, key=len, reverse=True)
    assert (len(handle), len(token_id)) == (32, 16)
    assert handle in unb64(pair.refresh_token.partition(".")[0])
    assert unb64(issuer.verifier.verify(pair.access_token).token_id) == token_id


@pytest.mark.standard
async def test_a_refresh_token_of_a_browser_is_in_no_other_place(make_service: Callable[..., Service]) -> None:
    """ASVS 3.3.4: what a script may read, or a log of answers without cookies keeps, has no part of it."""
    service = make_service()
    tokens = await service.login()
    for reply in (tokens.reply, await service.post("refresh", headers=tokens.by_cookie)):
        given = service.tokens(reply)
        elsewhere = reply.body + b"".join(value for name, value in reply.headers if name != b"set-cookie")
        for piece in (given.refresh, given.refresh.partition(".")[0], given.refresh.partition(".")[2]):
            assert len(piece) > 40
            assert piece.encode() not in elsewhere
