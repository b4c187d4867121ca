"""Lifetimes that are unusual enough to be a mistake."""

from collections.abc import Iterator

from .circumstances import Circumstances
from .findings import Check, Finding
from .subject import Subject

_HOUR, _MINUTE = 3600, 60

ACCESS = Check(
    id="lifetime.access",
    severity="warning",
    what="An access token lives for more than an hour.",
    why="So long a stolen one is good at a gateway without a feed of revocations, and how long old scopes last.",
    advice="Leave access_ttl at about 15 minutes: renewing costs little.",
)
IDLE = Check(
    id="lifetime.idle",
    severity="warning",
    what="The idle lifetime of a session is longer than its absolute one.",
    why="`reauth_after` ends the session before `refresh_ttl` ever could.",
    advice="Make refresh_ttl shorter than reauth_after.",
)
NO_LEEWAY = Check(
    id="lifetime.no_leeway",
    severity="warning",
    what="`reuse_leeway` is 0.",
    why="Two tabs that refresh at once, or an answer that is lost, look like a theft: people are logged out.",
    advice="Leave reuse_leeway at 10 seconds.",
)
LONG_LEEWAY = Check(
    id="lifetime.long_leeway",
    severity="warning",
    what="`reuse_leeway` is more than a minute.",
    why="So long a stolen refresh token that was spent already is as good as a new one, and no theft is noticed.",
    advice="Leave reuse_leeway at 10 seconds; late_repeat sees to answers that were lost for longer.",
)
CHECKS = (ACCESS, IDLE, NO_LEEWAY, LONG_LEEWAY)


def look(subject: Subject, _circumstances: Circumstances) -> Iterator[Finding]:
    """Which lifetimes of an issuer are unusual."""
    if subject.settings.issuer is None:
        return
    said, where = subject.settings.issuer.settings, "Issuer"
    if said.access_ttl > _HOUR:
        yield ACCESS.found(f"access_ttl is {said.access_ttl:g} s", where)
    if said.refresh_ttl > said.reauth_after:
        yield IDLE.found(f"refresh_ttl ({said.refresh_ttl:g} s) is over reauth_after ({said.reauth_after:g} s)", where)
    if said.reuse_leeway == 0:
        yield NO_LEEWAY.found("reuse_leeway is 0", where)
    if said.reuse_leeway > _MINUTE:
        yield LONG_LEEWAY.found(f"reuse_leeway is {said.reuse_leeway:g} s", where)
