"""Faults in the limits of logins and in whose address counts: every single check there is, and what counts when."""

from .every_check import every_check
from .fault import Fault

_UNIT = "tests/unit/test_login_limits.py"
_ADDRESSES = "tests/web/test_addresses.py"
_LOOPS = _UNIT + "::test_each_event_loop_has_connections_of_its_own"
_REDIS = _UNIT + "::test_the_wait_is_that_of_the_oldest[redis]"
_WEB = "tests/web/test_login_limits.py::test_"
_IN_MEMORY = (
    "the_sixth_guess_is_not_looked_at[memory]",
    "but_not_the_address[memory]",
    "a_refused_guess_counts_for_nobody[memory]",
    "two_hundred_guesses_at_once[memory]",
    "one_event_each",
    "the_longer_wait_is_told",
    "a_limit_that_is_over_by_now_was_reached",
    "the_log_is_not_flooded",
    "an_outage_of_the_user_database_shuts_nobody_out",
    "a_refusal_that_is_raised_counts",
    "without_the_storage_nobody_is_asked",
    "what_cannot_be_given_back_does_not_undo_a_login",
    "an_account_that_cannot_be_counted_gives_the_address_back",
    "without_limits_nothing_is_limited",
)
_HTTP = tuple(_WEB + name for name in _IN_MEMORY)
_STEP_UP = ("tests/web/test_step_up.py",)


def _throttle(name: str, old: str, new: str, *tests: str) -> Fault:
    return Fault(name=name, file="web/throttle.py", old=old, new=new, tests=tuple(_WEB + test for test in tests))


FAULTS = (
    *every_check("attempts.py", (_UNIT,)),
    *every_check("login_limits.py", (_UNIT,)),
    *every_check("shared_windows.py", (_LOOPS, _REDIS)),
    *every_check("web/addresses.py", (_ADDRESSES,)),
    *every_check("web/throttle.py", _HTTP + _STEP_UP),
    _throttle(
        "a-guess-that-is-counted-after-it-was-looked-at",
        "            await self._begin(counts, begun, device, session)\n"
        "            answer = await self._answer(counts, ask)\n",
        "            answer = await self._answer(counts, ask)\n"
        "            await self._begin(counts, begun, device, session)\n",
        "the_sixth_guess_is_not_looked_at[memory]",
        "two_hundred_guesses_at_once[memory]",
    ),
    _throttle(
        "a-login-that-is-not-given-back",
        "await (count.limit.clear(count.key) if count.clears else count.limit.give_back(count.key))",
        "await count.limit.clear(count.key) if count.clears else None",
        "successes_do_not_count[memory]",
    ),
    _throttle(
        "a-refused-guess-that-uses-up-its-address",
        "            await self._quietly(count.limit.give_back(count.key) for count in begun)\n            raise\n",
        "            raise\n",
        "a_refused_guess_counts_for_nobody[memory]",
    ),
    _throttle(
        "an-outage-of-the-storage-that-lets-everybody-guess",
        "            raise StoreUnavailable from error\n",
        "            return True  # type: ignore[return-value]\n",
        "without_the_storage_nobody_is_asked",
    ),
    Fault(
        name="an-account-whose-name-is-kept",
        file="login_limits.py",
        old='    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]\n',
        new="    return name\n",
        tests=(_UNIT + "::test_no_name_is_kept",),
    ),
    Fault(
        name="a-made-up-name-that-hides-the-account",
        file="login_limits.py",
        old="            values = [credentials.get(name) for name in self._account]\n",
        new="            values = [value for name in self._account if (value := credentials.get(name))][:1]\n",
        tests=(_UNIT + "::test_every_field_that_names_an_account_counts",),
    ),
    Fault(
        name="x-forwarded-for-from-the-left",
        file="web/addresses.py",
        old="    return entries[: -_MOST_HOPS - 1 : -1]\n",
        new="    return entries[:_MOST_HOPS]\n",
        tests=(_ADDRESSES + "::test_it_is_read_from_the_right",),
    ),
    Fault(
        name="an-entry-that-is-no-address-is-skipped",
        file="web/addresses.py",
        old="            if hop is None:\n                break\n",
        new="            if hop is None:\n                continue\n",
        tests=(_ADDRESSES + "::test_what_is_no_address_ends_the_walk",),
    ),
)
