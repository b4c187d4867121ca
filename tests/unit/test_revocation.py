"""The list of ended sessions."""

import pytest

from jwt_refresh_middleware.revocation import RevocationList


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
