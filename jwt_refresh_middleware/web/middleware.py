"""The middleware: who is asking is decided here, before the app sees the request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..access import Known
from ..errors import AuthError, KeysUnavailable, TokenError, TokenMissing
from ..issuer import Issuer
from ..login_limits import LoginLimits
from ..telemetry import look_ups
from ..verifier import Verifier
from .addresses import ClientAddresses
from .lifespan import Lifespan
from .paths import PublicPaths, app_path
from .problems import Problems
from .routes import Routes
from .sending import Held
from .settings import Settings
from .tokens import Authenticate, FieldCase, Tokens
from .transport import Cookie, bearer
from .users import Users
from .websocket import Sockets


class JWTRefreshMiddleware:
    """Double-token authentication for any ASGI app.

    Attributes:
        app: what it is around.
        settings: what it was told.
    """

    # Longer than 40 lines: every option is written once, with its default and what it means.
    def __init__(
        self,
        app: ASGIApp,
        *,
        issuer: Issuer | None = None,
        verifier: Verifier | None = None,
        authenticate: Authenticate | None = None,
        public: Iterable[str] = (),
        prefix: str = "/auth",
        required: bool = True,
        cookie: Cookie | None = None,
        field_case: FieldCase = "snake",
        allowed_origins: Iterable[str] = (),
        refresh_url: str | None = None,
        trusted_proxies: Iterable[str] = (),
        login_limits: LoginLimits | None = None,
    ) -> None:
        """Wrap ``app``; everything that can be computed once is computed here.

        Args:
            app: any ASGI app.
            issuer: logs people in and checks tokens; its store opens and closes with the app.
            verifier: instead of an issuer, for a gateway: checks tokens and mounts no routes but its public keys. If it
                has a feed, that opens and closes with the app.
            authenticate: ``async (credentials) -> Identity | str | None``; mounts ``POST {prefix}/login``
                and ``POST {prefix}/step-up``.
            public: paths that need no token: exact, or ending in ``/*`` for everything below. Default: none.
            prefix: where the routes are mounted. Default ``/auth``.
            required: False lets requests without a token through as anonymous. Default True.
            cookie: the refresh token's cookie. Default ``Cookie()``.
            field_case: ``snake`` or ``camel`` names in answers. Default ``snake``.
            allowed_origins: other origins whose pages may log in, refresh and log out with the cookie, and open
                WebSockets. Default: none.
            refresh_url: with a verifier: where the issuer's tokens are refreshed, named ``refresh_url`` in every 401.
                Default: clients know it.
            trusted_proxies: addresses and networks of the proxies before the app, whose ``X-Forwarded-For`` is
                believed: ``["10.0.0.0/8", "::1"]``. Default: none, the client is whoever connects.
            login_limits: how many logins may fail, per account and per address. Strongly recommended. Default: none,
                passwords may be guessed as fast as ``authenticate`` answers; only step-ups are limited.

        Raises:
            ValueError: neither or both of issuer and verifier, or an option that cannot work.
        """
        if (issuer is None) == (verifier is None):
            raise ValueError("give the middleware an issuer, or a verifier")
        if authenticate is not None and issuer is None:
            raise ValueError("authenticate needs an issuer: a verifier cannot log anybody in")
        if login_limits is not None and authenticate is None:
            raise ValueError("login_limits needs authenticate: without it nobody logs in here")
        if refresh_url is not None and issuer is not None:
            raise ValueError("refresh_url needs a verifier: an issuer refreshes under its own prefix")
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ValueError(f"prefix begins with / and does not end with it, unlike {prefix!r}")
        if field_case not in ("snake", "camel"):
            raise ValueError(f"field_case is snake or camel, not {field_case!r}")
        self.app = app
        checks = issuer.verifier if issuer is not None else verifier
        assert checks is not None
        self._verifier = checks
        self._backing = issuer.backing if issuer is not None else checks.backing
        self._clock = self._verifier.clock
        self._revoked = self._verifier.revoked
        self._remembered: Callable[[bytes | None], Known | None]
        self._known: Callable[[bytes], Known]
        self._look_up()
        self._acknowledge = issuer.acknowledge if issuer is not None else None
        self._cookie = cookie or Cookie()
        self._public = PublicPaths(public)
        self._required = required
        self._prefix = prefix + "/"
        self._problems = Problems(self._verifier.audience, refresh_url)
        origins = _origins(allowed_origins)
        addresses = ClientAddresses(trusted_proxies)
        self._tokens: Tokens | None = None
        if issuer is not None:
            self._tokens = Tokens(
                issuer,
                self._problems,
                authenticate=authenticate,
                cookie=self._cookie,
                field_case=field_case,
                allowed_origins=origins,
                addresses=addresses,
                login_limits=login_limits,
            )
        self._users = Users(self._tokens)
        self._routes = Routes(
            self._verifier,
            self._problems,
            prefix=prefix,
            cookie=self._cookie,
            tokens=self._tokens,
            authenticate=authenticate,
        )
        self._sockets = Sockets(
            self._problems,
            self._admit,
            self._recognise,
            allowed_origins=origins,
            clock=self._clock,
            revoked=self._revoked,
            feed=issuer.feed if issuer is not None else checks.feed,
        )
        self.settings = Settings(
            issuer=issuer,
            verifier=checks,
            prefix=prefix,
            public=self._public.patterns,
            required=required,
            cookie=self._cookie,
            allowed_origins=origins,
            trusted_proxies=addresses.trusted,
            login_limits=login_limits,
            logs_in=authenticate is not None,
            routes=self._routes.paths,
        )

    # Longer than 40 lines: every call costs every request, so a token that was seen before is recognised here, by its
    # whole header, and what wraps send is here. What is not plainly in order goes the long way, where it is judged.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection: identify, then the app. With a known token nothing is awaited before the app."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        authorization = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value if authorization is None else b""
        known = self._remembered(authorization)
        ordinary = self._prefix not in scope["path"] and (self._backing is None or self._backing.is_running())
        try:
            if (
                ordinary
                and known is not None
                and known.companion[0] is self._users
                and known.ends_at > self._clock()
                and known.session_id not in self._revoked
            ):
                _, scope["user"], scope["auth"] = known.companion
            elif not ordinary and await self._answered(scope, receive, send):
                return
            else:
                self._identify(scope, authorization)
        except AuthError as error:
            await self._problems.answer(error)(scope, send)
            return
        started = False
        held: Held | None = None

        def sending(message: Message) -> Awaitable[None]:
            nonlocal started, held
            if not started:
                if held is not None or message.get("status") == 500:
                    held = held or Held(send)
                    return held.take(message)
                started = True
            return send(message)

        try:
            await self.app(scope, receive, sending)
        except AuthError as error:
            if started or (held is not None and held.released):
                raise
            held = None
            await self._problems.answer(error)(scope, send)
        finally:
            if held is not None:
                await held.release()

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether the request is for a route of ours, which has answered it then. Opens the store if nobody has yet."""
        if self._backing is not None and not self._backing.is_running():
            await self._backing.ready()
        methods = self._routes.find(app_path(scope))
        if methods is None or _is_preflight(scope):
            return False
        await self._routes.answer(methods, scope, receive, send)
        return True

    def _identify(self, scope: Scope, authorization: bytes | None) -> Known | None:
        """Set ``scope["user"]`` and ``scope["auth"]``, or raise: only what is public or optional may be anonymous."""
        try:
            credentials = bearer(authorization)
            if credentials is not None:
                known = self._recognise(credentials)
                _, scope["user"], scope["auth"] = known.companion
                return known
            if self._required and not self._is_public(scope):
                self._verifier.require_keys()
                raise TokenMissing(refreshable=self._cookie.came_along(scope["headers"]))
        except (TokenError, KeysUnavailable):
            if not self._is_public(scope):
                raise
        scope["user"], scope["auth"] = self._users.nobody()
        return None

    def _recognise(self, credentials: bytes) -> Known:
        """What is known of a token, with its user and credentials made."""
        known = self._known(credentials)
        if known.companion[0] is not self._users:
            self._users.of(known)
            if self._acknowledge is not None:
                self._acknowledge(known.token)
        return known

    def _is_public(self, scope: Scope) -> bool:
        return self._public.cover(scope) or _is_preflight(scope)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await Lifespan(receive, send, on_startup=self._startup, on_shutdown=self._shutdown).run(self.app, scope)
        elif scope["type"] == "websocket":
            await self._sockets.serve(self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _look_up(self) -> None:
        """Find tokens in the verifier, and count how, if there is somebody who measures by now."""
        self._remembered, self._known = look_ups(self._verifier.remembered, self._verifier.known)  # type: ignore[assignment]

    async def _startup(self) -> None:
        self._look_up()
        if self._backing is not None:
            await self._backing.open()

    async def _shutdown(self) -> None:
        if self._backing is not None:
            await self._backing.close()
        if self._tokens is not None:
            await self._tokens.throttle.aclose()

    async def _admit(self, scope: Scope, authorization: bytes | None) -> Known | None:
        """A handshake is identified like a request. Opens the store if nobody has yet."""
        if self._backing is not None and not self._backing.is_running():
            await self._backing.ready()
        return self._identify(scope, authorization)


def _is_preflight(scope: Scope) -> bool:
    """A CORS preflight: it never carries credentials, and its answer says nothing (Fetch standard, 3.2.2)."""
    if scope.get("method") != "OPTIONS":
        return False
    names = [name for name, _ in scope["headers"]]
    return b"origin" in names and b"access-control-request-method" in names


def _origins(allowed: Iterable[str]) -> frozenset[str]:
    if isinstance(allowed, str):
        raise TypeError('allowed_origins is a list: ["https://app.example.com"]')
    origins = frozenset(allowed)
    for origin in origins:
        scheme, separator, host = origin.partition("://")
        if not scheme or not separator or not host or "/" in host or "*" in host or origin != origin.lower():
            raise ValueError(f"{origin!r} is not an origin: scheme://host or scheme://host:port, in lower case")
    return origins
