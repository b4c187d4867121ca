"""``sessions list | show | revoke | revoke-all``: what is in a store, for whoever looks after it."""

import sys
import time
from typing import Annotated, Any

import typer

from ..issuer import Issuer
from ..sessions import Session, is_clean
from .options import Json
from .output import say, say_fields, say_json, say_table
from .refused import Refused
from .session_rows import row
from .store_options import at_store
from .store_urls import Place
from .store_work import with_issuer, with_store
from .words import iso, iso_or_none, printable

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


@app.command("list")
@at_store()
def list_(
    subject: _Subject,
    *,
    place: Place,
    as_json: Json = False,
) -> None:
    """List the live sessions of a subject, oldest first."""
    now = time.time()
    found = with_store(place, lambda opened: opened.sessions(subject, now=now))
    if as_json:
        say_json({"subject": subject, "sessions": [row(one, now) for one in found]})
        return
    shown = ("id", "created_at", "last_used_at", "expires_at", "generation", "ip", "user_agent")
    rows = [{name: _text(row(one, now)[name]) for name in shown} for one in found]
    say_table(rows, otherwise=f"{printable(subject)} has no live session")


@app.command()
@at_store()
def show(
    session_id: _SessionId,
    *,
    place: Place,
    as_json: Json = False,
) -> None:
    """Show one session, also if it has ended or expired."""
    found = with_store(place, lambda opened: opened.get(session_id))
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
@at_store()
def revoke(
    session_id: _SessionId,
    reason: _Reason = "revoked",
    audit: _Audit = None,
    *,
    place: Place,
    as_json: Json = False,
) -> None:
    """End a session. Its access tokens are refused by every process within a second or so."""
    _check_reason(reason)

    async def end(issuer: Issuer) -> tuple[bool, Session | None]:
        ended = await issuer.revoke(session_id, reason=reason)
        opened = await issuer.backing.ready()
        return ended, await opened.get(session_id)

    ended, found = with_issuer(place, audit, end)
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
@at_store()
def revoke_all(
    subject: _Subject,
    keep: Annotated[str | None, typer.Option("--keep", metavar="ID", help="A session of theirs that stays.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: _Reason = "revoked",
    audit: _Audit = None,
    *,
    place: Place,
    as_json: Json = False,
) -> None:
    """End all sessions of a subject, or all but one. Asks first; where nobody can be asked, it wants --yes."""
    _check_reason(reason)
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
    ended = with_issuer(place, audit, lambda issuer: issuer.logout_all(subject, keep, reason=reason))
    if as_json:
        say_json({"subject": subject, "ended": ended, "kept": keep})
    else:
        say(f"ended: {ended}")


def _check_reason(reason: str) -> None:
    if not is_clean(reason) or len(reason) > _LONGEST_REASON:
        raise Refused(f"a reason is 1 to {_LONGEST_REASON} characters of text without control characters")
