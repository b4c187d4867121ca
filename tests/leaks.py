"""No token and no secret in anything that a run of the tests tells: a plugin of pytest, for every run.

It remembers each secret and token that comes to be (``tests/leakage/births.py``), and looks for it in all that is
logged, printed, raised, made an event, an audit entry, a span, a metric, an answer, a document or shown
(``tests/leakage/places.py``); and for what only looks like a token. A test that leaks fails, and is told where and what
kind of secret, never which. ``-p no:leaks`` runs without it. Case J01.
"""

from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from .leakage import births, places
from .leakage.exempt import EXEMPT
from .leakage.processes import Processes
from .leakage.shown import Shown
from .leakage.watching import Leak, Watch

_NAME = "leaks"
_OUTPUT = "leaks"
_KINDS = (
    "log records", "printed lines", "errors", "events", "audit entries", "spans", "metric points", "answers",
    "documents", "reprs",
)  # fmt: skip
_watching: list[Watch] = []


class Leaks:
    """Looks through what each phase of a test has told."""

    def __init__(self) -> None:
        self.watch = Watch()
        self._shown = Shown(self.watch)
        births.watch(self.watch.known)
        places.watch(self.watch)
        self._late = places.Late(self.watch)
        self._processes = Processes(self.watch)
        self._others: Counter[str] = Counter()
        self._file: Path | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        places.watch_hooks(self.watch)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._late.look()
        if item.path != self._file:
            self._file = item.path
            self.watch.known.begin_file()
        self._shown.begin()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        for when, what, text in item._report_sections:
            if when == call.when and what in ("stdout", "stderr"):
                self.watch.counts["printed lines"] += text.count("\n") - 1
                self.watch.note("printed lines", f"what was printed to {what}", text)
        if call.when != "setup":
            self._processes.look()
        leaks = [leak for leak in self.watch.found() if not _is_exempt(item.nodeid, leak)]
        if leaks:
            told = "\n".join(["Something secret was told (see tests/leaks.py):", *map(str, leaks)])
            report.sections.append(("leaks", told))
            if report.outcome != "failed":
                report.outcome, report.longrepr = "failed", told
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_OUTPUT] = {**self.watch.counts, "secrets": self.watch.known.count}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._others.update(getattr(node, "workeroutput", {}).get(_OUTPUT, {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        counts = self._others or self.watch.counts | Counter(secrets=self.watch.known.count)
        looked = ", ".join(f"{counts[kind]} {kind}" for kind in _KINDS)
        terminalreporter.write_line(f"leaks: looked for {counts['secrets']} secrets and tokens in {looked}")


def _is_exempt(test: str, leak: Leak) -> bool:
    return any(test.startswith(one.test) and leak.place.startswith(one.place) for one in EXEMPT)


def pytest_configure(config: pytest.Config) -> None:
    """For ``-p tests.leaks``."""
    configure(config)


def configure(config: pytest.Config) -> None:
    """Watch this run, unless it was said not to. What is watched stays so: the process is for tests only."""
    manager = config.pluginmanager
    if not manager.is_blocked(_NAME) and not manager.has_plugin(_NAME) and not _watching:
        made = Leaks()
        _watching.append(made.watch)
        manager.register(made, _NAME)
