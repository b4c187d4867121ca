"""``explain``: what is printed of a token, with which exit code, and that no token is ever printed back."""

import asyncio
import io
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore, TokenPair
from jwt_refresh_middleware.command_line.explain.refresh_tokens import explained_refresh, refresh_token_in
from jwt_refresh_middleware.errors import AuthError
from jwt_refresh_middleware.refresh import RefreshToken
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from .support import Line, run

SECRET = "the secret of these tests, long enough by far"
ISSUER = "https://users.example.com"


def issue(path: Path, work: Callable[[Issuer], Awaitable[Any]], keys: Any = SECRET) -> Any:
    async def opened() -> Any:
        async with Issuer(keys, SQLiteStore(path), issuer=ISSUER, audience="api") as issuer:
            return await work(issuer)

    return asyncio.run(opened())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def pair(path: Path) -> TokenPair:
    made: TokenPair = issue(path, lambda issuer: issuer.login("ann", scopes=["read"]))
    return made


@pytest.fixture
def explain(line: Line, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Explain what comes on standard input, as JSON; nothing of it may be in what is said, but for its claims."""
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("OTHER", "another secret, and long enough too")

    def explained(token: str, *options: object, code: int = 0) -> Any:
        said = []
        for form in ([], ["--json"]):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(token.encode() + b"\n")))
            said.append(line("explain", "-", *options, *form, code=code))
            for part in token.split("."):
                assert len(part) < 20 or part not in said[-1] + line.err
        return json.loads(said[1])

    return explained


def test_an_access_token_is_explained_without_any_secret(explain: Callable[..., Any], pair: TokenPair) -> None:
    told = explain(pair.access_token)
    assert {*told} == {"kind", "verdict", "code", "header", "claims", "times", "checks"}
    assert (told["kind"], told["verdict"], told["code"]) == ("access_token", "undecided", None)
    assert told["header"]["alg"] == "HS256"
    assert (told["claims"]["sub"], told["claims"]["sid"]) == ("ann", pair.session.id)
    assert {*told["times"]} == {"exp", "iat", "auth_time"}
    assert told["times"]["exp"]["in_words"] == "in 14 minutes"
    results = {one["check"]: one["result"] for one in told["checks"]}
    assert {name for name, result in results.items() if result == "not_checked"} == {
        *("alg", "kid", "iss", "aud", "signature", "session")
    }


@pytest.mark.parametrize(
    ("options", "verdict", "refused"),
    [
        (["--secret-from-env", "SECRET"], "accepted", []),
        (["--secret-from-env", "OTHER", "--secret-from-env", "SECRET"], "accepted", []),
        (["--secret-from-env", "SECRET", "--issuer", ISSUER, "--audience", "api"], "accepted", []),
        (["--secret-from-env", "OTHER"], "refused", ["kid"]),
        (["--issuer", "https://evil.example"], "refused", ["iss"]),
        (["--audience", "other"], "refused", ["aud"]),
    ],
)
def test_it_is_held_against_what_is_said(
    explain: Callable[..., Any], pair: TokenPair, options: list[str], verdict: str, refused: list[str]
) -> None:
    told = explain(pair.access_token, *options, code=3 if refused else 0)
    assert told["verdict"] == verdict
    assert [one["check"] for one in told["checks"] if one["result"] == "refused"] == refused


def test_times_follow_the_clock_and_the_leeway(
    explain: Callable[..., Any], pair: TokenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = time.time() + 900 + 40
    monkeypatch.setattr(time, "time", lambda: late)
    told = explain(pair.access_token, "--secret-from-env", "SECRET", code=3)
    assert told["code"] == "token_expired"
    assert told["times"]["exp"]["in_words"].endswith(" seconds ago")
    told = explain(pair.access_token, "--secret-from-env", "SECRET", "--leeway", "60")
    assert told["verdict"] == "accepted"


def test_keys_come_from_files(explain: Callable[..., Any], path: Path, tmp_path: Path, line: Line) -> None:
    line("keys", "generate", "--algorithm", "ES256", "--file", tmp_path / "keys.json")
    ring = KeyRing.from_file(tmp_path / "keys.json")
    made = issue(path, lambda issuer: issuer.login("ann"), ring)
    (tmp_path / "public.json").write_text(json.dumps(ring.jwks()))
    (tmp_path / "one.json").write_text(json.dumps(ring.jwks()["keys"][0]))
    (tmp_path / "other.json").write_text(json.dumps(KeyRing.generate("ES256").jwks()))
    for name in ("keys.json", "public.json", "one.json"):
        assert explain(made.access_token, "--keys", tmp_path / name)["verdict"] == "accepted"
    assert explain(made.access_token, "--keys", tmp_path / "other.json", code=3)["code"] == "token_invalid"

    told = explain(made.refresh_token, "--keys", tmp_path / "keys.json", "--store", path)
    assert (told["verdict"], told["proven"]) == ("accepted", True)
    told = explain(made.refresh_token, "--keys", tmp_path / "public.json", "--store", path)
    assert (told["verdict"], told["proven"]) == ("undecided", False)


def test_keys_that_cannot_be_read_are_an_error(line: Line, pair: TokenPair, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no key at all")
    (tmp_path / "half").write_text('{"keys": [{"kty"')
    for name in ("text", "half", "missing"):
        line("explain", pair.access_token, "--keys", tmp_path / name, code=1)
        assert name in line.err
    line("explain", pair.access_token, "--secret-from-env", "NOT_THERE", code=1)
    line("explain", pair.access_token, "--keys", tmp_path / "text", "--secret-from-env", "SECRET", code=2)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, KeyRing]]:
    ring = KeyRing.generate("EdDSA")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/jwks.json"
            body = json.dumps(ring.jwks()).encode()
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", ring
        server.shutdown()
        thread.join(20)


def test_keys_come_from_where_an_issuer_publishes_them(
    explain: Callable[..., Any], line: Line, site: tuple[str, KeyRing], path: Path
) -> None:
    url, ring = site
    made = issue(path, lambda issuer: issuer.login("ann"), ring)
    assert explain(made.access_token, "--jwks-url", f"{url}/jwks.json")["verdict"] == "accepted"
    line("explain", made.access_token, "--jwks-url", f"{url}/nothing", code=1)
    assert "/nothing" in line.err
    line("explain", made.access_token, "--jwks-url", "http://users.example.com/jwks.json", code=2)
    assert "https" in line.err


def test_an_ended_session_is_found_in_its_store(
    explain: Callable[..., Any], line: Line, pair: TokenPair, path: Path
) -> None:
    options = ["--secret-from-env", "SECRET", "--store", path]
    assert explain(pair.access_token, *options)["verdict"] == "accepted"
    line("sessions", "revoke", "--store", path, "--", pair.session.id)
    assert explain(pair.access_token, *options, code=3)["code"] == "token_revoked"
    told = explain(pair.refresh_token, *options, code=3)
    assert (told["code"], told["state"]) == ("refresh_invalid", "ended")
    assert told["session"]["revoked_reason"] == "revoked"


def test_a_refresh_token_says_its_session_and_proves_nothing(explain: Callable[..., Any], pair: TokenPair) -> None:
    told = explain(pair.refresh_token)
    assert {*told} == {*("kind", "verdict", "code", "session_id", "generation", "proven", "state", "session", "checks")}
    assert (told["kind"], told["verdict"], told["proven"]) == ("refresh_token", "undecided", False)
    assert (told["session_id"], told["generation"], told["state"]) == (pair.session.id, 0, None)


def test_a_refresh_token_of_somebody_else_is_refused(explain: Callable[..., Any], pair: TokenPair) -> None:
    told = explain(pair.refresh_token, "--secret-from-env", "OTHER", code=3)
    assert (told["code"], told["proven"]) == ("refresh_invalid", False)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "A", lambda t: t.replace(".", ""), lambda t: "B" + t]
)
def test_what_is_neither_is_no_refresh_token(
    explain: Callable[..., Any], pair: TokenPair, change: Callable[[str], str]
) -> None:
    told = explain(change(pair.refresh_token), code=3)
    assert (told["kind"], told["code"]) == ("access_token", "token_invalid")


async def test_the_verdict_on_a_refresh_token_is_that_of_an_issuer() -> None:
    """Held against an issuer in each state of a session, with the row as it was before it was asked."""
    now, seen = 1_800_000_000.0, set()
    ring = KeyRing.from_secret(SECRET)
    store = MemoryStore()
    issuer = Issuer(ring, store, clock=lambda: now)

    async def held(token: str) -> None:
        said = refresh_token_in(token.encode())
        assert said is not None
        row = await store.get(said.session_id)
        told = explained_refresh(token.encode(), said, keys=ring, looked=True, row=row, now=now)
        seen.add(told.state)
        code = await outcome(token)
        assert (told.verdict, told.code) == ("accepted" if code is None else "refused", code)

    async def outcome(token: str) -> str | None:
        try:
            await issuer.refresh(token)
        except AuthError as error:
            return error.code
        return None

    first = await issuer.login("ann")
    second = await issuer.refresh(first.refresh_token)
    await held(first.refresh_token)  # within the leeway
    third = await issuer.refresh(second.refresh_token)
    issuer.acknowledge(issuer.verifier.verify(third.access_token))
    await issuer.flush()
    now += 60
    await held(third.refresh_token)
    await held(first.refresh_token)  # theft, which ends the session
    await held(third.refresh_token)
    other = await issuer.login("ann")
    await held(issuer._pairs.signer.write(_token(other).at(3)))  # newer than the store knows
    await held(issuer._pairs.signer.write(RefreshToken.first()))  # unknown
    now += 8 * 86_400
    await held((await issuer.login("bob")).refresh_token)
    await held(issuer._pairs.signer.write(_token(other).at(4)))  # expired
    await issuer.aclose()
    assert seen == {"current", "spent", "ended", "ahead", "unknown", "expired"}


def _token(pair: TokenPair) -> RefreshToken:
    said = refresh_token_in(pair.refresh_token.encode())
    assert said is not None
    return said


@pytest.mark.parametrize("form", ["{}", "  {}\r\n", "Bearer {}", "bearer   {}\n"])
def test_what_is_around_a_token_is_left_out(line: Line, pair: TokenPair, form: str) -> None:
    told = line.json("explain", form.format(pair.access_token))
    assert told["verdict"] == "undecided"


@pytest.mark.parametrize("given", ["", "  \n", "Bearer "])
def test_no_token_is_refused(line: Line, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    line("explain", code=2)


@pytest.mark.parametrize("options", [["--leeway", "61"], ["--issuer", ""], ["--audience", "a\nb"], ["--leeway", "x"]])
def test_what_a_verifier_could_not_be_given_is_refused(line: Line, pair: TokenPair, options: list[str]) -> None:
    line("explain", pair.access_token, *options, code=2)


def test_any_bytes_are_explained() -> None:
    """In a process of its own, where arguments may be anything: no traceback, whatever comes."""
    deep = "eyJhbGciOiJIUzI1NiIsIngiOl" + "tb" * 2000
    said = run(
        "explain", "--json", given=f"{deep}.é.\udce9".encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    )
    assert (said.returncode, said.stderr) == (3, "")
    assert json.loads(said.stdout)["code"] == "token_invalid"


def test_a_token_that_is_nested_deeply_is_shown_as_far_as_that_goes(line: Line) -> None:
    from ..catalogue.forge import claims, header, jws

    nested: Any = "bottom"
    for _ in range(400):
        nested = [nested]
    told = line.json("explain", jws(header(), claims(deep=nested, exp=4e9, iat=0)))
    assert told["verdict"] == "undecided"
    assert "bottom" not in json.dumps(told)
