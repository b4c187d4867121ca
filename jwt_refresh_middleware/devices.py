"""What counts as the same device, and what a change of it does to a refresh."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal, Self

from .sessions import Change, Device

OnChange = Literal["allow", "step_up", "refuse", "revoke"]
Rule = Literal["off", "event", "step_up", "revoke"]

UNSETTLED = "?"
"""A binding that no device satisfies (theirs have a line end in them): every refresh reads the session first."""

_BROWSERS = (  # the most specific first: each of them also names the browsers that it wants to be taken for
    ("Edge", re.compile(r"Edg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"OPR/|OPT/|Opera/")),
    ("Samsung Internet", re.compile(r"SamsungBrowser/")),
    ("Vivaldi", re.compile(r"Vivaldi/")),
    ("Yandex", re.compile(r"YaBrowser/")),
    ("Firefox", re.compile(r"Firefox/|FxiOS/")),
    ("Chrome", re.compile(r"Chrome/|CriOS/|HeadlessChrome/|Chromium/")),
    ("Safari", re.compile(r"Version/.*Safari/")),
)
_REMEMBERED = 4096  # parsing an address takes 15 times as long as the rest of the policy
_OUTCOME = {
    "allow": Change.ALLOWED,
    "step_up": Change.DOUBTED,
    "refuse": Change.REFUSED,
    "revoke": Change.STOLEN,
}
_SEVERITY = (Change.SAME, Change.ALLOWED, Change.DOUBTED, Change.REFUSED, Change.STOLEN)
_RULE = ("off", "event", "step_up", "revoke")


@lru_cache(maxsize=_REMEMBERED)
def agent_family(user_agent: str | None) -> str:
    """The name of a browser, of any other agent the product name before the ``/``; empty if there is no agent."""
    if not user_agent:
        return ""
    if user_agent.startswith(("Mozilla/", "Opera/")):
        for name, pattern in _BROWSERS:
            if pattern.search(user_agent):
                return name
    return user_agent.split("/", 1)[0].strip()


@lru_cache(maxsize=_REMEMBERED)
def network(ip: str | None, ipv4_prefix: int = 24, ipv6_prefix: int = 64) -> str:
    """The network of an address (mapped ones are IPv4), with prefix lengths in bits; other text as it is."""
    normal = address(ip)
    try:
        prefix = ipv6_prefix if ":" in normal else ipv4_prefix
        return str(ip_network(f"{normal}/{prefix}", strict=False)) if normal else ""
    except ValueError:
        return normal


@lru_cache(maxsize=_REMEMBERED)
def address(ip: str | None) -> str:
    """One spelling per address: IPv4-mapped IPv6 as IPv4, no zone, lower case; text that is none as it is."""
    if not ip:
        return ""
    try:
        parsed = ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)


def _agent(compared: str, user_agent: str | None) -> str:
    if compared == "off":
        return ""
    return agent_family(user_agent) if compared == "family" else user_agent or ""


def _place(compared: str, ip: str | None, prefixes: tuple[int, int]) -> str:
    if compared == "off":
        return ""
    return network(ip, *prefixes) if compared == "subnet" else address(ip)


@lru_cache(maxsize=_REMEMBERED)
def _bindings(
    agent_compared: str, user_agent: str | None, ip_compared: str, ip: str | None, prefixes: tuple[int, int]
) -> tuple[str, ...]:
    agent, place = _agent(agent_compared, user_agent), _place(ip_compared, ip, prefixes)
    return tuple({f"{agent}\n{place}": 0, f"\n{place}": 0, f"{agent}\n": 0, "\n": 0})


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePolicy:
    """How a session is bound to the device it began on, and what is watched for.

    The rules compare at a login, and at a refresh from another network than the one before. What they find is told
    (``event``), or asks the person of the session for a proof (``step_up``), or ends it (``revoke``; at a login, where
    the person has just proven who they are, it ends the other sessions).

    Attributes:
        ip: what of the address is compared: ``off``, ``subnet`` or ``exact``. Default ``subnet``.
        on_ip_change: what a difference does at a refresh: ``allow`` (with an event), ``step_up`` (the person has to
            prove who they are, see :meth:`Issuer.step_up`), ``refuse`` or ``revoke`` (ends the session). Default
            ``allow``: phones roam.
        user_agent: what of the agent is compared: ``off``, ``family`` (the browser's name) or ``exact``. Default
            ``family``: versions change by themselves. An agent that was absent at login is not compared.
        on_user_agent_change: as ``on_ip_change``. Default ``refuse``.
        ipv4_prefix, ipv6_prefix: bits of an address that make its network. Default 24 and 64.
        refresh_rate: at most so many rotations of one session in so many seconds, in one process; None for no limit.
            A repeat counts a tenth. Default ``(30, 10)``.
        session_limit: how many sessions a subject may have at once (ASVS 7.1.2). Default None: any number.
        on_session_limit: a login beyond that is refused (``refuse_new``: SessionLimit), or ends the session that began
            first (``end_oldest``). Default ``end_oldest``: a lost device locks nobody out.
        concurrent_networks: a rule: a session, or two of one subject, are used from two networks at once. Default
            ``off``: two devices in two networks are nothing unusual.
        concurrent_window: seconds that a session counts as in use after a refresh. Default 900, the usual life of an
            access token.
        impossible_travel: a rule: a subject is so far from where it was that nobody travels so fast; needs a
            ``locator`` at the issuer. Default ``off``.
        max_speed: what is not travelled faster, in km/h. Default 1000.

    Raises:
        ValueError: an unknown value, or one that cannot work.
    """

    ip: Literal["off", "subnet", "exact"] = "subnet"
    on_ip_change: OnChange = "allow"
    user_agent: Literal["off", "family", "exact"] = "family"
    on_user_agent_change: OnChange = "refuse"
    ipv4_prefix: int = 24
    ipv6_prefix: int = 64
    refresh_rate: tuple[int, float] | None = (30, 10)
    session_limit: int | None = None
    on_session_limit: Literal["refuse_new", "end_oldest"] = "end_oldest"
    concurrent_networks: Rule = "off"
    concurrent_window: float = 900
    impossible_travel: Rule = "off"
    max_speed: float = 1000

    def __post_init__(self) -> None:
        for name, allowed in (
            ("ip", ("off", "subnet", "exact")),
            ("user_agent", ("off", "family", "exact")),
            ("on_ip_change", tuple(_OUTCOME)),
            ("on_user_agent_change", tuple(_OUTCOME)),
            ("on_session_limit", ("refuse_new", "end_oldest")),
            ("concurrent_networks", _RULE),
            ("impossible_travel", _RULE),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if self.refresh_rate is not None and (self.refresh_rate[0] < 1 or self.refresh_rate[1] <= 0):
            raise ValueError("refresh_rate is (at least 1 refresh, more than 0 seconds), or None")
        for name, bits in (("ipv4_prefix", 32), ("ipv6_prefix", 128)):
            if not 1 <= getattr(self, name) <= bits:
                raise ValueError(f"{name} is 1 to {bits} bits, not {getattr(self, name)!r}")
        if self.session_limit is not None and self.session_limit < 1:
            raise ValueError("session_limit is at least 1, or None")
        if not self.concurrent_window > 0 or not self.max_speed > 0:
            raise ValueError("concurrent_window and max_speed are more than 0")

    @classmethod
    def roaming(cls) -> Self:
        """The default: the same browser, from anywhere."""
        return cls()

    @classmethod
    def strict(cls) -> Self:
        """The same browser from the same address; any other address is refused."""
        return cls(ip="exact", on_ip_change="refuse")

    @classmethod
    def off(cls) -> Self:
        """Nothing is compared."""
        return cls(ip="off", user_agent="off")

    def _agent(self, device: Device) -> str:
        return _agent(self.user_agent, device.user_agent)

    def _place(self, device: Device) -> str:
        return _place(self.ip, device.ip, (self.ipv4_prefix, self.ipv6_prefix))

    @property
    def watches_places(self) -> bool:
        """Whether any rule compares where a subject is used."""
        return self.concurrent_networks != "off" or self.impossible_travel != "off"

    def network(self, ip: str | None) -> str:
        """The network of an address, as the rules compare it; empty for none."""
        return network(ip, self.ipv4_prefix, self.ipv6_prefix)

    def binding(self, device: Device) -> str:
        """What a session on ``device`` is bound to: one string, equal exactly if nothing that counts has changed."""
        return self.bindings(device)[0]

    def bindings(self, device: Device) -> tuple[str, ...]:
        """Every binding that ``device`` satisfies: its own, and those of sessions begun without agent or address."""
        # Where only the rules look at places, a session is bound to its network so that a move is not overlooked.
        ip = "subnet" if self.ip == "off" and self.watches_places else self.ip
        prefixes = (self.ipv4_prefix, self.ipv6_prefix)
        return _bindings(self.user_agent, device.user_agent, ip, device.ip, prefixes)

    def same_device(self, bound: Device, seen: Device) -> bool:
        """Whether ``seen`` may be handed a repeat of what ``bound`` was given: the same agent, as compared here."""
        return self._agent(bound) in ("", self._agent(seen))

    def compare(self, bound: Device, seen: Device) -> Change:
        """What it means that a session of ``bound`` is refreshed from ``seen``: the worse of agent and address."""
        agent = Change.SAME if self.same_device(bound, seen) else _OUTCOME[self.on_user_agent_change]
        place = Change.SAME if self._place(bound) in ("", self._place(seen)) else _OUTCOME[self.on_ip_change]
        return max(agent, place, key=_SEVERITY.index)
