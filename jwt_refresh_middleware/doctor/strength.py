"""How hard a secret is to guess: an estimate that never flatters what people type."""

import math
import re

ENOUGH_BITS = 80
"""What is below was hardly made by a random generator. Eight words drawn from a list are above, and so are 128 bits."""

KNOWN = frozenset(
    {
        "a secret of at least thirty-two bytes",
        "a secret of more than thirty-two bytes, for tests",
        "your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "secret-key-of-at-least-32-bytes-long",
    }
)
"""Secrets of documentation: ours, that of jwt.io, and the one of FastAPI's tutorial. Everybody has them."""

_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_PAIRS = (
    "thheineranrendatonnthaesstenedtoitoueahiisortiasteetngofaldeselesasiarveraldurrocomeneriioicllbemace"
    "chelomusutnowataecsscahopegetrlaeeilliwesounfodiolamacnslootiekeowwipopremairstseyayidimopryystymyby"
    "ckshabadagapblbrclcrdrfrgrplspsuupulum"
)
_COMMON_PAIRS = frozenset(_PAIRS[at : at + 2] for at in range(0, len(_PAIRS), 2))
"""Letters that follow each other in English: four of five pairs in a text, one of five by chance."""
_WORDS = (
    "a an and app application at auth be bits by bytes certainly change default dev django example "
    "fastapi for from goes here in insecure is it jwt key keys least local long me more my new not of on "
    "only or pass password production sample secret secrets should sign signing string super test tests "
    "than that the these thirty this to token tokens two use very with your "
)
_FILLERS = frozenset(_WORDS.split())
"""What stands in any sentence, and what people write when they are asked for a secret."""
_MARKED = "django-insecure-"  # what Django generates says of itself that it is not for production
_BITS_OF_A_WORD = 11.0  # one of two thousand
_BITS_OF_A_FILLER = 2.0


def bits(secret: bytes) -> float:
    """About how many bits of chance are in ``secret``; 0 for one that is published."""
    text = secret.decode("utf-8" if secret.isascii() else "latin-1")
    if text.strip() in KNOWN or text.startswith(_MARKED):
        return 0.0
    return min(_by_characters(text), _by_words(text))


def _by_characters(text: str) -> float:
    """Each character counts that neither goes on with a row nor with something that was there before."""
    seen: set[str] = set()
    counted = 0
    for end in range(1, len(text) + 1):
        ending = text[max(0, end - 3) : end]
        if ending not in seen and not _is_a_row(ending.lower()):
            counted += 1
        if len(ending) == 3:
            seen.add(ending)
    return counted * math.log2(max(1, len(set(text))))


def _is_a_row(three: str) -> bool:
    if len(three) < 3:
        return False
    return len(set(three)) == 1 or any(three in row or three[::-1] in row for row in _ROWS)


def _by_words(text: str) -> float:
    """A sentence is as good as its words, each of them once; infinity if it is none."""
    words = [word.lower() for word in re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z][a-z])", text) if word]
    letters = sum(map(len, words))
    pairs = [word[at : at + 2] for word in words for at in range(len(word) - 1)]
    common = sum(pair in _COMMON_PAIRS for pair in pairs)
    if letters < 0.6 * len(text) or len(pairs) < 10 or common < 0.6 * len(pairs):
        return math.inf
    fillers = sum(word in _FILLERS for word in {*words})
    others = max(
        len({*words}) - fillers, letters / 7 - len(words)
    )  # a run of words without spaces counts by its length
    left = {character for character in text if not character.isalpha()}
    return others * _BITS_OF_A_WORD + fillers * _BITS_OF_A_FILLER + len(left) * 2.0
