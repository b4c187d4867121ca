"""Keys that come from a file or from an issuer elsewhere."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from ..key_file import KeyFile
from ..remote import RemoteKeys
from .circumstances import Circumstances
from .findings import Check, Finding
from .subject import Subject

READABLE = Check(
    id="keys.readable",
    severity="error",
    what="The file of keys can be read by others.",
    why="Whoever reads it signs tokens for everybody.",
    advice="chmod 600 it, and let it belong to the account of the service.",
)
NO_NEXT = Check(
    id="keys.no_next",
    severity="warning",
    what="The file of keys has no next key.",
    why="A rotation would have to sign at once with a key that no gateway has fetched.",
    advice="python -m jwt_refresh_middleware keys rotate makes one (the first time it changes nothing else).",
)
PLAIN_HTTP = Check(
    id="keys.http",
    severity="info",
    what="A gateway fetches keys with plain http, which is possible on loopback only, and it is served with https, to "
    "other machines, or in production.",
    why="With the issuer elsewhere it has to be https: whoever changes the keys on their way signs for everybody.",
    advice="Use the https URL of the issuer in production.",
)
CHECKS = (READABLE, NO_NEXT, PLAIN_HTTP)


def look(subject: Subject, circumstances: Circumstances) -> Iterator[Finding]:
    """What is wrong with where the keys come from."""
    ring = subject.settings.verifier.keys
    source = ring.source
    if isinstance(source, KeyFile):
        if os.name == "posix" and ring.signing is not None:
            with suppress(OSError):
                mode = stat.S_IMODE(source.path.stat().st_mode)
                if mode & 0o077:
                    yield READABLE.found(f"its mode is {mode:04o}", str(source.path))
        if not any(one.state == "next" for one in ring.held):
            yield NO_NEXT.found("there is no next key", str(source.path))
    elif isinstance(source, RemoteKeys) and source.url.startswith("http:") and _is_serious(circumstances):
        yield PLAIN_HTTP.found(f"keys come from {source.url}", subject.where)


def _is_serious(circumstances: Circumstances) -> bool:
    """Whether it is for others than whoever develops it."""
    return circumstances.scheme == "https" or not circumstances.is_local or circumstances.production_by is not None
