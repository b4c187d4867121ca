"""What the middleware and the issuer say they were told is what they were told."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from starlette.applications import Starlette

from jwt_refresh_middleware import Cookie, DevicePolicy, Issuer, JWTRefreshMiddleware, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.issuer_settings import IssuerSettings
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.web.settings import Settings

SECRET = "0123456789abcdef" * 2


async def check_password(credentials: dict[str, Any]) -> str | None:
    return None


async def tell(event: Any) -> None: ...


def test_of_a_middleware_with_an_issuer() -> None:
    issuer, cookie, limits = Issuer(SECRET, MemoryStore()), Cookie(path="/a"), LoginLimits(per_address=None)
    middleware = JWTRefreshMiddleware(
        Starlette(),
        issuer=issuer,
        authenticate=check_password,
        public=iter(["/", "/b/*"]),
        prefix="/a",
        required=False,
        cookie=cookie,
        allowed_origins=["https://c.example"],
        trusted_proxies=["10.0.0.0/8", "::1"],
        login_limits=limits,
    )
    assert middleware.settings == Settings(
        issuer=issuer,
        verifier=issuer.verifier,
        prefix="/a",
        public=("/", "/b/*"),
        required=False,
        cookie=cookie,
        allowed_origins=frozenset({"https://c.example"}),
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("::1/128")),
        login_limits=limits,
        logs_in=True,
        routes=middleware.settings.routes,
    )
    assert {"/a/login", "/a/refresh", "/a/jwks.json", "/a/client/index.js"} <= middleware.settings.routes
    assert (limits.is_shared, limits.limits_addresses) == (False, False)
    assert LoginLimits(storage="redis://127.0.0.1:1/0").is_shared


def test_of_a_gateway() -> None:
    verifier = Verifier(SECRET)
    settings = JWTRefreshMiddleware(Starlette(), verifier=verifier).settings
    assert (settings.issuer, settings.verifier, settings.logs_in) == (None, verifier, False)
    assert settings.routes == {"/auth/jwks.json"}


def test_of_an_issuer() -> None:
    policy = DevicePolicy.strict()
    issuer = Issuer(
        SECRET,
        MemoryStore(),
        access_ttl=timedelta(seconds=90.5),
        refresh_ttl=timedelta(hours=1),
        reauth_after=timedelta(hours=2),
        reuse_leeway=timedelta(seconds=3),
        store_timeout=timedelta(seconds=4),
        device_policy=policy,
        on_event=tell,
    )
    assert issuer.settings == IssuerSettings(
        access_ttl=90,
        refresh_ttl=3600,
        reauth_after=7200,
        reuse_leeway=3,
        store_timeout=4,
        device_policy=policy,
        on_event=tell,
    )
    assert Issuer(SECRET, MemoryStore()).settings.device_policy == DevicePolicy.roaming()


def test_nothing_secret_is_in_their_repr() -> None:
    issuer = Issuer(SECRET, MemoryStore())
    middleware = JWTRefreshMiddleware(Starlette(), issuer=issuer)
    assert SECRET not in repr(middleware.settings) + repr(issuer.settings)
    keys = KeyRing.generate("EdDSA")
    assert keys.secrets[0].hex() not in repr(JWTRefreshMiddleware(Starlette(), verifier=Verifier(keys)).settings)
