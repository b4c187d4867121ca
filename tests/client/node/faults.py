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
STEP_UP, SU = "step-up.test.js", "step-up.js"
AUTHORIZED = r'headers\.has\("Authorization"\) \? null : '

IN_NODE = [
    Fault("no eras", r"era\.abort\(\);\s*era = new AbortController\(\);", "", ENDINGS, "logout while"),
    Fault("no single flight", r"flight \?\?= attempt", "flight = attempt", FLOW, "20 requests in parallel"),
    Fault("no rule for a late 401", r"if \(token === old\) \{", "if (true) {", FLOW, "a 401 that is late"),
    Fault(
        "repeated twice",
        r"send\(old, asked \+ 0\.5\)",
        "send(old, (again ?? -1) + 0.5)",
        FLOW,
        "an endpoint that always",
    ),
    Fault("to every origin", r"if \(!\[base\.origin, [^\n]* return null;", "", FLOW, "the token goes to"),
    Fault("over the caller's own", AUTHORIZED, "", FLOW, "an Authorization that the caller gave"),
    Fault("a stream sent again", r" \|\| init\.body\?\.getReader", "", FLOW, "a ReadableStream"),
    Fault(
        "snake_case only", r"access_token, accessToken = access_token", "access_token: accessToken", FLOW, "camelCase"
    ),
    Fault(
        "no event for a step-up", r'if \(error\?\.action === "step_up"\) await[^\n]*', "", FLOW, "a step-up is an event"
    ),
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
    Fault("a timeout that is collected", r"wait = AbortSignal", "AbortSignal", ENDINGS, "the timeout is not"),
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
    Fault(
        "a request does not wait for the step-up",
        r'await (emit\("stepup", error\);\n\t\t\tif)',
        r"\1",
        STEP_UP,
        "a request that is",
    ),
    Fault("no step-up after a refresh", r"asked \+ 0\.5", "2", STEP_UP, "a token that is over"),
    Fault("a step-up after a step-up", r"asked \+ 0\.5", "0.5", STEP_UP, "refused even with"),
    Fault("no step-up after a late 401", r" && token === old;\n", ";\n", STEP_UP, "refused with a token that"),
    Fault("ended by a step-up", r' && error\.action !== "step_up"', "", STEP_UP, "a refresh that is refused"),
    Fault("a live token waits", r"token \|\| again \|\| ", "", STEP_UP, "a refresh that nobody"),
    Fault("a timer asks", r"again \|\| stepUp", "stepUp", STEP_UP, "who gave up is not asked"),
    Fault("failures count on", r"failures = after = 0;", "failures = 0;", STEP_UP, "after a step-up no refresh"),
    Fault("a step-up of no session", r'"/step-up", true', '"/step-up"', STEP_UP, "the transport body"),
    Fault("each request asks", r"asking \?\?= begin", "asking = begin", STEP_UP, "ten requests at once", SU),
    Fault("nothing is credentials", r'if \(!credentials\) return "ended";', "", STEP_UP, "the person gives up \\(", SU),
    Fault("a wrong password is the end", r"error = failure;", 'return "ended";', STEP_UP, "a wrong password", SU),
    Fault("other tabs are not heard", r'asking\.stop\.abort\("elsewhere"\)', "0", STEP_UP, "proven elsewhere: the", SU),
    Fault("any new token will do", r" && proof\(token\) !== proof\(used\)", "", STEP_UP, "proven elsewhere: the", SU),
    Fault("any context will do", r"!problem\.acr_values \|\| ", "true || ", STEP_UP, "another context", SU),
    Fault(
        "every token has to say more", r"if \(problem instanceof Error\) return true;", "", STEP_UP, "is met by any", SU
    ),
    Fault(
        "a dialog outlives the session",
        r'\(\) => asking\?\.stop\.abort\("ended"\)',
        "() => {}",
        STEP_UP,
        "a logout while",
        SU,
    ),
    Fault("a dialog is not told", r"one\.stop\.abort\(\);", "", STEP_UP, "the person gives up \\(", SU),
    Fault("asked after the end", r'error\.action === "login"', "false", STEP_UP, "the session turns out", SU),
    Fault("stays attached", r"stops\.forEach[^\n]*", "", STEP_UP, "taken off: nobody", SU),
]
