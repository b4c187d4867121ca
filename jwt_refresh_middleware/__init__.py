"""Double-token authentication for ASGI apps: access tokens checked locally, refresh tokens rotated and revocable."""

from .access import AccessToken
from .devices import DevicePolicy
from .feed import RevocationFeed
from .issuer import Issuer
from .keyring import KeyRing
from .sessions import Device, Identity, Session, TokenPair
from .stores.base import SessionStore
from .stores.memory import MemoryStore
from .verifier import Verifier
from .web.handlers import confirm, login, logout
from .web.middleware import JWTRefreshMiddleware
from .web.transport import Cookie

__all__ = [
    "AccessToken",
    "Cookie",
    "Device",
    "DevicePolicy",
    "Identity",
    "Issuer",
    "JWTRefreshMiddleware",
    "KeyRing",
    "MemoryStore",
    "RevocationFeed",
    "Session",
    "SessionStore",
    "TokenPair",
    "Verifier",
    "confirm",
    "login",
    "logout",
]
