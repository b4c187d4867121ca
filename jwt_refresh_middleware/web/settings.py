"""What a middleware was told: for whoever looks at it from outside. No request reads any of it."""

from dataclasses import dataclass

from ..issuer import Issuer
from ..login_limits import LoginLimits
from ..verifier import Verifier
from .addresses import Network
from .transport import Cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of a :class:`JWTRefreshMiddleware`, as it has understood them.

    Attributes:
        issuer: None for a gateway.
        verifier: the gateway's, or the issuer's.
        prefix, required, cookie, login_limits: as the options of these names.
        public: the patterns, in the order they were given.
        allowed_origins: the other origins.
        trusted_proxies: networks, an address being one of its own.
        logs_in: whether there is an ``authenticate``, and so a login.
        routes: the paths that the middleware answers itself, without ``{prefix}/sessions/{id}``.
    """

    issuer: Issuer | None
    verifier: Verifier
    prefix: str
    public: tuple[str, ...]
    required: bool
    cookie: Cookie
    allowed_origins: frozenset[str]
    trusted_proxies: tuple[Network, ...]
    login_limits: LoginLimits | None
    logs_in: bool
    routes: frozenset[str]
