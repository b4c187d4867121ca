"""Authlib's clients as they are: httpx (sync and async) and requests."""

import asyncio
import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client
from authlib.integrations.requests_client import OAuth2Session

from .site import ALICE, BY_BODY, Site

GRANT = {"grant_type", "refresh_token"}
BASIC = "Basic " + base64.b64encode(b"reports:its secret").decode()
SECRET = {"client_id": "reports", "client_secret": "its secret"}
WAYS = {
    "public client": ({"client_id": "reports"}, {"client_id"}, None),
    "secret by HTTP Basic": (SECRET, set(), BASIC),
    "secret in the form": (
        SECRET | {"token_endpoint_auth_method": "client_secret_post"},
        {"client_id", "client_secret"},
        None,
    ),
    "with a scope": ({"client_id": "reports", "scope": "read write"}, {"client_id", "scope"}, None),
}
"""Ways in which a client authenticates itself: its options, the fields they add to a form, and ``Authorization``."""


class Update:
    """What the hook was told: the new token, and the refresh token that it replaces."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], str]] = []

    def __call__(self, token: dict[str, Any], refresh_token: str) -> None:
        self.calls.append((dict(token), refresh_token))

    async def asynchronous(self, token: dict[str, Any], refresh_token: str) -> None:
        self(token, refresh_token)


@pytest.fixture(params=[OAuth2Client, OAuth2Session], ids=["httpx", "requests"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def update() -> Update:
    return Update()


@pytest.fixture
def client(library: Any, site: Site, update: Update) -> Iterator[Any]:
    """Logged in, with the defaults of the library."""
    with library("reports", token_endpoint=site.refresh, update_token=update) as made:
        made.fetch_token(site.login, **ALICE, headers=BY_BODY)
        yield made


def expire(client: Any) -> None:
    """The client holds its token for expired."""
    client.token = dict(client.token) | {"expires_at": 1}


@pytest.mark.parametrize("way", WAYS)
def test_an_explicit_refresh_in_every_way_a_client_authenticates_itself(library: Any, site: Site, way: str) -> None:
    options, fields, authorization = WAYS[way]
    with library(**options, token_endpoint=site.refresh) as client:
        old = client.fetch_token(site.login, **ALICE, headers=BY_BODY)
        new = client.refresh_token()
        assert site.forms == [{name: site.forms[0][name] for name in GRANT | fields}]
        assert site.authorizations == [authorization]
        assert new == client.token
        assert new["refresh_token"] != old["refresh_token"]
        assert client.get(site.private).text == "alice"


def test_a_token_that_is_still_good_is_not_refreshed(client: Any, site: Site) -> None:
    assert client.get(site.private).text == "alice"
    assert site.forms == []


def test_an_expired_token_is_renewed_by_itself_and_the_hook_sees_the_new_one(
    client: Any, site: Site, update: Update
) -> None:
    old = client.token
    expire(client)
    for _ in range(2):
        assert client.get(site.private).text == "alice"
    assert update.calls == [(client.token, old["refresh_token"])]
    assert client.token["refresh_token"] != old["refresh_token"]
    assert len(site.forms) == 1


def test_a_client_goes_on_with_the_token_that_a_hook_kept(
    library: Any, client: Any, site: Site, update: Update
) -> None:
    expire(client)
    client.get(site.private)
    kept = update.calls[0][0]
    with library("reports", token=kept, token_endpoint=site.refresh) as later:
        assert later.get(site.private).text == "alice"
        expire(later)
        assert later.get(site.private).text == "alice"
        assert later.token["refresh_token"] != kept["refresh_token"]


def test_rotation_goes_on_for_as_long_as_the_client_does(client: Any, site: Site, update: Update) -> None:
    for _ in range(5):
        expire(client)
        assert client.get(site.private).text == "alice"
    assert len({form["refresh_token"] for form in site.forms}) == 5
    assert len(update.calls) == 5


def test_a_wrong_password_is_the_librarys_error(library: Any, site: Site) -> None:
    with library("reports") as client, pytest.raises(OAuthError) as caught:
        client.fetch_token(site.login, username="alice", password="wrong", headers=BY_BODY)
    assert caught.value.error == "invalid_grant"


def test_a_dead_session_is_the_librarys_invalid_grant(client: Any, site: Site, update: Update) -> None:
    held = client.token
    client.post(site.url + "/auth/logout", json={"refresh_token": held["refresh_token"]})
    with pytest.raises(OAuthError) as caught:
        client.refresh_token()
    assert caught.value.error == "invalid_grant"
    assert caught.value.description
    assert held["refresh_token"] not in str(caught.value)
    assert client.token is held
    assert update.calls == []


def test_an_automatic_refresh_of_a_dead_session_raises_it_too(client: Any, site: Site) -> None:
    client.post(site.url + "/auth/logout", json={"refresh_token": client.token["refresh_token"]})
    expire(client)
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.get(site.private)


def test_an_outage_is_an_http_error_and_the_token_survives_it(client: Any, site: Site) -> None:
    held = client.token
    site.store.failure = ConnectionError()
    with pytest.raises((httpx2.HTTPStatusError, requests.HTTPError), match="503"):
        client.refresh_token()
    assert client.token is held
    site.store.failure = None
    assert client.refresh_token()["refresh_token"] != held["refresh_token"]


def test_a_refresh_loop_is_the_librarys_temporarily_unavailable(client: Any) -> None:
    for _ in range(30):
        client.refresh_token()
    with pytest.raises(OAuthError) as caught:
        client.refresh_token()
    assert caught.value.error == "temporarily_unavailable"


def test_a_token_of_another_device_is_refused(client: Any, site: Site) -> None:
    client.headers["User-Agent"] = "curl/8.0"
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token()


def test_two_clients_that_refresh_the_same_token_at_once_both_go_on(library: Any, client: Any, site: Site) -> None:
    expire(client)
    with (
        library("reports", token=dict(client.token), token_endpoint=site.refresh) as twin,
        ThreadPoolExecutor() as pool,
    ):
        expire(twin)
        site.together = 2
        answers = pool.map(lambda one: one.get(site.private).text, [client, twin])
        assert list(answers) == ["alice", "alice"]
        assert client.token["refresh_token"] == twin.token["refresh_token"]
    assert len(site.forms) == 2
    client.refresh_token()


def test_threads_that_share_a_client_log_nobody_out(client: Any, site: Site) -> None:
    expire(client)
    site.together = 8
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: client.get(site.private).text, range(8))
        assert set(answers) == {"alice"}
    assert len({form["refresh_token"] for form in site.forms}) == 1
    client.refresh_token()


async def _logged_in(client: AsyncOAuth2Client, site: Site) -> None:
    await client.fetch_token(site.login, **ALICE, headers=BY_BODY)


@pytest.mark.parametrize("way", WAYS)
async def test_an_explicit_refresh_of_the_async_client(site: Site, way: str) -> None:
    options, fields, authorization = WAYS[way]
    async with AsyncOAuth2Client(**options, token_endpoint=site.refresh) as client:
        await _logged_in(client, site)
        old = client.token
        await client.refresh_token()
        assert site.forms == [{name: site.forms[0][name] for name in GRANT | fields}]
        assert site.authorizations == [authorization]
        assert client.token["refresh_token"] != old["refresh_token"]
        assert (await client.get(site.private)).text == "alice"


async def test_many_requests_of_an_async_client_make_one_refresh(site: Site, update: Update) -> None:
    async with AsyncOAuth2Client("reports", token_endpoint=site.refresh, update_token=update.asynchronous) as client:
        await _logged_in(client, site)
        old = client.token
        expire(client)
        answers = await asyncio.gather(*(client.get(site.private) for _ in range(20)))
        assert {answer.text for answer in answers} == {"alice"}
        assert len(site.forms) == 1
        assert update.calls == [(client.token, old["refresh_token"])]


async def test_refreshes_of_several_async_clients_at_once_agree(site: Site) -> None:
    async with AsyncOAuth2Client("reports", token_endpoint=site.refresh) as client:
        await _logged_in(client, site)
        site.together = 10
        old = client.token["refresh_token"]
        tokens = await asyncio.gather(*(client.refresh_token(refresh_token=old) for _ in range(10)))
        assert len({token["refresh_token"] for token in tokens}) == 1
        await client.refresh_token()


async def test_the_async_client_raises_the_librarys_invalid_grant(site: Site) -> None:
    async with AsyncOAuth2Client("reports", token_endpoint=site.refresh) as client:
        await _logged_in(client, site)
        await client.post(site.url + "/auth/logout", json={"refresh_token": client.token["refresh_token"]})
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.refresh_token()
        expire(client)
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.get(site.private)
