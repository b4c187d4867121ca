"""The cookie of the refresh token: whether it is sent where it has to be, and nowhere else."""

from collections.abc import Iterator

from .circumstances import Circumstances
from .findings import Check, Finding
from .subject import Subject

INSECURE = Check(
    id="cookie.insecure",
    severity="error",
    what="The cookie is not `Secure`, though the app is served with https or in production.",
    why="The browser sends the refresh token over plain http too, where anybody on the way reads it. Without `Secure` "
    "the name has no prefix `__Host-` either, and a neighbouring host can set the cookie.",
    advice="Leave secure at its default, True; False is for development without TLS.",
)
PLAIN_HTTP = Check(
    id="cookie.plain_http",
    severity="error",
    what="The cookie is `Secure`, and the app is served with plain http on a host that is not this machine.",
    why="Browsers drop a `Secure` cookie that comes over http, except from localhost: nobody stays logged in.",
    advice="Serve https (or say --scheme https if a proxy does that).",
)
DOMAIN = Check(
    id="cookie.domain",
    severity="warning",
    what="The cookie has a `Domain`.",
    why="It is sent to every host below that domain, and each of them can set it: one weak neighbour is enough. It "
    "cannot have the prefix `__Host-`.",
    advice="Leave domain away; give other origins access with allowed_origins instead.",
)
PATH = Check(
    id="cookie.path",
    severity="error",
    what="The path of the cookie does not cover the routes under `prefix`.",
    why="The browser does not send the cookie with a refresh, which is answered with `refresh_missing`.",
    advice="Set the cookie's path to / or to the prefix as browsers see it, root path and mount included.",
)
CROSS_SITE = Check(
    id="cookie.cross_site",
    severity="warning",
    what="The cookie is `SameSite=None`, and no other origin is allowed.",
    why="Every site makes the browser send it, and none is allowed to use it.",
    advice='Leave samesite at "strict", or list the origins that need it in allowed_origins.',
)
CHECKS = (INSECURE, PLAIN_HTTP, DOMAIN, PATH, CROSS_SITE)


def look(subject: Subject, circumstances: Circumstances) -> Iterator[Finding]:
    """What is wrong with the cookie of one middleware."""
    if subject.is_gateway:
        return
    cookie, where = subject.settings.cookie, subject.where
    if not cookie.secure:
        yield from _insecure(where, circumstances)
    elif circumstances.scheme == "http" and not circumstances.is_local:
        yield PLAIN_HTTP.found("a Secure cookie over plain http, not on localhost", where)
    if cookie.domain:
        yield DOMAIN.found(f"the cookie goes to every host below {cookie.domain.lstrip('.')}", where)
    seen_as = (circumstances.root_path or subject.root_path) + subject.mounted_at + subject.settings.prefix
    if not _covers(cookie.path, seen_as + "/refresh"):
        yield PATH.found(f"the cookie's path is {cookie.path}, the refresh is at {seen_as}/refresh", where)
    if cookie.samesite == "none" and not subject.settings.allowed_origins:
        yield CROSS_SITE.found("SameSite=None without allowed_origins", where)


def _insecure(where: str, circumstances: Circumstances) -> Iterator[Finding]:
    if circumstances.scheme == "https" or circumstances.production_by is not None:
        reason = "with https" if circumstances.scheme == "https" else f"in production ({circumstances.production_by})"
        yield INSECURE.found(f"the cookie is not Secure, {reason}", where)
    elif circumstances.scheme is None:
        yield INSECURE.found("the cookie is not Secure", where, severity="info")


def _covers(path: str, request: str) -> bool:
    """RFC 6265bis, 5.1.4: path-match."""
    return request == path or request.startswith(path if path.endswith("/") else path + "/")
