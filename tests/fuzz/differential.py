"""Whatever we accept, PyJWT and joserfc accept too, and read the same in it; over many mutated tokens, and counted."""

import math
import platform
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from random import Random

from jwt_refresh_middleware.testing import NOW

from .judges import Judge, Verdict, clock_of_pyjwt, joserfc, ours, pyjwt, same, without_warnings
from .mutations import Mutant, mutant

_BATCH = 2000
_KEPT = 20
COLUMNS = (
    "we accept", "PyJWT accepts", "joserfc accepts", "only we refuse", "we refuse, PyJWT accepts",
    "we refuse, joserfc accepts", "explained", "**violations**",
)  # fmt: skip


@dataclass(slots=True)
class Counts:
    """What came of many tokens.

    Attributes:
        of: how many tokens of a kind did what; the columns of the table, ``tokens`` and ``signed``.
        crashes: exceptions that are none of the judge's own, by judge and class.
        violations: the first of the tokens that we judged wrongly, escaped, and why.
        explained: why a token that we accept is refused elsewhere, where we know why.
    """

    of: Counter[tuple[str, str]] = field(default_factory=Counter)
    crashes: Counter[tuple[str, str]] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        self.of += other.of
        self.crashes += other.crashes
        self.explained += other.explained
        self.violations += other.violations

    def total(self, column: str) -> int:
        return sum(count for (_, name), count in self.of.items() if name == column)


def explained(judge: str, us: Verdict, them: Verdict) -> str:
    """Why a judge refuses what is good by the standard; empty if that is not known."""
    expires = us.claims["exp"] if us.claims is not None else 0
    if judge == "PyJWT" and them.reason == "ExpiredSignatureError" and math.floor(expires) <= NOW < expires:
        return "PyJWT rounds a fractional exp down: it is over up to a second early"
    return ""


def _wrong(us: Verdict, others: dict[str, Verdict], counts: Counts) -> list[str]:
    """What is wrong with what we have said."""
    if us.crashed:
        return [f"{us.reason} came out"]
    if us.claims is None or us.token is None:
        return []
    found = []
    for name, them in others.items():
        if them.claims is None:
            reason = explained(name, us, them)
            if reason:
                counts.explained[reason] += 1
            else:
                found.append(f"{name} refuses it: {them.reason}")
        elif not same(us.claims, them.claims):
            found.append(f"{name} reads {them.claims!r}, we read {us.claims!r}")
    said = us.claims
    if (us.token.subject, us.token.token_id, us.token.issued_at, us.token.expires_at) != tuple(
        said[name] for name in ("sub", "jti", "iat", "exp")
    ) or us.token.scopes != tuple(filter(None, said.get("scope", "").split(" "))):
        found.append("the token is not what its claims say")
    return found


def judge_one(one: Mutant, judges: dict[str, Judge], counts: Counts) -> None:
    us = judges["us"](one.ring, one.text)
    others = {name: judges[name](one.ring, one.text) for name in ("PyJWT", "joserfc")}
    accepted = {"we": us.claims is not None} | {name: them.claims is not None for name, them in others.items()}
    wrong = _wrong(us, others, counts)
    marks = {
        "tokens": True,
        "signed": one.signed,
        "we accept": accepted["we"],
        "PyJWT accepts": accepted["PyJWT"],
        "joserfc accepts": accepted["joserfc"],
        "only we refuse": not accepted["we"] and accepted["PyJWT"] and accepted["joserfc"],
        "we refuse, PyJWT accepts": not accepted["we"] and accepted["PyJWT"],
        "we refuse, joserfc accepts": not accepted["we"] and accepted["joserfc"],
        "explained": accepted["we"] and not wrong and not (accepted["PyJWT"] and accepted["joserfc"]),
        "**violations**": bool(wrong),
    }
    counts.of.update((one.kind, name) for name, yes in marks.items() if yes)
    counts.crashes.update((name, v.reason) for name, v in {"us": us, **others}.items() if v.crashed)
    if wrong and len(counts.violations) < _KEPT:
        counts.violations.append(f"{one.kind}, {one.ring}: {'; '.join(wrong)}: {one.text!r}")


def judged(tokens: Iterable[Mutant]) -> Counts:
    counts = Counts()
    judges = {"us": ours(), "PyJWT": pyjwt(), "joserfc": joserfc()}
    with clock_of_pyjwt(), without_warnings():
        for one in tokens:
            judge_one(one, judges, counts)
    return counts


def _batch(seed: int, number: int, size: int) -> Counts:
    rng = Random(f"{seed}/{number}")
    return judged(mutant(rng) for _ in range(size))


def run(tokens: int, seed: int, processes: int = 1) -> Counts:
    """Judge so many tokens: which ones the seed says, however many processes share the work."""
    sizes = [min(_BATCH, tokens - at) for at in range(0, tokens, _BATCH)]
    counts = Counts()
    if processes == 1:
        for number, size in enumerate(sizes):
            counts.add(_batch(seed, number, size))
        return counts
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in pool.map(_batch, [seed] * len(sizes), range(len(sizes)), sizes):
            counts.add(done)
    return counts


def table(counts: Counts, seed: int) -> str:
    """The counts in Markdown, a row for each kind of mutation."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("pyjwt", "joserfc", "cryptography"))
    heads = ("mutation", "tokens", "signed", *COLUMNS)
    rows = [heads, ("---", *["---:"] * (len(heads) - 1))]
    for kind in sorted({kind for kind, _ in counts.of}):
        rows.append((kind, *(f"{counts.of[kind, name]:,}" for name in heads[1:])))
    rows.append(("**all**", *(f"{counts.total(name):,}" for name in heads[1:])))
    lines = [f"Seed {seed}, Python {platform.python_version()}, {versions}", ""]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", *(f"Explained: {count:,} times: {reason}." for reason, count in counts.explained.items())]
    lines += [f"Crash of {judge}: {count:,} times {name}." for (judge, name), count in sorted(counts.crashes.items())]
    return "\n".join([*lines, *(f"VIOLATION {one}" for one in counts.violations)])
