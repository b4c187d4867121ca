"""How it is found whether two texts have sixteen characters in a row in common."""

WINDOW = 16
"""So many characters of a secret in a row are a leak."""
PIECE = 8
STEP = WINDOW - PIECE + 1
"""Whatever window of a text one takes, one of its pieces that begin at every so many characters is within it."""


def windows(text: str) -> set[str]:
    """Every sixteen characters in a row."""
    return {text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1)}


def pieces(text: str, step: int = 1) -> set[str]:
    """Every eight characters in a row that begin at a multiple of ``step``."""
    return {text[at : at + PIECE] for at in range(0, len(text) - PIECE + 1, step)}
