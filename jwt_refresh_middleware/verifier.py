"""Checking access tokens strictly (RFC 9068, RFC 7519, RFC 8725).

PyJWT judges whether a secret may be used; what a token may look like is decided here, since a JWT library has to be
lenient where a gateway has to be strict, and checking is what every request pays for.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn, Protocol, Self

from .access import BEARER, DEFAULT_ISSUER, MAX_LEEWAY, MAX_TOKEN_BYTES, AccessToken, Known, Rules
from .encoding import b64url_decode, json_object
from .errors import KeysUnavailable, TokenExpired, TokenInvalid, TokenRevoked
from .key_states import Held
from .keyring import KeyRing, key_ring
from .remote import RemoteKeys
from .upkeep import Upkeep, together
from .usable_keys import usable
from .values import seconds

_TYPES = ("at+jwt", "application/at+jwt")  # RFC 9068, 2.1
_HEADERS_NOT_UNDERSTOOD = frozenset(
    {"crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"}
)  # RFC 7515, 4.1 and 4.1.11
_KNOWN_HEADERS = 64


class _KnownKeys:
    """The keys of a verifier at one time, and headers that tokens under them have. Other keys are another object.

    What was found out with one of these is never mixed with another: threads may verify while the keys change.
    """

    __slots__ = ("by_kid", "headers", "held")

    def __init__(self, held: tuple[Held, ...]) -> None:
        self.held = held
        self.by_kid = {usable(one.key).kid: (one,) for one in held}
        self.headers: dict[bytes, tuple[Held, ...]] = {}


class Feed(Upkeep, Protocol):
    """What a verifier and its middleware need of a :class:`RevocationFeed`."""

    ended: Mapping[str, float]


class Verifier:
    """Checks access tokens with keys only: no I/O, no await.

    A token that passed is remembered (at most ``cache_size`` of them), so that seeing it again costs one dictionary
    look-up; its expiry and its session's end are checked every time. Create it once and keep it.

    Attributes:
        remembered: tokens that passed, by the ``Authorization`` header that carries them, to the letter: a middleware
            finds a known token there without taking the header apart. Whoever does must ask what :meth:`known` asks.
        revoked: ended sessions by id.
        feed: where they come from, None if nobody is asked.
        backing: what a middleware opens before the first request, and closes: the feed, and what changes the keys from
            outside; None if there is neither.
    """

    # Longer than 40 lines: every option is written once, with its default and what it means.
    def __init__(
        self,
        keys: KeyRing | str | Sequence[str],
        *,
        issuer: str = DEFAULT_ISSUER,
        audience: str | None = None,
        leeway: timedelta = timedelta(0),
        clock: Callable[[], float] = time.time,
        max_lifetime: timedelta | None = None,
        cache_size: int = 4096,
        revoked: Mapping[str, float] | None = None,
        feed: Feed | None = None,
    ) -> None:
        """Precompute everything that can be.

        Args:
            keys: a :class:`KeyRing`, a secret, or several secrets.
            issuer: the only ``iss`` that is accepted, compared exactly (RFC 7519, 4.1.1).
            audience: must be the ``aud`` or a member of it (RFC 7519, 4.1.3). Default: the issuer.
            leeway: tolerance for clocks, 0 to 60 seconds.
            clock: seconds since the epoch.
            max_lifetime: refuse tokens whose ``exp`` is further from ``iat``. Default: no limit.
            cache_size: how many verified tokens are remembered; 0 for none.
            revoked: ended sessions by id, looked up at every check. Default: those of the feed.
            feed: a :class:`RevocationFeed`, so that ended sessions are known here too. Default: none, and an access
                token is good until it expires.

        Raises:
            ValueError: a weak or unsuitable key, an empty issuer or audience, a leeway out of range.
        """
        self.issuer = issuer
        self.audience = issuer if audience is None else audience
        self.keys = key_ring(keys)
        self.clock = clock
        self._leeway = seconds(leeway, "leeway", least=0, most=MAX_LEEWAY)
        self._rules = Rules(
            issuer=issuer,
            audience=self.audience,
            leeway=self._leeway,
            max_lifetime=None if max_lifetime is None else seconds(max_lifetime, "max_lifetime", least=1),
        )
        self.remembered: dict[bytes, Known] = {}
        self._oldest_first: deque[bytes] = deque()  # a dict that is emptied from its front is slow to find it
        self.cache_size = cache_size
        self._keys_changed()
        self.keys.follow(self._keys_changed)
        self.feed = feed
        self.backing: Upkeep | None = together(feed, self.keys.source)
        if revoked is None:
            revoked = feed.ended if feed is not None else {}
        self.revoked: Mapping[str | None, float] = revoked  # type: ignore[assignment]

    # Longer than 40 lines with its arguments and errors; the work is three calls.
    @classmethod
    def from_jwks_url(
        cls,
        url: str,
        *,
        refresh_interval: timedelta = timedelta(minutes=5),
        cooldown: timedelta = timedelta(seconds=10),
        timeout: timedelta = timedelta(seconds=5),
        **options: Any,
    ) -> Self:
        """A verifier with the keys that an issuer publishes (RFC 7517, 5); nothing is fetched yet.

        The middleware around it fetches them when the app starts, and then in the background; elsewhere open and close
        :attr:`backing`. No request waits for a fetch. A token under a key that is not known yet is refused with
        ``token_invalid``, and asks for a fetch. While the issuer is down the keys that are there are kept; before there
        are any, everything that is protected is answered with ``keys_unavailable``.

        Args:
            url: of the JWK Set: https, or http on loopback.
            refresh_interval: how often it is fetched. A new key must be published for so long, and a minute, before it
                signs. Default 5 minutes.
            cooldown: two fetches never begin within this time, whatever comes in; at most the refresh interval.
                Default 10 s.
            timeout: of a fetch, and how long a start waits for the first one. Default 5 s.
            **options: ``issuer``, ``audience`` and whatever else a verifier takes.

        Raises:
            ValueError: a URL that keys must not come from, a length of time that is too short, and what the
                constructor raises.
            ImportError: httpx2, httpx or cryptography is not installed (extra ``gateway``).
        """
        source = RemoteKeys(
            url,
            refresh_interval=seconds(refresh_interval, "refresh_interval", least=0.01),
            cooldown=seconds(cooldown, "cooldown", least=0.01),
            timeout=seconds(timeout, "timeout", least=0.01),
        )
        ring = KeyRing((), source=source)
        source.tell = ring.replace
        return cls(ring, **options)

    def _keys_changed(self) -> None:
        """Nothing is remembered of tokens under keys that may be gone."""
        self._known_keys = _KnownKeys(self.keys.held)
        self.remembered.clear()
        self._oldest_first.clear()

    def verify(self, token: str | bytes) -> AccessToken:
        """The verified content of a token.

        Raises:
            TokenExpired: only its lifetime is over.
            TokenRevoked: its session was ended.
            TokenInvalid: anything else is wrong with it.
            KeysUnavailable: there are no keys yet.
        """
        if isinstance(token, str):
            try:
                token = token.encode("ascii")
            except UnicodeEncodeError:
                raise TokenInvalid from None
        return self.known(BEARER + token).token

    def known(self, credentials: bytes) -> Known:
        """What is known of a token, by ``BEARER`` and the token: remembered, or found out now by the full check.

        Raises as :meth:`verify` does.
        """
        known = self.remembered.get(credentials)
        if known is None:
            return self._examine(credentials)
        if (now := self.clock()) >= known.ends_at:
            raise TokenExpired if now >= known.token.expires_at + self._leeway else TokenInvalid
        if known.session_id in self.revoked:
            raise TokenRevoked
        return known

    def require_keys(self) -> None:
        """Raise KeysUnavailable as long as there is no key: the issuer that publishes them has not answered yet."""
        if not self._known_keys.held:
            raise KeysUnavailable

    def _examine(self, credentials: bytes) -> Known:
        self.require_keys()
        now, keys = self.clock(), self._known_keys
        try:
            token, key_until = self._read(credentials[len(BEARER) :], now, keys)
        except Exception:  # noqa: BLE001  the one place that turns the unknown into a refusal, whatever it is
            raise TokenInvalid from None
        known = Known(token, min(token.expires_at + self._leeway, key_until))
        if now >= known.ends_at:
            raise TokenExpired
        if known.session_id in self.revoked:
            raise TokenRevoked
        if self.cache_size:
            self._remember(credentials, known)
            if keys is not self._known_keys:  # another thread has changed them, before this was there to be forgotten
                self.remembered.pop(credentials, None)
        return known

    def _remember(self, credentials: bytes, known: Known) -> None:
        if len(self._oldest_first) >= self.cache_size:
            self.remembered.pop(self._oldest_first.popleft(), None)
        self.remembered[credentials] = known
        self._oldest_first.append(credentials)

    def _read(self, token: bytes, now: float, ours: _KnownKeys) -> tuple[AccessToken, float]:
        """What the token says, and when its key is gone: the signature first. Raises ValueError or TypeError."""
        if len(token) > MAX_TOKEN_BYTES:
            _refuse()
        signed, _, signature = token.rpartition(b".")
        header, _, payload = signed.partition(b".")
        headers = ours.headers
        known = headers.get(header)
        keys = known or self._read_header(header, ours)
        for one in keys:
            if one.until > now and one.key.verifies(signed, signature):
                if known is None and len(headers) < _KNOWN_HEADERS:
                    headers[header] = keys  # only now: nobody without a key fills this
                return self._rules.read(json_object(b64url_decode(payload)), now), one.until
        raise ValueError("not signed by one of our keys")

    def _read_header(self, segment: bytes, ours: _KnownKeys) -> tuple[Held, ...]:
        """The keys that may have signed under this header: one, or all where it names none."""
        header = json_object(b64url_decode(segment))
        kind, algorithm, kid = header.get("typ"), header.get("alg"), header.get("kid", "")
        if type(kind) is not str or kind.lower() not in _TYPES or _HEADERS_NOT_UNDERSTOOD.intersection(header):
            _refuse()
        if type(kid) is not str or type(algorithm) is not str:
            _refuse()
        keys = ours.by_kid.get(kid, ()) if "kid" in header else ours.held
        if not keys and self.keys.source is not None:
            self.keys.source.missed()
        return tuple(one for one in keys if algorithm in one.key.accepted)


def _refuse() -> NoReturn:
    raise ValueError("not an access token for this verifier")
