"""What has to hold of every parser, whatever comes in. Hypothesis and libFuzzer bring what comes in.

Each function takes what an attacker may send and raises if a property does not hold: an exception that is not one of
the documented ones comes out as it is.
"""

import base64
import hmac
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from jwt_refresh_middleware import Cookie, KeyRing, Verifier
from jwt_refresh_middleware.access import BEARER
from jwt_refresh_middleware.encoding import b64url_decode, b64url_encode, json_object
from jwt_refresh_middleware.errors import (
    CrossOrigin,
    InvalidRequest,
    RefreshInvalid,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
)
from jwt_refresh_middleware.key_texts import keys_of_pem, keys_of_set
from jwt_refresh_middleware.keys import HmacKey
from jwt_refresh_middleware.refresh import RefreshSigner, RefreshToken
from jwt_refresh_middleware.testing import NOW, Clock
from jwt_refresh_middleware.web.addresses import ClientAddresses
from jwt_refresh_middleware.web.client_files import names, takes_gzip
from jwt_refresh_middleware.web.incoming import Incoming
from jwt_refresh_middleware.web.lease import credentials_in
from jwt_refresh_middleware.web.paths import PublicPaths
from jwt_refresh_middleware.web.subprotocols import offer_of
from jwt_refresh_middleware.web.transport import bearer, read_fields, single, token_of, token_of_form

from . import reference
from .forging import AUDIENCE, ISSUER, b64, keys
from .reference import REFUSED

Headers = list[tuple[bytes, bytes]]
SECRETS = ("the newest secret of the fuzzers, over 32 bytes", "the older secret of the fuzzers, over 32 bytes")
PATTERNS = ["/", "/docs", "/static/*", "/a/b/*", "/é"]
TRUSTED = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]
ALLOWED = ["https://app.example.com", "http://localhost:3000"]
COOKIE = Cookie()
PUBLIC = PublicPaths(PATTERNS)
ADDRESSES = ClientAddresses(TRUSTED)


def tried(parser: Callable[..., Any], *args: Any, refusals: tuple[type[Exception], ...]) -> Any:
    """What the parser makes of it; ``REFUSED`` for one of the documented refusals, and for nothing else."""
    try:
        return parser(*args)
    except refusals:
        return REFUSED


def check_base64(text: bytes) -> None:
    read = tried(b64url_decode, text, refusals=(ValueError,))
    assert read == reference.base64url(text)
    assert read is REFUSED or b64url_encode(read) == text


def check_json(raw: bytes) -> None:
    read = tried(json_object, raw, refusals=(ValueError,))
    if not reference.too_deep_to_tell(raw):
        assert repr(read) == repr(reference.json_object(raw))


@cache
def verifier() -> Verifier:
    """It has one shared secret and remembers a few tokens only, so that they are dropped as well."""
    key = keys()["secret-1"]
    return Verifier(
        KeyRing([HmacKey(key.private, key.kid)]), issuer=ISSUER, audience=AUDIENCE, clock=Clock(NOW), cache_size=4
    )


def check_access_token(token: bytes) -> bool:
    """Whatever is accepted has one spelling and one signature, and says what is made of it. Whether it was accepted."""
    read = tried(verifier().verify, token, refusals=(TokenInvalid, TokenExpired))
    by_text = tried(verifier().verify, token.decode("latin-1"), refusals=(TokenInvalid, TokenExpired))
    assert read == by_text
    if read is REFUSED:
        return False
    header, payload, signature = token.split(b".")
    secret = keys()["secret-1"].private
    assert hmac.digest(secret, header + b"." + payload, "sha256") == base64.urlsafe_b64decode(signature + b"=")
    for segment in (header, payload, signature):
        assert reference.base64url(segment) is not REFUSED
    said = reference.json_object(base64.urlsafe_b64decode(payload + b"=="))
    assert repr({name: read.claims[name] for name in read.claims}) == repr(said)
    assert isinstance(said, dict)
    assert (read.subject, read.token_id, read.expires_at) == (said["sub"], said["jti"], said["exp"])
    return True


def check_signed(header: bytes, payload: bytes) -> bool:
    """These texts, signed with the right key, are accepted exactly if they say what they have to. Whether they were."""
    key = keys()["secret-1"]
    message = b64(header) + b"." + b64(payload)
    token = message + b"." + b64(key.sign(message))
    accepted = check_access_token(token)
    if len(token) > 8192 or reference.too_deep_to_tell(header + payload):
        return accepted
    expected = reference.access_token(reference.json_object(header), reference.json_object(payload), key.names, key.kid)
    assert accepted == expected, "accepted" if accepted else "refused"
    return accepted


def check_authorization(value: bytes) -> None:
    read = tried(bearer, value, refusals=(TokenMalformed,))
    expected = reference.authorization(value)
    assert read == (BEARER + expected if isinstance(expected, bytes) else expected)
    if isinstance(read, bytes):
        assert bearer(read) == read
        with suppress(TokenInvalid):
            verifier().known(read)


def check_authorizations(headers: Headers) -> None:
    """Two headers are none that is accepted, whatever they say."""
    found = single(headers).get(b"authorization")
    if sum(name == b"authorization" for name, _ in headers) > 1:
        assert tried(bearer, found, refusals=(TokenMalformed,)) is REFUSED


def check_cookie(header: bytes) -> None:
    read = tried(COOKIE.read, header, refusals=(InvalidRequest,))
    expected = reference.cookie(header, COOKIE.wire_name)
    assert read == (expected.decode("latin-1") if isinstance(expected, bytes) else expected)
    assert COOKIE.came_along([(b"cookie", header)]) == (expected is not None)
    if isinstance(read, str):
        check_refresh_token(read)


@cache
def signer() -> RefreshSigner:
    return RefreshSigner(KeyRing.from_secret(SECRETS))


def check_refresh_token(text: str) -> bool:
    """What is read is written again to the letter by one of our keys. Whether it was read."""
    token = tried(signer().read, text, refusals=(RefreshInvalid,))
    if token is REFUSED:
        return False
    assert token == RefreshToken.of(token.handle, token.generation)
    writers = [signer(), RefreshSigner(KeyRing.from_secret(SECRETS[1]))]
    assert text in [writer.write(token) for writer in writers]
    return True


def check_json_body(body: bytes) -> None:
    fields = tried(read_fields, "json", body, refusals=(InvalidRequest,))
    if not reference.too_deep_to_tell(body):
        assert repr(fields) == repr(reference.json_object(body))
    if fields is not REFUSED:
        token = tried(token_of, fields, refusals=(InvalidRequest,))
        said = [fields[name] for name in ("refresh_token", "refreshToken") if fields.get(name) is not None]
        sound = all(type(one) is str for one in said) and len(set(map(repr, said))) < 2
        assert token == ((said[0] or None if said else None) if sound else REFUSED)


def check_form_body(body: bytes) -> None:
    fields = tried(read_fields, "form", body, refusals=(InvalidRequest,))
    assert fields == reference.form(body)
    if fields is not REFUSED:
        token = tried(token_of_form, fields, refusals=(InvalidRequest,))
        sound = fields.get("grant_type") == "refresh_token" and bool(fields.get("refresh_token"))
        assert token == (fields["refresh_token"] if sound else REFUSED)


def check_path(path: str, root_path: str) -> None:
    scope = {"type": "http", "path": path, "root_path": root_path}
    assert PUBLIC.cover(scope) == reference.is_public(path, root_path, PATTERNS)


def check_address(peer: str | None, forwarded: list[bytes]) -> None:
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    scope = {"type": "http", "client": (peer, 1) if peer is not None else None, "headers": headers}
    read = ADDRESSES.of(scope)
    if len(b",".join(forwarded)) <= 2048 and b",".join(forwarded).count(b",") < 32:  # a longer chain is not read on
        assert read == reference.client_address(peer, forwarded, TRUSTED)
    assert ClientAddresses([]).of(scope) == (peer or None)


def check_origin(headers: Headers, scheme: str) -> None:
    incoming = Incoming({"type": "http", "scheme": scheme, "headers": headers})
    passed = tried(incoming.check_origin, frozenset(ALLOWED), refusals=(CrossOrigin,)) is None
    by_name: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        by_name.setdefault(name, []).append(value)
    assert passed == reference.may_come_from(by_name, scheme, ALLOWED)


def check_caching(accept_encoding: bytes, if_none_match: bytes) -> None:
    assert takes_gzip(accept_encoding) == reference.takes_gzip(accept_encoding)
    tag = b'"0123456789abcdef"'
    if names(if_none_match, tag):
        assert tag in if_none_match or if_none_match.strip(b" \t") == b"*"


def check_subprotocols(offered: list[str]) -> None:
    header = (b"sec-websocket-protocol", ", ".join(offered).encode("utf-8", "replace"))
    scope = {"type": "websocket", "headers": [header, (b"host", b"x")], "subprotocols": offered}
    offer = offer_of(scope)
    assert (offer is not None) == ("bearer" in offered)
    if offer is None:
        return
    credentials = tried(bearer, offer.authorization, refusals=(TokenMalformed,))
    left = offer.without(scope)
    assert "bearer" not in left["subprotocols"]
    if credentials is not REFUSED:
        at = offered.index("bearer")
        assert offered.count("bearer") == 1
        assert credentials == BEARER + offered[at + 1].encode("latin-1", "replace").strip(b" \t")
        assert left["subprotocols"] == offered[:at] + offered[at + 2 :]
    for header in (None, b"Basic x", b"Bearer x", b"", b"x"):
        assert tried(bearer, offer.beside(header), refusals=(TokenMalformed,)) in (
            [credentials] if header in (None, b"Basic x", b"x") else [REFUSED]
        )


def check_message(text: str) -> None:
    """A message of a WebSocket is a token exactly if it is that JSON object; the app sees every other."""
    read = credentials_in(text)
    if read is not None:
        said = reference.json_object(text.encode("utf-8"))
        assert isinstance(said, dict)
        assert said == {"type": "token", "access_token": read.removeprefix(BEARER).decode("utf-8")}
        with suppress(TokenInvalid, TokenExpired):
            verifier().known(read)


def check_jwks(jwks: object) -> int:
    """Whatever can be read signs or verifies, publishes no secret, and comes back the same. How many keys it is."""
    read = tried(keys_of_set, jwks, refusals=(ValueError,))
    kept: list[ValueError] = []
    public = tried(lambda: keys_of_set(jwks, tolerant=kept.append), refusals=(ValueError,))
    if public is not REFUSED:
        assert not any(key.is_private for key in public)
    if read is REFUSED:
        return 0
    for key in read:
        _check_key(key)
    return len(read)


def _check_key(key: Any) -> None:
    published = key.public_jwk()
    assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & set(published or {})
    if published is not None:
        (again,) = keys_of_set(published)
        assert again.public_jwk() == published
    if key.is_private:
        assert key.verifies(b"message", b64url_encode(key.sign(b"message")))
        assert not key.verifies(b"another", b64url_encode(key.sign(b"message")))


def check_pem(text: bytes) -> int:
    """The same of PEM, as bytes and as text. How many keys it is."""
    read = tried(keys_of_pem, text, refusals=(ValueError,))
    tried(keys_of_pem, text, b"password", refusals=(ValueError,))
    tried(keys_of_pem, text.decode("utf-8", "surrogateescape"), refusals=(ValueError,))
    if read is REFUSED:
        return 0
    for key in read:
        _check_key(key)
    return len(read)
