"""How often one session may be refreshed."""

from jwt_refresh_middleware.limits import _MOST_WATCHED, RefreshRate


def _use(rate: RefreshRate, session: str, now: float, times: int, *, rotation: bool = True) -> None:
    for _ in range(times):
        assert rate.wait(session, now) == 0
        rate.count(session, now, rotation=rotation)


def _refused(rate: RefreshRate, session: str, now: float) -> int:
    wait = rate.wait(session, now)
    assert wait > 0
    return wait


def test_the_limit_is_reached_exactly() -> None:
    rate = RefreshRate((3, 10))
    _use(rate, "s", 100.0, 3)
    assert _refused(rate, "s", 100.0) == 10


def test_the_wait_is_whole_seconds_until_the_window_ends() -> None:
    rate = RefreshRate((1, 10))
    _use(rate, "s", 100.0, 1)
    assert [_refused(rate, "s", now) for now in (100.5, 105.0, 109.5, 109.999)] == [10, 5, 1, 1]
    assert rate.wait("s", 110.0) == 0
    _use(rate, "s", 110.0, 1)
    assert _refused(rate, "s", 110.0) == 10


def test_a_repeat_counts_a_tenth() -> None:
    rate = RefreshRate((3, 10))
    _use(rate, "s", 0.0, 30, rotation=False)
    _refused(rate, "s", 0.0)
    _use(rate, "t", 0.0, 2)
    _use(rate, "t", 0.0, 10, rotation=False)
    _refused(rate, "t", 0.0)


def test_sessions_do_not_disturb_each_other() -> None:
    rate = RefreshRate((1, 10))
    _use(rate, "a", 0.0, 1)
    _refused(rate, "a", 0.0)
    assert rate.wait("b", 0.0) == 0


def test_a_clock_set_back_locks_nobody_out() -> None:
    rate = RefreshRate((1, 10))
    _use(rate, "s", 1000.0, 1)
    assert rate.wait("s", 900.0) == 0


def test_without_a_limit_nothing_is_counted() -> None:
    rate = RefreshRate(None)
    _use(rate, "s", 0.0, 1000)


def test_memory_is_bounded_and_windows_that_are_over_go_first() -> None:
    rate = RefreshRate((1, 10))
    _use(rate, "old", 0.0, 1)
    for number in range(_MOST_WATCHED - 1):
        rate.count(str(number), 100.0, rotation=True)
    rate.count("one more", 100.0, rotation=True)
    _refused(rate, "0", 100.0)
    rate.count("another", 100.0, rotation=True)
    assert len(rate._windows) == _MOST_WATCHED
    assert rate.wait("0", 100.0) == 0
    _refused(rate, "another", 100.0)
