"""The hard cases, played at the press of a button. For the demonstration only: leave this out of an app of your own.

Nothing here has any effect until a button of the page is pressed, and then only on the session that pressed it: every
route needs its access token, and what is played is kept in memory, for the sessions that played last.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jwt_refresh_middleware import Cookie, Device, Issuer
from jwt_refresh_middleware.errors import AuthError, TokenExpired
from jwt_refresh_middleware.events import Event

_MOST_SESSIONS = 256
_PREFIX = "/demo/"
THIEF = Device(ip="203.0.113.66", user_agent="curl/8.5")
PHONE = Device(
    ip="198.51.100.7",
    user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.1 Mobile/15E148 Safari/604.1",
)


class Counts(BaseModel):
    """What the issuer did for a session since it played for the first time."""

    rotated: int = 0
    repeated: int = 0


class Theft(BaseModel):
    """What the issuer answered to the thief, and whether the session lives on."""

    status: int
    code: str | None
    session_ended: bool


@dataclass(slots=True)
class _Play:
    """What one session has asked for."""

    expired: deque[str] = field(default_factory=lambda: deque(maxlen=8))  # ids of access tokens
    lose_next_refresh: bool = False
    stolen: str | None = field(default=None, repr=False)
    counts: Counter[str] = field(default_factory=Counter)


class Stage:
    """What is being played, by the ids of the sessions. Bounded: the session that played longest ago is forgotten."""

    def __init__(self) -> None:
        self._plays: OrderedDict[str, _Play] = OrderedDict()

    def of(self, session_id: str) -> _Play:
        """What this session plays; it begins now if it has not yet."""
        play = self._plays.setdefault(session_id, _Play())
        self._plays.move_to_end(session_id)
        if len(self._plays) > _MOST_SESSIONS:
            self._plays.popitem(last=False)
        return play

    def running(self, session_id: str | None) -> _Play | None:
        """What this session plays, None if it does not."""
        return self._plays.get(session_id) if session_id is not None else None

    async def count(self, event: Event) -> None:
        """Told by the issuer of everything that happens."""
        play = self.running(event.session_id)
        if play is not None:
            play.counts[event.name] += 1


class Expiring:
    """Inside the middleware: answers access tokens that were declared expired as the middleware answers others."""

    def __init__(self, app: ASGIApp, stage: Stage) -> None:
        self.app = app
        self._stage = stage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection. Raises TokenExpired, which the middleware turns into the structured 401."""
        if scope["type"] == "http" and scope["user"].is_authenticated and not scope["path"].startswith(_PREFIX):
            token = scope["user"].token
            play = self._stage.running(token.session_id)
            if play is not None and token.token_id in play.expired:
                raise TokenExpired
        await self.app(scope, receive, send)


class Losing:
    """Outside the middleware: carries out a refresh whose answer is to be lost, and breaks off instead of answering."""

    def __init__(self, app: ASGIApp, stage: Stage, issuer: Issuer, cookie: Cookie) -> None:
        self.app = app
        self._stage = stage
        self._issuer = issuer
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        play = self._playing(scope)
        if play is None or not play.lose_next_refresh:
            await self.app(scope, receive, send)
            return
        play.lose_next_refresh = False
        await self.app(scope, receive, _nowhere)
        # The head of an answer and nothing after it: the server cuts the connection. Without a head a browser would
        # repeat the request by itself, and there would be nothing to see.
        headers = [(b"content-length", b"1"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    def _playing(self, scope: Scope) -> _Play | None:
        if scope["type"] != "http" or scope["path"] != "/auth/refresh":
            return None
        token = refresh_token_in(scope["headers"], self._cookie)
        return self._stage.running(self._issuer.session_id_of(token)) if token is not None else None


async def _nowhere(_message: Message) -> None:
    pass


def refresh_token_in(headers: Iterable[tuple[bytes, bytes]], cookie: Cookie) -> str | None:
    """The refresh token that came along; None without one, or if it came twice."""
    try:
        return cookie.read(b"; ".join(value for name, value in headers if name == b"cookie"))
    except AuthError:
        return None


def routes(stage: Stage, issuer: Issuer, cookie: Cookie) -> APIRouter:
    """What the buttons call. All of it is about the session of the access token that came along."""
    router = APIRouter(prefix=_PREFIX.rstrip("/"))

    def play_of(request: Request) -> _Play:
        return stage.of(request.user.token.session_id)

    @router.get("/counts")
    async def counts(request: Request) -> Counts:
        counted: dict[str, Any] = play_of(request).counts
        return Counts(**{name: counted.get(name, 0) for name in Counts.model_fields})

    @router.post("/expire", status_code=204)
    async def expire(request: Request) -> None:
        play_of(request).expired.append(request.user.token.token_id)

    @router.post("/lose-next-refresh", status_code=204)
    async def lose_next_refresh(request: Request) -> None:
        play_of(request).lose_next_refresh = True

    @router.post("/steal", status_code=204)
    async def steal(request: Request) -> None:
        token = refresh_token_in(request.headers.raw, cookie)
        if token is None or issuer.session_id_of(token) != request.user.token.session_id:
            raise HTTPException(409, "There is no refresh token of this session to steal.")
        play_of(request).stolen = token

    @router.post("/thief")
    async def thief(request: Request) -> Theft:
        token = play_of(request).stolen
        if token is None:
            raise HTTPException(409, "Nothing is stolen. Begin again.")
        status, code = 200, None
        try:
            await issuer.refresh(token, device=THIEF)  # what it returns is nobody's
        except AuthError as error:
            status, code = error.status, error.code
        ended = await issuer.session(request.user.token.session_id) is None
        return Theft(status=status, code=code, session_ended=ended)

    @router.post("/phone", status_code=204)
    async def phone(request: Request) -> None:
        """Log the same person in on a phone that does not exist, once."""
        username: str = request.user.identity
        if all(session.device != PHONE for session in await issuer.sessions(username)):
            await issuer.login(username, device=PHONE)

    return router
