"""Arguments, clocks, and the libraries that are or are not installed."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwt_refresh_middleware.client import _tokens
from jwt_refresh_middleware.client import httpx as module
from jwt_refresh_middleware.client.httpx import RefreshAuth

URL = "https://users.example.com/auth/refresh"
GOOD = {"access_token": "abc", "refresh_token": "def", "expires_in": 900}
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("/auth/refresh", ValueError),
        ("users.example.com/auth/refresh", ValueError),
        ("", ValueError),
        ("https://", ValueError),
        ("ftp://users.example.com/", ValueError),
        ("wss://users.example.com/", ValueError),
        ("http://users.example.com/auth/refresh", ValueError),
        ("http://localhost.evil.com/auth/refresh", ValueError),
        ("https://user:password@users.example.com/", ValueError),
        ("https://users.example.com/#part", ValueError),
        ("https://users.example.com:99999999/", ValueError),
        ("https://exa mple.com:x/", ValueError),
        (None, TypeError),
        (b"https://users.example.com/", TypeError),
    ],
)
def test_bad_refresh_urls(url: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="refresh_url") as caught:
        RefreshAuth(url)
    assert "password" not in str(caught.value).replace("user, password or", "")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/auth/refresh", "http://localhost/r", "http://[::1]:1/r", "http://app.localhost/r", URL],
)
def test_good_refresh_urls(url: str) -> None:
    assert repr(RefreshAuth(url)) == f"RefreshAuth({url!r})"


def test_http_elsewhere_must_be_allowed() -> None:
    with pytest.raises(ValueError, match="allow_http"):
        RefreshAuth("http://users:8000/auth/refresh")
    assert RefreshAuth("http://users:8000/auth/refresh", allow_http=True).tokens is None


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"allowed_hosts": "api.example.com"}, TypeError, "allowed_hosts"),
        ({"allowed_hosts": [5]}, TypeError, "allowed_hosts"),
        ({"allowed_hosts": ["https://api.example.com"]}, ValueError, "allowed_hosts"),
        ({"allowed_hosts": ["api.example.com/path"]}, ValueError, "allowed_hosts"),
        ({"allowed_hosts": ["*.example.com"]}, ValueError, "allowed_hosts"),
        ({"allowed_hosts": ["a@b"]}, ValueError, "allowed_hosts"),
        ({"allowed_hosts": [""]}, ValueError, "allowed_hosts"),
        ({"allowed_hosts": ["host:999999"]}, ValueError, "allowed_hosts"),
        ({"on_tokens": 1}, TypeError, "on_tokens"),
        ({"load": {}}, TypeError, "load"),
        ({"save": "x"}, TypeError, "save"),
        ({"client": httpx2.Client}, None, ""),
        ({"client": 5}, TypeError, "client"),
        ({"async_client": 5}, TypeError, "async_client"),
        ({"lock": object()}, TypeError, "lock"),
        ({"leeway": -1}, ValueError, "leeway"),
        ({"leeway": float("nan")}, ValueError, "leeway"),
        ({"leeway": "30"}, TypeError, "leeway"),
        ({"leeway": True}, TypeError, "leeway"),
        ({"leeway": 0}, None, ""),
        ({"timeout": 0}, ValueError, "timeout"),
        ({"timeout": float("inf")}, ValueError, "timeout"),
        ({"timeout": None}, TypeError, "timeout"),
        ({"tokens": "abc"}, TypeError, "tokens"),
        ({"tokens": []}, TypeError, "tokens"),
        ({"tokens": {}}, ValueError, "X-Token-Transport"),
        ({"tokens": {"access_token": "a"}}, ValueError, "X-Token-Transport"),
        ({"tokens": GOOD | {"expires_in": -1}}, ValueError, "expires_in"),
        ({"tokens": GOOD | {"expires_in": "900"}}, ValueError, "expires_in"),
        ({"tokens": GOOD | {"expires_in": float("inf")}}, ValueError, "expires_in"),
        ({"tokens": GOOD | {"expires_at": "tomorrow"}}, ValueError, "expires_at"),
        ({"tokens": GOOD | {"refresh_token": 5}}, TypeError, "refresh_token"),
        ({"tokens": GOOD | {"expires_in": None}}, None, ""),
    ],
)
def test_arguments(options: dict[str, Any], error: type[Exception] | None, name: str) -> None:
    if error is None:
        assert isinstance(RefreshAuth(URL, **options), httpx2.Auth)
        return
    with pytest.raises(error, match=name):
        RefreshAuth(URL, **options)


def test_bad_tokens_that_are_set_change_nothing() -> None:
    auth = RefreshAuth(URL, GOOD)
    with pytest.raises(ValueError, match="refresh_token"):
        auth.tokens = {"access_token": "a"}
    with pytest.raises(TypeError):
        auth.set_tokens("a")  # type: ignore[arg-type]
    assert auth.tokens and auth.tokens["access_token"] == "abc"


def test_the_names_are_complete_and_sorted() -> None:
    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_camel_case_tokens() -> None:
    auth = RefreshAuth(URL, {"accessToken": "abc", "refreshToken": "def", "expiresIn": 900, "scope": "read"})
    tokens = auth.tokens
    assert tokens and tokens.pop("expires_at") == pytest.approx(time.time() + 900, abs=5)
    assert tokens == GOOD | {"scope": "read"}


class Clocks:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = self.monotonic = 1_000_000.0
        monkeypatch.setattr(_tokens.time, "time", lambda: self.wall)
        monkeypatch.setattr(_tokens.time, "monotonic", lambda: self.monotonic)


@pytest.mark.parametrize(
    ("wall", "monotonic", "expected"),
    [
        (0, 0, False),
        (869, 869, False),
        (870, 870, True),
        (900, 0, True),  # slept: the monotonic clock stood still
        (-5000, 899, True),  # the wall clock was set back
        (-5000, 100, False),
    ],
)
def test_both_clocks_are_asked(monkeypatch: pytest.MonkeyPatch, wall: float, monotonic: float, expected: bool) -> None:
    clocks = Clocks(monkeypatch)
    tokens = _tokens.Tokens.given(GOOD)
    clocks.wall += wall
    clocks.monotonic += monotonic
    assert tokens.is_expiring(30) is expected


@pytest.mark.parametrize(
    ("lifetime", "leeway", "fresh_for"), [(8, 30, 6), (1, 30, 0.75), (900, 30, 870), (900, 0, 900)]
)
def test_the_leeway_is_at_most_a_quarter_of_a_life(
    monkeypatch: pytest.MonkeyPatch, lifetime: float, leeway: float, fresh_for: float
) -> None:
    clocks = Clocks(monkeypatch)
    tokens = _tokens.Tokens.given(GOOD | {"expires_in": lifetime})
    clocks.wall += fresh_for - 0.01
    assert not tokens.is_expiring(leeway)
    clocks.wall += 0.02
    assert tokens.is_expiring(leeway)


def test_expires_at_is_capped_by_the_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was written under a clock that was ahead."""
    clocks = Clocks(monkeypatch)
    tokens = _tokens.Tokens.given(GOOD | {"expires_at": clocks.wall + 1e9})
    assert tokens.left() == 900


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["access_token", "refreshToken", "refresh_token", "expires_in", "expires_at", "scope", "x"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text("ab=. \n", max_size=9)
        | st.lists(st.integers()),
    )
)
def test_whatever_is_given_is_taken_or_refused(mapping: dict[str, Any]) -> None:
    received = _tokens.Tokens.received(mapping, "before")
    assert received is None or (received.access and received.refresh and received.lifetime > 0)
    try:
        tokens = _tokens.Tokens.given(mapping)
    except (TypeError, ValueError):
        return
    assert tokens.refresh
    assert tokens.is_expiring(30) in {True, False}
    again = _tokens.Tokens.given(tokens.mapping())
    assert again.same_as(tokens)


def test_it_is_an_auth_of_both_libraries() -> None:
    auth = RefreshAuth(URL)
    assert isinstance(auth, httpx.Auth) and isinstance(auth, httpx2.Auth)


def program(*missing: str, then: str) -> str:
    """What a program prints where some libraries are not installed."""
    code = f"import sys\nfor name in {missing!r}: sys.modules[name] = None\n{then}"
    # None in sys.modules raises ModuleNotFoundError with the name, as an import of what is not there does.
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


IMPORT = "from jwt_refresh_middleware.client.httpx import RefreshAuth as A; "


def test_one_library_is_enough() -> None:
    assert "['BaseAuth', 'Auth']" in program(
        "httpx",
        then=IMPORT
        + "print([c.__name__ for c in A.__mro__[1:3]]); import httpx2; httpx2.Client(auth=A('"
        + URL
        + "'))",
    )
    assert "True" in program("httpx2", then=IMPORT + "import httpx; print(issubclass(A, httpx.Auth))")


def test_without_either_the_error_names_the_extra() -> None:
    assert "ImportError: this client needs httpx2 or httpx: pip install 'jwt-refresh-middleware[client]'" in program(
        "httpx", "httpx2", then=IMPORT
    )


def test_httpx2_under_the_name_of_httpx() -> None:
    then = "import httpx2; httpx2.alias_httpx()\n" + IMPORT + "import httpx; print(issubclass(A, httpx.Auth))"
    assert "True" in program(then=then)
