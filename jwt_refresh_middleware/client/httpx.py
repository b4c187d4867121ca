"""Auth for httpx and httpx2 that renews the access token by itself, in time and only once.

What may go wrong::

    RefreshError
    ├── SessionEnded         the session is over: log in again, then set the new tokens
    ├── StepUpRequired       the session lives, but the person must authenticate again first
    ├── StepUpRefused        what the person gave for that was not right; the session lives
    └── RefreshUnavailable   nobody knows: try again later, the session is kept
"""

import math
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import closing
from typing import Any

from ._answers import problem_of
from ._errors import RefreshError, RefreshUnavailable, SessionEnded, StepUpRefused, StepUpRequired
from ._file import TokenFile
from ._libraries import URL, BaseAuth
from ._origins import Origins
from ._renewals import Renewals
from ._replay import Replay
from ._session import ClientSession, Hooks, Lock, Want
from ._tokens import Tokens
from ._transport import Transport

__all__ = [
    "RefreshAuth",
    "RefreshError",
    "RefreshUnavailable",
    "SessionEnded",
    "StepUpRefused",
    "StepUpRequired",
    "TokenFile",
]

_MARK = (
    "jwt_refresh_auth"  # in request.extensions: the tokens whose header this auth set, which is not the caller's own
)
_YOUNG = 5.0
"""Seconds: a 401 that is not the issuer's, for a token that was renewed just now, is not about its age. An endpoint
that always answers 401 must not become a refresh for every call."""

_Flow = Generator[Any, Any, None]


class RefreshAuth(BaseAuth):
    """Sends the access token (RFC 6750, 2.1) and renews it with the refresh token.

    For sync and async clients of httpx and httpx2, in asyncio and trio; one object may serve several clients, threads
    and event loops at once. Guarantees:

    - A token that is about to expire is renewed before the request, a refused one after it. At most one retry.
    - However many requests need a new token at the same time, one refresh is made.
    - A refresh that has begun is finished, also if the request that began it is cancelled (unless its event loop ends).
    - The access token goes to the origin of ``refresh_url`` and to ``allowed_hosts``, nowhere else; the refresh token
      goes to ``refresh_url`` only. A request that has an ``Authorization`` of its own is left alone.
    - The session is given up only when the issuer says so, never for a network, a proxy or a server that is down.

    Expiry is judged by ``expires_in`` since its receipt, never by the clock of the server.
    """

    def __init__(
        self,
        refresh_url: str,
        tokens: Mapping[str, Any] | None = None,
        *,
        on_tokens: Callable[[dict[str, Any]], Any] | None = None,
        load: Callable[[], Any] | None = None,
        save: Callable[[dict[str, Any]], Any] | None = None,
        lock: Lock | None = None,
        leeway: float = 30,
        timeout: float = 10,
        allowed_hosts: Iterable[str] = (),
        allow_http: bool = False,
        client: Callable[[], Any] | None = None,
        async_client: Callable[[], Any] | None = None,
    ) -> None:
        """Nothing is sent here.

        Args:
            refresh_url: absolute, as ``https://users.example.com/auth/refresh``; https, or http on loopback.
            tokens: what the login answered with ``X-Token-Transport: body``. An ``expires_at`` (seconds since the
                epoch) in it goes before ``expires_in``, which counts from now. ``{"refresh_token": …}`` will do.
            on_tokens: called with the new tokens after each refresh and before the request is sent again. What it
                raises stops the request; the tokens are kept in memory nevertheless.
            load: asked for the saved tokens before each refresh, and first of all without ``tokens``; None if there
                are none. Others than the ones held are taken, and no refresh is made while they are fresh.
            save: called with the new tokens after each refresh, before ``on_tokens``. The mapping has ``expires_at``.
            lock: held over load, refresh and save: ``acquire(False)`` and ``release()``, as ``TokenFile`` has them.
            leeway: seconds before its end from which a token is renewed; at most a quarter of its life. Default 30.
            timeout: seconds for each network operation of a refresh, and for its answer in all. Default 10.
            allowed_hosts: further hosts that get the access token: ``host`` (the scheme's own port) or ``host:port``.
                By https, or http on loopback. Default none.
            allow_http: take http elsewhere too (RFC 6750, 5.3 forbids it): inside a network that is itself encrypted.
            client: makes the client for the refreshes of sync clients, closed after each: for a proxy or an authority
                of your own. Default: ``Client()`` of the library that the request belongs to.
            async_client: the same for async clients. Default: ``AsyncClient()``.

        ``on_tokens``, ``load`` and ``save`` may be async where the auth is used by async clients only.

        Raises:
            TypeError: an argument of the wrong kind.
            ValueError: one that cannot be.
        """
        self._origins = Origins(refresh_url, allowed_hosts, allow_http=allow_http)
        _check_callables(on_tokens=on_tokens, load=load, save=save, client=client, async_client=async_client)
        if lock is not None and not (hasattr(lock, "acquire") and hasattr(lock, "release")):
            raise TypeError("lock must have acquire and release")
        self._leeway = _seconds("leeway", leeway, least=0.0)
        timeout = _seconds("timeout", timeout, least=0.001)
        self._refresh_url = refresh_url
        hooks = Hooks(on_tokens=on_tokens, load=load, save=save, lock=lock)
        given = None if tokens is None else Tokens.given(tokens)
        self._session = ClientSession(given, hooks, leeway=self._leeway, patience=2 * timeout)
        step_up_url = str(URL(refresh_url).join("step-up"))
        transport = Transport(
            url=refresh_url, step_up_url=step_up_url, timeout=timeout, client=client, async_client=async_client
        )
        self._renewals = Renewals(self._session, transport)

    @property
    def tokens(self) -> dict[str, Any] | None:
        """The current tokens as on the wire, with ``expires_at``; None without a session.

        Set them after a login, or to None after a logout. What is set is not saved before the next refresh.
        """
        held = self._session.tokens
        return None if held is None else held.mapping()

    @tokens.setter
    def tokens(self, tokens: Mapping[str, Any] | None) -> None:
        self.set_tokens(tokens)

    def set_tokens(self, tokens: Mapping[str, Any] | None) -> None:
        """The same as to assign ``tokens``. A refresh that is under way does not overwrite them.

        Raises:
            TypeError: not a mapping, or a member of a wrong type.
            ValueError: no refresh token, or a member that cannot be.
        """
        self._session.set(None if tokens is None else Tokens.given(tokens))

    def step_up(self, credentials: Mapping[str, Any]) -> None:
        """The person of the session authenticates again (RFC 9470); the new tokens are kept as after a refresh.

        It posts to ``step-up`` beside ``refresh_url``, by the library and under the user agent of the last request.
        Requests that need a new token meanwhile wait for it. It does not repeat a request that was refused.

        Args:
            credentials: what ``authenticate`` of the server takes; JSON.

        Raises:
            StepUpRefused: they are not right; the session goes on.
            SessionEnded, RefreshUnavailable: as a request raises them; after too many attempts the latter has the
                code ``rate_limited``.
            StepUpRequired: they are right and not enough.
            TypeError: ``credentials`` is not a mapping of JSON values.
            RuntimeError: it was called by load, save or on_tokens, which it would wait for.
        """
        _raise(self._renewals.step_up(self._checked(credentials)))

    async def step_up_async(self, credentials: Mapping[str, Any]) -> None:
        """:meth:`step_up` in asyncio and trio. Once begun it is finished, also if the caller is cancelled."""
        _raise(await self._renewals.step_up_async(self._checked(credentials)))

    def _checked(self, credentials: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(credentials, Mapping):
            raise TypeError(f"credentials must be a mapping, not {type(credentials).__name__}")
        if self._renewals.is_aboard():
            raise RuntimeError("load, save and on_tokens are part of a refresh: no step-up can begin in them")
        return dict(credentials)

    def __repr__(self) -> str:
        return f"RefreshAuth({self._refresh_url!r})"

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """What a ``Client`` calls."""
        with closing(self._flow(request)) as flow:
            step = _resume(flow, None)
            while step is not None:
                if isinstance(step, Want):
                    step = _resume(flow, self._renewals.renew(step, request))
                    continue
                response = yield step
                if _may_tell(response):
                    response.read()
                step = _resume(flow, response)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """What an ``AsyncClient`` calls."""
        with closing(self._flow(request)) as flow:
            step = _resume(flow, None)
            while step is not None:
                if isinstance(step, Want):
                    step = _resume(flow, await self._renewals.renew_async(step, request))
                    continue
                response = yield step
                if _may_tell(response):
                    await response.aread()
                step = _resume(flow, response)

    def _flow(self, request: Any) -> _Flow:
        """One request without I/O: yields what to send, or what it needs before that."""
        if not self._is_concerned(request):
            yield request
            return
        self._renewals.note(request)
        replay = Replay(request)
        sent = yield from self._ready()
        response = yield _attach(request, sent)
        current = yield from self._after(response, sent, replay)
        if current is not None and replay.rewind(response.request):
            # Not the first request: a redirect may have done something already, which must not be done twice.
            yield _attach(response.request, current)

    def _is_concerned(self, request: Any) -> bool:
        """Whether it goes where the token may go, without credentials of its own."""
        own, mark = request.headers.get("Authorization"), request.extensions.get(_MARK)
        is_ours = own is None or (isinstance(mark, Tokens) and own == mark.authorization)
        return is_ours and request.url in self._origins

    def _ready(self) -> Generator[Want, None, Tokens]:
        """Tokens to send: renewed if it is time. While the old token lives it bridges a failure."""
        held = self._session.tokens
        if held is None or (held.is_expiring(self._leeway) and not (held.left() > 0 and self._session.is_waiting)):
            try:
                if not self._renewals.is_aboard():
                    yield Want(held)
            except (RefreshUnavailable, StepUpRequired):
                if held is None or held.left() <= 0:
                    raise
        return self._current()

    def _after(self, response: Any, sent: Tokens, replay: Replay) -> Generator[Want, None, Tokens | None]:
        """What to send again with; None if the response is the caller's."""
        if response.status_code != 401 or not self._carried(response.request, sent):
            return None
        problem = problem_of(response.headers.get("Content-Type", ""), response.content if _may_tell(response) else b"")
        ended = _end_of(problem)
        if problem and problem["action"] != "refresh" and ended is None:
            return None
        if sent is not self._session.tokens:  # it was renewed while the request was on its way
            return self._current()
        if self._renewals.is_aboard() or (not problem and self._session.age < min(_YOUNG, sent.lifetime / 2)):
            return None
        try:
            yield Want(sent, refused=True, ended=ended)
        except RefreshError as error:
            is_doubtful = not problem and not isinstance(error, SessionEnded)
            if is_doubtful or not replay.rewind(response.request):
                return None
            raise
        return self._current()

    def _carried(self, request: Any, sent: Tokens) -> bool:
        """Whether the request that was answered had our token: a redirect may have led elsewhere."""
        return request.headers.get("Authorization") == sent.authorization and request.url in self._origins

    def _current(self) -> Tokens:
        held = self._session.tokens
        if held is None:
            raise self._session.ended
        return held


def _resume(flow: _Flow, outcome: Any) -> Any:
    """The next step; None at the end. An exception is thrown into the flow, anything else is sent."""
    try:
        return flow.throw(outcome) if isinstance(outcome, Exception) else flow.send(outcome)
    except StopIteration:
        return None


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def _attach(request: Any, tokens: Tokens) -> Any:
    request.headers["Authorization"] = tokens.authorization
    request.extensions[_MARK] = tokens
    return request


def _may_tell(response: Any) -> bool:
    """Whether the body is worth reading: only a problem is, and a stream is left to the caller."""
    return response.status_code == 401 and "problem+json" in response.headers.get("Content-Type", "").lower()


def _end_of(problem: Mapping[str, Any]) -> SessionEnded | None:
    """The end of the session that a request was told of.

    ``login`` alone is not enough: a wrong password at an endpoint of the app is answered so too. ``invalid_token`` says
    that it is about the access token (RFC 6750, 3.1).
    """
    if problem.get("action") != "login" or problem.get("error") != "invalid_token":
        return None
    code = problem["code"]
    return SessionEnded(f"the session has ended ({code}): log in again", code=code, problem=problem)


def _check_callables(**functions: object) -> None:
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be callable, not {type(function).__name__}")


def _seconds(name: str, value: float, *, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not math.isfinite(value) or value < least:
        raise ValueError(f"{name} must be a number of seconds, at least {least:g}")
    return float(value)
