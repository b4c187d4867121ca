"""``keys generate | rotate | remove | show``: the file of keys that running services pick up. See docs/keys.md."""

import argparse
import json
import math
import os
import secrets
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..key_file import read_key_file, write_key_file
from ..key_states import Contents, Held, in_order, living
from ..key_texts import ALGORITHMS, new_key
from ..keyring import DEFAULT_OVERLAP
from ..keys import MIN_SECRET_BYTES, HmacKey, Key
from .key_changes import change_key_file, step, without
from .refused import Refused

PUBLISHED_FOR = 360.0
"""Seconds: a gateway fetches keys every 5 minutes by default; and a minute for the file to be read, and for a fetch
that has to be tried again."""

Given = argparse.Namespace


def add_to(commands: Any) -> None:
    """Make ``keys`` known to the command line."""
    parser = commands.add_parser("keys", help="make, rotate, remove and show the keys in a file")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_generate(verbs)
    _add_rotate(verbs)
    _add_remove(verbs)
    _add_show(verbs)


def _verb(verbs: Any, name: str, run: Any, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=what, description=what)
    parser.add_argument("--file", type=Path, default=Path("keys.json"), help="default: keys.json")
    parser.set_defaults(run=run)
    return parser


def _add_generate(verbs: Any) -> None:
    parser = _verb(verbs, "generate", generate, "Make a new file with a key that signs and the one that is next.")
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="EdDSA", help="default: EdDSA")
    parser.add_argument(
        "--secret-from-env",
        metavar="NAME",
        action="append",
        default=[],
        help="an environment variable with a secret used until now: refresh tokens made with it stay good; "
        "several, newest first",
    )


def _add_rotate(verbs: Any) -> None:
    parser = _verb(verbs, "rotate", rotate, "Let the next key sign; the current one verifies for a while.")
    parser.add_argument(
        "--overlap",
        type=_seconds,
        default=DEFAULT_OVERLAP.total_seconds(),
        metavar="SECONDS",
        help="how long the current key still verifies: the life of an access token and a minute; default: %(default)g",
    )
    parser.add_argument(
        "--published-for",
        type=_seconds,
        default=PUBLISHED_FOR,
        metavar="SECONDS",
        help="how long the next key must have been published: the gateways' refresh interval and a minute; "
        "default: %(default)g",
    )
    parser.add_argument("--force", action="store_true", help="no matter how long the next key has been published")


def _add_remove(verbs: Any) -> None:
    parser = _verb(verbs, "remove", remove, "Take a key out at once, for instance since it was stolen.")
    parser.add_argument("kid", help="its kid, as show says it; after -- if it begins with -")


def _add_show(verbs: Any) -> None:
    parser = _verb(verbs, "show", show, "Show what is in a file, without anything private.")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="as JSON")
    how.add_argument("--jwks", action="store_true", help="the public keys as a JWK Set (RFC 7517)")


def _seconds(text: str) -> float:
    number = float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else math.inf
    if number == math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


def generate(given: Given) -> None:
    """Make a new file. Raises Refused if there is one."""
    now = time.time()
    old = [_secret_of(name) for name in given.secret_from_env]
    keys: list[Key] = [HmacKey(one) for one in old] if given.algorithm == "HS256" else []
    first, *others = keys or [new_key(given.algorithm)]
    previous = [Held(key, "previous", now, now + DEFAULT_OVERLAP.total_seconds()) for key in others]
    held = in_order([Held(first, "current", now), *previous, Held(new_key(given.algorithm), "next", now)], now)
    made = Contents(held, tuple(old or [secrets.token_bytes(MIN_SECRET_BYTES)]))
    try:
        write_key_file(given.file, made, new=True)
    except FileExistsError:
        raise Refused(f"{given.file} is there already, and keys are not overwritten") from None
    _tell(made, now)


def _secret_of(name: str) -> bytes:
    secret = os.environ.get(name, "").encode("utf-8", "surrogateescape")
    if len(secret) < MIN_SECRET_BYTES:
        raise Refused(f"the environment variable {name} holds no secret of {MIN_SECRET_BYTES} bytes or more")
    return secret


def rotate(given: Given) -> None:
    """One step further. Raises Refused while the next key is too young."""
    now = time.time()
    published_for = None if given.force else given.published_for
    change = partial(step, now=now, overlap=given.overlap, published_for=published_for)
    _tell(change_key_file(given.file, change), now)


def remove(given: Given) -> None:
    """Take one out. Raises Refused if it is not there."""
    now = time.time()
    _tell(change_key_file(given.file, partial(without, kid=given.kid, now=now)), now)


def show(given: Given) -> None:
    """Print what is in the file."""
    now, contents = time.time(), read_key_file(given.file)
    if given.jwks:
        public = [one.key.public_jwk() for one in living(contents.held, now)]
        _say(json.dumps({"keys": [jwk for jwk in public if jwk is not None]}, indent=2))
    elif given.json:
        _say(json.dumps([_row(one, now) for one in contents.held], indent=2))
    else:
        _tell(contents, now)


def _row(one: Held, now: float) -> dict[str, str | None]:
    """What is shown of a key."""
    return {
        "kid": one.key.kid,
        "algorithm": one.key.algorithm,
        "state": one.state if one.until > now else "gone",
        "since": _iso(one.since) if one.since else None,
        "until": _iso(one.until) if one.until < math.inf else None,
    }


def _tell(contents: Contents, now: float) -> None:
    """All keys as a table."""
    rows = [_row(one, now) for one in contents.held]
    lines = [tuple(rows[0]), *([value or "-" for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        _say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _iso(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # somebody wrote a time that no calendar has
        return f"{seconds:g}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
