"""The settings, all of them from environment variables.

=================  ===================================================================================================
``ACCESS_TTL``     Seconds that an access token lives, 1 to 86400. Default 30, so that one sees it being refreshed; in
                   production 900 is usual.
``REFRESH_TTL``    Seconds that a login lasts without being used, up to 30 days. Default 604800 (7 days).
``LOGIN_WINDOW``   Seconds in which 5 logins of one account, and 20 from one address, may fail; then there is a wait.
                   Default 60, so that one sees its end; in production 900 is usual.
``FRESH_FOR``      Seconds after a login or a step-up in which the account may be deleted; later the password is asked
                   for again. Default 60.
``DATABASE``       The SQLite file of users, notes and sessions. Default ``./example.db``.
``AUTH_KEYS``      The file of keys that tokens are signed with (``python -m jwt_refresh_middleware keys``). Default: a
                   generated one, ``.auth_keys.json`` beside the database; for development only.
``AUTH_SECRET``    Instead of such a file a shared secret of at least 32 bytes; then no gateway can stand in front.
``HOST``           The address to listen on. Default ``127.0.0.1``.
``PORT``           The port to listen on. Default 8000.
``INSECURE_COOKIE``  ``1`` leaves ``Secure`` off the cookie, for browsers (Safari) that want TLS even on this machine.
=================  ===================================================================================================

Whoever connects from this machine is believed about where a request came from (``X-Forwarded-For``): that is the
gateway, and the page, which plays other networks so. Nobody else is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

from jwt_refresh_middleware import KeyRing

from .keys import KeysError, development_keys, keys_in

LOOPBACK = ("127.0.0.0/8", "::1")
_DAY = 86_400


class SettingsError(ValueError):
    """A setting that cannot work; the message is one line for whoever set it, without the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the app needs to know. See the module for the variables and defaults."""

    access_ttl: timedelta
    refresh_ttl: timedelta
    login_window: int
    fresh_for: int
    database: Path
    keys: KeyRing = field(repr=False)
    host: str
    port: int
    insecure_cookie: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The settings that ``environment`` describes; an empty value counts as unset.

        Raises:
            SettingsError: a value that cannot work.
        """
        given = {name: value for name, value in environment.items() if value}
        access_ttl = _number(given, "ACCESS_TTL", default=30, most=_DAY)
        refresh_ttl = _number(given, "REFRESH_TTL", default=7 * _DAY, most=30 * _DAY)
        login_window = _number(given, "LOGIN_WINDOW", default=60, most=_DAY)
        fresh_for = _number(given, "FRESH_FOR", default=60, most=_DAY)
        port = _number(given, "PORT", default=8000, most=65_535)
        insecure_cookie = _flag(given, "INSECURE_COOKIE")
        database = _file(given, "DATABASE", default="example.db")
        return cls(
            access_ttl=timedelta(seconds=access_ttl),
            refresh_ttl=timedelta(seconds=refresh_ttl),
            login_window=login_window,
            fresh_for=fresh_for,
            database=database,
            keys=_keys(given, database),
            host=given.get("HOST", "127.0.0.1"),
            port=port,
            insecure_cookie=insecure_cookie,
        )

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104  compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"


def _number(given: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    text = given.get(name, str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= most:
        raise SettingsError(f"{name} must be a whole number from 1 to {most}, not {text!r}")
    return number


def _flag(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "0")
    if text not in ("0", "1"):
        raise SettingsError(f"{name} must be 0 or 1, not {text!r}")
    return text == "1"


def _file(given: Mapping[str, str], name: str, *, default: str) -> Path:
    path = Path(given.get(name, default)).absolute()
    if not path.parent.is_dir():
        raise SettingsError(f"{name} is {str(path)!r}, but its directory does not exist")
    if path.is_dir():
        raise SettingsError(f"{name} is {str(path)!r}, which is a directory")
    return path


def _keys(given: Mapping[str, str], database: Path) -> KeyRing:
    if "AUTH_SECRET" in given and "AUTH_KEYS" in given:
        raise SettingsError("AUTH_SECRET and AUTH_KEYS cannot both be set")
    if "AUTH_SECRET" in given:
        return _shared_secret(given["AUTH_SECRET"])
    try:
        if "AUTH_KEYS" in given:
            return keys_in(_file(given, "AUTH_KEYS", default=""))
        return development_keys(database.with_name(".auth_keys.json"))
    except KeysError as error:
        raise SettingsError(f"AUTH_KEYS: {error}") from None


def _shared_secret(secret: str) -> KeyRing:
    try:
        return KeyRing.from_secret(secret)
    except ValueError as error:
        raise SettingsError(f"AUTH_SECRET: {error}") from None
