"""Tests that leak, each in a way of its own, and some that do not: run by ``test_leaks.py``, never by themselves."""

import asyncio
import gc
import logging
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from fastapi import FastAPI
from opentelemetry import metrics

from jwt_refresh_middleware import Device, Identity, Issuer, KeyRing, MemoryStore, TokenPair
from jwt_refresh_middleware.audit import AuditEntry
from jwt_refresh_middleware.client.httpx import RefreshAuth
from jwt_refresh_middleware.errors import InsufficientScope
from jwt_refresh_middleware.events import Revoked, Rotated
from jwt_refresh_middleware.web.answers import json_answer
from tests.measuring import measuring
from tests.web.support import PASSWORD, Service

log = logging.getLogger("jwt_refresh_middleware")
SECRET = secrets.token_urlsafe(32)


@pytest.fixture
async def pair() -> TokenPair:
    async with Issuer(SECRET, MemoryStore()) as issuer:
        return await issuer.login("ann")


@pytest.fixture
def prints_afterwards() -> Iterator[list[str]]:
    said: list[str] = []
    yield said
    print(*said)


# Every test up to the next line of dashes leaks.


def test_logged(pair: TokenPair) -> None:
    log.warning("a token: " + pair.access_token)  # noqa: G003


def test_logged_as_an_argument(pair: TokenPair) -> None:
    log.error("a token: %.3s", pair.refresh_token)


def test_logged_by_somebody_else(pair: TokenPair) -> None:
    logging.getLogger("app").error("Cookie: %s", pair.refresh_token)


def test_logged_in_a_field(pair: TokenPair) -> None:
    log.warning("a line", extra={"details": {"token": pair.access_token}})


def test_logged_with_its_exception(pair: TokenPair) -> None:
    try:
        raise ValueError(pair.access_token)
    except ValueError:
        log.exception("it failed")


async def test_logged_by_asyncio(pair: TokenPair) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": pair.access_token})


async def test_logged_at_a_level_that_nobody_reads(pair: TokenPair) -> None:
    """An event's line, of which the event's own name is a token: that is in no value of it."""

    service = Service(issuer={"on_event": None})
    told = type("Told", (Revoked,), {"name": pair.refresh_token})
    service.issuer._events.tell(told(at=0, reason="-"), quietly=True)
    await service.aclose()


def test_printed(pair: TokenPair) -> None:
    print("here", pair.refresh_token[3:23])


def test_printed_to_the_other_one(pair: TokenPair) -> None:
    print("here", pair.access_token, file=sys.stderr)


def test_printed_afterwards(pair: TokenPair, prints_afterwards: list[str]) -> None:
    prints_afterwards.append(pair.access_token)


def test_printed_by_a_process(pair: TokenPair) -> None:
    subprocess.run([sys.executable, "-c", f"print({pair.access_token!r})"], check=True, capture_output=True)


def test_printed_by_a_process_into_a_file(pair: TokenPair, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        subprocess.run([sys.executable, "-c", f"print({pair.access_token!r})"], check=True, stdout=file)


def test_raised_by_us(pair: TokenPair) -> None:
    InsufficientScope(pair.access_token)


def test_raised(pair: TokenPair) -> None:
    with pytest.raises(ValueError):
        raise ValueError("no token:", pair.access_token)


def test_raised_before(pair: TokenPair) -> None:
    def fails() -> None:
        try:
            raise ValueError(pair.access_token)
        except ValueError as error:
            raise KeyError from error

    with pytest.raises(KeyError):
        fails()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_raised_where_nobody_can_catch_it(pair: TokenPair) -> None:
    class Ends:
        def __del__(self) -> None:
            raise ValueError(pair.access_token)

    Ends()
    gc.collect()


def test_an_event(pair: TokenPair) -> None:
    Rotated(at=0, device=Device(user_agent=pair.refresh_token), generation=1)


def test_an_audit_entry(pair: TokenPair) -> None:
    AuditEntry(id="1", name="rotated", at=0, details={"token": pair.access_token})


def test_a_span(pair: TokenPair) -> None:
    with measuring() as measured, measured.tracers.get_tracer("app").start_as_current_span("work") as span:
        span.set_attribute("token", pair.refresh_token)


def test_a_metric(pair: TokenPair) -> None:
    with measuring() as measured:
        meter = measured.meters.get_meter("jwt_refresh_middleware")
        counter: metrics.Counter = meter.create_counter("refreshes")
        counter.add(1, {"token": pair.refresh_token})
        measured.metrics()


def test_an_answer(pair: TokenPair) -> None:
    json_answer(401, {"detail": pair.access_token})


def test_the_header_of_an_answer(pair: TokenPair) -> None:
    json_answer(200, {}, (b"location", b"/?token=" + pair.refresh_token.encode()))


def test_a_document(pair: TokenPair) -> None:
    FastAPI(description=pair.access_token).openapi()


def test_a_repr(pair: TokenPair) -> None:
    Identity("ann", claims={"token": pair.refresh_token})


def test_the_address_of_a_client() -> None:
    RefreshAuth(f"https://example.com/{SECRET}/refresh", tokens={"refresh_token": "r"})
    KeyRing.from_secret(SECRET)


def test_a_secret() -> None:
    KeyRing.from_secret(SECRET)
    print(SECRET[8:24])


def test_a_secret_that_is_words() -> None:
    KeyRing.from_secret("two words, or some more, make a secret as well")
    print("it is or some more, make a dog")


def test_a_secret_in_hex() -> None:
    KeyRing.from_secret(SECRET)
    print(SECRET.encode().hex())


def test_the_handle_of_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    from jwt_refresh_middleware.refresh import RefreshToken

    print(RefreshToken.first().handle.hex()[-20:])


def test_a_private_key() -> None:
    print(KeyRing.generate("ES256").keys[0].private_jwk()["d"])


def test_a_private_key_in_pem() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    no = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no).decode()
    KeyRing.from_pem(pem)
    print(pem)


async def test_a_password() -> None:
    service = Service()
    await service.login()
    print(f"{PASSWORD!r}")
    await service.aclose()


def test_the_token_of_another_process() -> None:
    print("eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo")


def test_the_refresh_token_of_another_process() -> None:
    print("refresh_token=" + "AX" + secrets.token_hex(25) + "." + secrets.token_hex(22)[:43])


# -- clean --


async def test_clean() -> None:
    """What may be seen is: who, which session, which key; and a token where it belongs."""
    service = Service(public=["/"])
    held = await service.login()
    again = service.tokens(await service.post("refresh", headers=held.by_cookie))
    reply = await service.get_in(again)
    verified = service.issuer.verifier.verify(again.access)
    print(reply.body, verified, verified.session_id, verified.token_id, service.issuer, held.access[:15])
    log.warning("%s %s", verified, await service.store.get(verified.session_id))
    await service.ask("GET", "/private", headers={"authorization": "Bearer made.up.token"})
    await service.post("login", json_body={"username": "alice", "password": "wrong"})
    await service.aclose()


def test_clean_by_shape() -> None:
    print("eyJhbGciOiJIUzI1NiJ9.e30", "eyJub3QiOiJhIGhlYWRlciJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN", "A" * 96)


def test_clean_in_part(pair: TokenPair) -> None:
    print(pair.refresh_token[5:20], pair.refresh_token[60:75], SECRET[:15])


def test_clean_of_weak_secrets() -> None:
    KeyRing.from_secret("x" * 40)
    print("x" * 100)


def test_that_fails_anyway(pair: Any) -> None:
    print(pair.access_token)
    raise AssertionError("for another reason")
