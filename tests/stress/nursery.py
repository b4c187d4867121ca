"""Server processes that start in milliseconds: forked from one that has imported everything, and nothing else yet.

``python -m tests.stress.nursery <socket>`` is that process. For every message, a :class:`Setup` and a listening socket,
it answers with the handle of a new process; at the end of the conversation it ends them all.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from .server import Setup, serve

_ROOT = Path(__file__).parents[2]
_MESSAGE = 65_536


class Nursery:
    """Our end of the conversation."""

    def __init__(self, control: socket.socket, log: Path) -> None:
        self._control = control
        self.log = log

    def fork(self, setup: Setup, listening: socket.socket) -> int:
        """A new server; returns its handle (a pidfd), which is the caller's to close."""
        socket.send_fds(self._control, [json.dumps(asdict(setup)).encode()], [listening.fileno()])
        answer, handles, *_ = socket.recv_fds(self._control, _MESSAGE, 1)
        if not answer:
            raise RuntimeError(f"the nursery died:\n{self.log.read_text()[-2000:]}")
        return handles[0]


@contextmanager
def nursery(log: Path) -> Iterator[Nursery]:
    """A nursery whose servers write to ``log``."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", __name__, str(theirs.fileno())]
    with ours, log.open("ab") as written:
        with theirs:  # a session of its own: Ctrl-C is for us, and we end the servers in good order
            process = subprocess.Popen(
                command, cwd=_ROOT, pass_fds=[theirs.fileno()], stdout=written, stderr=written, start_new_session=True
            )
        try:
            yield Nursery(ours, log)
        finally:
            ours.close()
            process.wait(30)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    handles: list[int] = []
    while True:
        message, listening, *_ = socket.recv_fds(control, _MESSAGE, 1)
        _reap()
        if not message:
            break
        pid = os.fork()
        if pid == 0:
            control.close()
            for handle in handles:
                os.close(handle)
            try:
                serve(Setup(**json.loads(message)), socket.socket(fileno=listening[0]))
            finally:  # nothing of the nursery's is this process's to finish
                sys.stderr.flush()
                os._exit(0)
        os.close(listening[0])
        handles.append(os.pidfd_open(pid))
        socket.send_fds(control, [str(pid).encode()], handles[-1:])
    for handle in handles:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)


if __name__ == "__main__":
    main()
