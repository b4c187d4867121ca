"""The OpenAPI schema of an app with what the middleware adds to it: its routes, who may come in, and its errors."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import cast

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.applications import Starlette

from ..errors import AuthError, InsufficientScope, KeysUnavailable, StepUpRequired, StoreUnavailable
from ..web.middleware import JWTRefreshMiddleware
from .dependencies import OPTIONAL_SCHEME, SCHEME, STEP_UP_SCHEME, verified_token
from .problems import PROBLEM, PROBLEM_SCHEMA, Json, problems, ref
from .routes import TOKEN_ERRORS, operations
from .schemas import AuthLogin, components

LOGIN_SCHEME = "Login"
"""The name of the security scheme that logs in by the password flow."""
_OURS = frozenset({SCHEME, OPTIONAL_SCHEME, STEP_UP_SCHEME})
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def document(
    app: FastAPI,
    *,
    around: Starlette | JWTRefreshMiddleware | None = None,
    mounted_at: str = "",
    credentials: type[BaseModel] = AuthLogin,
    scopes: Mapping[str, str] | None = None,
) -> None:
    """Let ``app.openapi()`` tell of the middleware: its routes, who may come in, and the errors.

    Everything is taken from the middleware when the schema is asked for, so the order of calls does not matter; but a
    function of your own that replaces ``app.openapi`` has to do so before.

    Args:
        app: whose schema it is.
        around: what the middleware was added to, or the middleware itself. Default: ``app``.
        mounted_at: where ``app`` is mounted in ``around``. The routes belong to the schema of ``around`` then.
        credentials: what ``authenticate`` takes. With ``username`` and ``password`` (the default), Swagger's
            Authorize button can log in; in any case a token can be pasted.
        scopes: what scopes mean, by their names. Those that guards ask for are listed without, too.

    Raises:
        RuntimeError: from ``app.openapi()``: ``around`` has no middleware.
    """
    original: Callable[[], Json] = app.openapi
    login = _Login(credentials)
    written: tuple[Json, Json] | None = None

    def openapi() -> Json:
        nonlocal written
        plain = original()
        if written is None or written[0] is not plain:
            guarded = _Guarded(_find(around or app), app.docs_url, mounted_at.rstrip("/"), login)
            written = plain, guarded.write(deepcopy(plain), scopes or {})
        return written[1]

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way of extending the schema


def _find(around: Starlette | JWTRefreshMiddleware) -> JWTRefreshMiddleware:
    """The middleware. The app has none before it starts, so one is made as the app will make it."""
    if isinstance(around, JWTRefreshMiddleware):
        return around
    for added in around.user_middleware:
        if isinstance(added.cls, type) and issubclass(added.cls, JWTRefreshMiddleware):
            make = cast("Callable[..., JWTRefreshMiddleware]", added.cls)
            return make(around, *added.args, **added.kwargs)
    raise RuntimeError("document() found no JWTRefreshMiddleware: say with around= what it was added to")


def _way_from(page: str, to: str) -> str:
    """A relative URL, which Swagger resolves against its page: that holds at any ``root_path``."""
    return "../" * (page.count("/") - 1) + to.removeprefix("/")


class _Login:
    """The schema of what a login takes: a reference, and the components that it leads to."""

    def __init__(self, credentials: type[BaseModel]) -> None:
        references, definitions = models_json_schema([(credentials, "validation")], ref_template=ref("{model}")["$ref"])
        self.schema: Json = references[credentials, "validation"]
        self.components: Json = definitions["$defs"]

    def is_password_flow(self) -> bool:
        """Whether a name and a password are enough, by the names of RFC 6749, 4.3.2."""
        model = self.components[self.schema["$ref"].rpartition("/")[2]]
        sent = {"username", "password"}
        return sent <= model.get("properties", {}).keys() and sent >= set(model.get("required", ()))


class _Guarded:
    """A schema as the middleware makes it true."""

    def __init__(self, middleware: JWTRefreshMiddleware, docs_url: str | None, mounted_at: str, login: _Login) -> None:
        self._public = middleware._public
        self._required = middleware._required
        self._find = middleware._routes.find
        self._prefix = middleware._prefix.rstrip("/")
        self._mounted_at = mounted_at
        self._login = login
        self._token_url = _way_from(mounted_at + (docs_url or "/"), f"{self._prefix}/login")
        tokens = middleware._tokens
        self._field_case = "camel" if tokens is not None and tokens._camel else "snake"
        self._errors = (*TOKEN_ERRORS, StoreUnavailable if tokens is not None else KeysUnavailable)
        takes_form = self._find(f"{self._prefix}/login") is not None and self._field_case == "snake"
        self._schemes = [SCHEME, LOGIN_SCHEME] if takes_form and login.is_password_flow() else [SCHEME]

    def write(self, schema: Json, scopes: Mapping[str, str]) -> Json:
        """``schema`` with everything added. It is changed itself; what it got is shared with nobody."""
        schema["paths"] = paths = schema.get("paths") or {}
        for path, operation in _operations(paths):
            self._guard(operation, public=self._mounted_at + path in self._public)
        parts = schema.setdefault("components", {})
        schemas = parts.setdefault("schemas", {})
        schemas[PROBLEM] = PROBLEM_SCHEMA
        if not self._mounted_at:
            self._add_routes(paths)
            _add(schemas, components(self._field_case) | self._login.components)
        schemes = parts.setdefault("securitySchemes", {})
        for name in (OPTIONAL_SCHEME, STEP_UP_SCHEME):
            schemes.pop(name, None)
        schemes.update(self._definitions(dict.fromkeys(_asked_for(paths), "") | dict(scopes)))
        return cast("Json", jsonable_encoder(schema))  # a copy: our constants are shared

    def _guard(self, operation: Json, *, public: bool) -> None:
        """Say of an operation of the app whether it needs a token, and what is answered without."""
        listed = operation.get("security", [])
        needed = {scope for one in listed for scope in one.get(SCHEME, ())}
        others = [one for one in listed if not one.keys() & _OURS] or [{}]
        is_guarded = any(SCHEME in one for one in listed) or (self._required and not public)
        is_optional = not is_guarded and (not public or any(OPTIONAL_SCHEME in one for one in listed))
        if is_guarded or is_optional:
            ours = [{**other, name: sorted(needed)} for name in self._schemes for other in others]
            operation["security"] = ours if is_guarded else [*others, *ours]
        if is_guarded or not public:
            scoped = (InsufficientScope,) if needed else ()
            stepped = (StepUpRequired,) if any(STEP_UP_SCHEME in one for one in listed) else ()
            _answers(operation, (*self._errors, *scoped, *stepped))

    def _add_routes(self, paths: Json) -> None:
        for (path, method), operation in operations(self._login.schema).items():
            mounted = self._prefix + path
            if method in (self._find(mounted) or ()):
                if path.startswith("/sessions"):
                    operation["security"] = [{name: []} for name in self._schemes]
                elif path == "/step-up":
                    operation["security"] = [{}, *({name: []} for name in self._schemes)]
                paths.setdefault(mounted, {})[method.lower()] = operation

    def _definitions(self, scopes: Mapping[str, str]) -> Json:
        """The security schemes; the password flow names the scopes, which Swagger offers for choice."""
        found = {SCHEME: jsonable_encoder(verified_token.model, by_alias=True, exclude_none=True)}
        if LOGIN_SCHEME in self._schemes:
            flow = {"tokenUrl": self._token_url, "scopes": dict(scopes)}
            found[LOGIN_SCHEME] = {"type": "oauth2", "flows": {"password": flow}}
        return found


def _operations(paths: Json) -> Iterator[tuple[str, Json]]:
    return (
        (path, operation) for path, item in paths.items() for method, operation in item.items() if method in _METHODS
    )


def _asked_for(paths: Json) -> list[str]:
    """The scopes that operations ask for."""
    listed = [one for _, operation in _operations(paths) for one in operation.get("security", ())]
    return sorted({scope for one in listed for scope in one.get(SCHEME, ())})


def _answers(operation: Json, errors: Iterable[type[AuthError]]) -> None:
    """Add the problems to what an operation is answered with; beside what the app has said itself."""
    responses = operation.setdefault("responses", {})
    for status, response in problems(errors).items():
        own = responses.setdefault(status, response)
        if "$ref" not in own:
            _add(own.setdefault("content", {}), response["content"])


def _add(to: Json, more: Json) -> None:
    """Add what is not there yet."""
    for name, value in more.items():
        to.setdefault(name, value)
