"""The OpenAPI schema: what is mounted is in it, and what is in it is true."""

from typing import Annotated, Any
from urllib.parse import urljoin

import pytest
import schemathesis
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.openapi.utils import get_openapi
from fastapi.security import APIKeyHeader
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.testclient import TestClient

from jwt_refresh_middleware import AccessToken, JWTRefreshMiddleware, KeyRing, Verifier
from jwt_refresh_middleware.fastapi import (
    CurrentToken,
    CurrentUser,
    OptionalToken,
    current_token,
    document,
    require_acr,
    require_fresh,
)
from tests.web.support import SECRET

from .support import CREDENTIALS, guarded, options, visiting

PASTE, LOGIN = {"AccessToken": []}, {"Login": []}
ROUTES = {
    ("/auth/login", "post"),
    ("/auth/refresh", "post"),
    ("/auth/logout", "post"),
    ("/auth/step-up", "post"),
    ("/auth/sessions", "get"),
    ("/auth/sessions", "delete"),
    ("/auth/sessions/{session_id}", "delete"),
    ("/auth/jwks.json", "get"),
}


def handlers(app: FastAPI) -> FastAPI:
    @app.get("/open")
    async def public() -> int:
        return 1

    @app.get("/optional")
    async def optional(token: OptionalToken) -> bool:
        return token is not None

    @app.get("/plain")
    async def plain() -> int:
        return 1

    @app.get("/me")
    async def me(user: CurrentUser) -> str:
        return user.identity

    @app.get("/notes")
    async def notes(token: Annotated[AccessToken, Security(current_token, scopes=["read"])]) -> int:
        return 1

    return app


def documented(app: FastAPI | None = None, **more: Any) -> FastAPI:
    app = handlers(guarded(app, **more))
    document(app)
    return app


def operations(schema: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(path, method): found for path, item in schema["paths"].items() for method, found in item.items()}


def ours(schema: dict[str, Any]) -> set[tuple[str, str]]:
    return {at for at, found in operations(schema).items() if found.get("tags") == ["auth"]}


def test_every_mounted_route_is_in_it_and_no_other():
    schema = documented().openapi()
    assert ours(schema) == ROUTES
    middleware = JWTRefreshMiddleware(FastAPI(), **options())
    table = middleware._routes._table
    mounted = {(path, method.lower()) for path, methods in table.items() for method in methods}
    files = {(path, method) for path, method in mounted if path.startswith("/auth/client/")}
    assert mounted - files == ROUTES - {("/auth/sessions/{session_id}", "delete")}


@pytest.mark.parametrize(
    ("without", "left"),
    [
        ({"authenticate": None}, ROUTES - {("/auth/login", "post"), ("/auth/step-up", "post")}),
        ({"authenticate": None, "issuer": None, "verifier": Verifier(SECRET)}, {("/auth/jwks.json", "get")}),
    ],
)
def test_what_is_not_mounted_is_not_in_it(without, left):
    schema = documented(**without).openapi()
    assert ours(schema) == left
    assert schema["components"]["securitySchemes"].keys() == {"AccessToken"}


def test_the_prefix_is_the_middlewares():
    schema = documented(prefix="/users/v2").openapi()
    assert ours(schema) == {(path.replace("/auth", "/users/v2", 1), method) for path, method in ROUTES}
    assert schema["components"]["securitySchemes"]["Login"]["flows"]["password"]["tokenUrl"] == "users/v2/login"


def test_the_names_are_in_the_case_of_the_answers():
    app = documented(field_case="camel")
    schema = app.openapi()["components"]
    assert "Login" not in schema["securitySchemes"]  # a password flow reads access_token
    with visiting(app) as client:
        answer = client.post("/auth/login", json=CREDENTIALS, headers={"X-Token-Transport": "body"}).json()
        token = {"Authorization": f"Bearer {answer['accessToken']}"}
        listed = client.get("/auth/sessions", headers=token).json()["sessions"][0]
        refresh = {"grant_type": "refresh_token", "refresh_token": answer["refreshToken"]}
        form = client.post("/auth/refresh", data=refresh).json()
    assert schema["schemas"]["AuthTokens"]["properties"].keys() == answer.keys()
    assert schema["schemas"]["AuthFormTokens"]["properties"].keys() == form.keys()
    assert schema["schemas"]["AuthSessions"]["properties"]["sessions"]["items"]["properties"].keys() == listed.keys()


def test_a_token_is_needed_where_the_middleware_needs_one():
    found = operations(documented().openapi())
    assert "security" not in found["/open", "get"]
    assert found["/optional", "get"]["security"] == [{}, PASTE, LOGIN]
    assert found["/plain", "get"]["security"] == [PASTE, LOGIN]
    assert found["/me", "get"]["security"] == [PASTE, LOGIN]
    assert found["/notes", "get"]["security"] == [{"AccessToken": ["read"]}, {"Login": ["read"]}]
    assert found["/auth/sessions", "get"]["security"] == [PASTE, LOGIN]
    assert found["/auth/refresh", "post"]["security"] == []
    assert found["/auth/step-up", "post"]["security"] == [{}, PASTE, LOGIN]


def test_without_required_a_token_is_needed_where_a_dependency_needs_one():
    found = operations(documented(required=False).openapi())
    assert "security" not in found["/open", "get"]
    assert found["/plain", "get"]["security"] == [{}, PASTE, LOGIN]
    assert found["/plain", "get"]["responses"].keys() == {"200", "400", "401", "503"}  # a bad one is refused
    assert found["/me", "get"]["security"] == [PASTE, LOGIN]


def test_protected_operations_tell_of_the_problems_and_public_ones_do_not():
    found = operations(documented().openapi())
    assert found["/open", "get"]["responses"].keys() == {"200"}
    assert found["/optional", "get"]["responses"].keys() == {"200"}
    assert found["/plain", "get"]["responses"].keys() == {"200", "400", "401", "503"}
    assert found["/notes", "get"]["responses"].keys() == {"200", "400", "401", "403", "503"}
    refused = found["/plain", "get"]["responses"]["401"]
    assert refused["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/AuthProblem"}}}
    assert "`token_expired`" in refused["description"]


def test_what_the_app_says_of_a_status_stays():
    app = guarded()

    problem = {"application/problem+json": {"schema": {"type": "object"}}}

    @app.get("/mine", responses={400: {"content": problem}, 401: {"description": "mine", "model": Mine}})
    async def mine() -> int:
        return 1

    def own() -> dict[str, Any]:
        schema = get_openapi(title="Mine", version="1", routes=app.routes)
        schema["paths"]["/mine"]["get"]["responses"]["503"] = {"$ref": "#/components/responses/x"}
        return schema

    app.openapi = own
    document(app)
    found = operations(app.openapi())["/mine", "get"]["responses"]
    assert found["400"]["content"] == problem
    assert found["401"]["description"] == "mine"
    assert found["401"]["content"].keys() == {"application/json", "application/problem+json"}
    assert found["503"] == {"$ref": "#/components/responses/x"}


class Mine(BaseModel):
    """An answer of the app."""

    reason: str


def test_other_security_of_the_app_is_needed_as_well():
    app = FastAPI()

    @app.get("/keyed", dependencies=[Security(APIKeyHeader(name="X-Key"))])
    async def keyed(token: CurrentToken) -> int:
        return 1

    schema = documented(app).openapi()
    both = [{"APIKeyHeader": [], "AccessToken": []}, {"APIKeyHeader": [], "Login": []}]
    assert operations(schema)["/keyed", "get"]["security"] == both
    assert "APIKeyHeader" in schema["components"]["securitySchemes"]


def test_the_schemes_paste_a_token_or_log_in():
    app = handlers(guarded())
    document(app, scopes={"read": "Read notes", "admin": "Everything"})
    schemes = app.openapi()["components"]["securitySchemes"]
    assert schemes.keys() == {"AccessToken", "Login"}
    assert (schemes["AccessToken"]["type"], schemes["AccessToken"]["scheme"]) == ("http", "bearer")
    flow = {"tokenUrl": "auth/login", "scopes": {"read": "Read notes", "admin": "Everything"}}
    assert schemes["Login"] == {"type": "oauth2", "flows": {"password": flow}}


def test_scopes_that_guards_ask_for_are_offered():
    flow = documented().openapi()["components"]["securitySchemes"]["Login"]["flows"]["password"]
    assert flow["scopes"] == {"read": ""}


@pytest.mark.parametrize("guard", [require_fresh(max_age=60), require_acr("urn:example:gold")])
@pytest.mark.parametrize("required", [True, False])
def test_what_a_guard_may_ask_for_is_among_the_answers(guard, required):
    app = FastAPI()

    @app.post("/guarded", dependencies=[Depends(guard)])
    async def guarded_one() -> int:
        return 1

    schema = documented(app, required=required).openapi()
    found = operations(schema)
    assert found["/guarded", "post"]["security"] == [PASTE, LOGIN]
    said = found["/guarded", "post"]["responses"]
    assert said.keys() == {"200", "400", "401", "503"}
    assert "`step_up_required`" in said["401"]["description"]
    assert "`step_up_required`" not in found["/me", "get"]["responses"]["401"]["description"]
    assert schema["components"]["securitySchemes"].keys() == {"AccessToken", "Login"}


class Mail(BaseModel):
    """Not what a password flow sends."""

    mail: str
    password: str


class Named(BaseModel):
    """What it sends, and more that may be."""

    username: str
    password: str
    otp: str = ""


class Strict(Named):
    """What it does not send is needed."""

    code: str


@pytest.mark.parametrize(("credentials", "schemes"), [(Mail, 1), (Named, 2), (Strict, 1)])
def test_the_password_flow_is_there_only_for_a_name_and_a_password(credentials, schemes):
    app = handlers(guarded())
    document(app, credentials=credentials)
    schema = app.openapi()
    assert len(schema["components"]["securitySchemes"]) == schemes
    content = operations(schema)["/auth/login", "post"]["requestBody"]["content"]
    name = credentials.__name__
    assert {kind: said["schema"] for kind, said in content.items()} == {
        "application/json": {"$ref": f"#/components/schemas/{name}"},
        "application/x-www-form-urlencoded": {"$ref": f"#/components/schemas/{name}"},
    }
    assert schema["components"]["schemas"][name]["title"] == name


def test_a_step_up_takes_credentials_and_maybe_a_token():
    app = handlers(guarded())
    document(app, credentials=Strict)
    found = operations(app.openapi())["/auth/step-up", "post"]
    assert found["requestBody"]["required"] is True
    content = found["requestBody"]["content"]
    assert content.keys() == {"application/json", "application/x-www-form-urlencoded"}
    for said in content.values():
        login, token = said["schema"]["allOf"]
        assert login == {"$ref": "#/components/schemas/Strict"}
        assert token["properties"].keys() == {"refresh_token"}
    refused = {status: answer["description"] for status, answer in found["responses"].items()}
    for status, code in {
        "400": "invalid_request", "401": "invalid_credentials", "403": "cross_origin", "413": "payload_too_large",
        "415": "unsupported_media_type", "429": "rate_limited", "503": "store_unavailable",
    }.items():  # fmt: skip
        assert f"`{code}`" in refused[status]
    for code in ("refresh_missing", "refresh_invalid", "refresh_expired", "device_mismatch", "token_expired"):
        assert f"`{code}`" in refused["401"]


def test_a_refresh_may_ask_for_a_step_up_and_a_login_be_one_too_many():
    found = operations(documented().openapi())
    assert "`step_up_required`" in found["/auth/refresh", "post"]["responses"]["401"]["description"]
    said = found["/auth/login", "post"]["responses"]
    assert "`session_limit`" in said["403"]["description"]
    assert "`rate_limited`" in said["429"]["description"]


# How it lives beside what apps do to their schema


def test_it_is_read_when_it_is_asked_for_so_the_order_does_not_matter():
    app = FastAPI()
    document(app)
    handlers(guarded(app))
    schema = app.openapi()
    assert ("/me", "get") in operations(schema)
    assert ours(schema) == ROUTES
    assert app.openapi() is schema


def test_a_route_that_comes_later_is_in_the_next_schema():
    app = documented()
    app.openapi()
    app.openapi_schema = None

    @app.get("/later")
    async def later() -> int:
        return 1

    assert operations(app.openapi())["/later", "get"]["security"] == [PASTE, LOGIN]


def test_what_is_changed_in_one_schema_is_not_in_the_next():
    first, second = documented().openapi(), documented().openapi()
    first["components"]["schemas"]["AuthProblem"]["properties"].clear()
    first["paths"]["/me"]["get"]["responses"]["401"]["headers"].clear()
    assert second["components"]["schemas"]["AuthProblem"]["properties"]
    assert second["paths"]["/me"]["get"]["responses"]["401"]["headers"]
    assert second["paths"]["/plain"]["get"]["responses"]["401"]["headers"]


@pytest.mark.parametrize("is_cached", [True, False])
def test_an_openapi_of_the_apps_own_is_built_upon(is_cached):
    app = handlers(guarded())
    kept: list[dict[str, Any]] = []

    def own() -> dict[str, Any]:
        if kept and is_cached:
            return kept[0]
        schema = get_openapi(title="Mine", version="1", routes=app.routes)
        schema["info"]["x-logo"] = {"url": "/logo.png"}
        kept.insert(0, schema)
        return schema

    app.openapi = own
    document(app)
    for _ in range(2):
        schema = app.openapi()
        assert schema["info"]["x-logo"] == {"url": "/logo.png"}
        assert ours(schema) == ROUTES
        assert schema["paths"]["/me"]["get"]["security"] == [PASTE, LOGIN]
    assert not ours(kept[0])


def test_openapi_can_be_replaced_afterwards_by_a_function_that_asks_it():
    app = documented()
    before = app.openapi

    def own() -> dict[str, Any]:
        return before() | {"x-mine": True}

    app.openapi = own
    assert app.openapi()["x-mine"] is True
    assert ours(app.openapi()) == ROUTES


def test_it_is_served():
    with visiting(documented()) as client:
        assert ours(client.get("/openapi.json").json()) == ROUTES


def test_without_a_middleware_it_says_so():
    app = FastAPI()
    document(app)
    with pytest.raises(RuntimeError, match="found no JWTRefreshMiddleware"):
        app.openapi()


def test_a_subclass_of_the_middleware_is_one():
    class Own(JWTRefreshMiddleware):
        pass

    app = FastAPI()
    app.add_middleware(Own, **options())
    document(app)
    assert ours(app.openapi()) == ROUTES


# Where the middleware is not the app's own


def test_around_says_what_was_wrapped():
    app = handlers(FastAPI())
    document(app, around=JWTRefreshMiddleware(app, **options(prefix="/users")))
    schema = app.openapi()
    assert {path for path, _ in ours(schema)} == {path.replace("/auth", "/users") for path, _ in ROUTES}
    assert operations(schema)["/plain", "get"]["security"] == [PASTE, LOGIN]


def token_url(app: FastAPI) -> str:
    return str(app.openapi()["components"]["securitySchemes"]["Login"]["flows"]["password"]["tokenUrl"])


@pytest.mark.parametrize(
    ("docs", "where"), [("/docs", "auth/login"), ("/in/here/docs", "../../auth/login"), (None, "auth/login")]
)
def test_the_login_is_found_from_the_page_of_swagger(docs, where):
    assert token_url(documented(FastAPI(docs_url=docs))) == where


def test_at_a_root_path_everything_is_relative_to_it():
    with TestClient(documented(), base_url="https://testserver", root_path="/proxied") as client:
        schema = client.get("/openapi.json").json()
    assert schema["servers"] == [{"url": "/proxied"}]
    assert ours(schema) == ROUTES


@pytest.mark.parametrize("kind", ["fastapi", "starlette", "middleware"])
def test_a_part_that_is_mounted_in_a_guarded_app(kind):
    parent = Starlette() if kind == "starlette" else FastAPI()
    sub = handlers(FastAPI())
    parent.mount("/sub", sub)
    more = options(public=["/sub/open", "/plain"])
    if kind == "middleware":
        document(sub, around=JWTRefreshMiddleware(parent, **more), mounted_at="/sub")
    else:
        parent.add_middleware(JWTRefreshMiddleware, **more)
        document(sub, around=parent, mounted_at="/sub/")
    found = operations(sub.openapi())
    assert not ours(sub.openapi())
    assert "security" not in found["/open", "get"]
    assert found["/plain", "get"]["security"] == [PASTE, LOGIN]
    assert urljoin("https://testserver/sub/docs", token_url(sub)) == "https://testserver/auth/login"


def test_a_mounted_part_with_a_middleware_of_its_own():
    sub = documented()
    parent = FastAPI()
    parent.mount("/sub", sub)
    with visiting(parent) as client:
        schema = client.get("/sub/openapi.json").json()
        assert schema["servers"] == [{"url": "/sub"}]
        assert client.post(urljoin("/sub/docs", token_url(sub)), json=CREDENTIALS).status_code == 200
    assert ours(schema) == ROUTES


# It is true


@pytest.mark.parametrize("more", [{}, {"field_case": "camel"}, {"required": False}, {"authenticate": None}])
def test_it_is_a_valid_schema(more):
    written = documented(**more).openapi()
    for scheme in written["components"]["securitySchemes"].values():
        if "flows" in scheme:  # OpenAPI's own schema wants a host, which nobody knows here; FastAPI has none either
            scheme["flows"]["password"]["tokenUrl"] = "https://testserver/auth/login"
    schema = schemathesis.openapi.from_dict(written)
    schema.validate()
    assert len(list(schema.get_all_operations())) == len(operations(written))


def test_no_operation_id_comes_twice():
    names = [found["operationId"] for found in operations(documented().openapi()).values()]
    assert len(names) == len(set(names))


def test_a_router_is_treated_as_its_app():
    app = FastAPI()
    router = APIRouter(prefix="/v1", dependencies=[Security(current_token, scopes=["admin"])])

    @router.get("/things/{number}")
    async def thing(number: int) -> int:
        return number

    app.include_router(router)
    schema = documented(app).openapi()
    found = operations(schema)["/v1/things/{number}", "get"]
    assert found["security"] == [{"AccessToken": ["admin"]}, {"Login": ["admin"]}]
    assert found["responses"].keys() == {"200", "400", "401", "403", "422", "503"}


def test_the_keys_of_a_gateway():
    keys = KeyRing.generate("ES256")
    app = documented(authenticate=None, issuer=None, verifier=Verifier(keys))
    found = operations(app.openapi())
    assert "`keys_unavailable`" in found["/plain", "get"]["responses"]["503"]["description"]
    with visiting(app) as client:
        answer = client.get("/auth/jwks.json")
    assert answer.headers["content-type"] in found["/auth/jwks.json", "get"]["responses"]["200"]["content"]
