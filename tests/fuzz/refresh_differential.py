"""Whatever refresh token we accept, itsdangerous itself accepts with the same key and the same content."""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from random import Random

from itsdangerous import BadSignature, Signer

from jwt_refresh_middleware import KeyRing
from jwt_refresh_middleware.errors import RefreshInvalid
from jwt_refresh_middleware.keys import derived
from jwt_refresh_middleware.refresh import RefreshSigner

from .forging import b64
from .mutations import another_text_of, odd_bytes

SECRETS = ("the newest secret of the fuzzers, over 32 bytes", "the older secret of the fuzzers, over 32 bytes")
_SALT = b"jwt_refresh_middleware.refresh-token"


def _theirs(secret: bytes, salt: bytes = _SALT) -> Signer:
    key = derived(secret, salt)
    return Signer(key, salt=salt, key_derivation="none", digest_method=hashlib.sha256)


THEIRS = [_theirs(secret.encode()) for secret in SECRETS]
STRANGER = _theirs(b"a secret that nobody has told us, over 32 bytes")
ELSEWHERE = _theirs(SECRETS[0].encode(), b"another purpose")


def _content(rng: Random) -> bytes:
    generation = rng.choice([0, 1, 2**48 - 1, rng.getrandbits(48)])
    return b"\x01" + rng.randbytes(32) + generation.to_bytes(6, "big")


def untouched(rng: Random, signer: Signer) -> bytes:
    return signer.sign(b64(_content(rng)))


def another_content(rng: Random, signer: Signer) -> bytes:
    """Signed as ours, but of another version or length."""
    raw = _content(rng)
    return signer.sign(b64(rng.choice([b"\x02" + raw[1:], b"\0" + raw[1:], raw[:-1], raw + b"\0", raw[:33], b""])))


def another_spelling_of_the_content(rng: Random, signer: Signer) -> bytes:
    return signer.sign(another_text_of(rng, b64(_content(rng))))


def another_spelling_of_the_signature(rng: Random, signer: Signer) -> bytes:
    payload, _, signature = signer.sign(b64(_content(rng))).rpartition(b".")
    return payload + b"." + another_text_of(rng, signature)


def bytes_of_the_token(rng: Random, signer: Signer) -> bytes:
    return odd_bytes(rng, untouched(rng, signer))


def bytes_of_the_content(rng: Random, signer: Signer) -> bytes:
    return signer.sign(odd_bytes(rng, b64(_content(rng))))


def of_somebody_else(rng: Random, signer: Signer) -> bytes:
    return untouched(rng, rng.choice([STRANGER, ELSEWHERE]))


def spliced(rng: Random, signer: Signer) -> bytes:
    one, two = untouched(rng, signer), untouched(rng, rng.choice(THEIRS))
    return rng.choice([one[:52] + two[52:], two + one, one + b"." + two, one[:53] + one[:43], two[53:] + b"." + one])


def cut_or_grown(rng: Random, signer: Signer) -> bytes:
    token = untouched(rng, signer)
    return rng.choice([token[: rng.randrange(len(token))], token + rng.choice([b"=", b" ", b"\n", b"."]), b" " + token])


MUTATIONS: tuple[Callable[[Random, Signer], bytes], ...] = (
    untouched, another_content, another_spelling_of_the_content, another_spelling_of_the_signature, bytes_of_the_token,
    bytes_of_the_content, of_somebody_else, spliced, cut_or_grown,
)  # fmt: skip
COLUMNS = ("tokens", "we accept", "itsdangerous accepts", "only we refuse", "**violations**")


@dataclass(slots=True)
class RefreshCounts:
    of: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def total(self, column: str) -> int:
        return sum(count for (_, name), count in self.of.items() if name == column)


def _wrong(ours: RefreshSigner, text: bytes) -> tuple[bool, bool, str]:
    """Whether we accept it, whether they do, and what is wrong with what we have said."""
    said = ""
    for theirs in THEIRS:
        try:
            said = said or theirs.unsign(text).decode("latin-1")
        except BadSignature:
            continue
    try:
        token = ours.read(text.decode("latin-1"))
    except RefreshInvalid:
        return False, bool(said), ""
    if not said:
        return True, False, "itsdangerous refuses it"
    content = b"\x01" + token.handle + token.generation.to_bytes(6, "big")
    if base64.urlsafe_b64decode(said) != content or said.encode() != b64(content):
        return True, True, "itsdangerous reads something else"
    return True, True, ""


def run_refresh(tokens: int, seed: int) -> RefreshCounts:
    """Judge so many refresh tokens; the seed says which."""
    rng, counts = Random(seed), RefreshCounts()
    ours = RefreshSigner(KeyRing.from_secret(SECRETS))
    for _ in range(tokens):
        mutation = rng.choice(MUTATIONS)
        text = mutation(rng, rng.choice(THEIRS))
        we, they, wrong = _wrong(ours, text)
        marks = (True, we, they, they and not we, bool(wrong))
        kind = mutation.__name__.replace("_", " ")
        counts.of.update((kind, name) for name, yes in zip(COLUMNS, marks, strict=True) if yes)
        if wrong:
            counts.violations.append(f"{kind}: {wrong}: {text!r}")
    return counts


def refresh_table(counts: RefreshCounts, seed: int) -> str:
    """The counts in Markdown, a row for each kind of mutation."""
    rows = [("mutation", *COLUMNS), ("---", *["---:"] * len(COLUMNS))]
    for kind in sorted({kind for kind, _ in counts.of}):
        rows.append((kind, *(f"{counts.of[kind, name]:,}" for name in COLUMNS)))
    rows.append(("**all**", *(f"{counts.total(name):,}" for name in COLUMNS)))
    lines = [f"Refresh tokens, seed {seed}, itsdangerous {version('itsdangerous')}", ""]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, *(f"VIOLATION {one}" for one in counts.violations[:20])])
