"""The declarations of the browser client: they compile, they promise what there is, and nothing else."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from tests.client.node.running import CLIENT, MODULES, need_modules, node

HERE = Path(__file__).parent

# What a module exports, and the names of the client's members, read from the declarations by the compiler itself.
DECLARED = """
import ts from "typescript";
const [file, member] = process.argv.slice(1);
const program = ts.createProgram([file], { lib: ["lib.es2022.d.ts", "lib.dom.d.ts"], types: [], skipLibCheck: true });
const checker = program.getTypeChecker();
const all = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
const values = all.filter((symbol) => symbol.flags & ts.SymbolFlags.Value).map((symbol) => symbol.name);
const found = all.find((symbol) => symbol.name === member);
const members = found ? checker.getDeclaredTypeOfSymbol(found).getProperties().map((symbol) => symbol.name) : [];
console.log(JSON.stringify([values.sort(), members.sort()]));
"""
EXISTING = """
const [url, make] = process.argv.slice(1);
const module = await import(url);
const members = make ? Object.keys(module[make]({ transport: "body" })) : [];
console.log(JSON.stringify([Object.keys(module).sort(), members.sort()]));
"""


@pytest.fixture(autouse=True)
def _modules():
    need_modules()


@pytest.mark.parametrize("config", ["tsconfig.json", "tsconfig.nodenext.json"])
def test_the_sample_compiles_and_what_is_wrong_does_not(config):
    compiler = MODULES / "typescript" / "bin" / "tsc"
    done = _run([node(), str(compiler), "--strict", "--noEmit", "-p", config])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sample_is_what_is_compiled():
    listed = _run(
        [node(), str(MODULES / "typescript" / "bin" / "tsc"), "--listFilesOnly", "-p", "tsconfig.json"]
    ).stdout
    ours = ("client/index.d.ts", "client/axios.d.ts", "client/step-up.d.ts", "client/websocket.d.ts")
    for part in ("types/sample.ts", *ours, "axios/index.d.ts"):
        assert part in listed


def test_index_is_what_its_declarations_say():
    declared = _said(DECLARED, str(CLIENT / "index.d.ts"), "AuthClient")
    assert declared == _said(EXISTING, (CLIENT / "index.js").as_uri(), "createAuthClient")
    assert declared[0] == ["AuthError", "createAuthClient"]


def test_axios_is_what_its_declarations_say():
    declared = _said(DECLARED, str(CLIENT / "axios.d.ts"), "")
    assert declared == _said(EXISTING, (CLIENT / "axios.js").as_uri(), "")
    assert declared == [["attachAxios"], []]


def test_websocket_is_what_its_declarations_say():
    declared = _said(DECLARED, str(CLIENT / "websocket.d.ts"), "")
    assert declared == _said(EXISTING, (CLIENT / "websocket.js").as_uri(), "")
    assert declared == [["openSocket"], []]


def test_step_up_is_what_its_declarations_say():
    declared = _said(DECLARED, str(CLIENT / "step-up.d.ts"), "")
    assert declared == _said(EXISTING, (CLIENT / "step-up.js").as_uri(), "")
    assert declared == [["attachStepUp"], []]


def test_the_helper_for_step_ups_stays_small():
    assert len(gzip.compress((CLIENT / "step-up.js").read_bytes(), 9, mtime=0)) <= 1100


def test_the_helper_for_sockets_stays_small():
    assert len(gzip.compress((CLIENT / "websocket.js").read_bytes(), 9, mtime=0)) <= 900


def test_the_package_names_files_that_exist():
    package = json.loads((CLIENT / "package.json").read_text())
    assert package["type"] == "module"
    targets = {target for entry in package["exports"].values() for target in entry.values()}
    assert {f"./{name}" for name in package["files"]} == targets
    assert all((CLIENT / target).is_file() for target in targets)


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=100, check=False)


def _said(program: str, *arguments: str) -> list[list[str]]:
    done = _run([node(), "--input-type=module", "-e", program, *arguments])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
