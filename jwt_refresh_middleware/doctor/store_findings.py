"""What can be found out about a store, whatever its kind; the modules for the kinds look for it."""

from .findings import Check

UNREACHABLE = Check(
    id="store.unreachable",
    severity="error",
    what="The store of the sessions cannot be opened or read, or does not answer in time.",
    why="Login and refresh are answered with 503, and the app may not even start.",
    advice="See to it that the store runs and that this machine and account may use it; or say --offline.",
)
TABLES = Check(
    id="store.tables",
    severity="error",
    what="The table of the sessions is not there, or lacks a column.",
    why="The store does not open: it creates nothing by itself.",
    advice="Run your migrations, or `await store.create_all()` once (if the app does so at its start, start it once).",
)
SCHEMA = Check(
    id="store.schema",
    severity="error",
    what="The sessions in the SQLite file were written by a newer version of the package.",
    why="This version does not know their schema, and refuses the file.",
    advice="Update the package on this machine.",
)
NETWORK_FILES = Check(
    id="store.network_files",
    severity="error",
    what="An SQLite file is on a network file system.",
    why="SQLite's locks and its WAL mode do not work there: sessions get lost, or the file breaks.",
    advice="Put it on a local disk, or use Redis or PostgreSQL.",
)
EVICTS = Check(
    id="store.evicts",
    severity="error",
    what="Redis throws keys away when its memory is full (`maxmemory-policy`).",
    why="A session that is thrown away is a person who is logged out.",
    advice="Set maxmemory-policy noeviction.",
)
FORGETS = Check(
    id="store.forgets",
    severity="warning",
    what="Redis keeps nothing on disk as it is written (`appendonly no`).",
    why="A restart logs everybody out, or brings spent tokens and ended sessions back to life with an old snapshot.",
    advice="Set appendonly yes.",
)
REPLICA = Check(
    id="store.replica",
    severity="error",
    what="The store is a replica, which takes no writes.",
    why="Every login and refresh fails.",
    advice="Use the address of the primary, or a Sentinel's client.",
)
DURABILITY = Check(
    id="store.durability",
    severity="warning",
    what="The database says that a commit is done before it is on disk: `synchronous` under FULL (SQLite), "
    "`synchronous_commit=off` (PostgreSQL), `innodb_flush_log_at_trx_commit` other than 1 (MySQL, MariaDB).",
    why="A crash takes back rotations and revocations that were answered: spent tokens are good again.",
    advice="Leave these settings at their defaults for the sessions.",
)
SKEW = Check(
    id="store.clock",
    severity="warning",
    what="The clock of the store and the app's are more than a second apart; an error beyond `reuse_leeway`.",
    why="One of the two is wrong, and other machines go by theirs: tokens are refused as expired or not yet good, and "
    "late repeats are taken for theft.",
    advice="Let both machines keep time with NTP.",
)
CHECKS = (UNREACHABLE, TABLES, SCHEMA, NETWORK_FILES, EVICTS, FORGETS, REPLICA, DURABILITY, SKEW)
