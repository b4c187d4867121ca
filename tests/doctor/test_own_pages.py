"""The doctor is silent on what we show others how to do: the example, the README and the quick starts."""

import re

import pytest

from jwt_refresh_middleware import KeyRing
from jwt_refresh_middleware.doctor.strength import ENOUGH_BITS, bits

from .patients import APPS, ROOT, Surgery, serious

_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
PAGES = ["README.md", "docs/quickstart-fastapi.md", "docs/quickstart-starlette.md", "docs/quickstart-asgi.md"]


def blocks(page: str) -> list[str]:
    return _BLOCK.findall((ROOT / page).read_text())


def app_of(page: str) -> str:
    """The block of a page that makes an app; there is one, and it comes first."""
    return next(block for block in blocks(page) if re.search(r"^app = ", block, re.MULTILINE))


@pytest.fixture(autouse=True)
def repository(surgery: Surgery) -> None:
    surgery.directory.joinpath("tests").symlink_to(ROOT / "tests")


def test_the_example(surgery: Surgery) -> None:
    surgery.set(DATABASE=str(surgery.directory / "example.db"))
    report = surgery.examine(f"{APPS}.example:create_app", factory=True, twice=True)
    assert report.findings == ()
    assert [*report.middlewares] == [
        "JWTRefreshMiddleware",
        *(f"JWTRefreshMiddleware at /demo/presets/{name}" for name in ("roaming", "strict", "off", "step_up")),
    ]


def test_the_gateway_of_the_example(surgery: Surgery) -> None:
    assert surgery.examine(f"{APPS}.example:gateway").findings == ()
    in_production = surgery.examine(f"{APPS}.example:gateway", scheme="https")
    assert [finding.check for finding in in_production.findings] == ["keys.http"]


@pytest.mark.parametrize("page", PAGES)
def test_the_apps_of_the_first_pages(surgery: Surgery, page: str) -> None:
    target = surgery.write("shown", app_of(page))
    report = surgery.examine(target)
    assert serious(report) == []
    assert {finding.check for finding in report.findings} <= {"wiring.unlimited", "public.docs", "public.unmatched"}


@pytest.mark.parametrize("page", PAGES)
def test_the_apps_of_the_first_pages_with_a_placeholder_as_the_secret(surgery: Surgery, page: str) -> None:
    surgery.set(AUTH_SECRET="change-me-change-me-change-me-change-me")
    assert serious(surgery.examine(surgery.write("shown", app_of(page)))) == ["secret.weak"]


def test_the_other_apps_of_the_readme(surgery: Surgery) -> None:
    text = "\n".join(block for block in blocks("README.md") if "TestClient" not in block)
    surgery.write("shown", text)
    gateway, guarded = surgery.examine("shown:gateway"), surgery.examine("shown:guarded")
    assert (serious(gateway), serious(guarded)) == ([], [])
    assert len(gateway.middlewares) == len(guarded.middlewares) == 1


def test_every_secret_that_is_written_in_the_documentation_is_weak() -> None:
    call = re.compile(r'(?:Issuer|Verifier|from_secret)\(\s*"([^"]{32,})"|SECRET = "([^"]{32,})"')
    found = {
        text
        for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        for pair in call.findall(page.read_text())
        for text in pair
        if text
    }
    assert found
    assert {text for text in found if bits(text.encode()) >= ENOUGH_BITS} == set()


def test_keys_of_a_file_are_the_same_in_every_process(surgery: Surgery) -> None:
    """As docs/keys.md has it: made once, read by all."""
    KeyRing.generate("EdDSA").save(surgery.directory / "keys.json")
    text = app_of("README.md").replace('os.environ["AUTH_SECRET"]', 'KeyRing.from_file("keys.json")')
    target = surgery.write("with_keys", "from jwt_refresh_middleware import KeyRing\n" + text)
    assert serious(surgery.examine(target, twice=True, workers=2)) == []
