"""The same outages with settings that are known to lose writes: what is lost is printed, and is no failure."""

import shutil
import time

from ..servers import DatabaseServer, MariaDB, Postgres, Redis
from .outages import Trial, run
from .report import Result
from .setting import Setting


class LaggingPair(Redis):
    """A primary, and a replica that stops listening; after the fail-over that one serves at the same address."""

    def __init__(self, *options: str) -> None:
        super().__init__("--repl-diskless-sync-delay", "0", *options)
        self.replica = Redis()

    def fall_behind(self) -> None:
        """The replica hears of everything until now, and of nothing from here on."""
        self.replica.start()
        self.replica.say(f"REPLICAOF 127.0.0.1 {self.port}")
        deadline = time.monotonic() + 20
        while not self._is_in_step():
            if time.monotonic() > deadline:
                raise RuntimeError("the replica does not follow")
            time.sleep(0.02)
        self.replica.pause()

    def _is_in_step(self) -> bool:
        """Whether the replica has everything, and has written it to its file as well."""
        replication, persistence = self.replica.say("INFO replication"), self.replica.say("INFO persistence")
        written = b"aof_rewrite_in_progress:0" in persistence and b"aof_rewrite_scheduled:0" in persistence
        return b"master_link_status:up" in replication and written

    def fail_over(self) -> None:
        """What the replica has is what there is from now on; it does not wake up, or it would hear the rest."""
        self.replica.kill()
        shutil.rmtree(self.directory / "appendonlydir")
        shutil.move(self.replica.directory / "appendonlydir", self.directory / "appendonlydir")
        self.start()

    def close(self) -> None:
        self.replica.close()
        super().close()


def _fall_behind(database: DatabaseServer) -> None:
    assert isinstance(database, LaggingPair)
    database.fall_behind()


def _fail_over(database: DatabaseServer) -> None:
    assert isinstance(database, LaggingPair)
    database.fail_over()


_TRIALS = {
    "redis": (
        Trial(
            name="Redis, appendfsync everysec",
            database=lambda: Redis("--appendfsync", "everysec"),
            required=False,
            note="the end of the process loses nothing, since what it wrote is the kernel's by then; a power loss "
            "would lose up to a second of rotations and logouts, which no kill -9 can show",
        ),
        Trial(
            name="Redis, no append-only file",
            database=lambda: Redis("--appendonly", "no"),
            required=False,
            note="a restart loses every session: everybody has to log in again",
        ),
        Trial(
            name="Redis, fail-over to a lagging replica",
            database=LaggingPair,
            before=_fall_behind,
            restart=_fail_over,
            required=False,
            note="what the replica had not heard is lost: rotations (their owners go on, `generation_ahead`), new "
            "sessions (their owners log in again), and spent tokens are good until their owner is back",
        ),
    ),
    "postgresql": (
        Trial(
            name="PostgreSQL, synchronous_commit=off",
            database=lambda: Postgres("synchronous_commit=off"),
            required=False,
            note="what was committed in the last moments before the crash is lost: rotations, logouts, new sessions",
        ),
    ),
    "mariadb": (
        Trial(
            name="MariaDB, innodb_flush_log_at_trx_commit=0",
            database=lambda: MariaDB("--innodb-flush-log-at-trx-commit=0"),
            required=False,
            note="up to a second of rotations, logouts and new sessions is lost",
        ),
    ),
}
KINDS = tuple(_TRIALS)


async def run_all(setting: Setting, seconds: float) -> list[Result]:
    """One result per setting, each with its share of the time."""
    trials = _TRIALS[setting.kind]
    return [await run(setting, seconds / len(trials), trial) for trial in trials]
