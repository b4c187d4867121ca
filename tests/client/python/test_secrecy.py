"""No token in a repr, a log record or an error."""

import asyncio
import json
import logging
import pickle
import traceback
from types import ModuleType
from typing import Any

import pytest

from jwt_refresh_middleware.client._session import Want
from jwt_refresh_middleware.client._tokens import Tokens
from jwt_refresh_middleware.client.httpx import RefreshAuth, RefreshError

from .serving import PROBLEM, Service, problem


def everything(error: BaseException | None, seen: set[int] | None = None) -> str:
    """All that an error holds, its causes included."""
    seen = set() if seen is None else seen
    if error is None or id(error) in seen:
        return ""
    seen.add(id(error))
    lines = [repr(error), str(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
    return "\n".join([*lines, everything(error.__cause__, seen), everything(error.__context__, seen)])


def echo(token: str) -> Any:
    body = json.dumps({"code": "refresh_invalid", "action": "login", "detail": f"bad: {token}", "extra": token})
    return (401, PROBLEM, body.encode(), {})


TROUBLES: dict[str, Any] = {
    "echo": echo,
    "html echo": lambda token: (500, "text/html", token.encode(), {}),
    "truncated": lambda token: (200, "application/json", f'{{"access_token": "{token}'.encode(), {}),
    "unavailable": lambda _: problem(503, "store_unavailable", "retry"),
    "step up": lambda _: problem(401, "step_up_required", "step_up"),
}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("trouble", [*TROUBLES.values(), None], ids=[*TROUBLES, "lost"])
def test_errors_hold_no_token(
    library: ModuleType, service: Service, trouble: Any, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = service.expiring()
    auth = RefreshAuth(service.refresh_url, tokens)
    if trouble is None:
        service.lose = ["before", "before"]
    else:
        service.canned = [trouble(tokens["refresh_token"])]

    async def main() -> None:
        async with library.AsyncClient(auth=auth) as client:
            await client.get(service.private)

    caplog.set_level(logging.INFO)
    with pytest.raises(RefreshError) as caught:
        asyncio.run(main()) if is_async else library.Client(auth=auth).get(service.private)
    told = everything(caught.value) + pickle.dumps(caught.value).decode("latin-1") + caplog.text
    assert "RefreshError" in told or "SessionEnded" in told or "Required" in told or "Unavailable" in told
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert token not in told and token[-20:] not in told


def test_no_record_of_a_refresh_that_goes_well(
    library: ModuleType, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = service.expiring()
    auth = RefreshAuth(service.refresh_url, tokens)
    caplog.set_level(logging.INFO)
    with library.Client(auth=auth) as client:
        client.get(service.private)
    assert auth.tokens
    assert "/auth/refresh" in caplog.text, "the library's own record"
    for token in (tokens["refresh_token"], auth.tokens["access_token"], auth.tokens["refresh_token"]):
        assert token not in caplog.text


def test_reprs_hold_no_token(service: Service) -> None:
    tokens = service.login()
    auth = RefreshAuth(service.refresh_url, tokens)
    held = Tokens.given(tokens)
    told = " ".join([repr(auth), str(auth), f"{auth}", repr(held), str(held), repr(Want(held)), repr([auth._session])])
    assert service.refresh_url in told
    assert tokens["access_token"] not in told and tokens["refresh_token"] not in told


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
@pytest.mark.parametrize("value", ["secret value", "secret\n", 1234567, b"secret", ["secret"]])
def test_errors_about_bad_tokens_do_not_tell_them(name: str, value: Any) -> None:
    tokens = {"access_token": "good", "refresh_token": "good"} | {name: value}
    with pytest.raises((TypeError, ValueError), match=name) as caught:
        RefreshAuth("https://users.example.com/auth/refresh", tokens)
    assert "secret" not in everything(caught.value).replace('"secret', "").split("Error: ")[-1]
    assert "1234567" not in str(caught.value)
