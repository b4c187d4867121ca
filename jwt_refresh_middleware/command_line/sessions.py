"""``sessions list | show | revoke | revoke-all`` and ``purge``: what is in a store, for whoever looks after it.

Sessions are ended by an issuer, as in a service: other processes learn of it from the store, as of any other end. This
issuer signs nothing, and its secret is thrown away.
"""

import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, TypeVar

import typer

from ..audit import AuditEntry
from ..events import Event
from ..issuer import Issuer
from ..sessions import Session, is_clean
from ..stores.base import SessionStore
from .options import DEFAULT_PREFIX, DEFAULT_TIMEOUT, Json, Prefix, StoreUrl, TableName, Timeout, seconds
from .output import say, say_fields, say_json, say_table
from .purging import purged
from .refused import Failed, Refused
from .store_urls import Place, opened_audit, opened_store, within
from .words import iso, iso_or_none, printable

T = TypeVar("T")

KEEP_EXPIRED = 86_400.0
"""Seconds: what a service keeps of a session that has expired, so that its client learns ``refresh_expired``."""
_LEAST_KEPT = 960.0
"""An end has to be known for as long as an access token may live: 15 minutes by default, and a minute of leeway."""
_LONGEST_REASON = 100

app = typer.Typer(help="List, show and end sessions.")

_SessionId = Annotated[str, typer.Argument(metavar="SESSION_ID", help="Its id; after -- if it begins with -.")]
_Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="Whose sessions.")]
_Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the session and told to clients' logs.")]
_Audit = Annotated[
    str | None,
    typer.Option(
        "--audit",
        metavar="URL",
        envvar="JWT_REFRESH_AUDIT",
        show_default=False,
        help="The service's audit log, to note there what was done; a URL as of --store. Default: it is not noted.",
    ),
]


def place_of(store: str | None, prefix: str, table: str | None, timeout: float) -> Place:
    """Where the sessions are. Raises Refused if that was not said."""
    if not store:
        raise Refused("say where the sessions are: --store URL, or the environment variable JWT_REFRESH_STORE")
    return Place(url=store, prefix=prefix, table=table, timeout=timeout)


def with_store(place: Place, work: Callable[[SessionStore], Awaitable[T]]) -> T:
    """What ``work`` makes of the store, which is opened for it. Raises Failed, Refused."""

    async def opened() -> T:
        async with opened_store(place) as store:
            await store.open()
            return await work(store)

    result: T = asyncio.run(within(place, opened))
    return result


def row(session: Session, now: float) -> dict[str, Any]:
    """A session as JSON. The keys are documented, and stay."""
    return {
        "id": session.id,
        "subject": session.subject,
        "state": state_of(session, now),
        "generation": session.generation,
        "created_at": iso(session.created_at),
        "last_used_at": iso(session.last_used_at),
        "expires_at": iso(session.expires_at),
        "ends_at": iso(session.ends_at),
        "auth_time": iso(session.auth_time),
        "ip": session.device.ip,
        "user_agent": session.device.user_agent,
        "scopes": [*session.scopes],
        "amr": [*session.authenticated_by],
        "acr": session.acr,
        "step_up": session.step_up,
        "revoked_at": iso_or_none(session.revoked_at),
        "revoked_reason": session.revoked_reason,
    }


def state_of(session: Session, now: float) -> str:
    """``live``, ``ended`` or ``expired``."""
    if session.revoked_at is not None:
        return "ended"
    return "live" if session.is_live(now) else "expired"


@app.command("list")
def list_(
    subject: _Subject,
    store: StoreUrl = None,
    prefix: Prefix = DEFAULT_PREFIX,
    table: TableName = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    as_json: Json = False,
) -> None:
    """List the live sessions of a subject, oldest first."""
    now = time.time()
    found = with_store(place_of(store, prefix, table, timeout), lambda opened: opened.sessions(subject, now=now))
    if as_json:
        say_json({"subject": subject, "sessions": [row(one, now) for one in found]})
        return
    shown = ("id", "created_at", "last_used_at", "expires_at", "generation", "ip", "user_agent")
    rows = [{name: _text(row(one, now)[name]) for name in shown} for one in found]
    say_table(rows, otherwise=f"{printable(subject)} has no live session")


@app.command()
def show(
    session_id: _SessionId,
    store: StoreUrl = None,
    prefix: Prefix = DEFAULT_PREFIX,
    table: TableName = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    as_json: Json = False,
) -> None:
    """Show one session, also if it has ended or expired."""
    found = with_store(place_of(store, prefix, table, timeout), lambda opened: opened.get(session_id))
    if found is None:
        raise Refused("there is no such session, or no longer")
    said = row(found, time.time())
    if as_json:
        say_json(said | {"claims": dict(found.claims)})
    else:
        say_fields({name: _text(value) for name, value in said.items()})


def _text(value: Any) -> str | None:
    if value is None or value == []:
        return None
    return " ".join(value) if isinstance(value, list) else str(value)


@app.command()
def revoke(
    session_id: _SessionId,
    reason: _Reason = "revoked",
    store: StoreUrl = None,
    audit: _Audit = None,
    prefix: Prefix = DEFAULT_PREFIX,
    table: TableName = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    as_json: Json = False,
) -> None:
    """End a session. Its access tokens are refused by every process within a second or so."""
    _check_reason(reason)
    place = place_of(store, prefix, table, timeout)

    async def end(issuer: Issuer) -> tuple[bool, Session | None]:
        ended = await issuer.revoke(session_id, reason=reason)
        opened = await issuer.backing.ready()
        return ended, await opened.get(session_id)

    ended, found = _with_issuer(place, audit, end)
    if found is None and not ended:
        raise Refused("there is no such session, or no longer")
    if as_json:
        at, why = (found.revoked_at, found.revoked_reason) if found is not None else (None, reason)
        said = {"session_id": session_id, "ended": ended, "subject": found.subject if found is not None else None}
        say_json(said | {"revoked_at": iso_or_none(at), "revoked_reason": why})
    elif found is not None and not ended:
        say(f"it had ended already, at {iso(found.revoked_at or 0.0)}: {printable(found.revoked_reason or '-')}")
    else:
        say("ended" if found is None else f"ended, of {printable(found.subject)}")


@app.command("revoke-all")
def revoke_all(
    subject: _Subject,
    keep: Annotated[str | None, typer.Option("--keep", metavar="ID", help="A session of theirs that stays.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: _Reason = "revoked",
    store: StoreUrl = None,
    audit: _Audit = None,
    prefix: Prefix = DEFAULT_PREFIX,
    table: TableName = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    as_json: Json = False,
) -> None:
    """End all sessions of a subject, or all but one. Asks first; where nobody can be asked, it wants --yes."""
    _check_reason(reason)
    place = place_of(store, prefix, table, timeout)
    if not yes and not sys.stdin.isatty():
        raise Refused("nobody can be asked whether you are sure: --yes does it without")
    if keep is not None or not yes:
        now = time.time()
        found = with_store(place, lambda opened: opened.sessions(subject, now=now))
        if keep is not None and keep not in [one.id for one in found]:
            raise Refused("the session to keep is no live session of this subject; nothing was ended")
        number = len(found) - (keep is not None)
        if not yes and not typer.confirm(f"End {number} session(s) of {printable(subject)}?", err=True):
            raise Refused("nothing was ended")
    ended = _with_issuer(place, audit, lambda issuer: issuer.logout_all(subject, keep, reason=reason))
    if as_json:
        say_json({"subject": subject, "ended": ended, "kept": keep})
    else:
        say(f"ended: {ended}")


def _check_reason(reason: str) -> None:
    if not is_clean(reason) or len(reason) > _LONGEST_REASON:
        raise Refused(f"a reason is 1 to {_LONGEST_REASON} characters of text without control characters")


def _with_issuer(place: Place, audit: str | None, work: Callable[[Issuer], Awaitable[T]]) -> T:
    """What ``work`` does with an issuer on this store; what came of it is noted in the audit log, if there is one."""
    seen: list[Event] = []

    async def see(event: Event) -> None:
        seen.append(event)

    async def opened() -> T:
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(opened_store(place))
            log = None
            if audit is not None:  # opened first: nothing is done that could not be noted
                log = await stack.enter_async_context(opened_audit(Place(url=audit, prefix=place.prefix)))
                await log.open()
            patience = timedelta(seconds=place.timeout)
            async with Issuer(secrets.token_urlsafe(32), store, store_timeout=patience, on_event=see) as issuer:
                result = await work(issuer)
            if log is not None:
                await _note(log.write, seen)
            return result

    result: T = asyncio.run(within(place, opened))
    return result


async def _note(write: Callable[[list[AuditEntry]], Awaitable[None]], seen: list[Event]) -> None:
    entries = [AuditEntry.of(event) for event in seen if event.name == "revoked"]
    try:
        await write(entries)
    except Exception as error:
        raise Failed(
            f"ended: {len(entries)}, but that could not be noted in the audit log: {type(error).__name__}"
        ) from error


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
    store: StoreUrl = None,
    prefix: Prefix = DEFAULT_PREFIX,
    table: TableName = None,
    timeout: Annotated[
        float, typer.Option("--timeout", parser=seconds, metavar="SECONDS", help="How long it may take altogether.")
    ] = 600.0,
    as_json: Json = False,
) -> None:
    """Delete sessions that have expired, ended ones too. Services do that by themselves, a little each minute."""
    if keep < _LEAST_KEPT:
        raise Refused(f"a session is kept for at least {_LEAST_KEPT:g} s: it has to be known that it has ended")
    before = time.time() - keep
    deleted = with_store(place_of(store, prefix, table, timeout), partial(purged, before=before))
    if as_json:
        say_json({"deleted": deleted, "expired_before": iso(before)})
    else:
        say(f"deleted: {deleted}, expired before {iso(before)}")
