"""The plugin itself: a test that leaks fails, in whatever way it does, and one that does not leak does not."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..rotation.support import QUICK
from .known import Known
from .pieces import WINDOW

pytestmark = pytest.mark.case("J01")

ROOT = Path(__file__).parents[2]
LEAKY = "tests/leakage/samples/leaky.py"
_LOG = r"a log record of jwt_refresh_middleware \(WARNING\)"
# What each test of the sample has to be told: the kind of secret, and the place.
EXPECTED = {
    "logged": rf"an access token in {_LOG}",
    "logged_as_an_argument": r"a refresh token in a log record of jwt_refresh_middleware \(ERROR\)",
    "logged_by_somebody_else": r"a refresh token in a log record of app \(ERROR\)",
    "logged_in_a_field": rf"an access token in {_LOG}",
    "logged_with_its_exception": r"an access token in a log record of jwt_refresh_middleware \(ERROR\)",
    "logged_by_asyncio": r"an access token in a log record of asyncio \(ERROR\)",
    "logged_at_a_level_that_nobody_reads": r"a refresh token in a log record of jwt_refresh_middleware \(DEBUG\)",
    "printed": "a refresh token in what was printed to stdout",
    "printed_to_the_other_one": "an access token in what was printed to stderr",
    "printed_afterwards": "an access token in what was printed to stdout",
    "printed_by_a_process": "an access token in what another process has printed",
    "printed_by_a_process_into_a_file": "an access token in what another process has printed",
    "raised_by_us": "an access token in an error: InsufficientScope",
    "raised": "an access token in what ValueError says",
    "raised_before": "an access token in what KeyError says",
    "raised_where_nobody_can_catch_it": "an access token in what ValueError says",
    "an_event": "a refresh token in Rotated, as a value",
    "an_audit_entry": "an access token in AuditEntry, as a value",
    "a_span": "a refresh token in a span",
    "a_metric": "a refresh token in the metric refreshes",
    "an_answer": "an access token in an answer of ours, 401",
    "the_header_of_an_answer": "a refresh token in an answer of ours, 200",
    "a_document": "an access token in an OpenAPI document",
    "a_repr": "a refresh token in the repr of Identity",
    "the_address_of_a_client": "a shared secret in the repr of RefreshAuth",
    "a_secret": "a shared secret in what was printed",
    "a_secret_that_is_words": "a shared secret in what was printed",
    "a_secret_in_hex": "a shared secret in what was printed",
    "the_handle_of_a_token": "the handle of a refresh token in what was printed",
    "a_private_key": "a private key in what was printed",
    "a_private_key_in_pem": "a private key in PEM in what was printed",
    "a_password": "a password .* in what was printed",
    "the_token_of_another_process": r"a JWT \(by its shape\) in what was printed",
    "the_refresh_token_of_another_process": r"a refresh token \(by its shape\) in what was printed",
}
CLEAN = ("clean", "clean_by_shape", "clean_in_part", "clean_of_weak_secrets")


class Ran:
    """What became of the tests of the sample, in two processes."""

    def __init__(self, directory: Path) -> None:
        report = directory / "report.xml"
        # No more plugins than it takes: looking for all that are installed takes longer than the tests.
        plugins = ["no:cacheprovider", "xdist.plugin", "pytest_asyncio.plugin", "tests.leaks"]
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", *(f"-p{name}" for name in plugins)]
        command += [f"--junitxml={report}", f"--basetemp={directory / 'files'}", "-o", "junit_logging=no", LEAKY]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=240, check=False, env=environment
        )
        self.output = done.stdout
        self.status = done.returncode
        cases = ElementTree.parse(report).iter("testcase")
        self.said = {
            case.attrib["name"].removeprefix("test_"): "".join("".join(part.itertext()) for part in case)
            for case in cases
        }


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("leaky"))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_leak_fails_its_test_and_says_where_and_what(ran: Ran, name: str) -> None:
    kind, place = EXPECTED[name].split(" in ", 1)
    assert re.search(
        rf"{kind.replace('an access token', '(the signature of )?an access token')} in {place}", ran.said[name]
    )


@pytest.mark.parametrize("name", CLEAN)
def test_what_may_be_told_fails_nothing(ran: Ran, name: str) -> None:
    assert ran.said[name] == ""


def test_every_test_of_the_sample_was_looked_at(ran: Ran) -> None:
    assert {*ran.said} == {*EXPECTED, *CLEAN, "that_fails_anyway"}
    assert ran.status == pytest.ExitCode.TESTS_FAILED


def test_a_test_that_fails_anyway_says_why(ran: Ran) -> None:
    assert "for another reason" in ran.said["that_fails_anyway"]


def test_the_secret_itself_is_not_told(ran: Ran) -> None:
    """In what a leak says; what the test has printed is beside it, as ever."""
    told = [line for text in ran.said.values() for line in text.splitlines() if " in " in line and "secret" in line]
    known = Known()
    assert told
    assert not any([*known.leaks("\n".join(told))])


def test_at_the_end_it_says_how_much_was_looked_at(ran: Ran) -> None:
    (line,) = re.findall(r"^leaks: looked for .*$", ran.output, re.M)
    counts = {name: int(number) for number, name in re.findall(r"(\d+) ([a-z ]+?)(?:, | in |$)", line)}
    assert all(counts.values()), line
    assert [*counts] == [
        "secrets and tokens", "log records", "printed lines", "errors", "events", "audit entries", "spans",
        "metric points", "answers", "documents", "reprs",
    ]  # fmt: skip


# -- what is found --


def known(text: str) -> Known:
    made = Known()
    made.add(text, "it")
    return made


SECRETS = st.one_of(
    st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=24, max_size=100),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), min_size=24, max_size=100),
).filter(lambda text: len({*text}) > 10)


@QUICK
@given(secret=SECRETS, at=st.integers(0, 84), before=st.text(max_size=40), after=st.text(max_size=40))
def test_any_sixteen_characters_in_a_row_are_found(secret: str, at: int, before: str, after: str) -> None:
    part = secret[: at + WINDOW][-WINDOW:]
    assert [*known(secret).leaks(before + part + after)][:1] == ["it"]


@pytest.mark.parametrize(
    "secret",
    [secrets.token_urlsafe(32), secrets.token_hex(32), "words with blanks, quite many"],
    ids=["base64url", "hex", "words"],
)
def test_fifteen_are_not(secret: str) -> None:
    looked = known(secret)
    for at in range(len(secret) - WINDOW + 1):
        text = f"\x00{secret[at : at + WINDOW - 1]}\x00"
        assert not [*looked.leaks(text)]
        assert [*looked.leaks(text[:-1] + secret[at + WINDOW - 1])]


def test_a_short_secret_is_found_as_a_whole() -> None:
    looked = known("hunter2!xyz")
    assert [*looked.leaks("it is hunter2!xyz.")] == ["it"]
    assert not [*looked.leaks("it is hunter2!xy")]


@pytest.mark.parametrize("text", ["short", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
def test_what_could_be_anything_is_not_looked_for(text: str) -> None:
    assert not [*known(text).leaks(f"{text} {text}")]


def test_of_many_the_newest_are_known() -> None:
    looked = Known()
    old, new = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    looked.add(old, "old")
    assert [*looked.leaks(old)]
    for _ in range(6_000):
        looked.add(secrets.token_urlsafe(32), "other")
    looked.leaks("")
    looked.add(new, "new")
    assert {*looked.leaks(f"{old} {new}")} == {"new"}
    assert len(looked._pieces) < 6_001 * 5
