"""What a device is called in a list for people: "Firefox on Linux". The only importer of ua_parser."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from .devices import agent_family
from .sessions import MAX_USER_AGENT

if TYPE_CHECKING:
    from ua_parser import PartialResult, Resolver

MAX_LABEL = 80
"""Characters of a label."""
_REMEMBERED = 4096  # agents; reading one takes about a millisecond
_VARIANT = re.compile(r" ?(?:Mobile|iOS|WebView|UI/WKWebView)\b")  # a phone's Chrome is called Chrome
_APPLE = re.compile(r"iPhone|iPad|iPod")
_SYSTEMS = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}  # as they are called today


def device_label(user_agent: str | None) -> str | None:
    """A name for the device that sent this ``User-Agent``: ``Safari on iPhone``, ``curl``; None if it says nothing.

    With ua-parser (extra ``devices``) the program and the system; without it the program alone. Raises nothing.

    The label is at most 80 printable characters on one line, but it is made of what a client has sent: a page
    escapes it, as any text. It is for reading: nothing is decided by it.

    The first call in a process loads the rules of ua-parser: 100 to 150 ms. Each further agent takes about 1 ms, 5 ms
    if somebody tries, and nothing if it is among the last 4096. A server calls it in a thread: then others wait for
    20 ms at most, once.
    """
    return _label(user_agent[:MAX_USER_AGENT]) if user_agent else None


@lru_cache(maxsize=_REMEMBERED)
def _label(agent: str) -> str | None:
    found = _parsed(agent)
    program, system = _program(agent, found), _system(agent, found)
    return _clean(" on ".join(filter(None, (program, system)))) or None


@lru_cache(maxsize=1)
def _rules() -> "Resolver | None":
    try:
        from ua_parser import BasicResolver, load_lazy_builtins
    except ImportError:
        return None
    # its own parser would compile all rules at once, those for the makes of phones too: twice the time
    return BasicResolver(load_lazy_builtins())


def _parsed(agent: str) -> "PartialResult | None":
    rules = _rules()
    if rules is None:
        return None
    from ua_parser import Domain

    return rules(agent, Domain.USER_AGENT | Domain.OS)


def _program(agent: str, found: "PartialResult | None") -> str:
    """The browser; of another program the name that it gives itself, which is the one to be recognised by."""
    if found is not None and found.user_agent is not None and agent.startswith(("Mozilla/", "Opera/")):
        return _VARIANT.sub("", found.user_agent.family).strip()
    family = agent_family(agent)
    return "" if family == "Mozilla" else family  # every browser says that


def _system(agent: str, found: "PartialResult | None") -> str:
    if found is None or found.os is None:
        return ""
    if found.os.family == "iOS" and (apple := _APPLE.search(agent)):
        return apple[0]
    return _SYSTEMS.get(found.os.family, found.os.family)


def _clean(label: str) -> str:
    printable = " ".join("".join(char if char.isprintable() else " " for char in label).split())
    return printable if len(printable) <= MAX_LABEL else printable[: MAX_LABEL - 1].rstrip() + "…"
