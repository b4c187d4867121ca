"""One way to make a request of an attacker, and everything that has to hold after each of them."""

import itertools
import re
from collections.abc import Iterable
from typing import Any

import pytest

from jwt_refresh_middleware.access import DEFAULT_ISSUER

from ..leakage.pieces import STEP, pieces, windows
from ..web.asgi import HeaderList, Reply
from ..web.problems import assert_problem
from ..web.support import COOKIE, Service, Tokens
from .forge import secret_texts

_SECRET = ("authorization", "cookie")

REFERENCE: dict[str, Any] = {
    "token_missing": {},
    "token_malformed": {"headers": {"authorization": "Bearer"}},
    "token_invalid": {"headers": {"authorization": "Bearer made.up.token"}},
    "refresh_invalid": {"headers": {"cookie": f"{COOKIE}=made-up"}},
    "invalid_request": {"headers": {"content-type": "application/json"}, "body": b"{"},
    "cross_origin": {"headers": {"cookie": f"{COOKIE}=made-up", "origin": "https://evil.example"}},
    "refresh_missing": {},
    "unsupported_media_type": {"headers": {"content-type": "text/plain"}, "body": b"{}"},
    "method_not_allowed": {},
}
"""The plainest request for each code: whatever else leads to the code is answered with the same body."""


class Target:
    """A service, somebody honest who uses it, and a record of everything it said."""

    def __init__(self, caplog: pytest.LogCaptureFixture, **options: Any) -> None:
        self.caplog = caplog
        self.service = Service(public=["/", "/docs", "/public/*"], **options)
        self.honest: Tokens

    async def prepare(self) -> None:
        """Log the honest one in."""
        self.honest = await self.service.login()

    async def attack(
        self,
        code: str,
        *,
        method: str = "GET",
        path: str = "/private",
        headers: HeaderList = (),
        secrets: Iterable[str] = (),
        action: str | None = None,
        store: Iterable[str] = (),
        reference: bool = True,
        **request: Any,
    ) -> Reply:
        """Make a request that has to be refused with ``code`` and ``store`` operations, and look at everything."""
        service = self.service
        service.store.calls.clear()
        before = service.inner.calls
        self.caplog.clear()
        reply = await service.ask(method, path, headers=headers, **request)
        assert reply.status < 500
        assert service.inner.calls == before
        assert service.store.calls == list(store)
        assert_problem(reply, code, action=action)
        if reference and action is None:
            plain = await service.ask("GET" if code == "method_not_allowed" else method, path, **REFERENCE[code])
            assert (reply.body, reply.status) == (plain.body, plain.status)
        self.assert_silent(reply, secrets_of(headers, secrets))
        await self.assert_unharmed()
        return reply

    async def refused(self, credentials: str | bytes, code: str = "token_invalid", **request: Any) -> Reply:
        """Present an access token, or with a blank in it a whole Authorization header, on a protected path."""
        raw = credentials.encode("latin-1", "replace") if isinstance(credentials, str) else credentials
        return await self.attack(code, headers=[("authorization", b"Bearer " + raw)], **request)

    async def refused_refresh(self, value: str | bytes, code: str = "refresh_invalid", **request: Any) -> Reply:
        """Present a refresh token as the cookie."""
        raw = value.encode("latin-1", "replace") if isinstance(value, str) else value
        headers = [("cookie", COOKIE.encode() + b"=" + raw)]
        return await self.attack(code, method="POST", path="/auth/refresh", headers=headers, **request)

    def assert_silent(self, reply: Reply, secrets: Iterable[str]) -> None:
        """Neither the answer nor a log record holds a piece of a token, or of the key that signs."""
        said = reply.body.decode() + "".join(f"{name!r}: {value!r}" for name, value in reply.headers)
        said += "".join(itertools.chain.from_iterable((r.getMessage(), repr(r.args)) for r in self.caplog.records))
        said = said.replace(DEFAULT_ISSUER, "")  # the realm, which is no secret
        said_pieces = pieces(said)
        for secret in (*secrets, *secret_texts()):
            if not said_pieces.isdisjoint(pieces(secret, STEP)):
                assert not windows(said) & windows(secret)

    async def assert_unharmed(self) -> None:
        """The honest one is still let in."""
        before = self.service.inner.calls
        assert (await self.service.get_in(self.honest)).status == 200
        assert self.service.inner.calls == before + 1


def secrets_of(headers: HeaderList, others: Iterable[str] = ()) -> list[str]:
    """What must not be seen of a request: the tokens in its headers, and ``others``."""
    pairs = headers.items() if hasattr(headers, "items") else headers
    return [*others, *(_secret(_text(value)) for name, value in pairs if name in _SECRET)]


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _secret(value: str) -> str:
    """The token in a header, without the name of the scheme or the cookie, which are no secrets."""
    return re.sub(r"(?i)^bearer +|^[^;]*refresh_token=", "", value)
