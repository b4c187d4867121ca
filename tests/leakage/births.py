"""Where secrets and tokens come to be: each is remembered from then on."""

import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from jwt_refresh_middleware import keyring, keys, minting, refresh
from jwt_refresh_middleware.client import _tokens
from jwt_refresh_middleware.keyring import KeyRing
from jwt_refresh_middleware.web import handlers, step_up, tokens, transport

from .known import WINDOW, Known

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})  # RFC 7518, 6
_PROOFS = ("password", "code", "otp", "pin", "secret", "proof")
"""Parts of the names of what somebody proves by who they are."""


def watch(known: Known) -> None:
    """Tell ``known`` of everything secret that is made in this process."""
    _access_tokens(known)
    _refresh_tokens(known)
    _keys(known)
    _credentials(known)


def after(owner: Any, name: str, then: Callable[..., None]) -> None:
    """Call ``then`` with what ``owner.name`` returned, and with its arguments, whenever it is called."""
    inner = owner.__dict__[name]
    is_static = isinstance(inner, staticmethod)
    call: Callable[..., Any] = inner.__func__ if is_static else inner

    @functools.wraps(call)
    def outer(*args: Any, **named: Any) -> Any:
        returned = call(*args, **named)
        then(returned, *args, **named)
        return returned

    setattr(owner, name, staticmethod(outer) if is_static else outer)


def _access_tokens(known: Known) -> None:
    def minted(token: str, *_: Any, **__: Any) -> None:
        known.add(token.rpartition(".")[2], "the signature of an access token")

    def received(held: Any, *_: Any, **__: Any) -> None:
        known.add(held.access.rpartition(".")[2], "an access token that a client has")
        _add_refresh(held.refresh, "a refresh token that a client has")

    def _add_refresh(token: str, kind: str) -> None:
        for part in token.split("."):
            known.add(part, kind)

    after(minting.Minter, "mint", minted)
    inner: Any = _tokens.Tokens.__dict__["_of"].__func__

    def of(cls: type, members: dict[str, Any]) -> Any:
        held = inner(cls, members)
        received(held)
        return held

    _tokens.Tokens._of = classmethod(of)  # type: ignore[assignment]


def _refresh_tokens(known: Known) -> None:
    def written(text: str, *_: Any) -> None:
        payload, _, signature = text.partition(".")
        known.add(payload, "a refresh token")
        known.add(signature, "a refresh token")

    def began(token: refresh.RefreshToken) -> None:
        known.add_bytes(token.handle, "the handle of a refresh token")

    after(refresh.RefreshSigner, "write", written)
    after(refresh.RefreshToken, "first", began)
    after(refresh, "derived", lambda raw, *_: known.add_bytes(raw, "a key that is derived from a secret"))


def _keys(known: Known) -> None:
    def made(_: None, key: keys.HmacKey, *__: Any, **___: Any) -> None:
        known.add_bytes(key.secret, "a shared secret")

    def held(_: None, ring: KeyRing, *__: Any, **___: Any) -> None:
        for secret in ring.secrets:
            known.add_bytes(secret, "the secret of a key ring")
        for key in ring.keys:
            if key.is_private and not isinstance(key, keys.HmacKey):
                for name, value in key.private_jwk().items():
                    if name in _PRIVATE:
                        known.add(value, "a private key")

    def read(_: Any, pem: str | bytes, password: bytes | None = None) -> None:
        text = pem if isinstance(pem, str) else pem.decode("latin-1")
        if "PRIVATE KEY" in text:
            for line in text.split():
                if "-" not in line and len(line) > 32:
                    for part in line.replace("+", "/").split("/"):
                        known.add(part, "a private key in PEM")
        if password:
            known.add_bytes(password, "the password of a private key")

    after(keys.HmacKey, "__post_init__", made)
    after(KeyRing, "__init__", held)
    after(KeyRing, "replace", held)
    after(keyring, "keys_of_pem", read)


def _credentials(known: Known) -> None:
    def came(fields: Mapping[str, Any], *_: Any) -> None:
        for name, value in fields.items():
            # A short one may be a guess that is a word like any other, and stands in a page of ours.
            if isinstance(value, str) and len(value) >= WINDOW and any(word in name.lower() for word in _PROOFS):
                known.add(value, "a password or another proof of who somebody is")

    inner = transport.read_fields
    after(transport, "read_fields", came)
    modules: tuple[ModuleType, ...] = (tokens, step_up, handlers)
    for module in modules:
        assert module.__dict__["read_fields"] is inner
        module.read_fields = transport.read_fields  # type: ignore[attr-defined]
