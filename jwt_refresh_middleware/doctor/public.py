"""Public paths: those that never match, those that match too much, and what was perhaps forgotten."""

from collections.abc import Iterator

from ..web.paths import PublicPaths
from .circumstances import Circumstances
from .findings import Check, Finding, Severity
from .subject import Subject

IMPOSSIBLE = Check(
    id="public.impossible",
    severity="error",
    what="A pattern in `public` is not a path: no `/` at its beginning, a `*` before its end, or something "
    "that no canonical path has (`//`, `..`, `;`, `%`).",
    why="It could never match, so the middleware refuses it, and the app does not start.",
    advice="Write /exact, or /below/* for everything below it.",
)
ROOT_PATH = Check(
    id="public.root_path",
    severity="warning",
    what="A pattern begins with the `root_path`, or with the path at which the app is mounted.",
    why="Paths are compared without it: the pattern never matches, and what it should open stays protected.",
    advice="Write the path as the app's own routes have it, without the root path.",
)
UNMATCHED = Check(
    id="public.unmatched",
    severity="warning",
    what="A pattern meets no route of the app (for one that ends in `/*`: info).",
    why="A slip of the pen, most likely: the route that was meant stays protected. Or a route that is gone; a new one "
    "of this path would be open at once.",
    advice="Compare it with the routes, the slash at the end too, or take it out.",
)
EVERYTHING = Check(
    id="public.everything",
    severity="warning",
    what="A pattern makes everything public: `/*`.",
    why="No path is protected by the middleware any more, and a bad token is ignored everywhere.",
    advice="List what is public, or use required=False with guards on what is not.",
)
DOCS = Check(
    id="public.docs",
    severity="info",
    what="FastAPI's documentation is not public.",
    why="A browser that opens `/docs` has no access token, and gets a 401.",
    advice='Add "/docs" and "/openapi.json" to public if they are for everybody; else turn them off.',
)
CHECKS = (IMPOSSIBLE, ROOT_PATH, UNMATCHED, EVERYTHING, DOCS)


def look(subject: Subject, circumstances: Circumstances) -> Iterator[Finding]:
    """What is wrong with the public paths of one middleware."""
    root = circumstances.root_path or subject.root_path
    for pattern in subject.settings.public:
        if pattern == "/*":
            yield EVERYTHING.found("/* makes everything public", subject.where)
        elif not _is_met(subject, pattern):
            yield _unmet(subject, pattern, root)
    yield from _docs(subject)


def _is_met(subject: Subject, pattern: str) -> bool:
    """Whether a route of the app's or of ours is behind it, or that cannot be known."""
    if subject.routes is None or any(route.meets(pattern) for route in subject.routes):
        return True
    ours = PublicPaths([pattern])
    return any(path in ours for path in subject.settings.routes)


def _unmet(subject: Subject, pattern: str, root: str) -> Finding:
    for prefix in {root, subject.mounted_at, root + subject.mounted_at} - {""}:
        if pattern.startswith(prefix + "/"):
            return ROOT_PATH.found(f"{pattern} begins with {prefix}, which is taken off before", subject.where)
    # What is below a path may be served by something that has no routes: a proxy, or a layer in between.
    severity: Severity = "info" if pattern.endswith("/*") else "warning"
    return UNMATCHED.found(f"{pattern} meets no route of the app", subject.where, severity=severity)


def _docs(subject: Subject) -> Iterator[Finding]:
    if not subject.settings.required:
        return
    public = PublicPaths(subject.settings.public)
    for layer in (*subject.inside, *subject.beside):
        pages = [getattr(layer, name, None) for name in ("docs_url", "redoc_url", "openapi_url")]
        if type(layer).__module__.startswith("fastapi") and pages[-1]:
            closed = [page for page in pages if page and page not in public]
            if closed:
                yield DOCS.found(f"{', '.join(closed)} need an access token", subject.where)
