"""Secrets: whether they can be guessed, and whether others have them. What is found never tells what they are."""

import sys
from collections.abc import Iterator
from hmac import compare_digest
from typing import Any

from .circumstances import Circumstances
from .findings import Check, Finding
from .strength import ENOUGH_BITS, KNOWN, bits
from .subject import Subject

WEAK = Check(
    id="secret.weak",
    severity="error",
    what="A secret can be guessed: it is published somewhere, a sentence, a row of the keyboard, or repeats itself.",
    why="Whoever has one access token tries out secrets without asking anybody, billions a second; with the right one "
    "they are everybody.",
    advice="Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
)
SHARED = Check(
    id="secret.shared",
    severity="warning",
    what="The secret is used for something else too: for Starlette's or Quart's sessions, as Django's `SECRET_KEY`, "
    "or in an environment variable of another name.",
    why="What leaks there opens the door here, and neither can be changed without the other.",
    advice="Give each its own secret.",
)
GATEWAY = Check(
    id="secret.gateway",
    severity="warning",
    what="A gateway checks tokens with a shared secret (HS256).",
    why="What can check can sign: whoever gets into the gateway is everybody, everywhere.",
    advice="Sign with a key pair (KeyRing.from_file) and give gateways Verifier.from_jwks_url.",
)
CHECKS = (WEAK, SHARED, GATEWAY)


def look(subject: Subject, circumstances: Circumstances) -> Iterator[Finding]:
    """What is wrong with the secrets of one middleware."""
    ring = subject.settings.verifier.keys
    shared = subject.shared_secrets
    secrets = [*dict.fromkeys([*shared, *ring.secrets])] if shared else []
    for secret in secrets:
        if bits(secret) < ENOUGH_BITS:
            known = secret.decode("utf-8", "replace").strip() in KNOWN
            said = "the secret is one of documentation" if known else "the secret looks like something people type"
            yield WEAK.found(said, subject.where)
        if users := [*_users(secret, subject, circumstances)]:
            yield SHARED.found(f"the same secret: {', '.join(users)}", subject.where)
    if subject.is_gateway and shared:
        yield GATEWAY.found("this gateway holds the secret that tokens are signed with", subject.where)


def _users(secret: bytes, subject: Subject, circumstances: Circumstances) -> Iterator[str]:
    """Who else has it, by name."""
    for layer in (*subject.outside, *subject.inside):
        if any(_is(other, secret) for other in _secrets_of(layer)):
            yield type(layer).__name__
    settings: Any = getattr(sys.modules.get("django.conf"), "settings", None)
    if settings is not None and settings.configured and _is(getattr(settings, "SECRET_KEY", None), secret):
        yield "Django's SECRET_KEY"
    names = sorted(name for name, value in circumstances.environ.items() if _is(value, secret))
    if len(names) > 1:
        yield " and ".join(names)


def _secrets_of(layer: Any) -> Iterator[Any]:
    """What sessions are signed with: Starlette's keep a signer, Quart a setting; others keep their text."""
    yield from getattr(getattr(layer, "signer", None), "secret_keys", ())
    yield getattr(layer, "secret_key", None)


def _is(other: Any, secret: bytes) -> bool:
    if isinstance(other, str):
        other = other.encode("utf-8", "surrogateescape")
    return isinstance(other, bytes) and compare_digest(other, secret)
