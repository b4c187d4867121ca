"""requests-oauthlib's client as it is, by https: oauthlib sends no token by http."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from oauthlib.oauth2 import InvalidGrantError, LegacyApplicationClient, TemporarilyUnavailableError
from requests_oauthlib import OAuth2Session, TokenUpdated

from .site import ALICE, BY_BODY, Site

GRANT = {"grant_type", "refresh_token"}
SECRET = {"client_id": "reports", "client_secret": "its secret"}
BASIC = "Basic " + base64.b64encode(b"reports:its secret").decode()


class Clients:
    """Makes sessions of the library that trust our certificate, and closes them."""

    def __init__(self, site: Site, certificate: Path) -> None:
        self._site = site
        self._certificate = certificate
        self._made: list[OAuth2Session] = []

    def make(self, token: dict[str, Any] | None = None, **options: Any) -> OAuth2Session:
        made = OAuth2Session("reports", token=token, **options)
        made.trust_env = False  # the proxies and certificates of this machine are not meant
        made.verify = str(self._certificate)
        self._made.append(made)
        return made

    def token(self) -> dict[str, Any]:
        """Of a new session, as a login by this library gets it."""
        client = self.make(client=LegacyApplicationClient("reports"))
        token: dict[str, Any] = client.fetch_token(self._site.login, **ALICE, headers=BY_BODY)
        return token

    def close(self) -> None:
        for one in self._made:
            one.close()


@pytest.fixture
def clients(tls_site: Site, certificate: dict[str, Path]) -> Iterator[Clients]:
    made = Clients(tls_site, certificate["ssl_certfile"])
    yield made
    made.close()


def expired(token: dict[str, Any]) -> dict[str, Any]:
    """The token as the documentation of the library lets it expire."""
    return {name: value for name, value in token.items() if name != "expires_at"} | {"expires_in": "-30"}


def test_an_explicit_refresh_as_the_library_makes_it(clients: Clients, tls_site: Site) -> None:
    old = clients.token()
    client = clients.make(old)
    new = client.refresh_token(tls_site.refresh)
    assert [set(form) for form in tls_site.forms] == [GRANT]
    assert tls_site.authorizations == [None]
    assert client.token == new
    assert new["refresh_token"] != old["refresh_token"]
    assert client.get(tls_site.private).text == "alice"


def test_a_client_with_a_secret_may_send_it_in_the_form_or_by_http_basic(clients: Clients, tls_site: Site) -> None:
    client = clients.make(clients.token())
    client.refresh_token(tls_site.refresh, **SECRET)
    client.refresh_token(tls_site.refresh, auth=("reports", "its secret"))
    assert [set(form) for form in tls_site.forms] == [GRANT | set(SECRET), GRANT]
    assert tls_site.authorizations == [None, BASIC]


def test_a_client_that_asks_for_the_scopes_it_has_gets_them(clients: Clients, tls_site: Site) -> None:
    client = clients.make(clients.token(), scope=["read", "write"])
    assert client.refresh_token(tls_site.refresh)["scope"] == ["read", "write"]
    assert tls_site.forms[0]["scope"] == "read write"


def test_a_client_that_asks_for_fewer_scopes_is_told_that_it_got_all(clients: Clients, tls_site: Site) -> None:
    """We ignore the wish, as RFC 6749, 3.3 allows, and say so in the answer; the library makes a Warning of that."""
    client = clients.make(clients.token(), scope=["read"])
    with pytest.raises(Warning, match="Scope has changed") as caught:
        client.refresh_token(tls_site.refresh)
    assert set(caught.value.new_scope) == {"read", "write"}  # type: ignore[attr-defined]
    assert caught.value.token["refresh_token"]  # type: ignore[attr-defined]


def test_an_expired_token_is_renewed_by_itself_and_the_updater_sees_it(clients: Clients, tls_site: Site) -> None:
    old, updates = clients.token(), []
    client = clients.make(
        expired(old),
        auto_refresh_url=tls_site.refresh,
        auto_refresh_kwargs={"client_id": "reports"},
        token_updater=updates.append,
    )
    for _ in range(2):
        assert client.get(tls_site.private).text == "alice"
    assert updates == [client.token]
    assert client.token["refresh_token"] != old["refresh_token"]
    fields = GRANT | {"client_id", "allow_redirects"}  # the library adds the options of the request to the form
    assert [set(form) for form in tls_site.forms] == [fields]


def test_a_request_with_a_body_is_renewed_though_the_library_puts_the_body_into_the_form(
    clients: Clients, tls_site: Site
) -> None:
    client = clients.make(expired(clients.token()), auto_refresh_url=tls_site.refresh, token_updater=lambda _: None)
    assert client.post(tls_site.private, json={"title": "all & everything"}).text == "alice"
    assert [set(form) for form in tls_site.forms] == [GRANT | {"json"}]


def test_an_automatic_refresh_may_carry_http_basic(clients: Clients, tls_site: Site) -> None:
    client = clients.make(expired(clients.token()), auto_refresh_url=tls_site.refresh, token_updater=lambda _: None)
    assert client.get(tls_site.private, **SECRET).text == "alice"
    assert tls_site.authorizations == [BASIC]


def test_without_an_updater_the_new_token_comes_as_the_librarys_exception(clients: Clients, tls_site: Site) -> None:
    old = clients.token()
    with pytest.raises(TokenUpdated) as caught:
        clients.make(expired(old), auto_refresh_url=tls_site.refresh).get(tls_site.private)
    assert caught.value.token["refresh_token"] != old["refresh_token"]
    assert clients.make(caught.value.token).get(tls_site.private).text == "alice"


def test_a_client_goes_on_with_the_token_that_the_updater_kept(clients: Clients, tls_site: Site) -> None:
    kept = [clients.token()]
    for _ in range(5):
        client = clients.make(expired(kept[-1]), auto_refresh_url=tls_site.refresh, token_updater=kept.append)
        assert client.get(tls_site.private).text == "alice"
    assert len({token["refresh_token"] for token in kept}) == 6


def test_a_wrong_password_is_the_librarys_error(clients: Clients, tls_site: Site) -> None:
    client = clients.make(client=LegacyApplicationClient("reports"))
    with pytest.raises(InvalidGrantError):
        client.fetch_token(tls_site.login, username="alice", password="wrong", headers=BY_BODY)


def test_a_dead_session_is_the_librarys_invalid_grant(clients: Clients, tls_site: Site) -> None:
    old = clients.token()
    client = clients.make(old, auto_refresh_url=tls_site.refresh, token_updater=lambda _: None)
    client.post(tls_site.url + "/auth/logout", json={"refresh_token": old["refresh_token"]})
    with pytest.raises(InvalidGrantError) as caught:
        client.refresh_token(tls_site.refresh)
    assert caught.value.description
    assert old["refresh_token"] not in str(caught.value)
    client.token = expired(old)
    with pytest.raises(InvalidGrantError):
        client.get(tls_site.private)


def test_an_outage_is_the_librarys_temporarily_unavailable_and_the_token_survives_it(
    clients: Clients, tls_site: Site
) -> None:
    old = clients.token()
    client = clients.make(old)
    tls_site.store.failure = ConnectionError()
    with pytest.raises(TemporarilyUnavailableError):
        client.refresh_token(tls_site.refresh)
    tls_site.store.failure = None
    assert client.token == old
    assert client.refresh_token(tls_site.refresh)["refresh_token"] != old["refresh_token"]


def test_a_refresh_loop_is_the_librarys_temporarily_unavailable(clients: Clients, tls_site: Site) -> None:
    client = clients.make(clients.token())
    for _ in range(30):
        client.refresh_token(tls_site.refresh)
    with pytest.raises(TemporarilyUnavailableError):
        client.refresh_token(tls_site.refresh)


def test_threads_with_a_client_each_that_refresh_at_once_all_go_on(clients: Clients, tls_site: Site) -> None:
    old = expired(clients.token())
    kept: list[dict[str, Any]] = []
    made = [clients.make(dict(old), auto_refresh_url=tls_site.refresh, token_updater=kept.append) for _ in range(8)]
    tls_site.together = 8
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda client: client.get(tls_site.private).text, made)) == {"alice"}
    assert len(tls_site.forms) == 8
    assert len(kept) == 8
    assert len({token["refresh_token"] for token in kept}) == 1
    assert made[0].refresh_token(tls_site.refresh)
