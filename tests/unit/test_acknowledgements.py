"""What an access token shows to have arrived."""

from dataclasses import replace

from jwt_refresh_middleware import AccessToken
from jwt_refresh_middleware.acknowledgements import _MOST_REMEMBERED, Acknowledgements

_TIMES = {"issued_at": 0.0, "expires_at": 9.0, "auth_time": 0.0}
TOKEN = AccessToken(subject="ann", session_id="s", scopes=(), token_id="t", generation=3, claims={}, **_TIMES)


def _token(session_id: str | None, generation: int | None) -> AccessToken:
    return replace(TOKEN, session_id=session_id, generation=generation)


def test_the_highest_generation_is_known_at_once_and_told_once() -> None:
    acks = Acknowledgements()
    assert acks.known("s") == -1
    for generation in (2, 5, 3, 5):
        acks.note(_token("s", generation))
    assert acks.known("s") == 5
    assert dict(acks.take()) == {"s": 5}
    assert dict(acks.take()) == {}
    acks.note(_token("s", 5))
    acks.note(_token("s", 4))
    assert dict(acks.take()) == {}, "seen before"
    assert acks.known("s") == 5


def test_sessions_do_not_mix() -> None:
    acks = Acknowledgements()
    acks.note(_token("a", 1))
    acks.note(_token("b", 2))
    assert (acks.known("a"), acks.known("b"), acks.known("c")) == (1, 2, -1)
    assert dict(acks.take()) == {"a": 1, "b": 2}


def test_generation_0_was_exchanged_for_nothing_and_is_not_told() -> None:
    acks = Acknowledgements()
    acks.note(_token("s", 0))
    assert dict(acks.take()) == {}


def test_tokens_of_another_issuer_say_nothing() -> None:
    acks = Acknowledgements()
    acks.note(_token(None, 3))
    acks.note(_token("s", None))
    assert dict(acks.take()) == {}
    assert acks.known("s") == -1


def test_what_could_not_be_told_is_kept_and_never_lowered() -> None:
    acks = Acknowledgements()
    acks.note(_token("a", 1))
    acks.note(_token("b", 1))
    pending = acks.take()
    acks.note(_token("a", 2))
    acks.put_back(pending)
    acks.put_back({"a": 1})
    assert dict(acks.take()) == {"a": 2, "b": 1}


def test_memory_is_bounded_and_what_is_forgotten_is_told_all_the_same() -> None:
    acks = Acknowledgements()
    for number in range(_MOST_REMEMBERED + 10):
        acks.note(_token(str(number), 1))
    assert len(acks.seen) == _MOST_REMEMBERED
    assert (acks.known("0"), acks.known("9"), acks.known("10")) == (-1, -1, 1)
    assert len(acks.take()) == _MOST_REMEMBERED + 10
