"""Importing the app once more, in another process: are its keys the same there?

The processes compare fingerprints under a key that is made for this one comparison and never shown, over a pipe.
"""

import hmac
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from .loading import CannotExamine, load
from .subject import Subject, subjects
from .walking import CannotBuild

_PATIENCE = 120


def other_keys(found: Sequence[Subject], target: str, *, app_dir: str, factory: bool) -> list[bool]:
    """For each middleware whether another process has other keys; all False if that process fails."""
    key = secrets.token_hex(32)
    question = {"target": target, "app_dir": app_dir, "factory": factory, "key": key}
    here = [fingerprint(subject, key) for subject in found]
    try:
        answer = subprocess.run(  # noqa: S603  this interpreter, with this module
            [sys.executable, "-m", __name__],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
        there = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        there = here
    if len(there) != len(here):
        there = here
    return [one != other for one, other in zip(here, there, strict=True)]


def fingerprint(subject: Subject, key: str) -> str:
    """What stands for the keys of one middleware; without ``key`` it tells nothing about them."""
    ring = subject.settings.verifier.keys
    content = [secret.hex() for secret in ring.secrets] + [one.kid for one in ring.keys]
    return hmac.digest(key.encode(), json.dumps(content).encode(), "sha256").hex()


def main() -> int:
    """Answer the question on standard input; what the app prints goes elsewhere."""
    question = json.load(sys.stdin)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        try:
            app = load(question["target"], app_dir=question["app_dir"], factory=question["factory"])
            answer = [fingerprint(subject, question["key"]) for subject in subjects(app)]
        except (CannotExamine, CannotBuild):
            return 1
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
