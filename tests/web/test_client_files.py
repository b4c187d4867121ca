"""The browser client's files: their headers, 304s and compression, and that nothing else can be reached."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jwt_refresh_middleware import JWTRefreshMiddleware, Verifier
from jwt_refresh_middleware.web import client_files

from .asgi import Reply, ask
from .problems import assert_problem
from .support import COOKIE, SECRET, Inner, Service

INDEX = "// the client: ü\n" + "export const a = 1;\n" * 50
SERVED = {
    "index.js": INDEX,
    "axios.js": 'import "./index.js";\n',
    "index.d.ts": "export declare const a: number;\n",
    "empty.js": "",
}
KEPT = ["package.json", "__init__.py", "httpx.py", "index.ts", "index.js.map", "index.mjs", "README", "js", "INDEX.JS"]
JS, TEXT = "text/javascript; charset=utf-8", "text/plain; charset=utf-8"
GZIP = {"accept-encoding": "gzip, deflate, br, zstd"}
BAD_TOKEN = {"authorization": "Bearer made.up.token"}
URL = "/auth/client/index.js"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client of these tests' own, beside files that are nobody's business."""
    for name, text in SERVED.items():
        (tmp_path / name).write_text(text, "utf-8")
    for name in KEPT:
        (tmp_path / name).write_text("not for the world", "utf-8")
    (tmp_path / "folder.js").mkdir()
    (tmp_path / "folder.js" / "inner.js").write_text("not for the world", "utf-8")
    monkeypatch.setattr(client_files, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def service(folder: Path, make_service: Callable[..., Service]) -> Service:
    return make_service(public=["/static/*"])


def etag(reply: Reply) -> str:
    found = reply.one("etag")
    assert found is not None
    return found


@pytest.mark.parametrize("name", SERVED)
async def test_the_file_and_every_header_of_it(service: Service, name: str) -> None:
    reply = await service.ask("GET", f"/auth/client/{name}")
    assert (reply.status, reply.body.decode()) == (200, SERVED[name])
    assert {key.decode(): value.decode() for key, value in reply.headers} == {
        "content-type": JS if name.endswith(".js") else TEXT,
        "x-content-type-options": "nosniff",
        "content-length": str(len(SERVED[name].encode())),
        "etag": etag(reply),
        "cache-control": "no-cache",
        "vary": "Accept-Encoding",
    }
    assert service.inner.calls == 0


@pytest.mark.parametrize("name", SERVED)
async def test_the_compressed_file_and_every_header_of_it(service: Service, name: str) -> None:
    reply = await service.ask("GET", f"/auth/client/{name}", headers=GZIP)
    assert (reply.status, gzip.decompress(reply.body).decode()) == (200, SERVED[name])
    assert {key.decode(): value.decode() for key, value in reply.headers} == {
        "content-type": JS if name.endswith(".js") else TEXT,
        "x-content-type-options": "nosniff",
        "content-encoding": "gzip",
        "content-length": str(len(reply.body)),
        "etag": etag(reply),
        "cache-control": "no-cache",
        "vary": "Accept-Encoding",
    }


async def test_compression_is_worth_it(service: Service) -> None:
    assert len((await service.ask("GET", URL, headers=GZIP)).body) < len(INDEX) / 5


async def test_each_content_and_each_coding_has_a_strong_tag_of_its_own(service: Service) -> None:
    urls = [f"/auth/client/{name}" for name in SERVED]
    tags = {etag(await service.ask("GET", url, headers=headers)) for url in urls for headers in ({}, GZIP)}
    assert len(tags) == 2 * len(SERVED)
    assert all(re.fullmatch('"[0-9a-f]{32}"', tag) for tag in tags)


async def test_the_tag_is_that_of_the_content(
    service: Service, folder: Path, make_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that starts at another time has the same; a changed file has another."""
    before = [etag(await service.ask("GET", URL, headers=headers)) for headers in ({}, GZIP)]
    (folder / "index.js").write_text(INDEX, "utf-8")
    with monkeypatch.context() as later:
        later.setattr("time.time", lambda: 2_000_000_000.0)
        same = make_service()
    assert [etag(await same.ask("GET", URL, headers=headers)) for headers in ({}, GZIP)] == before
    (folder / "index.js").write_text(INDEX + " ", "utf-8")
    other = make_service()
    for headers, old in zip(({}, GZIP), before, strict=True):
        reply = await other.ask("GET", URL, headers={"if-none-match": old} | headers)
        assert (reply.status, etag(reply) == old) == (200, False)


@pytest.mark.parametrize("headers", [{}, GZIP])
@pytest.mark.parametrize(
    "header",
    ["{}", "W/{}", '"x", {}', '{}, "x"', '"x",W/{},"y"', '"a,b" ,\t{} ', ', ,{},"', "*", " * "],
)
async def test_not_modified(service: Service, header: str, headers: dict[str, str]) -> None:
    tag = etag(await service.ask("GET", URL, headers=headers))
    reply = await service.ask("GET", URL, headers={"if-none-match": header.format(tag)} | headers)
    assert (reply.status, reply.body) == (304, b"")
    assert {key.decode(): value.decode() for key, value in reply.headers} == {
        "etag": tag,
        "cache-control": "no-cache",
        "vary": "Accept-Encoding",
    }


@pytest.mark.parametrize("header", ["", '""', "{bare}", '"{bare}', '"{bare}x"', '"x{bare}"', '"*"', '*, "x"', "**"])
async def test_modified(service: Service, header: str) -> None:
    bare = etag(await service.ask("GET", URL)).strip('"')
    reply = await service.ask("GET", URL, headers={"if-none-match": header.format(bare=bare)})
    assert (reply.status, reply.body.decode()) == (200, INDEX)


async def test_the_tag_of_the_other_coding_is_another_file(service: Service) -> None:
    plain, compressed = await service.ask("GET", URL), await service.ask("GET", URL, headers=GZIP)
    reply = await service.ask("GET", URL, headers={"if-none-match": etag(compressed)})
    assert (reply.status, reply.body) == (200, plain.body)
    reply = await service.ask("GET", URL, headers=GZIP | {"if-none-match": etag(plain)})
    assert (reply.status, reply.body) == (200, compressed.body)


@pytest.mark.parametrize(
    "header",
    [
        "gzip", "GZip", "gzip, deflate, br", "br,gzip", "gzip;q=1", "gzip;q=1.000", "gzip;q=0.001", "gzip;Q=0.5",
        "gzip ;\tq=0.5", "*", "*;q=0.1", "br;q=1.0, gzip;q=0.8, *;q=0.1", "identity;q=0, gzip", "gzip, *;q=0",
        "identity;q=0.5, gzip;q=0.5", "identity;q=0, *", ",, gzip ,", "deflate;q=0, *",
    ],
)  # fmt: skip
async def test_gzip_is_sent_to_who_takes_it(service: Service, header: str) -> None:
    reply = await service.ask("GET", URL, headers={"accept-encoding": header})
    assert (reply.one("content-encoding"), gzip.decompress(reply.body).decode()) == ("gzip", INDEX)


@pytest.mark.parametrize(
    "header",
    [
        None, "", " ", ",", "identity", "br", "deflate, br", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *",
        "gzip;q=0, br", "identity, gzip;q=0.5", "identity;q=0.9, *;q=0.8", "br, identity;q=0", "x-gzip", "gzipped",
        # What cannot be read in one way only:
        "gzip, gzip;q=0", "gzip;q=0, gzip", "*, *", "gzip;q=2", "gzip;q=1.1", "gzip;q=-1", "gzip;q=0.1234", "gzip;q=",
        "gzip;q=x", "gzip;q=.5", "gzip;q", "gzip;", "gzip;q=1;x=y", "gzip;x=1", "gzip q=1", "gzip; q = 1", "gzip br",
        "gzip, ;", "gzip, =", '"gzip"', "gzip;q=1e0", "gzip;q=nan", "gzip;q=inf", "gzip, ü", "gzip\x00",
        "gzip;q=\u00b2",
    ],
)  # fmt: skip
async def test_who_does_not_plainly_take_gzip_gets_the_file_as_it_is(service: Service, header: str | None) -> None:
    reply = await service.ask("GET", URL, headers={} if header is None else {"accept-encoding": header})
    assert (reply.status, reply.one("content-encoding"), reply.body.decode()) == (200, None, INDEX)


@pytest.mark.parametrize("name", ["accept-encoding", "if-none-match"])
async def test_a_header_that_came_twice_gets_the_whole_plain_file(service: Service, name: str) -> None:
    value = "gzip" if name == "accept-encoding" else etag(await service.ask("GET", URL))
    reply = await service.ask("GET", URL, headers=[(name, value), (name, value)])
    assert (reply.status, reply.body.decode()) == (200, INDEX)


@pytest.mark.parametrize("piece", ["gzip,", "gzip ;", " ", "a", ",", "gzip;q=0.", ";", "a;q=1 ,"])
def test_a_long_header_takes_no_time(piece: str) -> None:
    """A parser that went back over what it has read would take minutes."""
    assert client_files.takes_gzip((piece * 100_000).encode()) is False


@pytest.mark.parametrize("headers", [{}, BAD_TOKEN, {"authorization": "Bearer"}, {"authorization": "Basic eDp5"}])
@pytest.mark.parametrize("required", [True, False])
async def test_no_token_is_needed_and_none_looked_at(
    folder: Path, make_service: Callable[..., Service], headers: dict[str, str], required: bool
) -> None:
    service = make_service(required=required)
    reply = await service.ask("GET", URL, headers=headers)
    assert (reply.status, reply.body.decode()) == (200, INDEX)
    assert reply.one("www-authenticate") is None


async def test_any_site_may_load_it_and_no_cookie_is_touched(service: Service) -> None:
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "cookie": f"{COOKIE}=x"}
    reply = await service.ask("GET", URL, headers=headers)
    assert (reply.status, reply.all("set-cookie")) == (200, [])


async def test_no_request_reads_the_store_or_the_disk(service: Service, folder: Path) -> None:
    tokens = await service.login()
    service.store.calls.clear()
    for path in folder.glob("*.*"):
        if path.is_file():
            path.unlink()
    reply = await service.ask("GET", URL, headers=tokens.bearer | tokens.by_cookie)
    assert (reply.status, reply.body.decode()) == (200, INDEX)
    assert service.store.calls == []


async def test_a_store_that_has_failed_does_not_matter(service: Service) -> None:
    await service.login()
    service.store.failure = ConnectionError("nobody there")
    assert (await service.ask("GET", URL)).status == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND", "get"])
async def test_other_methods_are_refused(service: Service, method: str) -> None:
    reply = await service.ask(method, URL, headers={"if-none-match": "*"} | GZIP)
    if method == "HEAD":
        assert (reply.status, reply.body) == (405, b"")
    else:
        assert_problem(reply, "method_not_allowed")
    assert reply.one("allow") == "GET"
    assert service.inner.calls == 0


async def test_a_preflight_passes(service: Service) -> None:
    preflight = {"origin": "https://app.example.com", "access-control-request-method": "GET"}
    assert (await service.ask("OPTIONS", URL, headers=preflight)).body == b"hello anonymous"


OTHERS = [
    *(f"/auth/client/{name}" for name in KEPT),
    "/auth/client", "/auth/client/", "/auth/client/unknown.js", "/auth/client/.js", "/auth/client/*.js",
    "/auth/client/folder.js", "/auth/client/folder.js/inner.js", "/auth/client/index", "/auth/client/index.js/",
    "/auth/client//index.js", "/auth//client/index.js", "//auth/client/index.js", "/auth/client/./index.js",
    "/auth/client/../client/index.js", "/auth/client/../x", "/auth/client/../web/routes.py",
    "/auth/client/../../../../../etc/passwd", "/auth/client//etc/passwd", "/auth/client/..", "/auth/client/.",
    "/auth/client/%2e%2e/x", "/auth/client/%2e%2e%2findex.js", "/auth/client/index%2ejs", "/auth/client\\index.js",
    "/auth/client/..\\index.js", "/auth/client/index.js\x00", "/auth/client/index.js\n", "/auth/client/index.js;x",
    "/auth/client/index.js ", "/auth/client/Index.js", "/auth/Client/index.js", "/auth/client/\ufffd.js",
    "/client/index.js", "/auth/index.js", "/x/auth/client/index.js", "/auth/client/index.js/../index.js",
]  # fmt: skip


@pytest.mark.parametrize("path", OTHERS)
async def test_nothing_else_can_be_reached(service: Service, path: str) -> None:
    """It belongs to the app, and is protected like the rest of it."""
    assert_problem(await service.ask("GET", path), "token_missing")
    assert service.inner.calls == 0
    assert (await service.get_in(await service.login(), path)).body == b"hello alice"


async def test_the_app_may_have_public_files_of_its_own_beside_them(
    folder: Path, make_service: Callable[..., Service]
) -> None:
    service = make_service(public=["/auth/client/*"])
    assert (await service.ask("GET", "/auth/client/mine.js")).body == b"hello anonymous"
    assert (await service.ask("GET", URL)).body.decode() == INDEX
    assert_problem(await service.ask("GET", "/auth/client/../client/index.js"), "token_missing")


async def test_a_query_is_no_part_of_the_name(service: Service) -> None:
    assert (await service.ask("GET", URL + "?v=1")).body.decode() == INDEX


async def test_another_prefix(folder: Path, make_service: Callable[..., Service]) -> None:
    service = make_service(prefix="/api/v1/users")
    assert (await service.ask("GET", "/api/v1/users/client/index.js")).body.decode() == INDEX
    assert_problem(await service.ask("GET", URL), "token_missing")


@pytest.mark.parametrize("includes_root", [True, False])
async def test_behind_a_root_path(service: Service, includes_root: bool) -> None:
    """ASGI says that ``path`` includes ``root_path``; older servers leave it out."""
    root = "/api" if includes_root else ""
    assert (await service.ask("GET", root + URL, root_path="/api")).body.decode() == INDEX
    assert_problem(await service.ask("GET", "/other" + URL, root_path="/api"), "token_missing")


async def test_a_gateway_has_none(folder: Path) -> None:
    inner = Inner()
    app = JWTRefreshMiddleware(inner, verifier=Verifier(SECRET))
    assert_problem(await ask(app, "GET", URL), "token_missing")
    assert inner.calls == 0


@pytest.mark.parametrize("left_out", ["files", "folder"])
async def test_an_installation_without_them_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_service: Callable[..., Service], left_out: str
) -> None:
    monkeypatch.setattr(client_files, "FOLDER", tmp_path if left_out == "files" else tmp_path / "missing")
    service = make_service()
    assert_problem(await service.ask("GET", URL), "token_missing")
    assert (await service.get_in(await service.login(), URL)).body == b"hello alice"


@pytest.mark.parametrize("name", ["index.js", "axios.js", "index.d.ts", "axios.d.ts"])
async def test_the_client_is_there_and_finds_what_it_imports(make_service: Callable[..., Service], name: str) -> None:
    """A relative import is resolved against the address of the file (HTML standard, "resolve a module specifier")."""
    service = make_service()
    reply = await service.ask("GET", f"/auth/client/{name}")
    assert reply.status == 200
    code = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", reply.body.decode(), flags=re.DOTALL | re.MULTILINE)
    imported = set(re.findall(r"""\b(?:from|import)\b[\s(]*["']([^"']+)["']""", code))
    if name.endswith(".d.ts"):  # for a compiler, which has the package; a browser has not
        imported.discard("axios")
    for specifier in imported:
        assert re.fullmatch(r"\./[^/]+\.js", specifier)
        assert (await service.ask("GET", "/auth/client" + specifier.removeprefix("."))).status == 200
