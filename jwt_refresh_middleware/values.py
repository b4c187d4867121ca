"""Values: lengths of time that are checked, and frozen values made fast where thousands a second are made."""

from dataclasses import fields, make_dataclass
from datetime import timedelta
from typing import Any


def seconds(value: timedelta, name: str, *, least: float, most: float = float("inf")) -> float:
    """``value`` in seconds. Raises ValueError, with the option's ``name``, outside of ``least`` and ``most``."""
    length = value.total_seconds()
    if not least <= length <= most:
        limits = f"at least {least:g} s" if most == float("inf") else f"between {least:g} s and {most:g} s"
        raise ValueError(f"{name} must be {limits}, not {length:g} s")
    return length


def open_twin(cls: type) -> Any:
    """A class with the fields of ``cls``, positional and not frozen: fill one, then set its ``__class__`` to ``cls``.

    ``cls`` is a frozen, slotted dataclass. Its own ``__init__`` has to go around its own ``__setattr__`` for every
    field, which takes six times as long. A ``__post_init__`` is not called: the values must be as it leaves them.
    """
    return make_dataclass(
        f"_Open{cls.__name__}", [field.name for field in fields(cls)], slots=True, bases=cls.__bases__
    )
