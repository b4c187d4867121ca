"""How commands end. The one place where that is written down; docs/command-line.md has the same list."""

DONE = 0
"""It was done; of ``explain`` and ``doctor``: and nothing was found."""
FAILED = 1
"""It could not be done: a store that does not answer, a file that cannot be read, a package that is not installed."""
REFUSED = 2
"""It was not understood, or understood and not carried out."""
FOUND = 3
"""``explain``: the token would be refused. ``doctor``: something is wrong with the app."""
INTERRUPTED = 130
"""Somebody pressed Ctrl-C."""

IN_WORDS = (
    "Exit codes: 0 done; 1 it could not be done; 2 not understood or refused; "
    "3 explain: the token would be refused, doctor: something was found; 130 interrupted."
)
