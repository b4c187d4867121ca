"""``keys generate | rotate | remove | show``: the file of keys that running services pick up. See docs/keys.md."""

import json
import math
import os
import secrets
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..key_file import read_key_file, write_key_file
from ..key_states import Contents, Held, in_order, living
from ..key_texts import ALGORITHMS, new_key
from ..keyring import DEFAULT_OVERLAP
from ..keys import MIN_SECRET_BYTES, HmacKey, Key
from .key_changes import change_key_file, step, without
from .options import Json, seconds
from .output import say, say_json, say_table
from .refused import Refused
from .words import iso

PUBLISHED_FOR = 360.0
"""Seconds: a gateway fetches keys every 5 minutes by default; and a minute for the file to be read, and for a fetch
that has to be tried again."""

app = typer.Typer(help="Make, rotate, remove and show the keys in a file.")

_File = Annotated[Path, typer.Option("--file", help="The file.")]
_DEFAULT_FILE = Path("keys.json")


def _algorithm(text: str) -> str:
    if text not in ALGORITHMS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(ALGORITHMS)}")
    return text


@app.command()
def generate(
    file: _File = _DEFAULT_FILE,
    algorithm: Annotated[
        str, typer.Option(parser=_algorithm, metavar="NAME", help=f"One of {', '.join(ALGORITHMS)}.")
    ] = "EdDSA",
    secret_from_env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An environment variable with a secret used until now: refresh tokens made with it stay good; "
            "several, newest first.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a new file with a key that signs and the one that is next."""
    now = time.time()
    old = [_secret_of(name) for name in secret_from_env or ()]
    keys: list[Key] = [HmacKey(one) for one in old] if algorithm == "HS256" else []
    first, *others = keys or [new_key(algorithm)]
    previous = [Held(key, "previous", now, now + DEFAULT_OVERLAP.total_seconds()) for key in others]
    held = in_order([Held(first, "current", now), *previous, Held(new_key(algorithm), "next", now)], now)
    made = Contents(held, tuple(old or [secrets.token_bytes(MIN_SECRET_BYTES)]))
    try:
        write_key_file(file, made, new=True)
    except FileExistsError:
        raise Refused(f"{file} is there already, and keys are not overwritten") from None
    _tell(made, now, as_json=as_json)


def _secret_of(name: str) -> bytes:
    secret = os.environ.get(name, "").encode("utf-8", "surrogateescape")
    if len(secret) < MIN_SECRET_BYTES:
        raise Refused(f"the environment variable {name} holds no secret of {MIN_SECRET_BYTES} bytes or more")
    return secret


@app.command()
def rotate(
    file: _File = _DEFAULT_FILE,
    overlap: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="How long the current key still verifies: the life of an access token and a minute.",
        ),
    ] = DEFAULT_OVERLAP.total_seconds(),
    published_for: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="How long the next key must have been published: the gateways' refresh interval and a minute.",
        ),
    ] = PUBLISHED_FOR,
    force: Annotated[bool, typer.Option("--force", help="No matter how long the next key has been published.")] = False,
    as_json: Json = False,
) -> None:
    """Let the next key sign; the current one verifies for a while. Refused while the next key is too young."""
    now = time.time()
    change = partial(step, now=now, overlap=overlap, published_for=None if force else published_for)
    _tell(change_key_file(file, change), now, as_json=as_json)


@app.command()
def remove(
    kid: Annotated[str, typer.Argument(help="Its kid, as show says it; after -- if it begins with -.")],
    file: _File = _DEFAULT_FILE,
    as_json: Json = False,
) -> None:
    """Take a key out at once, for instance since it was stolen."""
    now = time.time()
    _tell(change_key_file(file, partial(without, kid=kid, now=now)), now, as_json=as_json)


@app.command()
def show(
    file: _File = _DEFAULT_FILE,
    as_json: Json = False,
    jwks: Annotated[bool, typer.Option("--jwks", help="The public keys as a JWK Set (RFC 7517).")] = False,
) -> None:
    """Show what is in a file, without anything private."""
    if jwks and as_json:
        raise typer.BadParameter("--json and --jwks exclude each other")
    now, contents = time.time(), read_key_file(file)
    if jwks:
        public = [one.key.public_jwk() for one in living(contents.held, now)]
        say(json.dumps({"keys": [jwk for jwk in public if jwk is not None]}, indent=2))
    else:
        _tell(contents, now, as_json=as_json)


def _row(one: Held, now: float) -> dict[str, str | None]:
    """What is shown of a key."""
    return {
        "kid": one.key.kid,
        "algorithm": one.key.algorithm,
        "state": one.state if one.until > now else "gone",
        "since": iso(one.since) if one.since else None,
        "until": iso(one.until) if one.until < math.inf else None,
    }


def _tell(contents: Contents, now: float, *, as_json: bool) -> None:
    """All keys."""
    rows = [_row(one, now) for one in contents.held]
    if as_json:
        say_json(rows)
    else:
        say_table(rows)
