"""Faults in the store on SQLAlchemy: what all databases share is shown on SQLite, the rest where it is said."""

from .fault import Fault

SUITE = "tests/stores/test_sqlalchemy.py::TestSQLAlchemyStore::test_"

FAULTS = (
    Fault(
        name="sql-swaps-any-generation",
        file="stores/sql_statements.py",
        old='            c.generation == given["expected"],\n',
        new="",
        tests=(SUITE + "advances_only_what_may_be_advanced[sqlite]",),
    ),
    Fault(
        name="sql-swaps-what-was-revoked",
        file="stores/sql_statements.py",
        old='            c.revoked_at.is_(None),\n            c.expires_at > given["now"],\n',
        new='            c.expires_at > given["now"],\n',
        tests=(SUITE + "revocation_wins[sqlite]",),
    ),
    Fault(
        name="sql-swaps-what-has-expired",
        file="stores/sql_statements.py",
        old='            c.expires_at > given["now"],\n',
        new="",
        tests=(SUITE + "advances_only_what_may_be_advanced[sqlite]",),
    ),
    Fault(
        name="sql-swaps-on-any-device",
        file="stores/sql_statements.py",
        old="            c.binding.in_(allowed),\n",
        new="",
        tests=(SUITE + "advances_only_what_may_be_advanced[sqlite]",),
    ),
    Fault(
        name="sql-lets-a-rotation-pass-the-absolute-end",
        file="stores/sql_statements.py",
        old='end = self.least(given["expires_at"], c.ends_at)',
        new='end = given["expires_at"]',
        tests=(SUITE + "never_passes_the_absolute_end[sqlite]",),
    ),
    Fault(
        name="sql-notes-a-late-repeat-of-what-arrived",
        file="stores/sql_statements.py",
        old=".where(c.acknowledged < c.generation, c.revoked_at.is_(None))",
        new=".where(c.revoked_at.is_(None))",
        tests=(SUITE + "notes_no_late_repeat_of_what_has_arrived[sqlite]",),
    ),
    Fault(
        name="sql-lowers-an-acknowledgement",
        file="stores/sql_statements.py",
        old="c.id.in_(some), c.acknowledged < arrived, c.revoked",
        new="c.id.in_(some), c.revoked",
        tests=(SUITE + "acknowledgement_only_rises[sqlite]",),
    ),
    Fault(
        name="sql-does-not-look-whether-a-session-was-ended",
        file="stores/sql_statements.py",
        old="(await db.execute(self._revoke, values)).rowcount == 1",
        new="(await db.execute(self._revoke, values)).rowcount >= 0",
        tests=(SUITE + "revocation_wins[sqlite]",),
    ),
    Fault(
        name="sql-keeps-nobody",
        file="stores/sql_statements.py",
        old="kept = _NOBODY if keep is None else storable(keep)",
        new="kept = _NOBODY",
        tests=(SUITE + "ends_all_sessions_of_a_subject[sqlite]",),
    ),
    Fault(
        name="sql-purges-the-living",
        file="stores/sql_statements.py",
        old='over = c.expires_at <= bindparam("b_before")',
        new='over = c.last_used_at <= bindparam("b_before")',
        tests=(
            "tests/faults/test_found.py::test_purging_asks_when_a_session_ends_and_not_when_it_was_used[postgresql]",
        ),
    ),
    Fault(
        name="sqlite-by-sqlalchemy-takes-a-lost-swap-for-won",
        file="stores/sql_sqlite.py",
        old="return (True, from_row(row)) if row is not None else (False, await self.get(db, step.session_id))",
        new="row = await self.get(db, step.session_id)\n        return row is not None, row",
        tests=(SUITE + "concurrent_advances_have_one_winner[sqlite]",),
    ),
    Fault(
        name="postgresql-takes-a-lost-swap-for-won",
        file="stores/sql_postgresql.py",
        old='return [(row["id"] in moved, moved.get',
        new='return [(row["id"] in moved or row["id"] in others, moved.get',
        tests=(SUITE + "concurrent_advances_have_one_winner[postgresql]",),
    ),
    Fault(
        name="postgresql-lowers-an-acknowledgement",
        file="stores/sql_postgresql.py",
        old="c.id == arrived.c.id, c.acknowledged < arrived.c.generation, c.revoked",
        new="c.id == arrived.c.id, c.revoked",
        tests=(SUITE + "acknowledgement_only_rises[postgresql]",),
    ),
    Fault(
        name="postgresql-answers-with-what-others-get",
        file="stores/sql_batches.py",
        old="for job, outcome in zip(jobs, outcomes, strict=True):",
        new="for job, outcome in zip(jobs, reversed(outcomes), strict=True):",
        tests=(SUITE + "independent_sessions_do_not_disturb_each_other[postgresql]",),
    ),
    Fault(
        name="mysql-does-not-look-whether-a-row-was-swapped",
        file="stores/sql_mysql.py",
        old="won = (await db.execute(self._advance, values)).rowcount == 1",
        new="won = (await db.execute(self._advance, values)).rowcount >= 0",
        tests=(SUITE + "concurrent_advances_have_one_winner[asyncmy]",),
    ),
    Fault(
        name="mysql-forgets-to-commit-a-rotation",
        file="stores/sql_mysql.py",
        old="        await db.commit()\n        return won, None if row is None else from_row(row)",
        new="        return won, None if row is None else from_row(row)",
        tests=(SUITE + "advances_once[asyncmy]",),
    ),
    Fault(
        name="mysql-forgets-to-commit-the-ends-of-a-subject",
        file="stores/sql_mysql.py",
        old='"b_ids": [row.id for row in live]})\n        await db.commit()\n',
        new='"b_ids": [row.id for row in live]})\n',
        tests=(SUITE + "ends_all_sessions_of_a_subject[asyncmy]",),
    ),
    Fault(
        name="mysql-reads-the-row-outside-the-transaction",
        file="stores/sql_mysql.py",
        old="        row = (await db.execute(self.by_id, values)).one_or_none()\n        await db.commit()\n",
        new="        await db.commit()\n        row = (await db.execute(self.by_id, values)).one_or_none()\n",
        tests=("tests/faults/test_found.py::test_the_winner_gets_the_row_as_it_left_it",),
    ),
    Fault(
        name="sql-cancels-once",
        file="stores/sql_connections.py",
        old="        task.get_loop().call_later(_NUDGE, _give_up, task)\n",
        new="",
        tests=("tests/stores/test_sqlalchemy.py::test_a_driver_that_swallows_a_cancellation_is_told_again",),
    ),
)
