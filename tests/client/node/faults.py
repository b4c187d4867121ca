"""Faults to sow into a copy of the client: a suite that does not notice them does not test what it says."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.client.node.running import CLIENT


class Fault(NamedTuple):
    """``pattern`` is found once in ``source`` and becomes ``instead``; the tests called ``noticed_by`` fail then."""

    name: str
    pattern: str
    instead: str
    file: str
    noticed_by: str
    source: str = "index.js"

    def sow(self, folder: Path) -> Path:
        """A copy of the client with this fault in it."""
        copy = folder / "client"
        shutil.copytree(CLIENT, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        text = (copy / self.source).read_text()
        changed, number = re.subn(self.pattern, self.instead, text)
        assert number == 1, f"{self.name}: found {number} times; the client has changed, write the fault anew"
        (copy / self.source).write_text(changed)
        return copy


FLOW, ENDINGS, AXIOS = "flow.test.js", "endings.test.js", "axios.test.js"
SOCKET, WS = "websocket.test.js", "websocket.js"
AUTHORIZED = r'headers\.has\("Authorization"\) \? null : '

IN_NODE = [
    Fault("no eras", r"era\.abort\(\);\s*era = new AbortController\(\);", "", ENDINGS, "logout while"),
    Fault("no single flight", r"flight \?\?= attempt", "flight = attempt", FLOW, "20 requests in parallel"),
    Fault("no rule for a late 401", r"if \(token === old\) \{", "if (true) {", FLOW, "a 401 that is late"),
    Fault(
        "repeated twice",
        r"return newer \? send\(newer\) : answer",
        "const again = newer ? await send(newer) : answer; return newer && again.status === 401 ? send(newer) : again",
        FLOW,
        "an endpoint that always",
    ),
    Fault("to every origin", r"if \(!\[base\.origin, [^\n]* return null;", "", FLOW, "the token goes to"),
    Fault("over the caller's own", AUTHORIZED, "", FLOW, "an Authorization that the caller gave"),
    Fault("a stream sent again", r" \|\| init\.body\?\.getReader", "", FLOW, "a ReadableStream"),
    Fault(
        "snake_case only", r"answer\.access_token \?\? answer\.accessToken;", "answer.access_token;", FLOW, "camelCase"
    ),
    Fault("no event for a step-up", r'if \(action === "step_up"\) emit[^\n]*', "", FLOW, "a step-up is an event"),
    Fault("the timer goes on", r"autoRefresh = false;", "", FLOW, "dispose"),
    Fault("ended by a 503", r"!error\.temporary && error\.status < 404", "error.status", ENDINGS, "what a refresh is"),
    Fault(
        "ended by any 401",
        r"this\.temporary = [^;]*;",
        "this.temporary = this.status !== 401;",
        ENDINGS,
        "what a refresh is",
    ),
    Fault("repeated as the next person", r" \|\| sid\(token\) !== sid\(old\)", "", ENDINGS, "a request of one person"),
    Fault(
        "used before it is kept",
        r"await store\.saveTokens\?\.\(\)",
        "store.saveTokens?.()",
        ENDINGS,
        "asynchronous store",
    ),
    Fault("no back-off", r"after = now\(\) \+ 1000", "after = 0", ENDINGS, "a server that is down"),
    Fault("Retry-After ignored", r"Math\.min\(error\.retryAfter, 1e6\) \|\| ", "", ENDINGS, "Retry-After"),
    Fault("a clock that jumps", r"performance\.now\(\)", "Date.now()", ENDINGS, "clocks"),
    Fault("renewed at the very end", r"expiresIn - Math\.min\([^)]*\)", "expiresIn", ENDINGS, "29 s before"),
    Fault("a logout that was an end", r" && !flight\) end", ") end", ENDINGS, "a logout is the person's own"),
    Fault("no timeout", r"AbortSignal\.timeout\(timeout \* 1000\)", "era.signal", ENDINGS, "an issuer that never"),
    Fault("a timeout that is collected", r"limit = AbortSignal", "AbortSignal", ENDINGS, "the timeout is not"),
    Fault("no second attempt", r"attempt\(true\)", "attempt()", ENDINGS, "one failure is mended"),
    Fault(
        "sent as it was written",
        r"\.\.\.config, headers, data \}",
        "...config, headers }",
        AXIOS,
        "a transformRequest",
        "axios.js",
    ),
    Fault(
        "axios: no repetition", r"if \(!next\) throw error;", "throw error;", AXIOS, "the token is attached", "axios.js"
    ),
    Fault("axios: stays", r"request\.eject\(attached\);", "", AXIOS, "taken off again", "axios.js"),
    Fault(
        "a socket hears of no new token", r'auth\.on\("refreshed", renew\)', "() => {}", SOCKET, "every new token", WS
    ),
    Fault("a socket outlives the login", r'auth\.on\("signedout", [^\]]*', "() => {}", SOCKET, "a logout closes", WS),
    Fault("a socket goes in circles", r"refresh && !tries", "refresh", SOCKET, "a second 4401", WS),
    Fault("a token twice over a socket", r"fresh && fresh !== token", "fresh", SOCKET, "every new token", WS),
    Fault(
        "a socket is not renewed",
        r"timer = setTimeout\(\(\) => auth.refresh[^;]*;",
        "",
        SOCKET,
        "a new token is asked",
        WS,
    ),
    Fault("a socket comes back unasked", r"reconnect \|\| refresh", "true || refresh", SOCKET, "after 1006", WS),
]
