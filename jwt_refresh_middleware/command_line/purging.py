"""``purge``: deleting what has expired."""

import time
from functools import partial
from typing import Annotated

import typer

from ..stores.base import PiecewisePurge, SessionStore
from .options import Json, seconds
from .output import say, say_json
from .refused import Refused
from .store_options import at_store
from .store_urls import Place
from .store_work import with_store
from .words import iso

KEEP_EXPIRED = 86_400.0
"""Seconds: what a service keeps of a session that has expired, so that its client learns ``refresh_expired``."""
_LEAST_KEPT = 960.0
"""An end has to be known for as long as an access token may live: 15 minutes by default, and a minute of leeway."""


async def purged(store: SessionStore, *, before: float) -> int:
    """Delete the sessions whose ``expires_at`` is not after ``before``, all of them; returns how many."""
    deleted = 0
    while True:
        piece = await store.purge(before)
        deleted += piece
        if not (store.is_purging if isinstance(store, PiecewisePurge) else piece):
            return deleted


@at_store()
def purge(
    keep: Annotated[
        float,
        typer.Option(
            "--keep",
            parser=seconds,
            metavar="SECONDS",
            help="How long a session is kept after it has expired; at least 960. A client that comes later is told "
            "that its token is invalid, no longer that it has expired.",
        ),
    ] = KEEP_EXPIRED,
    timeout: Annotated[
        float, typer.Option("--timeout", parser=seconds, metavar="SECONDS", help="How long it may take altogether.")
    ] = 600.0,
    *,
    place: Place,
    as_json: Json = False,
) -> None:
    """Delete sessions that have expired, ended ones too. Services do that by themselves, a little each minute."""
    if keep < _LEAST_KEPT:
        raise Refused(f"a session is kept for at least {_LEAST_KEPT:g} s: it has to be known that it has ended")
    before = time.time() - keep
    deleted = with_store(place, partial(purged, before=before))
    if as_json:
        say_json({"deleted": deleted, "expired_before": iso(before)})
    else:
        say(f"deleted: {deleted}, expired before {iso(before)}")
