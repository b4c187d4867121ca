"""Refused and Failed: what a command does not do, and what it cannot do. Their messages are shown as they are."""


class Refused(Exception):
    """A command was understood and not carried out; the message says why. Its exit code is 2."""


class Failed(Exception):
    """A command could not be carried out; the message says why, and holds no secret. Its exit code is 1."""
