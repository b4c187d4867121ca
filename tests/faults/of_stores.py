"""Faults in the stores: in what they compare before they swap, in what they keep, and in when they answer."""

from .fault import Fault

MEMORY = "tests/stores/test_memory.py::TestMemoryStore::test_"
SQLITE = "tests/stores/test_sqlite.py::TestSQLiteStore::test_"
FILE = "tests/stores/test_sqlite.py::test_"
FOUND = "tests/faults/test_found.py::test_"

_AS_EXPECTED = "WHERE id = ? AND generation = ? AND revoked_at IS NULL AND expires_at > ?\n"
_BINDINGS = "    AND (binding = ? OR binding IN (?, ?, ?))\n"

_IN_MEMORY = (
    Fault(
        name="memory-swaps-any-generation",
        file="stores/memory.py",
        old="            or row.generation != step.expected\n",
        new="",
        tests=(MEMORY + "advances_only_what_may_be_advanced",),
    ),
    Fault(
        name="memory-swaps-what-was-revoked",
        file="stores/memory.py",
        old="            or row.revoked_at is not None\n            or row.expires_at",
        new="            or row.expires_at",
        tests=(MEMORY + "revocation_wins",),
    ),
    Fault(
        name="memory-swaps-what-has-expired",
        file="stores/memory.py",
        old="            or row.expires_at <= step.now\n",
        new="",
        tests=(MEMORY + "advances_only_what_may_be_advanced",),
    ),
    Fault(
        name="memory-swaps-on-any-device",
        file="stores/memory.py",
        old="            or row.binding not in step.bindings\n",
        new="",
        tests=(MEMORY + "advances_only_what_may_be_advanced",),
    ),
    Fault(
        name="memory-compares-first-and-swaps-later",
        file="stores/memory.py",
        old="        device = row.device\n",
        new="        import asyncio\n\n        await asyncio.sleep(0)\n        device = row.device\n",
        tests=(MEMORY + "concurrent_advances_have_one_winner",),
    ),
    Fault(
        name="memory-lets-a-rotation-pass-the-absolute-end",
        file="stores/memory.py",
        old="expires_at=min(step.expires_at, row.ends_at),",
        new="expires_at=step.expires_at,",
        tests=(MEMORY + "never_passes_the_absolute_end",),
    ),
    Fault(
        name="memory-moves-the-absolute-end",
        file="stores/memory.py",
        old="expires_at=min(step.expires_at, row.ends_at),",
        new="expires_at=step.expires_at,\n            ends_at=max(step.expires_at, row.ends_at),",
        tests=("tests/unit/test_issuer.py::test_lifetimes[memory]",),
    ),
    Fault(
        name="memory-slides-no-idle-end",
        file="stores/memory.py",
        old="expires_at=min(step.expires_at, row.ends_at),",
        new="expires_at=row.expires_at,",
        tests=(MEMORY + "advances_once",),
    ),
    Fault(
        name="memory-notes-a-late-repeat-of-anything",
        file="stores/memory.py",
        old=" or row.generation != generation or row.acknowledged >= generation:",
        new=":",
        tests=(MEMORY + "notes_a_late_repeat",),
    ),
    Fault(
        name="memory-notes-a-late-repeat-of-what-arrived",
        file="stores/memory.py",
        old=" or row.acknowledged >= generation:",
        new=":",
        tests=(MEMORY + "notes_no_late_repeat_of_what_has_arrived",),
    ),
    Fault(
        name="memory-lowers-an-acknowledgement",
        file="stores/memory.py",
        old=" and row.acknowledged < generation:",
        new=":",
        tests=(MEMORY + "acknowledgement_only_rises",),
    ),
    Fault(
        name="memory-purges-the-living",
        file="stores/memory.py",
        old="if row.expires_at <= before]",
        new="if row.last_used_at <= before]",
        tests=(FOUND + "purging_asks_when_a_session_ends_and_not_when_it_was_used[memory]",),
    ),
    Fault(
        name="memory-ends-no-session-that-idled-too-long",
        file="stores/memory.py",
        old="if session_id != keep and await",
        new="if session_id != keep and self._rows[session_id].expires_at > now and await",
        tests=(FOUND + "logout_all_ends_sessions_that_idled_too_long[memory]",),
    ),
    Fault(
        name="memory-forgets-what-was-proven",
        file="stores/memory.py",
        old="standing=row.standing if step.standing is None else step.standing,",
        new="standing=row.standing,",
        tests=(MEMORY + "moves_what_was_proven",),
    ),
    Fault(
        name="memory-lists-the-oldest-for-the-newest",
        file="stores/memory.py",
        old="live[-most:]",
        new="live[:most]",
        tests=(MEMORY + "lists_the_newest_only",),
    ),
)

_IN_SQLITE = (
    Fault(
        name="sqlite-swaps-any-generation",
        file="stores/sqlite.py",
        old=_AS_EXPECTED,
        new=_AS_EXPECTED.replace("AND generation = ?", "AND (generation = ? OR TRUE)"),
        tests=(SQLITE + "advances_only_what_may_be_advanced",),
    ),
    Fault(
        name="sqlite-swaps-what-was-revoked",
        file="stores/sqlite.py",
        old=_AS_EXPECTED,
        new=_AS_EXPECTED.replace("AND revoked_at IS NULL ", ""),
        tests=(SQLITE + "revocation_wins",),
    ),
    Fault(
        name="sqlite-swaps-what-has-expired",
        file="stores/sqlite.py",
        old=_AS_EXPECTED,
        new=_AS_EXPECTED.replace("AND expires_at > ?", "AND expires_at >= ?"),
        tests=(SQLITE + "advances_only_what_may_be_advanced",),
    ),
    Fault(
        name="sqlite-swaps-on-any-device",
        file="stores/sqlite.py",
        old=_BINDINGS,
        new="    AND (TRUE OR binding = ? OR binding IN (?, ?, ?))\n",
        tests=(SQLITE + "advances_only_what_may_be_advanced",),
    ),
    Fault(
        name="sqlite-does-not-look-whether-a-row-was-swapped",
        file="stores/sqlite.py",
        old="            return (True, won) if won else (False, db.execute(_GET, (session_id,)).fetchall())\n",
        new="            rows = db.execute(_GET, (session_id,)).fetchall()\n"
        "            return bool(rows), [(row[1], row[3], *row[5:15], row[17]) for row in rows]\n",
        tests=(SQLITE + "concurrent_advances_have_one_winner",),
    ),
    Fault(
        name="sqlite-compares-first-and-swaps-later",
        file="stores/sqlite.py",
        old="        group = self._group or await self._opened()\n        won, rows",
        new="        row = await self.get(session_id)\n"
        "        if row is None or row.generation != step.expected or row.binding not in step.bindings:\n"
        "            return False, row\n"
        "        statement = statement.replace('AND generation = ?', 'AND (generation = ? OR TRUE)')\n"
        "        group = self._group or await self._opened()\n        won, rows",
        tests=(SQLITE + "concurrent_advances_have_one_winner",),
    ),
    Fault(
        name="sqlite-lets-a-rotation-pass-the-absolute-end",
        file="stores/sqlite.py",
        old="expires_at = min(?, ends_at), ip = coalesce(?, ip)\n",
        new="expires_at = ?, ip = coalesce(?, ip)\n",
        tests=(SQLITE + "never_passes_the_absolute_end",),
    ),
    Fault(
        name="sqlite-slides-no-idle-end",
        file="stores/sqlite.py",
        old="expires_at = min(?, ends_at), ip = coalesce(?, ip)\n",
        new="expires_at = coalesce(expires_at, ?), ip = coalesce(?, ip)\n",
        tests=(SQLITE + "advances_once",),
    ),
    Fault(
        name="sqlite-notes-a-late-repeat-of-what-arrived",
        file="stores/sqlite.py",
        old="AND acknowledged < generation AND revoked_at IS NULL",
        new="AND revoked_at IS NULL",
        tests=(SQLITE + "notes_no_late_repeat_of_what_has_arrived",),
    ),
    Fault(
        name="sqlite-lowers-an-acknowledgement",
        file="stores/sqlite.py",
        old="WHERE id = ? AND acknowledged < ? AND",
        new="WHERE id = ? AND (acknowledged < ? OR TRUE) AND",
        tests=(SQLITE + "acknowledgement_only_rises",),
    ),
    Fault(
        name="sqlite-ends-what-has-ended",
        file="stores/sqlite.py",
        old="revoked_reason = ? WHERE id = ? AND revoked_at IS NULL",
        new="revoked_reason = ? WHERE id = ?",
        tests=(SQLITE + "revocation_wins",),
    ),
    Fault(
        name="sqlite-ends-no-session-that-idled-too-long",
        file="stores/sqlite.py",
        old="db.execute(_REVOKE_SUBJECT, (now, reason, subject, keep)).fetchall()",
        new='db.execute(_REVOKE_SUBJECT.replace("RETURNING", "AND expires_at > ? RETURNING"), '
        "(now, reason, subject, keep, now)).fetchall()",
        tests=(FOUND + "logout_all_ends_sessions_that_idled_too_long[sqlite]",),
    ),
    Fault(
        name="sqlite-purges-the-living",
        file="stores/sqlite.py",
        old="WHERE seq > ? AND seq <= ? AND expires_at <= ?",
        new="WHERE seq > ? AND seq <= ? AND (TRUE OR expires_at <= ?)",
        tests=(SQLITE + "purges_what_is_over",),
    ),
    Fault(
        name="sqlite-reports-ends-a-moment-too-late",
        file="stores/sqlite.py",
        old="WHERE revoked_at >= ?",
        new="WHERE revoked_at > ?",
        tests=(SQLITE + "reports_revocations",),
    ),
    Fault(
        name="sqlite-without-fsync",
        file="stores/sqlite_files.py",
        old="PRAGMA synchronous = FULL",
        new="PRAGMA synchronous = NORMAL",
        tests=(FILE + "is_durable_by_default",),
    ),
    Fault(
        name="sqlite-without-wal",
        file="stores/sqlite_files.py",
        old='mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]',
        new='mode = "wal"',
        tests=(FILE + "is_durable_by_default",),
    ),
    Fault(
        name="sqlite-waits-for-nobody",
        file="stores/sqlite_files.py",
        old="isolation_level=None, timeout=busy_timeout)",
        new="isolation_level=None, timeout=0)",
        tests=(FILE + "is_durable_by_default",),
    ),
    Fault(
        name="sqlite-answers-before-it-commits",
        file="stores/group_commit.py",
        old='        database.execute("COMMIT")\n',
        new='        connection._tx.put_nowait((None, lambda: database.execute("COMMIT")))\n',
        tests=(FOUND + "nobody_is_answered_before_the_commit",),
    ),
    Fault(
        name="sqlite-takes-a-failed-commit-for-a-success",
        file="stores/group_commit.py",
        old='        database.execute("COMMIT")\n',
        new='        with contextlib.suppress(sqlite3.Error):\n            database.execute("COMMIT")\n',
        tests=(FOUND + "a_commit_that_fails_fails_everybody_in_the_batch",),
    ),
    Fault(
        name="sqlite-answers-with-what-others-get",
        file="stores/group_commit.py",
        old="in zip(batch, _transact(self._connection, batch), strict=True):",
        new="in zip(batch, reversed(_transact(self._connection, batch)), strict=True):",
        tests=(SQLITE + "revocation_racing_rotation_leaves_nothing_live",),
    ),
    Fault(
        name="sqlite-fails-all-for-one",
        file="stores/group_commit.py",
        old="            outcomes.append(_attempt(work, database))\n",
        new="            outcomes.append((work(database), None))\n",
        tests=(FILE + "one_failing_piece_of_work_leaves_its_neighbours_alone",),
    ),
    Fault(
        name="sqlite-forgets-what-waits-at-its-end",
        file="stores/group_commit.py",
        old="        while self._waiting:\n            await",
        new="        while False:\n            await",
        tests=("tests/unit/test_backing.py::test_thousands_that_wait_when_the_store_is_closed_are_answered",),
        hangs=True,
    ),
    Fault(
        name="sqlite-is-closed-before-it-is-open",
        file="stores/sqlite.py",
        old="        await self._opening.finish()\n",
        new="",
        tests=(FILE + "closing_while_it_opens_leaves_nothing_open",),
    ),
    Fault(
        name="sqlite-forgets-what-was-proven",
        file="stores/sqlite.py",
        old="(step.user_agent, step.binding, standing)",
        new="(step.user_agent, step.binding, None)",
        tests=(SQLITE + "moves_what_was_proven",),
    ),
    Fault(
        name="sqlite-moves-what-was-proven-only-with-the-device",
        file="stores/sqlite.py",
        old=" or step.binding is not None or step.standing is not None:",
        new=" or step.binding is not None:",
        tests=(SQLITE + "moves_what_was_proven",),
    ),
    Fault(
        name="sqlite-rotates-away-what-is-wanted",
        file="stores/sqlite.py",
        old="*rest, None, None, stands)]",
        new="*rest, None, None, None)]",
        tests=(SQLITE + "keeps_what_was_proven_and_what_is_wanted",),
    ),
    Fault(
        name="sqlite-lists-the-oldest-for-the-newest",
        file="stores/sqlite.py",
        old="ORDER BY created_at DESC, id DESC LIMIT ?",
        new="ORDER BY created_at, id LIMIT ?",
        tests=(SQLITE + "lists_the_newest_only",),
    ),
    Fault(
        name="sqlite-leaves-an-old-file-as-it-is",
        file="stores/sqlite.py",
        old="    for statements in _MIGRATIONS[version:]:",
        new="    for statements in [] if version else _MIGRATIONS:",
        tests=(FILE + "a_file_of_the_first_version_is_migrated_and_its_sessions_live_on",),
    ),
)

FAULTS = _IN_MEMORY + _IN_SQLITE
