"""What devices are called."""

import builtins
import subprocess
import sys
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware import labels
from jwt_refresh_middleware.labels import device_label

MOZILLA = "Mozilla/5.0 "
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
PHONE_BLINK = f"{BLINK}Mobile Safari/537.36"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko) "
IPHONE = f"{MOZILLA}(iPhone; CPU iPhone OS 18_6 like Mac OS X) {APPLE}"
IPAD = f"{MOZILLA}(iPad; CPU OS 17_5 like Mac OS X) {APPLE}"
MAC = f"{MOZILLA}(Macintosh; Intel Mac OS X 10_15_7) "
WINDOWS = f"{MOZILLA}(Windows NT 10.0; Win64; x64) "
LINUX = f"{MOZILLA}(X11; Linux x86_64) "

COMMON = [
    (f"{WINDOWS}{BLINK}Safari/537.36", "Chrome on Windows"),
    (f"{MAC}{BLINK}Safari/537.36", "Chrome on macOS"),
    (f"{LINUX}{BLINK}Safari/537.36", "Chrome on Linux"),
    (f"{MOZILLA}(X11; CrOS x86_64 14541.0.0) {BLINK}Safari/537.36", "Chrome on ChromeOS"),
    (f"{MOZILLA}(Linux; Android 10; K) {PHONE_BLINK}", "Chrome on Android"),
    (f"{IPHONE}CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
    (f"{IPHONE}Version/18.6 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
    (f"{IPAD}Version/17.5 Mobile/15E148 Safari/604.1", "Safari on iPad"),
    (f"{MAC}{APPLE}Version/18.6 Safari/605.1.15", "Safari on macOS"),
    (f"{MOZILLA}(Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Windows"),
    (f"{MOZILLA}(X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Linux"),
    (f"{MOZILLA}(X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Ubuntu"),
    (f"{MOZILLA}(Android 15; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0", "Firefox on Android"),
    (f"{IPHONE}FxiOS/144.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
    (f"{WINDOWS}{BLINK}Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
    (f"{MOZILLA}(Linux; Android 10; HD1913) {PHONE_BLINK} EdgA/142.0.3595.65", "Edge on Android"),
    (f"{IPHONE}Version/18.0 EdgiOS/142.0.3595.53 Mobile/15E148 Safari/605.1.15", "Edge on iPhone"),
    (f"{MOZILLA}(Linux; Android 13; S9) SamsungBrowser/28.0 {PHONE_BLINK}", "Samsung Internet on Android"),
    (f"{WINDOWS}{BLINK}Safari/537.36 OPR/125.0.0.0", "Opera on Windows"),
    (f"{WINDOWS}{BLINK}Safari/537.36 Vivaldi/7.6.3797.58", "Vivaldi on Windows"),
    (f"{MOZILLA}(Linux; Android 14; Pixel 8; wv) {BLINK}Mobile Safari/537.36", "Chrome on Android"),
    (f"{IPHONE}Version/18.1 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", "DuckDuckGo on iPhone"),
    (f"{IPHONE}Mobile/22B83 [FBAN/FBIOS;FBAV/500.0;FBDV/iPhone14,5]", "Facebook on iPhone"),
    (f"{MOZILLA}(Mobile; Windows Phone 8.1; Trident/7.0; IEMobile/11.0) like iPhone OS 7_0_3", "IE on Windows Phone"),
    (f"{MOZILLA}(compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
]
PROGRAMS = [
    ("curl/8.11.0", "curl"),
    ("python-requests/2.32", "python-requests"),  # ua-parser: "Python Requests"
    ("python-httpx/0.28.1", "python-httpx"),
    ("okhttp/5.1", "okhttp"),
    ("notes-app/2.0 (Android 14)", "notes-app on Android"),
    ("MyApp/3.1 CFNetwork/1568.300.101 Darwin/24.2.0", "MyApp on iOS"),
    ("testclient", "testclient"),
]
NOTHING = [None, "", " ", "/1", "Mozilla/5.0", "\x00\x1b", "\ud800"]


@pytest.fixture
def without_ua_parser(monkeypatch):
    real = builtins.__import__

    def importing(name, *rest, **more):
        if name.partition(".")[0] == "ua_parser":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", importing)
    _forget()
    yield
    _forget()


def _forget():
    labels._rules.cache_clear()
    labels._label.cache_clear()


@pytest.mark.parametrize(("user_agent", "label"), COMMON + PROGRAMS)
def test_common_agents(user_agent, label):
    assert device_label(user_agent) == label


@pytest.mark.parametrize("user_agent", NOTHING)
def test_agents_that_say_nothing(user_agent):
    assert device_label(user_agent) is None


@pytest.mark.usefixtures("without_ua_parser")
@pytest.mark.parametrize(("user_agent", "label"), COMMON[:20] + PROGRAMS)
def test_without_the_library_the_program_alone(user_agent, label):
    assert device_label(user_agent) == label.partition(" on ")[0]


@pytest.mark.usefixtures("without_ua_parser")
@pytest.mark.parametrize("user_agent", NOTHING)
def test_nothing_said_is_nothing_without_the_library_too(user_agent):
    assert device_label(user_agent) is None


def test_the_library_is_not_loaded_before_it_is_needed():
    program = (
        "import sys\n"
        "import jwt_refresh_middleware.web, jwt_refresh_middleware.fastapi\n"
        "from jwt_refresh_middleware.labels import device_label\n"
        "device_label(None)\n"
        "assert not [name for name in sys.modules if name.startswith('ua_parser')]\n"
        "assert device_label('curl/8') == 'curl'\n"
        "assert 'ua_parser' in sys.modules and 'ua_parser_builtins.matchers' not in sys.modules\n"  # those are eager
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@given(st.text(max_size=400) | st.text(max_size=300).map("Mozilla/5.0 (X11; ".__add__))
def test_whatever_is_sent_makes_one_short_printable_line(user_agent):
    label = device_label(user_agent)
    assert label is None or (0 < len(label) <= labels.MAX_LABEL and label.isprintable() and label == label.strip())


def test_control_characters_and_turned_text_are_left_out():
    assert device_label("\x1b[31mred\n\x07app\u202etxt\x85/1") == "[31mred app txt"


def test_long_names_are_cut():
    assert device_label("x" * 200) == "x" * 79 + "…"
    assert device_label("x" * 80 + "/1") == "x" * 80


def test_markup_is_left_to_the_page():
    assert device_label("<b>app</b>") == "<b>app<"


def test_only_so_many_characters_are_looked_at_and_kept():
    labels._label.cache_clear()
    assert device_label("app/" + "1" * 300) == "app"
    assert device_label("app/" + "1" * 400_000) == "app"
    assert labels._label.cache_info().currsize == 1


def test_agents_are_remembered_within_bounds():
    labels._label.cache_clear()
    device_label("app/1")
    device_label("app/1")
    remembered = labels._label.cache_info()
    assert (remembered.hits, remembered.misses, remembered.maxsize) == (1, 1, 4096)


HOSTILE = [
    "iPhoneAppleWebKit/bot1_" * 12,
    "Mozilla/5.0 (" + "Android " * 40,
    "Mozilla/5.0 " + "Safari" * 50,
    "Mozilla/5.0 " + "a" * 250,
    "a-" * 128,
    "Mozilla/5.0 " + "Version/1 " * 30,
    "Mozilla/5.0 (Linux; " + "; " * 120,
    "Mozilla/5.0 " + "rv:Nokia" * 35,
    "(" * 255,
    "Mozilla/5.0 (compatible; " + "crawl" * 50,
    "Mozilla/5.0 " + "Spider the " * 25,
]


@pytest.mark.parametrize("user_agent", HOSTILE)
def test_no_agent_takes_long(user_agent):
    device_label(user_agent)  # rules are compiled when they are first tried
    quickest = min(_seconds(user_agent) for _ in range(5))
    assert quickest < 0.02  # 1 to 5 ms, where nothing else runs


def _seconds(user_agent):
    labels._label.cache_clear()
    began = perf_counter()
    device_label(user_agent)
    return perf_counter() - began
