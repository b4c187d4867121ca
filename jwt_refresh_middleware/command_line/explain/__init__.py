"""``explain TOKEN``: what a token says, and what would be refused about it and why."""

from .command import explain

__all__ = ["explain"]
