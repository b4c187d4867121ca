"""jose, the library of Node services, from Python: one process of Node answers all calls."""

import json
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..client.node.running import MODULES, absent, node

_SCRIPT = Path(__file__).with_name("jose_calls.mjs")
_PATIENCE = 60.0


class Refused(Exception):
    """What jose threw; the text is its code, such as ``ERR_JWS_SIGNATURE_VERIFICATION_FAILED``."""


class Jose:
    """The process, for as long as the block lasts."""

    def __enter__(self) -> Self:
        if not (MODULES / "jose").is_dir():
            absent("npm ci --prefix tests/client")
        pipe = subprocess.PIPE
        self._node = subprocess.Popen([node(), str(_SCRIPT)], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._node.communicate(timeout=_PATIENCE)
        finally:
            self._node.kill()
            self._node.wait()

    def ask(self, call: str, **options: Any) -> Any:
        """The value of a call in jose_calls.mjs. Raises Refused."""
        assert self._node.stdin and self._node.stdout and self._node.stderr
        watchdog = threading.Timer(_PATIENCE, self._node.kill)
        watchdog.start()
        try:
            self._node.stdin.write(json.dumps({"call": call} | options) + "\n")
            self._node.stdin.flush()
            line = self._node.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, self._node.stderr.read()
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer.get("value")
