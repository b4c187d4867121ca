"""Replicas to fail over to. They follow their primary through a proxy, so that a test can hold replication up."""

from ..servers import Postgres, Redis, program


class RedisReplica(Redis):
    """Follows ``primary`` by ``port``, asynchronously as Redis does."""

    def __init__(self, primary: Redis, port: int) -> None:
        super().__init__("--replicaof", "127.0.0.1", f"{port}")
        self._primary = primary
        self._arrived, self._last = 0, b""
        primary.say("CONFIG SET repl-diskless-sync-delay 0")  # it waits 5 s for more replicas otherwise

    def follows(self) -> bool:
        """Both sides may call the link up for a second before anything is sent: what has arrived, twice, tells."""
        arrived = self._last != b"" and self.say("GET a-mark").split()[-1:] == [self._last]
        self._arrived = self._arrived + 1 if arrived else 0
        self._last = self._primary.say("INCR a-mark").strip().lstrip(b":")
        return self._arrived > 1

    def promote(self) -> None:
        assert b"+OK" in self.say("REPLICAOF NO ONE")


class PostgresReplica(Postgres):
    """A hot standby of ``primary``, streaming by ``port``, asynchronously as PostgreSQL does by default."""

    def __init__(self, primary: Postgres, port: int) -> None:
        super().__init__()
        self._port_of_primary = port

    def prepare(self) -> None:
        source = ["-h", "127.0.0.1", "-p", f"{self._port_of_primary}", "-U", "tests"]
        how = ["-R", "-X", "stream", "-c", "fast", "--no-sync"]
        self.run(program("pg_basebackup") or "", "-D", f"{self.directory}/data", *source, *how)

    def follows(self) -> bool:
        return b"started streaming WAL" in (self.directory / "log").read_bytes()

    def promote(self) -> None:
        """Returns when it takes writes."""
        self.run(program("pg_ctl") or "", "promote", "-w", "-D", f"{self.directory}/data")


Replica = RedisReplica | PostgresReplica
REPLICAS = {"redis": RedisReplica, "postgresql": PostgresReplica}
