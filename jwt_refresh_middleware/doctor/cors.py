"""CORS: where its middleware is, and whether it lets pages of other origins do what ours allows them to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .circumstances import Circumstances
from .findings import Check, Finding
from .subject import Subject

INSIDE = Check(
    id="cors.inside",
    severity="error",
    what="The CORS middleware is inside of ours.",
    why="A 401 is answered without CORS headers, and so are login, refresh and logout: a page of another origin cannot "
    "read them, and its client takes them for a network failure.",
    advice="Add the CORS middleware after JWTRefreshMiddleware: what is added last is outermost.",
)
CREDENTIALS = Check(
    id="cors.credentials",
    severity="error",
    what="`allowed_origins` is set, but the CORS middleware has no `allow_credentials`.",
    why="The browser sends the cookie of the refresh token to another origin only where credentials are allowed.",
    advice="Give the CORS middleware allow_credentials=True.",
)
ANY_ORIGIN = Check(
    id="cors.any_origin",
    severity="error",
    what="The CORS middleware lets every origin in, with credentials.",
    why="Any page on the web may call the app with the cookies of whoever visits it, and read the answers.",
    advice="List the origins that are yours in allow_origins.",
)
ORIGINS = Check(
    id="cors.origins",
    severity="warning",
    what="`allowed_origins` and the origins of the CORS middleware are not the same.",
    why="A page needs both: without CORS it cannot read the answer, without `allowed_origins` login and refresh by "
    "cookie are refused with `cross_origin`.",
    advice="Give one list to both.",
)
AUTHORIZATION = Check(
    id="cors.authorization",
    severity="warning",
    what="The CORS middleware does not let the header `Authorization` through.",
    why="The browser does not send an access token to another origin then.",
    advice='Add "Authorization" to allow_headers.',
)
EXPOSED = Check(
    id="cors.exposed",
    severity="info",
    what="The CORS middleware does not expose `Retry-After`.",
    why="A client on a page of another origin cannot read how long it should wait after a 429 or a 503.",
    advice='Add "Retry-After" to expose_headers.',
)
MISSING = Check(
    id="cors.missing",
    severity="info",
    what="`allowed_origins` is set, and there is no CORS middleware.",
    why="Pages of those origins can open WebSockets, but read no answer, unless a proxy adds the CORS headers.",
    advice="Add CORSMiddleware outside of JWTRefreshMiddleware, unless a proxy does it.",
)
CHECKS = (INSIDE, CREDENTIALS, ANY_ORIGIN, ORIGINS, AUTHORIZATION, EXPOSED, MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cors:
    origins: frozenset[str]
    any_origin: bool
    pattern: Any
    credentials: bool
    headers: frozenset[str]
    any_header: bool
    exposed: frozenset[str]

    def allows(self, origin: str) -> bool:
        return self.any_origin or origin in self.origins or bool(self.pattern and self.pattern.fullmatch(origin))


def look(subject: Subject, _circumstances: Circumstances) -> Iterator[Finding]:
    """What is wrong with CORS around one middleware."""
    outside = next((cors for layer in reversed(subject.outside) if (cors := _cors(layer))), None)
    allowed = subject.settings.allowed_origins
    if outside is not None:
        yield from _judge(outside, allowed, subject)
    elif any(map(_cors, subject.inside)):
        yield INSIDE.found("CORSMiddleware is inside of JWTRefreshMiddleware", subject.where)
    elif allowed:
        yield MISSING.found("allowed_origins is set, but nothing adds CORS headers", subject.where)


def _judge(cors: _Cors, allowed: frozenset[str], subject: Subject) -> Iterator[Finding]:
    where = "CORSMiddleware"
    if cors.any_origin and cors.credentials:
        yield ANY_ORIGIN.found("every origin may call the app with credentials", where)
    elif allowed and not cors.credentials:
        yield CREDENTIALS.found("allow_credentials is off, and the refresh cookie stays in the browser", where)
    else:
        yield from _compare(cors, allowed, subject)
    if not cors.any_header and "authorization" not in cors.headers:
        yield AUTHORIZATION.found("Authorization is not in allow_headers", where)
    if "retry-after" not in cors.exposed:
        yield EXPOSED.found("Retry-After is not in expose_headers", where)


def _compare(cors: _Cors, allowed: frozenset[str], subject: Subject) -> Iterator[Finding]:
    if left_out := sorted(origin for origin in allowed if not cors.allows(origin)):
        yield ORIGINS.found(f"allow_origins lacks {', '.join(left_out)}", "CORSMiddleware")
    refused = sorted(cors.origins - allowed - {"*"}) if cors.credentials and not subject.is_gateway else []
    if refused:
        yield ORIGINS.found(f"allowed_origins lacks {', '.join(refused)}", subject.where)


def _cors(layer: Any) -> _Cors | None:
    """What a layer of Starlette's or Litestar's says; None if it is something else."""
    if type(layer).__name__ != "CORSMiddleware":
        return None
    said = getattr(layer, "config", layer)
    origins = frozenset(getattr(said, "allow_origins", ()))
    headers = frozenset(header.lower() for header in getattr(said, "allow_headers", ()))
    exposed = getattr(said, "expose_headers", None)
    if exposed is None:
        exposed = getattr(said, "simple_headers", {}).get("Access-Control-Expose-Headers", "").split(",")
    return _Cors(
        origins=origins,
        any_origin="*" in origins,
        pattern=getattr(said, "allow_origin_regex", None),
        credentials=bool(getattr(said, "allow_credentials", False)),
        headers=headers,
        any_header="*" in headers or bool(getattr(said, "allow_all_headers", False)),
        exposed=frozenset(header.strip().lower() for header in exposed),
    )
