"""One event of each kind there is, made from the types of its fields."""

from dataclasses import fields
from typing import Any, get_type_hints

from jwt_refresh_middleware import Device, events
from jwt_refresh_middleware.events import Event


def all_events() -> list[type[Event]]:
    """Every kind of event of the package."""
    named = vars(events).values()  # __subclasses__() has each twice: before and after it got its slots
    return [kind for kind in named if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event]


def make_event(kind: type[Event], text: str = "x", **changes: Any) -> Event:
    """An event with a value for each of its fields, and ``text`` wherever text may be."""
    device = Device(ip=text, user_agent=text)
    values: dict[Any, Any] = {
        float: 1_800_000_000.5,
        int: 7,
        bool: True,
        str: text,
        str | None: text,
        Device: device,
        Device | None: device,
        tuple[str, ...]: (text, text),
    }
    hints = get_type_hints(kind)
    return kind(**{each.name: values[hints[each.name]] for each in fields(kind)} | changes)
