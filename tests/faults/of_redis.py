"""Faults in the store in Redis: in its scripts, and in how they get there."""

from .fault import Fault

SUITE = "tests/stores/test_redis.py::TestRedisStore::test_"
ALONE = "tests/stores/test_redis.py::test_"
FOUND = "tests/faults/test_found.py::test_"

_CONDITIONS = "if not allowed or generation ~= expected or revoked ~= '' or expires <= now then"

FAULTS = (
    Fault(
        name="redis-swaps-any-generation",
        file="stores/redis_rows.py",
        old=_CONDITIONS,
        new=_CONDITIONS.replace("generation ~= expected or ", ""),
        tests=(SUITE + "concurrent_advances_have_one_winner",),
    ),
    Fault(
        name="redis-swaps-what-was-revoked",
        file="stores/redis_rows.py",
        old=_CONDITIONS,
        new=_CONDITIONS.replace("revoked ~= '' or ", ""),
        tests=(SUITE + "revocation_wins",),
    ),
    Fault(
        name="redis-swaps-what-has-expired",
        file="stores/redis_rows.py",
        old=_CONDITIONS,
        new=_CONDITIONS.replace(" or expires <= now", ""),
        tests=(SUITE + "advances_only_what_may_be_advanced",),
    ),
    Fault(
        name="redis-swaps-on-any-device",
        file="stores/redis_rows.py",
        old="local allowed = string.find(",
        new="local allowed = true or string.find(",
        tests=(SUITE + "advances_only_what_may_be_advanced",),
    ),
    Fault(
        name="redis-lets-a-replica-answer",
        file="stores/redis_rows.py",
        old="redis.call('SETRANGE', KEYS[1], 0, '')\n",
        new="",
        tests=(ALONE + "a_replica_does_not_say_what_there_is_not",),
    ),
    Fault(
        name="redis-takes-a-lost-swap-for-won",
        file="stores/redis.py",
        old="return bool(won), from_row(ident, row[0]) if row else None",
        new="return bool(row), from_row(ident, row[0]) if row else None",
        tests=(SUITE + "concurrent_advances_have_one_winner",),
    ),
    Fault(
        name="redis-lets-a-rotation-pass-the-absolute-end",
        file="stores/redis_rows.py",
        old="math.min(new_expires, ends)",
        new="new_expires",
        tests=(SUITE + "never_passes_the_absolute_end",),
    ),
    Fault(
        name="redis-keeps-a-row-for-ever-once-it-was-rotated",
        file="stores/redis_rows.py",
        old="row, 'PX', math.max(1, math.ceil((expires - now + {GRACE}) * 1000)))",
        new="row)",
        tests=(ALONE + "rows_outlive_their_sessions_by_a_day",),
    ),
    Fault(
        name="redis-lets-a-row-go-with-the-first-idle-end",
        file="stores/redis_rows.py",
        old="row, 'PX', math.max(1, math.ceil((expires - now + {GRACE}) * 1000)))",
        new="row, 'KEEPTTL')",
        tests=(ALONE + "rows_outlive_their_sessions_by_a_day",),
    ),
    Fault(
        name="redis-keeps-a-row-for-ever-once-it-was-revoked",
        file="stores/redis_rows.py",
        old="revoked, reason = ARGV[1], ARGV[2]\nredis.call('SET', KEYS[1], {_ROW}, 'KEEPTTL')\n",
        new="revoked, reason = ARGV[1], ARGV[2]\nredis.call('SET', KEYS[1], {_ROW})\n",
        tests=(ALONE + "rows_outlive_their_sessions_by_a_day",),
    ),
    Fault(
        name="redis-keeps-a-row-for-ever-once-it-was-noted",
        file="stores/redis_rows.py",
        old="late = generation\nredis.call('SET', KEYS[1], {_ROW}, 'KEEPTTL')\n",
        new="late = generation\nredis.call('SET', KEYS[1], {_ROW})\n",
        tests=(FOUND + "whatever_is_done_to_a_row_it_goes_a_day_after_its_session",),
    ),
    Fault(
        name="redis-keeps-a-row-for-ever-once-it-was-acknowledged",
        file="stores/redis_rows.py",
        old="acknowledged = tonumber(ARGV[1])\nredis.call('SET', KEYS[1], {_ROW}, 'KEEPTTL')\n",
        new="acknowledged = tonumber(ARGV[1])\nredis.call('SET', KEYS[1], {_ROW})\n",
        tests=(ALONE + "rows_outlive_their_sessions_by_a_day",),
    ),
    Fault(
        name="redis-notes-a-late-repeat-of-what-arrived",
        file="stores/redis_rows.py",
        old=" or acknowledged >= generation then",
        new=" then",
        tests=(SUITE + "notes_no_late_repeat_of_what_has_arrived",),
    ),
    Fault(
        name="redis-lowers-an-acknowledgement",
        file="stores/redis_rows.py",
        old=" or acknowledged >= tonumber(ARGV[1]) then",
        new=" then",
        tests=(SUITE + "acknowledgement_only_rises",),
    ),
    Fault(
        name="redis-ends-what-has-ended",
        file="stores/redis_rows.py",
        old="if revoked ~= '' then return {{0}} end\nrevoked, reason",
        new="revoked, reason",
        tests=(SUITE + "revocation_wins",),
    ),
    Fault(
        name="redis-writes-no-feed",
        file="stores/redis_rows.py",
        old="redis.call('ZADD', KEYS[2], revoked, ARGV[3])\n",
        new="",
        tests=(SUITE + "reports_revocations",),
    ),
    Fault(
        name="redis-tells-nobody-of-an-end",
        file="stores/redis_rows.py",
        old="redis.call('PUBLISH', ARGV[4], revoked .. ' ' .. ARGV[3])\n",
        new="",
        tests=(ALONE + "an_end_is_told_at_once[redis]",),
    ),
    Fault(
        name="redis-writes-no-index",
        file="stores/redis_rows.py",
        old="redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])\n",
        new="",
        tests=(SUITE + "ends_all_sessions_of_a_subject",),
    ),
    Fault(
        name="redis-overwrites-an-id-that-is-taken",
        file="stores/redis_rows.py",
        old="ARGV[1], 'NX', 'PX', ARGV[2])",
        new="ARGV[1], 'PX', ARGV[2])",
        tests=(SUITE + "refuses_an_id_that_is_taken",),
    ),
    Fault(
        name="redis-does-not-know-the-script-and-gives-up",
        file="stores/redis_calls.py",
        old="if isinstance(answer, NoScriptError)]",
        new="if False]",
        tests=(ALONE + "scripts_that_the_server_has_forgotten",),
    ),
    Fault(
        name="redis-counts-a-write-that-no-replica-has",
        file="stores/redis_calls.py",
        old="if not isinstance(reached, int) or reached < self._wait_replicas:",
        new="if not isinstance(reached, int):",
        tests=(FOUND + "a_write_that_no_replica_has_does_not_count",),
    ),
    Fault(
        name="redis-answers-with-what-others-get",
        file="stores/redis_calls.py",
        old="for waiting, answer in zip(batch, answers, strict=True):\n            if waiting",
        new="for waiting, answer in zip(batch, reversed(answers), strict=True):\n            if waiting",
        tests=(SUITE + "revocation_racing_rotation_leaves_nothing_live",),
    ),
    Fault(
        name="redis-asks-a-cluster-more-than-its-client-can",
        file="stores/redis_calls.py",
        old="        async with asyncio.timeout(self._timeout), self._places:\n",
        new="        async with asyncio.timeout(self._timeout):\n",
        tests=(ALONE + "more_calls_at_once_than_a_clusters_client_has_connections",),
    ),
    Fault(
        name="redis-is-closed-before-it-is-open",
        file="stores/redis.py",
        old="        await self._opening.finish()\n",
        new="",
        tests=(ALONE + "closing_while_it_opens_leaves_no_connection",),
    ),
)
