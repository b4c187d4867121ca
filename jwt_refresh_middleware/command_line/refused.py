"""Refused: what a command does not do."""


class Refused(Exception):
    """A command was understood and not carried out; the message says why. Its exit code is 2."""
