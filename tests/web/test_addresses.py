"""Whose address counts, with proxies in front: E11 and E12 of the catalogue."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware import DevicePolicy
from jwt_refresh_middleware.web.addresses import ClientAddresses

from .support import PASSWORD, Service

PROXY = "10.0.0.1"
TRUSTED = ("10.0.0.0/8", "::1", "2001:db8:aaaa::/48", "192.168.7.7")


def of(peer: str | None, *headers: str, trusted: tuple[str, ...] = TRUSTED, name: str = "x-forwarded-for") -> Any:
    raw = [(b"host", b"testserver"), *((name.encode(), value.encode("latin-1")) for value in headers)]
    return ClientAddresses(trusted).of({"client": (peer, 1) if peer is not None else None, "headers": raw})


def test_without_proxies_the_peer_is_the_client_whatever_it_says() -> None:
    assert of("203.0.113.7", "1.2.3.4", trusted=()) == "203.0.113.7"
    assert of(PROXY, "1.2.3.4", trusted=()) == PROXY


def test_a_peer_that_is_not_trusted_is_the_client_whatever_it_says() -> None:
    assert of("203.0.113.7", "1.2.3.4") == "203.0.113.7"
    assert of("11.0.0.1", PROXY) == "11.0.0.1"
    assert of("::2", "1.2.3.4") == "::2"


@pytest.mark.parametrize("peer", [PROXY, "10.255.0.9", "::1", "::ffff:10.0.0.1", "2001:DB8:aaaa:1::5", "192.168.7.7"])
def test_a_trusted_peer_says_who_it_is(peer: str) -> None:
    assert of(peer, "1.2.3.4") == "1.2.3.4"


@pytest.mark.parametrize("peer", ["192.168.7.8", "2001:db8:aaab::1", "::ffff:11.0.0.1", "unix:/run/app", "10.0.0", ""])
def test_its_neighbours_are_not(peer: str) -> None:
    assert of(peer, "1.2.3.4") == (peer or None)


def test_a_trusted_peer_that_says_nothing_is_the_client() -> None:
    assert of(PROXY) == PROXY
    assert of("::ffff:10.0.0.1") == PROXY
    assert of(PROXY, "") == PROXY


def test_a_peer_without_an_address_is_not_trusted() -> None:
    assert of(None, "1.2.3.4") is None
    assert ClientAddresses(TRUSTED).of({"headers": [(b"x-forwarded-for", b"1.2.3.4")]}) is None


def test_it_is_read_from_the_right() -> None:
    assert of(PROXY, "6.6.6.6, 1.2.3.4") == "1.2.3.4"
    assert of(PROXY, "6.6.6.6, 1.2.3.4, 10.9.9.9, ::1") == "1.2.3.4"
    assert of(PROXY, "10.1.1.1, 1.2.3.4") == "1.2.3.4", "what the client put before it, trusted or not"


def test_where_all_are_trusted_it_is_the_farthest() -> None:
    assert of(PROXY, "10.0.0.3, 10.0.0.2") == "10.0.0.3"


def test_several_headers_are_one_list() -> None:
    assert of(PROXY, "6.6.6.6", "1.2.3.4", "10.0.0.2") == "1.2.3.4"
    assert of(PROXY, "1.2.3.4", "6.6.6.6") == "6.6.6.6"
    assert of(PROXY, "1.2.3.4", "10.0.0.2,10.0.0.3") == "1.2.3.4"


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("1.2.3.4:567", "1.2.3.4"),
        (" \t1.2.3.4 ", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("::FFFF:1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:80", "1.2.3.4"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:65535", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:1", "fe80::1"),
    ],
)
def test_one_spelling_for_each(entry: str, address: str) -> None:
    assert of(PROXY, f"6.6.6.6, {entry}, 10.0.0.2:99") == address


@pytest.mark.parametrize(
    "entry",
    [
        "unknown",
        "_hidden",
        "",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:123456",
        "1.2.3.4:\xb2",
        "[1.2.3.4]",
        "[2001:db8::1",
        "[2001:db8::1]x",
        "[2001:db8::1]:",
        "2001:db8::1]",
        "for=1.2.3.4",
        '"1.2.3.4"',
        "\xff",
        "1.2.3.4 1.2.3.4",
    ],
)
def test_what_is_no_address_ends_the_walk(entry: str) -> None:
    assert of(PROXY, f"6.6.6.6, {entry}, 10.0.0.2") == "10.0.0.2"
    assert of(PROXY, f"6.6.6.6, {entry}") == PROXY


@pytest.mark.parametrize("name", ["forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x_forwarded_for"])
def test_no_other_header_is_read(name: str) -> None:
    assert of(PROXY, "1.2.3.4", name=name) == PROXY


def test_no_more_is_read_than_a_chain_of_proxies_can_be_long() -> None:
    assert of(PROXY, ",".join(["1.2.3.4"] + ["10.0.0.2"] * 31)) == "1.2.3.4"
    assert of(PROXY, ",".join(["1.2.3.4"] + ["10.0.0.2"] * 32)) == "10.0.0.2"
    assert of(PROXY, "1.2.3.4," + " " * 2040) == PROXY
    assert of(PROXY, "1.2.3.4," + " " * 2039 + "10.0.0.2") == "10.0.0.2"
    assert of(PROXY, "1.2.3.4," + " " * 2033 + "10.0.0.2") == "10.0.0.2"
    assert of(PROXY, "1.2.3.4," + " " * 2032 + "10.0.0.2") == "1.2.3.4"
    assert of(PROXY, "6" * 100_000 + ",1.2.3.4,10.0.0.2") == "1.2.3.4"
    cut = "1.2.3.4" + "," + "10.0.0.2" + " " * 2039
    assert of(PROXY, cut) == "10.0.0.2"
    assert of(PROXY, "9" + "1.2.3.4" + " " * 2041) == PROXY, "the end of an entry is not an entry"


@given(st.text(alphabet="0123456789abcdef.:[]% ,x", max_size=60))
def test_an_untrusted_address_to_the_right_is_always_the_client(left: str) -> None:
    assert of(PROXY, f"{left},1.2.3.4,10.0.0.2") == "1.2.3.4"


@given(st.binary(max_size=80))
def test_anything_may_come(header: bytes) -> None:
    found = ClientAddresses(TRUSTED).of({"client": (PROXY, 1), "headers": [(b"x-forwarded-for", header)]})
    assert found


@pytest.mark.parametrize("wrong", ["proxy", "10.0.0.1/8", "10.0.0.0/33", "", "*", "10.0.0.*", "[::1]", "1.2.3.4:80"])
def test_what_is_no_network_is_found_at_start_up(make_service: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies: "):
        make_service(trusted_proxies=["10.0.0.0/8", wrong])


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_nobody_can_trust_everybody(everybody: str) -> None:
    with pytest.raises(ValueError, match="everybody"):
        ClientAddresses([everybody])


def test_one_str_is_no_list(make_service: Any) -> None:
    with pytest.raises(TypeError, match="list"):
        make_service(trusted_proxies="10.0.0.0/8")


def test_a_mapped_network_is_one_of_ipv4() -> None:
    assert of("10.1.2.3", "1.2.3.4", trusted=("::ffff:10.0.0.0/104",)) == "1.2.3.4"
    assert of("11.1.2.3", "1.2.3.4", trusted=("::ffff:10.0.0.0/104",)) == "11.1.2.3"


def looks_like_a_proxy(caplog: pytest.LogCaptureFixture, *requests: tuple[str | None, str], trusted: Any = ()) -> int:
    """How often it is said that a proxy is not trusted, after ``requests`` from peers with what they forward."""
    caplog.clear()
    addresses = ClientAddresses(trusted)
    for peer, header in requests:
        raw = [(b"host", b"testserver"), *([(b"x-forwarded-for", header.encode())] if header else [])]
        assert addresses.of({"client": (peer, 1) if peer else None, "headers": raw}) == peer
    return len([record for record in caplog.records if "trusted_proxies" in record.message])


def test_a_proxy_that_was_forgotten_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    assert looks_like_a_proxy(caplog, *[(PROXY, "1.2.3.4")] * 3) == 1
    assert looks_like_a_proxy(caplog, ("::1", "1.2.3.4, 10.0.0.2")) == 1
    assert PROXY not in caplog.text and "::1 sends" in caplog.text


@pytest.mark.parametrize(
    ("peer", "header"),
    [
        ("203.0.114.7", "1.2.3.4"),
        (PROXY, ""),
        (PROXY, "unknown"),
        (PROXY, f"1.2.3.4, {PROXY}"),
        ("::ffff:10.0.0.1", "10.0.0.1:80"),
        (None, "1.2.3.4"),
        ("testclient", "1.2.3.4"),
    ],
)
def test_what_may_be_in_order_is_not_told_of(caplog: pytest.LogCaptureFixture, peer: str | None, header: str) -> None:
    """A stranger's header, and a server that has read the header itself."""
    assert looks_like_a_proxy(caplog, (peer, header)) == 0


def test_it_is_looked_for_in_the_first_hundred_requests(caplog: pytest.LogCaptureFixture) -> None:
    assert looks_like_a_proxy(caplog, *[("1.2.3.4", "")] * 99, (PROXY, "1.2.3.4")) == 1
    assert looks_like_a_proxy(caplog, *[("1.2.3.4", "")] * 100, *[(PROXY, "1.2.3.4")] * 2) == 0


def test_where_proxies_are_named_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert looks_like_a_proxy(caplog, ("192.168.0.1", "1.2.3.4"), trusted=["10.0.0.0/8"]) == 0


FORWARDED = {"x-forwarded-for": "6.6.6.6, 198.51.100.9", "forwarded": "for=7.7.7.7", "x-real-ip": "8.8.8.8"}


async def seen(service: Service, **request: Any) -> list[str | None]:
    """Where a login, a refresh and a failed login came from, as the events have it."""
    tokens = await service.login(body=True, **request)
    refreshed = await service.post("refresh", json_body={"refresh_token": tokens.refresh}, **request)
    form = {"grant_type": "refresh_token", "refresh_token": service.tokens(refreshed).refresh}
    assert (await service.post("refresh", form=form, **request)).status == 200
    assert (await service.post("login", json_body={"username": "alice"}, **request)).status == 401
    assert await service.event_names() == ["session_started", "rotated", "rotated", "login_failed"]
    return [event.device.ip if event.device else None for event in service.events]


async def test_a_spoofed_header_changes_nothing(make_service: Any) -> None:
    for service in (make_service(), make_service(trusted_proxies=["10.0.0.0/8"])):
        assert await seen(service, headers=FORWARDED) == ["203.0.113.7"] * 4


async def test_behind_a_trusted_proxy_everything_has_the_address_of_the_client(make_service: Any) -> None:
    service = make_service(trusted_proxies=["10.0.0.0/8"])
    assert await seen(service, headers=FORWARDED, client=("10.3.3.3", 4711)) == ["198.51.100.9"] * 4


@pytest.mark.parametrize("spelling", ["198.51.100.9", "::ffff:198.51.100.9", "[::FFFF:198.51.100.9]:8080"])
async def test_a_session_is_bound_to_the_client_behind_the_proxy(make_service: Any, spelling: str) -> None:
    strict = {"device_policy": DevicePolicy.strict()}
    service = make_service(trusted_proxies=["10.0.0.0/8"], issuer=strict)
    proxy: dict[str, Any] = {"client": ("10.3.3.3", 4711)}
    tokens = await service.login(body=True, headers={"x-forwarded-for": "198.51.100.9"}, **proxy)
    body = {"refresh_token": tokens.refresh}
    elsewhere = await service.post("refresh", json_body=body, headers={"x-forwarded-for": "198.51.100.8"}, **proxy)
    spoofed = {"x-forwarded-for": "198.51.100.9, 198.51.100.8"}
    assert (elsewhere.status, elsewhere.code) == (401, "device_mismatch")
    assert (await service.post("refresh", json_body=body, headers=spoofed, **proxy)).code == "device_mismatch"
    direct = await service.post("refresh", json_body=body, headers={"x-forwarded-for": "198.51.100.9"})
    assert direct.code == "device_mismatch", "nobody trusts that peer"
    same = await service.post("refresh", json_body=body, headers={"x-forwarded-for": spelling}, **proxy)
    assert same.status == 200


async def test_a_handler_that_logs_in_sees_the_same_address(make_service: Any) -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from jwt_refresh_middleware import login

    async def back_from_provider(request: Request) -> Response:
        return await login(request, "alice")

    app = Starlette(routes=[Route("/back", back_from_provider, methods=["POST"])])
    service = make_service(app=app, trusted_proxies=["10.0.0.0/8"], public=["/back"])
    reply = await service.ask("POST", "/back", headers=FORWARDED, client=("10.3.3.3", 4711))
    assert reply.status == 200
    assert await service.event_names() == ["session_started"]
    assert service.events[0].device.ip == "198.51.100.9"


async def test_ordinary_requests_do_not_look(make_service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service = make_service(trusted_proxies=["10.0.0.0/8"], public=["/"])
    tokens = await service.login()
    monkeypatch.setattr(ClientAddresses, "of", lambda *_: pytest.fail("it was looked for"))
    assert (await service.get_in(tokens)).status == 200
    assert (await service.ask("GET", "/")).status == 200
    assert (await service.ask("GET", "/private")).status == 401
    with pytest.raises(pytest.fail.Exception):
        await service.post("login", json_body={"username": "alice", "password": PASSWORD})
