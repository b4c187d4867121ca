"""What docs/browser-client.md says about names and defaults is what the client has; its JavaScript can be parsed."""

import re
from pathlib import Path

import pytest

from .conftest import CLIENT, PAGE, Block, blocks, run

TYPES = (CLIENT / "index.d.ts").read_text("utf-8")
SOURCE = (CLIENT / "index.js").read_text("utf-8")


def members(interface: str) -> list[str]:
    """The names of the members of an interface or a class of index.d.ts, in their order."""
    body = re.search(rf"^export (?:interface|class) {interface}\b.*?\{{\n(.*?)^\}}", TYPES, re.M | re.S)
    assert body, interface
    return re.findall(r"^  (?:readonly )?(\w+)[?:(<]", body[1], re.M)


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    section = re.search(rf"^##+ {heading}\n(.*?)(?=^##)", PAGE.read_text("utf-8"), re.M | re.S)
    assert section, heading
    table = re.search(r"^\|.*?(?=^[^|])", section[1], re.M | re.S)
    assert table, heading
    return [line.strip("| ").split(" | ") for line in table[0].splitlines()[2:]]


def names(heading: str) -> list[str]:
    return [re.fullmatch(r"`(\w+)(?:\(.*\))?`", cells[0])[1] for cells in rows(heading)]


@pytest.mark.parametrize(
    ("heading", "interface"),
    [
        ("Options", "AuthClientOptions"),
        ("Methods", "AuthClient"),
        ("Events", "AuthEvents"),
        ("AuthError", "AuthError"),
    ],
)
def test_a_table_names_exactly_what_there_is(heading, interface):
    assert names(heading) == members(interface)


def test_the_defaults_are_those_of_the_code():
    signature = re.search(r"export function createAuthClient\(\{(.*?)\} = \{\}\)", SOURCE, re.S)[1]
    defaults = dict(re.findall(r'(\w+)(?: = ("[^"]*"|\[\]|true|false|\d+|\(.*))?,', signature))
    assert "globalThis.fetch" in defaults.pop("fetch")
    listed = {cells[0].strip("`"): cells[1].strip("`") for cells in rows("Options")}
    assert listed.pop("fetch") == "globalThis.fetch"
    assert listed.pop("baseUrl") == "the page's origin"
    assert defaults.pop("baseUrl") in ("", '""')
    assert listed == {name: value or "undefined" for name, value in defaults.items()}


def test_each_reason_of_a_signed_out_session_is_named():
    reasons = re.search(r"^export type SignedOutReason = (.*);", TYPES, re.M)[1].split(" | ")
    (described,) = [cells[2] for cells in rows("Events") if cells[0] == "`signedout`"]
    assert re.findall(r'`("[\w-]+")`', described) == reasons


def test_each_global_that_a_phone_must_have_is_listed():
    listed = set(re.findall(r"`(\w+)`", re.search(r"- The client needs (.*?)\.", PAGE.read_text("utf-8"), re.S)[1]))
    names = "AbortController|AbortSignal|Headers|URL|atob|performance|queueMicrotask"
    assert listed == set(re.findall(rf"\b({names})\b", SOURCE)) | {"fetch"}


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"line-{block.line}")
def test_the_javascript_can_be_parsed(block: Block, node: str, tmp_path: Path):
    file = tmp_path / "block.mjs"
    file.write_text(block.source, "utf-8")
    checked = run(node, "--check", file, directory=tmp_path)
    assert checked.returncode == 0, f"{PAGE.name}, line {block.line}\n{checked.stderr}"


def test_the_page_has_javascript():
    assert len(blocks()) >= 10


def test_what_is_imported_is_exported():
    imported = set()
    for block in blocks():
        pattern = r'import \{ ([\w, ]+) \} from "(?:[^"]*client/index\.js|jwt-refresh-middleware-client)"'
        for found in re.findall(pattern, block.source):
            imported |= set(found.split(", "))
    exported = set(re.findall(r"^export (?:class|function) (\w+)", SOURCE, re.M))
    assert imported and imported <= exported


def test_on_a_server_the_module_is_imported_and_does_nothing(node: str, tmp_path: Path):
    """It ends by itself: no timer and no channel keeps the process alive; and nothing is sent."""
    program = tmp_path / "server.mjs"
    program.write_text(
        f"""
        globalThis.fetch = () => {{ throw new Error("something was sent"); }};
        const {{ createAuthClient }} = await import({(CLIENT / "index.js").as_uri()!r});
        const auth = createAuthClient();
        console.log(auth.isAuthenticated());
        """
    )
    result = run(node, program, directory=tmp_path)
    assert (result.returncode, result.stdout) == (0, "false\n"), result.stderr
