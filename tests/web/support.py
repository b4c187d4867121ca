"""What the tests over HTTP share: a clock, a store that counts, an app that notes who came in, all of it wired."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from starlette.authentication import BaseUser

from jwt_refresh_middleware import Identity, Issuer, JWTRefreshMiddleware, MemoryStore
from jwt_refresh_middleware.events import Event
from jwt_refresh_middleware.testing import NOW, Clock

from .asgi import Reply, ask

SECRET = "the secret of these tests, long enough by far: 0123456789"
START = NOW
NEVER = timedelta(days=1)
"""Background rounds do not come within a test."""
COOKIE = "__Host-refresh_token"
PEOPLE = {"alice": Identity("alice", ["read", "write"], {"plan": "pro"}), "bob": Identity("bob"), "carol": "carol"}
PASSWORD = "correct horse battery staple"


class CountingStore:
    """A store in front of another: notes every call, and fails or hangs when told to."""

    def __init__(self, store: Any = None) -> None:
        self._store = store or MemoryStore()
        self.calls: list[str] = []
        self.failure: BaseException | None = None
        self.hanging = False

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)

        async def call(*args: Any, **named: Any) -> Any:
            self.calls.append(name)
            if self.failure is not None:
                raise self.failure
            if self.hanging:
                await asyncio.Event().wait()
            return await verb(*args, **named)

        return call


class Inner:
    """The protected app: notes each call, and answers with who it was told is asking."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.then: Callable[[], Any] | None = None

    @property
    def calls(self) -> int:
        return len(self.scopes)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        self.scopes.append(scope)
        if self.then is not None:
            self.then()
        user: BaseUser = scope["user"]
        who = user.identity if user.is_authenticated else "anonymous"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": f"hello {who}".encode()})


async def check_password(credentials: dict[str, Any]) -> Identity | str | None:
    if credentials.get("password") != PASSWORD:
        return None
    return PEOPLE.get(str(credentials.get("username")))


class Tokens:
    """What a client keeps after a login or a refresh."""

    def __init__(self, reply: Reply, cookie_name: str = COOKIE) -> None:
        assert reply.status == 200, reply
        self.reply = reply
        content = reply.json()
        self.access: str = content.get("access_token") or content["accessToken"]
        self.refresh: str = content.get("refresh_token") or content.get("refreshToken") or ""
        cookies = reply.all("set-cookie")
        if cookies:
            name, _, rest = cookies[0].partition("=")
            assert name == cookie_name
            self.refresh = rest.partition(";")[0]
        self.cookie = f"{cookie_name}={self.refresh}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access}"}

    @property
    def by_cookie(self) -> dict[str, str]:
        return {"cookie": self.cookie}


class Service:
    """A service behind the middleware, with everything at hand that a test looks at."""

    def __init__(self, app: Any = None, issuer: dict[str, Any] | None = None, **middleware: Any) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.inner = Inner()
        self.store = CountingStore()
        options = {"clock": self.clock, "on_event": self._note, "sync_interval": NEVER} | (issuer or {})
        self.issuer = Issuer(options.pop("secret", SECRET), options.pop("store", self.store), **options)
        middleware.setdefault("authenticate", check_password)
        self.app = JWTRefreshMiddleware(app or self.inner, issuer=self.issuer, **middleware)
        self.prefix = middleware.get("prefix", "/auth")
        self.cookie_name = self.app._cookie.wire_name.decode()

    async def _note(self, event: Event) -> None:
        self.events.append(event)

    async def event_names(self) -> list[str]:
        """The names of all events so far, those on their way included."""
        await self.issuer._events.finish()
        return [event.name for event in self.events]

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        return await ask(self.app, method, path, **request)

    async def post(self, route: str, **request: Any) -> Reply:
        return await ask(self.app, "POST", f"{self.prefix}/{route}", **request)

    async def login(self, username: str = "alice", *, body: bool = False, **request: Any) -> Tokens:
        headers = dict(request.pop("headers", {})) | ({"x-token-transport": "body"} if body else {})
        credentials = {"username": username, "password": PASSWORD}
        return Tokens(await self.post("login", json_body=credentials, headers=headers, **request), self.cookie_name)

    def tokens(self, reply: Reply) -> Tokens:
        return Tokens(reply, self.cookie_name)

    async def aclose(self) -> None:
        """Stop, with the store back in order."""
        self.store.failure, self.store.hanging = None, False
        await self.issuer.aclose()

    async def get_in(self, tokens: Tokens, path: str = "/private") -> Reply:
        return await self.ask("GET", path, headers=tokens.bearer)
