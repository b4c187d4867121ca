"""Throw-away database servers: on free ports, in a temporary directory, ended by their own process id."""

import glob
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

_PATIENCE = 60.0


def free_port() -> int:
    """A port nobody listens on, from below those that the system gives to clients: it is still free after a restart."""
    while True:
        port = random.SystemRandom().randrange(11_000, 21_000)
        with socket.socket() as listening, suppress(OSError):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", port))
            return port


def listening_socket(backlog: int = 128) -> socket.socket:
    """What a server of ours is given to listen at, on a free port of loopback.

    asyncio lets nothing wait for an acknowledgement (``TCP_NODELAY``), but only on sockets that it has made itself: on
    this one each answer in two writes would be late by the 40 ms in which the client's system acknowledges the first.
    """
    made = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def program(name: str) -> str | None:
    """Where a program is, also where Debian puts it outside of PATH."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    return found or next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), None)


class DatabaseServer:
    """One server process with data of its own, which outlive its end until the object is closed.

    ``with`` starts it and removes everything afterwards. In between :meth:`kill`, :meth:`stop` and :meth:`start` may
    follow each other in any order.
    """

    programs: ClassVar[tuple[str, ...]]
    account: ClassVar[str] = ""
    """What it runs as where the tests run as root, which it refuses."""
    end: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, *options: str) -> None:
        self.options = options
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="jrm-"))
        self.process: subprocess.Popen[bytes] | None = None
        self._log = (self.directory / "log").open("ab")

    @classmethod
    def missing(cls) -> str:
        """Why there can be no such server here; empty if there can."""
        absent = [name for name in cls.programs if program(name) is None]
        return f"{', '.join(absent)} not installed" if absent else ""

    def __enter__(self) -> Self:
        try:
            self._as_its_account()
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.kill()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def prepare(self) -> None:
        """Make what the server needs before its first start."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start with the data that there are; returns when the server answers."""
        self.process = subprocess.Popen(
            self.command(),
            cwd=self.directory,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            **self._user(),
        )
        deadline = time.monotonic() + _PATIENCE
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.command()[0]} did not start:\n{(self.directory / 'log').read_text()[-2000:]}"
                )
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, to its children too (they are in its session); returns when it is gone."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """An orderly end that does not wait for clients."""
        self._signal(self.end)

    def pause(self) -> None:
        """It hangs from now on: connections stay, nothing is answered."""
        self._to_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._to_all(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        if number is signal.SIGKILL:
            self.process = process
            self._to_all(number)
            self.process = None
        else:
            process.send_signal(number)
        process.wait(_PATIENCE)

    def _to_all(self, number: signal.Signals) -> None:
        """To the server and its children, which it started with sessions of their own or not."""
        if self.process is None:
            return
        for pid in [*_children(self.process.pid), self.process.pid]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def run(self, *command: str, **options: Any) -> str:
        """Run a program as the server's account; returns what it printed."""
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.directory, **self._user(), **options
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def _user(self) -> Mapping[str, Any]:
        if os.getuid() != 0 or not self.account:
            return {}
        account = pwd.getpwnam(self.account)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _as_its_account(self) -> None:
        if os.getuid() == 0 and self.account:
            account = pwd.getpwnam(self.account)
            os.chown(self.directory, account.pw_uid, account.pw_gid)


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in listed.split()]


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


class Redis(DatabaseServer):
    """Redis with an append-only file, written through at every write unless ``options`` say otherwise."""

    programs = ("redis-server",)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        fixed = ["--port", f"{self.port}", "--bind", "127.0.0.1", "--dir", f"{self.directory}", "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always"]
        return [program("redis-server") or "", *fixed, *durable, *self.options]

    def is_ready(self) -> bool:
        return b"+PONG" in self.say("PING")

    def say(self, command: str) -> bytes:
        """One inline command and what came back; empty if nobody answers. For the tests' own needs."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(2)
                connection.sendall(command.encode() + b"\r\n")
                return connection.recv(65_536)
        except OSError:
            return b""


class RedisCluster:
    """Three masters that share the slots among them."""

    missing: Callable[[], str] = Redis.missing

    def __init__(self, *options: str) -> None:
        self.nodes = [Redis("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", *options) for _ in range(3)]

    @property
    def url(self) -> str:
        return self.nodes[0].url

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.__enter__()
            for number, node in enumerate(self.nodes):
                first, last = number * 16_384 // 3, (number + 1) * 16_384 // 3 - 1
                node.say(f"CLUSTER ADDSLOTSRANGE {first} {last}")
                node.say(f"CLUSTER SET-CONFIG-EPOCH {number + 1}")
            for node in self.nodes[1:]:
                node.say(f"CLUSTER MEET 127.0.0.1 {self.nodes[0].port}")
            deadline = time.monotonic() + _PATIENCE
            while not all(self._is_whole(node) for node in self.nodes):
                if time.monotonic() > deadline:
                    raise RuntimeError("the cluster's nodes did not find each other")
                time.sleep(0.05)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    @staticmethod
    def _is_whole(node: Redis) -> bool:
        info = node.say("CLUSTER INFO")
        return b"cluster_state:ok" in info and b"cluster_slots_ok:16384" in info and b"cluster_known_nodes:3" in info


class Postgres(DatabaseServer):
    """PostgreSQL as it comes, but for the number of connections."""

    programs = ("initdb", "postgres")
    account = "postgres"
    end = signal.SIGINT

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://tests@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        locale = ["-E", "UTF8", "--no-locale"]
        self.run(program("initdb") or "", "-D", f"{self.directory}/data", "-U", "tests", "-A", "trust", "-N", *locale)

    def command(self) -> list[str]:
        place = ["-D", f"{self.directory}/data", "-p", f"{self.port}", "-k", f"{self.directory}"]
        settings = ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"]
        more = [part for option in self.options for part in ("-c", option)]
        return [program("postgres") or "", *place, *settings, *more]

    def is_ready(self) -> bool:
        """Whether it takes a session, not only a connection: after a crash it recovers first."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(2)
                words = b"user\0tests\0database\0postgres\0\0"
                connection.sendall((len(words) + 8).to_bytes(4, "big") + b"\x00\x03\x00\x00" + words)
                return connection.recv(1) == b"R"
        except OSError:
            return False


class MariaDB(DatabaseServer):
    """MariaDB as it comes."""

    programs = ("mariadb-install-db", "mariadbd")
    account = "mysql"

    @property
    def url(self) -> str:
        return f"mysql+asyncmy://tests@127.0.0.1:{self.port}/tests?charset=utf8mb4"

    def prepare(self) -> None:
        install = program("mariadb-install-db") or ""
        self.run(
            install,
            "--no-defaults",
            f"--datadir={self.directory}/data",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
            # One that starts removes the temporary tables of others.
            env={**os.environ, "TMPDIR": f"{self.directory}"},
        )
        (self.directory / "setup.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS tests;\nCREATE USER IF NOT EXISTS tests@127.0.0.1;\n"
            "GRANT ALL ON *.* TO tests@127.0.0.1;\n"
        )

    def command(self) -> list[str]:
        place = [f"--datadir={self.directory}/data", f"--port={self.port}", f"--socket={self.directory}/socket"]
        bounds = [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--pid-file={self.directory}/pid",
            f"--tmpdir={self.directory}",
            "--max-connections=400",
        ]
        return [
            program("mariadbd") or "",
            "--no-defaults",
            *place,
            *bounds,
            f"--init-file={self.directory}/setup.sql",
            *self.options,
        ]

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(2)
                return len(connection.recv(5)) == 5
        except OSError:
            return False
