"""The list of ended sessions."""

import pytest

from jwt_refresh_middleware import MemoryStore, RevocationFeed
from jwt_refresh_middleware.revocation import RevocationList, Watchable


def test_what_was_added_is_listed_with_the_first_time() -> None:
    revoked = RevocationList(900)
    revoked.add("s", 100.0)
    revoked.add("s", 200.0)
    assert dict(revoked.ended) == {"s": 100.0}


def test_a_feed_says_what_is_new() -> None:
    revoked = RevocationList(900)
    revoked.add("a", 1.0)
    assert revoked.update([("a", 5.0), ("b", 2.0), ("b", 3.0)]) == [("b", 2.0)]
    assert dict(revoked.ended) == {"a": 1.0, "b": 2.0}
    assert revoked.update([]) == []


def test_entries_stay_exactly_as_long_as_they_are_needed() -> None:
    revoked = RevocationList(900)
    revoked.add("a", 100.0)
    revoked.add("b", 100.5)
    revoked.prune(1000.0)
    assert set(revoked.ended) == {"a", "b"}
    revoked.prune(1000.1)
    assert set(revoked.ended) == {"b"}
    revoked.prune(5000.0)
    assert not revoked.ended


def test_others_can_only_read_and_see_every_change() -> None:
    revoked = RevocationList(900)
    view = revoked.ended
    revoked.add("s", 1.0)
    assert "s" in view
    with pytest.raises(TypeError):
        view["t"] = 1.0  # type: ignore[index]


def test_who_watches_is_told_once_and_finds_it_listed() -> None:
    revoked, told = RevocationList(900), []
    revoked.watch("a", lambda: told.append("a" in revoked.ended))
    revoked.watch("b", lambda: told.append("b" in revoked.ended))
    revoked.add("c", 1.0)
    assert told == []
    revoked.add("a", 1.0)
    revoked.add("a", 2.0)
    assert told == [True]
    revoked.update([("a", 1.0), ("b", 1.0), ("b", 2.0)])
    assert told == [True, True]


def test_all_who_watch_a_session_are_told_but_who_has_left() -> None:
    revoked, told = RevocationList(900), []
    first, second = (lambda: told.append(1)), (lambda: told.append(2))
    for watcher in (first, second):
        revoked.watch("a", watcher)
    revoked.unwatch("a", second)
    revoked.unwatch("a", second)
    revoked.unwatch("b", first)
    revoked.add("a", 1.0)
    revoked.unwatch("a", first)
    assert told == [1]
    assert revoked._watchers == {}


def test_who_is_told_may_watch_something_else() -> None:
    revoked, told = RevocationList(900), []
    revoked.watch("a", lambda: (revoked.watch("b", lambda: told.append("b")), told.append("a")))  # type: ignore[func-returns-value]
    revoked.update([("a", 1.0), ("b", 1.0)])
    assert told == ["a", "b"]


def test_a_list_and_a_feed_can_be_watched() -> None:
    assert isinstance(RevocationList(900), Watchable)
    assert isinstance(RevocationFeed(MemoryStore()), Watchable)
    assert not isinstance({}, Watchable)
