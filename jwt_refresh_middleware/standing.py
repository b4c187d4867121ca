"""What a session has proven since its login, and what is wanted of it: a value, and how stores keep it."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a session was used, and when last (seconds since the epoch)."""

    ip: str
    last_used_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a session has shown of its person, and what is wanted of it: moves with a step-up, never with a refresh.

    Attributes:
        auth_time: the last step-up, in seconds since the epoch; None if there was none: the login counts.
        amr: how the person authenticated there; empty if that was not said, or there was none.
        acr: the authentication context that was reached there, or at the login; None if that was not said.
        step_up: why more proof is wanted before the session goes on; None if it is not.
        settling: a step-up did not say where it came from, so the next refresh does.
        places: where the session was before, the last one first: at most four.
    """

    auth_time: float | None = None
    amr: tuple[str, ...] = ()
    acr: str | None = None
    step_up: str | None = None
    settling: bool = False
    places: tuple[Place, ...] = ()

    def text(self) -> str:
        """This as a store keeps it: JSON in ASCII, on one line, never empty."""
        places = [[place.ip, place.last_used_at] for place in self.places]
        said = {"t": self.auth_time, "m": self.amr, "c": self.acr, "s": self.step_up, "o": self.settling, "p": places}
        kept = {name: value for name, value in said.items() if value or (name == "t" and value is not None)}
        return json.dumps(kept, separators=(",", ":"))


NO_STANDING = Standing()


def read_standing(text: str | None) -> Standing:
    """What :meth:`Standing.text` has written; nothing, for a session that an older version has kept."""
    if not text or text == "{}":
        return NO_STANDING
    said = json.loads(text)
    return Standing(
        auth_time=said.get("t"),
        amr=tuple(said.get("m", ())),
        acr=said.get("c"),
        step_up=said.get("s"),
        settling=said.get("o", False),
        places=tuple(Place(ip=ip, last_used_at=at) for ip, at in said.get("p", ())),
    )
