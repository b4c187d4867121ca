"""What comes with a request is read as the contract says: headers, cookies, paths, addresses, origins, bodies."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.rotation.support import QUICK

from . import properties as p
from .strategies import LATIN, glued, headers, json_like, mutated


@QUICK
@given(st.binary(max_size=60) | mutated([b"Ab_-0A", b"AAAA", b"_w", b"AB==", b"+/+/"]))
def test_base64(text: bytes) -> None:
    p.check_base64(text)


@QUICK
@given(json_like())
def test_json(raw: bytes) -> None:
    p.check_json(raw)


@QUICK
@given(
    glued(
        [b"Bearer", b"bearer", b"BEARER", b"Basic", b"DPoP", b" ", b" ", b"  ", b"\t", b",", b"abc", b"a.b.c", b"\xe9"]
    )
    | LATIN
)
@example(b"Bearer\tabc def")
def test_the_authorization_header(value: bytes) -> None:
    p.check_authorization(value)


@QUICK
@given(headers([b"authorization", b"Authorization", b"cookie"], [b"Bearer a.b.c", b"Basic x", b""]))
def test_authorization_headers(found: p.Headers) -> None:
    p.check_authorizations(found)


_NAME = p.COOKIE.wire_name
_TOKEN = p.signer().write(p.RefreshToken.of(b"h" * 32, 5)).encode()


@QUICK
@given(
    glued([_NAME + b"=x", _NAME + b"=" + _TOKEN, b"a=b", b";", b"; ", b";\t", b" "], 5)
    | glued([_NAME, b"refresh_token", b"=", b"=", b";", b"; ", b" ", b"\t", b'"', b",", _TOKEN, b"x", b"\\075", b"\0"])
    | mutated([_NAME + b"=" + _TOKEN, b"a=b; " + _NAME + b"=" + _TOKEN + b"; c"])
)
def test_the_cookie_header(header: bytes) -> None:
    p.check_cookie(header)


@QUICK
@given(json_like([b'{"refresh_token":"x","refreshToken":"x"}', b'{"refreshToken":null,"refresh_token":""}']))
def test_json_bodies(body: bytes) -> None:
    p.check_json_body(body)


@QUICK
@given(
    glued(
        [b"grant_type", b"refresh_token", b"=", b"=", b"&", b"&", b"%", b"%61", b"%C3%A9", b"%ff", b"+", b";", b"\xc3"]
    )
    | mutated([b"grant_type=refresh_token&refresh_token=x", b"a=1&" * 101])
)
def test_form_bodies(body: bytes) -> None:
    p.check_form_body(body)


_PATHS = glued(
    [
        "/", "/", "docs", "static", "a", "b", "é", "..", ".", "...", "//", "%2e", ";", "\\", "\n", "\x85", "\x7f",
        "\ufffd", "\0", "*", "api", "Docs", "\u2028", "\u00ad", " ",
    ]
)  # fmt: skip


@QUICK
@given(
    st.builds("{}{}".format, st.sampled_from(["/static/", "/a/b/", "/docs"]), _PATHS)
    | _PATHS
    | st.text(max_size=12).map("/{}".format),
    st.sampled_from(["", "", "/api", "/a", "/é", "/"]),
)
@example("/docs", "")
@example("/api/docs", "/api")
@example("/static/api/x", "/api")
def test_public_paths(path: str, root_path: str) -> None:
    p.check_path(path, root_path)


ADDRESSES = [
    "10.0.0.1", "10.255.0.9", "192.0.2.1", "198.51.100.7", "2001:db8::1", "2001:DB8::1", "[2001:db8::2]", "::1",
    "[::1]:80", "::ffff:10.0.0.3", "198.51.100.7:443", "10.0.0.1:", "fe80::1%eth0", "unknown", "_hidden", "",
    "1.2.3", "010.0.0.1", "[10.0.0.1]", "10.0.0.1\n", "[::1", "::1]:2", "10.0.0.1:123456", "10.0.0.1%x",
]  # fmt: skip
_ADDRESSES = st.sampled_from(ADDRESSES)
_HOPS = st.lists(_ADDRESSES | st.text(max_size=8), max_size=5).map(
    lambda hops: ", ".join(hops).encode("utf-8", "replace")
)


@QUICK
@given(st.sampled_from(["10.0.0.1", "192.0.2.1"]) | st.none() | _ADDRESSES, st.lists(_HOPS | LATIN, max_size=3))
def test_addresses_of_clients(peer: str | None, forwarded: list[bytes]) -> None:
    p.check_address(peer, forwarded)


@QUICK
@given(st.sampled_from(["10.0.0.1", "198.51.100.7"]), st.lists(_ADDRESSES, min_size=30, max_size=60))
def test_long_chains_of_proxies(peer: str, hops: list[str]) -> None:
    p.check_address(peer, [",".join(hops).encode()])


_ORIGINS = [
    b"https://app.example.com", b"HTTPS://app.example.com", b"https://app.example.com.evil", b"null", b"",
    b"https://api.test", b"http://api.test", b"https://api.test:443", b"https://API.test", b"http://localhost:3000",
    b"https://", b"api.test", b"same-origin", b"none", b"cross-site", b"same-site", b"Same-Origin",
    b"same-origin, none", b"api.test:443", b"api.test:80", b"api.test:8443", b"API.TEST", b"api.test:80:80", b"\xff",
]  # fmt: skip


@QUICK
@given(
    headers([b"origin", b"sec-fetch-site", b"host", b"referer"], _ORIGINS),
    st.sampled_from(["https", "http", "wss", ""]),
)
def test_origins(found: p.Headers, scheme: str) -> None:
    p.check_origin(found, scheme)


@QUICK
@given(
    glued(
        [b"gzip", b"GZIP", b"identity", b"*", b"br", b";", b"q=", b"q=0", b"q=1.000", b"q=0.5", b"=", b",", b" ", b"\t"]
    )
    | LATIN,
    glued([b'"0123456789abcdef"', b"W/", b"*", b",", b" ", b'"']),
)
def test_what_a_client_file_is_asked_with(accept_encoding: bytes, if_none_match: bytes) -> None:
    p.check_caching(accept_encoding, if_none_match)


_OFFERED = st.sampled_from(["bearer", "Bearer", "chat", "a.b.c", "", " ", "a b", "é", "\u4f60", ",", "bearer "])


@QUICK
@given(st.lists(_OFFERED | st.text(max_size=4), max_size=5))
def test_subprotocols(offered: list[str]) -> None:
    p.check_subprotocols(offered)


@QUICK
@given(json_like([b'{"type":"token","access_token":"a.b.c"}', b'{"access_token":"\\u00e9","type":"token"}']))
def test_messages_of_a_socket(raw: bytes) -> None:
    p.check_message(raw.decode("latin-1"))
    p.check_message(raw.decode("utf-8", "surrogateescape"))


def test_every_character_in_a_public_path() -> None:
    for character in [*map(chr, range(0x250)), "\u2028", "\u202e", "\ufeff", "\ufffd", "\U0001f600"]:
        for path in (f"/static/a{character}b", f"/static/{character}", f"/docs{character}", f"{character}/docs"):
            p.check_path(path, "")


def test_every_spelling_of_an_address_behind_a_proxy() -> None:
    for hop in ADDRESSES:
        p.check_address("10.0.0.1", [f"198.51.100.9, {hop}".encode()])
        p.check_address("10.0.0.1", [f"{hop},10.0.0.2".encode()])
        p.check_address(hop, [b"198.51.100.9"])
