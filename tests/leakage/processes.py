"""What is watched of other processes that tests start: what they print into files and pipes."""

import os
import shutil
import subprocess
from typing import Any

from .births import after
from .watching import Watch


class Processes:
    """Reads the files that processes print into, as far as they were not read yet."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._read: dict[str, int] = {}
        after(subprocess.Popen, "__init__", self._began)
        after(subprocess.Popen, "communicate", self._told)
        remove = shutil.rmtree

        def remove_after_reading(path: Any, *args: Any, **named: Any) -> None:
            self.look(under=os.fspath(path))
            remove(path, *args, **named)

        shutil.rmtree = remove_after_reading  # type: ignore[assignment]

    def _began(self, _: None, __: Any, *___: Any, **named: Any) -> None:
        for where in (named.get("stdout"), named.get("stderr")):
            name = getattr(where, "name", None)
            if isinstance(name, str) and os.path.isfile(name):
                self._read.setdefault(os.path.abspath(name), 0)

    def _told(self, said: tuple[Any, Any], process: Any, *_: Any, **__: Any) -> None:
        for text in said:
            if text:
                self._note(text if isinstance(text, str) else text.decode("utf-8", "replace"))

    def look(self, under: str | bytes = "") -> None:
        """Read what is new, in the files of one directory or in all of them."""
        start = os.fsdecode(under)
        for path, read in [*self._read.items()]:
            if path.startswith(start):
                try:
                    with open(path, "rb") as file:
                        file.seek(read)
                        new = file.read()
                except OSError:
                    self._read.pop(path, None)
                    continue
                if new:
                    self._read[path] = read + len(new)
                    self._note(new.decode("utf-8", "replace"))

    def _note(self, text: str) -> None:
        self._watch.counts["printed lines"] += text.count("\n") - 1
        self._watch.note("printed lines", "what another process has printed", text)
