"""Single checks, in circumstances that the sample apps do not have."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Security
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jwt_refresh_middleware import Cookie, DevicePolicy, Issuer, JWTRefreshMiddleware, KeyRing, MemoryStore, login
from jwt_refresh_middleware.doctor import CHECKS, Circumstances, cookies, cors, processes, proxies, public, wiring
from jwt_refresh_middleware.doctor.findings import Finding
from jwt_refresh_middleware.doctor.lifetimes import look as look_at_lifetimes
from jwt_refresh_middleware.doctor.refusals import refusals
from jwt_refresh_middleware.doctor.secrecy import look as look_at_secrets
from jwt_refresh_middleware.doctor.strength import ENOUGH_BITS, bits
from jwt_refresh_middleware.doctor.subject import Subject, subjects
from jwt_refresh_middleware.fastapi import current_token, optional_token
from jwt_refresh_middleware.starlette import require_scopes
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

SECRET = "X7b2m-QpL9vRk4TzWc8yHn3sJd6gFa1eUoIxB0tNqMw"
ORIGIN = "https://app.example.com"
FULL: dict[str, Any] = {"allow_credentials": True, "allow_headers": ["*"]}


async def page(request: Request) -> Response:
    return PlainTextResponse("a page")


async def check_password(credentials: dict[str, Any]) -> str | None:
    return None


def issuer(secret: Any = SECRET, **options: Any) -> Issuer:
    return Issuer(secret, MemoryStore(), **options)


def patient(app: Any = None, *, around: Any = None, **options: Any) -> Subject:
    options.setdefault("issuer", issuer())
    inner = JWTRefreshMiddleware(app or Starlette(routes=[Route("/page", page)]), **options)
    [subject] = subjects(around(inner) if around else inner)
    return subject


def found(findings: Any) -> list[tuple[str, str]]:
    return [(finding.check, finding.severity) for finding in findings]


def only_ids(findings: Any) -> list[str]:
    return [finding.check for finding in findings]


def test_every_check_has_an_id_of_its_own_and_says_all() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        group, _, name = check.id.partition(".")
        assert group.isidentifier()
        assert name.isidentifier()
        assert all((check.what.endswith("."), check.why.endswith("."), check.advice))


@pytest.mark.parametrize(
    ("options", "allowed", "expected"),
    [
        ({"allow_origins": [ORIGIN], **FULL}, [ORIGIN], []),
        ({"allow_origin_regex": r"https://.*\.example\.com", **FULL}, [ORIGIN], []),
        ({"allow_origins": ["https://other.example"], **FULL}, [ORIGIN], ["cors.origins", "cors.origins"]),
        ({"allow_origins": [ORIGIN], **FULL}, [], ["cors.origins"]),
        ({"allow_origins": ["*"], "allow_headers": ["*"]}, [], []),
        ({"allow_origins": ["*"], "allow_headers": ["Authorization"]}, [ORIGIN], ["cors.credentials"]),
        ({"allow_origins": [ORIGIN]}, [], ["cors.authorization"]),
    ],
)
def test_cors_outside(options: dict[str, Any], allowed: list[str], expected: list[str]) -> None:
    cors_of = partial(CORSMiddleware, expose_headers=["retry-after"], **options)
    assert only_ids(cors.look(patient(around=cors_of, allowed_origins=allowed), Circumstances())) == expected


def test_cors_that_is_missing_or_exposes_nothing() -> None:
    assert found(cors.look(patient(allowed_origins=[ORIGIN]), Circumstances())) == [("cors.missing", "info")]
    assert only_ids(cors.look(patient(), Circumstances())) == []
    plain = partial(CORSMiddleware, allow_origins=["*"], allow_headers=["*"])
    assert found(cors.look(patient(around=plain), Circumstances())) == [("cors.exposed", "info")]


def test_cors_inside_of_litestar() -> None:
    from litestar import Litestar
    from litestar.config.cors import CORSConfig

    app = Litestar([], cors_config=CORSConfig(allow_origins=[ORIGIN]))
    assert only_ids(cors.look(patient(app, allowed_origins=[ORIGIN]), Circumstances())) == ["cors.inside"]


@pytest.mark.parametrize(
    ("cookie", "circumstances", "expected"),
    [
        (Cookie(), {"scheme": "https"}, []),
        (Cookie(), {"scheme": "http"}, []),
        (Cookie(), {"scheme": "http", "is_local": False}, [("cookie.plain_http", "error")]),
        (Cookie(secure=False), {"scheme": "http", "is_local": False}, []),
        (Cookie(secure=False), {}, [("cookie.insecure", "info")]),
        (Cookie(secure=False), {"production_by": "APP_ENV"}, [("cookie.insecure", "error")]),
        (Cookie(samesite="none"), {}, [("cookie.cross_site", "warning")]),
        (Cookie(path="/auth"), {}, []),
        (Cookie(path="/auth/"), {}, []),
        (Cookie(path="/aut"), {}, [("cookie.path", "error")]),
        (Cookie(path="/auth"), {"root_path": "/api"}, [("cookie.path", "error")]),
        (Cookie(path="/api/auth"), {"root_path": "/api"}, []),
    ],
)
def test_cookies(cookie: Cookie, circumstances: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(cookies.look(patient(cookie=cookie), Circumstances(**circumstances))) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/page", []),
        ("/page/", [("public.unmatched", "warning")]),
        ("/page/*", [("public.unmatched", "info")]),
        ("/users/7", []),
        ("/users/*", []),
        ("/users", [("public.unmatched", "warning")]),
        ("/files/a/b/c", []),
        ("/files/a/*", []),
        ("/nothing/*", [("public.unmatched", "info")]),
        ("/auth/login", []),
        ("/auth/client/*", []),
        ("/*", [("public.everything", "warning")]),
        ("/api/page", [("public.root_path", "warning")]),
    ],
)
def test_public_paths(pattern: str, expected: list[tuple[str, str]]) -> None:
    routes = [Route("/page", page), Route("/users/{number:int}", page), Route("/files/{name:path}", page)]
    subject = patient(Starlette(routes=routes), public=[pattern], authenticate=check_password)
    assert found(public.look(subject, Circumstances(root_path="/api"))) == expected


@pytest.mark.parametrize("around", [True, False])
def test_documentation_that_is_not_public(around: bool) -> None:
    def look(app: FastAPI, **options: Any) -> list[Finding]:
        options["issuer"] = issuer()
        if around:
            [subject] = subjects(JWTRefreshMiddleware(app, **options))
        else:
            app.add_middleware(JWTRefreshMiddleware, **options)
            [subject] = subjects(app)
        return [*public.look(subject, Circumstances())]

    [finding] = look(FastAPI(), public=["/docs", "/docs/*"])
    assert (finding.check, finding.severity) == ("public.docs", "info")
    assert finding.summary == "/redoc, /openapi.json need an access token"
    assert look(FastAPI(openapi_url=None)) == []
    assert look(FastAPI(), public=["/docs", "/redoc", "/openapi.json"]) == []
    assert look(FastAPI(), required=False) == []


def test_public_paths_of_an_app_whose_routes_are_not_known() -> None:
    async def bare(scope: Any, receive: Any, send: Any) -> None: ...

    assert only_ids(public.look(patient(bare, public=["/anything"]), Circumstances())) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"public": ["ok"]}, ["public.impossible"]),
        ({"public": ["/ok", "/a//b", "/x/../y", "/*/z"]}, ["public.impossible"] * 3),
        ({"trusted_proxies": ["0.0.0.0/0", "::/0", "*"]}, ["proxy.everybody"] * 3),
        ({"trusted_proxies": ["nonsense"]}, ["wiring.refused"]),
        ({"prefix": "auth"}, ["wiring.refused"]),
        ({"public": "/a"}, ["wiring.refused"]),
        ({"login_limits": object()}, ["wiring.refused"]),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], expected: list[str]) -> None:
    app = Starlette()
    app.add_middleware(JWTRefreshMiddleware, issuer=issuer(), **options)
    assert only_ids(refusals(app)) == expected


@pytest.mark.parametrize(
    ("policy", "said", "expected"),
    [
        (DevicePolicy(), {"proxied_by": "DYNO"}, []),
        (DevicePolicy(on_ip_change="refuse"), {"proxied_by": "DYNO"}, ["proxy.nobody"]),
        (DevicePolicy(concurrent_networks="event"), {"proxied_by": "DYNO"}, ["proxy.nobody"]),
        (DevicePolicy(on_ip_change="refuse"), {}, []),
        (
            DevicePolicy(on_ip_change="refuse"),
            {"proxied_by": "DYNO", "environ": {"FORWARDED_ALLOW_IPS": "10.0.0.1"}},
            [],
        ),
        (DevicePolicy(), {"environ": {"FORWARDED_ALLOW_IPS": "*"}}, ["proxy.everybody"]),
    ],
)
def test_proxies(policy: DevicePolicy, said: dict[str, Any], expected: list[str]) -> None:
    subject = patient(issuer=issuer(device_policy=policy))
    assert only_ids(proxies.look(subject, Circumstances(**said))) == expected


@pytest.mark.parametrize(
    ("trusted", "expected"), [(["10.0.0.0/8"], []), (["0.0.0.0/1"], ["proxy.wide"]), (["2000::/3"], ["proxy.wide"])]
)
def test_wide_networks(trusted: list[str], expected: list[str]) -> None:
    assert only_ids(proxies.look(patient(trusted_proxies=trusted), Circumstances())) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"access_ttl": timedelta(hours=1)}, []),
        ({"access_ttl": timedelta(hours=1, seconds=1)}, ["lifetime.access"]),
        ({"refresh_ttl": timedelta(days=31)}, ["lifetime.idle"]),
        ({"reuse_leeway": timedelta(0)}, ["lifetime.no_leeway"]),
        ({"reuse_leeway": timedelta(minutes=5)}, ["lifetime.long_leeway"]),
    ],
)
def test_lifetimes(options: dict[str, Any], expected: list[str]) -> None:
    assert only_ids(look_at_lifetimes(patient(issuer=issuer(**options)), Circumstances())) == expected


class Account(HTTPEndpoint):
    @require_scopes("account")
    async def get(self, request: Request) -> Response:
        return await page(request)


def with_a_dependency(dependency: Any) -> FastAPI:
    app = FastAPI()
    app.add_api_route("/page", lambda: "a page", dependencies=[dependency])
    return app


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        (Starlette(routes=[Route("/page", page)]), ["wiring.unguarded"]),
        (Starlette(routes=[Route("/page", requires("authenticated")(page))]), []),
        (Starlette(routes=[Route("/page", page), Route("/account", Account)]), []),
        (with_a_dependency(Depends(check_password)), ["wiring.unguarded"]),
        (with_a_dependency(Depends(current_token)), []),
        (with_a_dependency(Security(current_token, scopes=["read"])), []),
        (with_a_dependency(Depends(optional_token)), []),
    ],
)
def test_guards_where_a_token_is_not_required(app: Any, expected: list[str]) -> None:
    subject = patient(app, required=False, authenticate=check_password)
    assert [one for one in only_ids(wiring.look(subject, Circumstances())) if one != "wiring.unlimited"] == expected


async def with_google(request: Request) -> Response:
    return await login(request, "user-1")


async def tell(event: Any) -> None: ...


class Teller:
    async def __call__(self, event: Any) -> None: ...


def test_how_it_is_built_in() -> None:
    def look(subject: Subject) -> list[str]:
        return only_ids(wiring.look(subject, Circumstances()))

    assert look(patient()) == ["wiring.no_login"]
    assert look(patient(Starlette(routes=[Route("/back", with_google)]))) == []
    assert look(patient(authenticate=check_password)) == ["wiring.unlimited"]
    outside = partial(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    assert "wiring.base_http" in look(patient(around=outside))
    for told in (tell, Teller(), partial(tell)):
        assert "wiring.on_event" not in look(patient(issuer=issuer(on_event=told)))
    assert "wiring.on_event" in look(patient(issuer=issuer(on_event=lambda event: None)))
    one = Starlette(routes=[Route("/auth/sessions/{number}", page), Route("/auth/else", page)])
    assert look(patient(one)).count("wiring.shadowed") == 1


def test_who_else_has_the_secret() -> None:
    def summaries(findings: Any) -> list[str]:
        return [finding.summary for finding in findings if finding.check == "secret.shared"]

    environ = {"AUTH_SECRET": SECRET, "SESSION_KEY": SECRET, "OTHER": "another"}
    both = summaries(look_at_secrets(patient(), Circumstances(environ=environ)))
    assert both == ["the same secret: AUTH_SECRET and SESSION_KEY"]
    assert summaries(look_at_secrets(patient(), Circumstances(environ={"AUTH_SECRET": SECRET}))) == []
    keys = patient(issuer=issuer(KeyRing.generate("EdDSA")))
    assert [*look_at_secrets(keys, Circumstances(environ=environ))] == []


@pytest.mark.parametrize(
    "secret",
    [
        "a secret of at least thirty-two bytes",
        "changeme-changeme-changeme-changeme",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "0123456789abcdef0123456789abcdef",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "this-is-my-super-secret-jwt-key!!",
        "MyCompanyAuthSecretKey-Production-2026",
        "mysupersecretkeyforsigningjwttokens",
        "django-insecure-0p$xq!m3z8&k2v7@b5n9w4r6t1y",
        "deadbeef" * 8,
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # of a tutorial
    ],
)
def test_weak_secrets(secret: str) -> None:
    assert bits(secret.encode()) < ENOUGH_BITS


@pytest.mark.parametrize(
    "secret",
    [
        b"X7b2m-QpL9vRk4TzWc8yHn3sJd6gFa1eUoIxB0tNqMw",
        b"9f86d081884c7d659a2feaa0c55ad015",
        b"ORSXG5BAONSWG4TFOQQGC3TEEBWW64TF",
        b"8302915647281930465728190364518273",
        "Ünïcödé ÿ÷Ø ¶§µ £¥¢ ßþð ¿¡ «»".encode(),
        b"correct-horse-battery-staple-orbit-velvet-lantern-cactus-marble-tunnel",
        bytes(range(0, 256, 7)),
    ],
)
def test_good_secrets(secret: bytes) -> None:
    assert bits(secret) >= ENOUGH_BITS


@pytest.mark.parametrize(
    ("environ", "workers"),
    [
        ({}, 1),
        ({"WEB_CONCURRENCY": "4"}, 4),
        ({"WEB_CONCURRENCY": "many"}, 1),
        ({"GUNICORN_CMD_ARGS": "--bind 0.0.0.0 -w 3"}, 3),
        ({"GUNICORN_CMD_ARGS": "--workers=5"}, 5),
        ({"GUNICORN_CMD_ARGS": "--workers 6 -t 5"}, 6),
        ({"GUNICORN_CMD_ARGS": "-w2"}, 2),
        ({"GUNICORN_CMD_ARGS": "-w"}, 1),
        ({"GUNICORN_CMD_ARGS": "'"}, 1),
    ],
)
def test_workers_by_the_environment(environ: dict[str, str], workers: int) -> None:
    assert Circumstances.of(environ).workers == workers
    assert Circumstances.of(environ, workers=9).workers == 9


@pytest.mark.parametrize(
    ("path", "workers", "expected"),
    [
        ("sessions.db", 1, [("workers.random_secret", "warning")]),
        ("sessions.db", 2, [("workers.random_secret", "error")]),
        (":memory:", 1, []),
        (":memory:", 2, [("workers.random_secret", "error")]),
    ],
)
def test_keys_that_another_process_does_not_have(path: str, workers: int, expected: list[tuple[str, str]]) -> None:
    subject, circumstances = patient(issuer=Issuer(SECRET, SQLiteStore(path))), Circumstances(workers=workers)
    assert found(processes.look_at_keys(subject, circumstances, differ=True)) == expected
    assert found(processes.look_at_keys(subject, circumstances, differ=False)) == []


def test_a_finding_is_a_value() -> None:
    one = Finding(check="a.b", severity="info", summary="s", advice="a", where="w")
    with pytest.raises(AttributeError):
        one.check = "other"  # type: ignore[misc]
