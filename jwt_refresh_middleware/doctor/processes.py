"""Several worker processes: what each of them has for itself alone, though it should be one thing."""

from collections.abc import Iterator

from ..stores.memory import MemoryStore
from .circumstances import Circumstances
from .findings import Check, Finding, Severity
from .subject import Subject

MEMORY_STORE = Check(
    id="workers.memory_store",
    severity="error",
    what="Sessions are in memory, and there are several workers.",
    why="Each worker knows the logins that it has answered itself: a refresh that another one gets is refused, and "
    "revocations are not shared.",
    advice="Use SQLiteStore, RedisStore or SQLAlchemyStore; or one worker.",
)
MEMORY_LIMITS = Check(
    id="workers.memory_limits",
    severity="warning",
    what="Failed logins are counted in memory, and there are several workers.",
    why="Each worker counts for itself: whoever guesses gets that many times as many attempts.",
    advice='Give LoginLimits a storage that all share: storage="redis://…".',
)
RANDOM_SECRET = Check(
    id="workers.random_secret",
    severity="error",
    what="Two processes that import the app have different secrets or keys: they are made anew at every import.",
    why="Every worker refuses the tokens of the others, and every restart logs everybody out.",
    advice="Read the secret from the environment, or the keys from a file (KeyRing.from_file).",
)
CHECKS = (MEMORY_STORE, MEMORY_LIMITS, RANDOM_SECRET)


def look(subject: Subject, circumstances: Circumstances) -> Iterator[Finding]:
    """What several workers would not share."""
    if circumstances.workers < 2:
        return
    several = f"{circumstances.workers} workers ({circumstances.workers_said_by})"
    if is_in_memory(subject):
        yield MEMORY_STORE.found(f"MemoryStore with {several}", subject.where)
    limits = subject.settings.login_limits
    if limits is not None and not limits.is_shared:
        yield MEMORY_LIMITS.found(f"LoginLimits in memory with {several}", subject.where)


def is_in_memory(subject: Subject) -> bool:
    """Whether the sessions are gone with the process."""
    issuer = subject.settings.issuer
    store = issuer.backing.store if issuer is not None else None
    url = getattr(getattr(store, "engine", None), "url", None)
    if url is not None and url.get_backend_name() == "sqlite":
        return url.database in (None, "", ":memory:")
    return isinstance(store, MemoryStore) or getattr(store, "path", None) == ":memory:"


def look_at_keys(subject: Subject, circumstances: Circumstances, *, differ: bool) -> Iterator[Finding]:
    """``differ``: whether another process has made other keys.

    Where sessions are gone with the process and there is one only, keys that are gone as well do no harm.
    """
    if differ and not (is_in_memory(subject) and circumstances.workers < 2):
        severity: Severity = "error" if circumstances.workers > 1 else "warning"
        yield RANDOM_SECRET.found("another process has made other keys", subject.where, severity=severity)
