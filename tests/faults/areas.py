"""What the faults are about: the six areas that a way in begins in, and the rest."""

from collections.abc import Mapping

from . import of_cookies, of_origins, of_paths, of_revocations, of_strictness
from .fault import Fault

REST = "other"
"""The area of a fault in anything else."""

# Those that stand in the lists of modules that are about more; every_check's are counted with the rest.
_NAMED: Mapping[str, tuple[str, ...]] = {
    "tokens": (
        "any-spelling-of-a-refresh-token", "any-signature-of-a-refresh-token", "any-version-of-a-refresh-token",
        "the-secret-itself-signs-refresh-tokens", "any-signature-of-an-access-token", "no-signature-of-an-access-token",
        "any-spelling-of-an-access-token", "any-type-of-token", "the-algorithm-that-the-header-says",
        "critical-headers-are-passed-over", "an-unknown-key-is-any-key", "expired-a-moment-too-late-at-first",
        "expired-a-moment-too-late-when-remembered", "a-remembered-token-does-not-expire", "any-audience",
        "part-of-an-issuer-is-the-issuer", "before-its-time-is-in-time", "a-name-that-is-there-twice",
        "the-last-of-two-authorization-headers-wins", "any-curve-for-es256",
        "any-spelling-of-a-signature-of-a-pair", "any-length-of-a-signature-of-es256",
    ),
    "verdict": (
        "a-grace-for-any-older-generation", "a-grace-without-end", "no-grace", "a-late-repeat-twice-in-a-row",
        "a-late-repeat-of-what-was-acknowledged", "late-repeats-cannot-be-switched-off",
        "what-arrived-here-is-known-to-the-row-only", "what-arrived-elsewhere-is-not-looked-at",
        "generation-ahead-is-reuse", "device-judged-after-the-generation", "device-policy-ignored-at-a-repeat",
        "an-ended-session-is-judged-like-any-other", "the-idle-end-is-a-moment-too-late", "a-grace-that-slides",
        "the-loser-of-a-race-is-taken-for-a-thief", "a-marked-session-goes-on", "a-doubted-device-goes-on",
        "a-proof-is-never-enough", "a-repeat-needs-no-proof", "a-late-repeat-needs-no-proof",
        "a-proof-gets-past-a-refusal",
    ),
    "csrf": (
        "a-refresh-from-any-page", "a-login-from-any-page", "a-logout-without-token-from-any-page",
        "another-subdomain-is-our-own-page", "a-socket-for-pages-of-anybody",
    ),
    "cookies": (
        "a-cookie-deleted-on-a-503", "a-cookie-deleted-on-any-refusal", "a-cookie-never-deleted",
        "a-cookie-deleted-on-a-race", "a-body-token-deletes-the-cookie", "the-first-of-two-cookies-wins",
        "a-cookie-for-scripts-to-read", "cookie-and-body-may-disagree",
    ),
    "paths": (
        "public-in-any-spelling", "public-where-a-router-takes-the-root-path-out", "any-options-request-is-a-preflight",
        "sockets-for-everybody",
    ),
    "revocation": (
        "a-remembered-token-cannot-be-revoked", "a-new-token-of-an-ended-session", "a-known-token-of-an-ended-session",
        "an-end-is-not-put-on-the-local-list", "an-end-whose-answer-was-lost-is-not-known-here",
        "the-feed-is-not-read-before-serving", "the-feed-without-overlap", "the-feed-begins-with-now",
        "what-was-missed-is-not-read-when-the-push-is-back", "a-store-that-pushes-is-believed",
        "a-look-that-failed-counts", "ends-are-forgotten-too-early", "who-watches-is-not-told",
        "a-revoked-session-that-was-met-is-not-known-here", "a-socket-outlives-its-session",
        "a-logout-answered-before-the-session-has-ended", "reuse-does-not-end-the-session",
        "reuse-answered-before-the-session-has-ended", "requests-before-the-feed-is-loaded",
    ),
}  # fmt: skip
_WHOLE: Mapping[str, tuple[Fault, ...]] = {
    "tokens": of_strictness.FAULTS,
    "csrf": of_origins.FAULTS,
    "cookies": of_cookies.FAULTS,
    "paths": of_paths.FAULTS,
    "revocation": of_revocations.FAULTS,
}
AREAS = tuple(_NAMED)
"""The six, in the order of the table."""
_AREA = {name: area for area, names in _NAMED.items() for name in names}
_AREA |= {fault.name: area for area, faults in _WHOLE.items() for fault in faults}


def area_of(fault: Fault) -> str:
    """One of :data:`AREAS`, or :data:`REST`."""
    return _AREA.get(fault.name, REST)


def listed() -> frozenset[str]:
    """The names of all faults that have an area."""
    return frozenset(_AREA)
