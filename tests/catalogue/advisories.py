"""What others had to publish about software like this one, and the cases of the catalogue that it left behind.

One entry for each lesson: advisories that teach the same stand together. The regression test of an entry is named after
its first id; see :func:`slug`.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent

GROUP_SIZES = {"A": 17, "B": 12, "C": 9, "D": 7, "E": 21, "F": 11, "G": 11, "H": 25, "I": 15, "J": 7}
"""How many cases each group of the catalogue has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One lesson that somebody else paid for.

    Attributes:
        ids: CVE, GHSA or PYSEC ids, or a project and the number of its issue.
        product: whose it was.
        lesson: what went wrong there.
        cases: the cases of the catalogue in which it is tried here; none for an entry with a ``note`` instead.
        note: why there is no test.
    """

    ids: tuple[str, ...]
    product: str
    lesson: str
    cases: tuple[str, ...] = ()
    note: str = ""

    @property
    def tests(self) -> tuple[str, ...]:
        """The node ids of its regression tests, without parameters."""
        return tuple(nodeid for nodeid in marked_tests() if f"::test_{slug(self.ids[0])}_" in nodeid)


def slug(identifier: str) -> str:
    """An id as it stands in the name of a test."""
    return re.sub(r"[^a-z0-9]+", "_", identifier.lower()).strip("_")


@cache
def marked_tests() -> Mapping[str, set[str]]:
    """The cases that each regression test is marked with, by its node id. Read and not imported: nothing runs."""
    found = {}
    for path in sorted(_HERE.glob("test_advisories*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found[f"tests/catalogue/{path.name}::{node.name}"] = set(_marks(node))
    return found


def _marks(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    marks = [one for one in node.decorator_list if isinstance(one, ast.Call)]
    return [
        ast.literal_eval(arg) for mark in marks if ast.unparse(mark.func) == "pytest.mark.case" for arg in mark.args
    ]


def _of(product: str, *entries: tuple[str | tuple[str, ...], str, str]) -> tuple[Advisory, ...]:
    """The entries of one product: ids, lesson, cases separated by blanks."""
    return tuple(
        Advisory(
            ids=(ids,) if isinstance(ids, str) else ids, product=product, lesson=lesson, cases=tuple(cases.split())
        )
        for ids, lesson, cases in entries
    )


_PYJWT = _of(
    "PyJWT",
    ("CVE-2022-29217", "A public key in PEM was taken as the secret of an HMAC, whose holder is everybody.", "A03"),
    ("CVE-2024-53861", "The issuer was looked for inside of the expected text, so a part of it passed.", "C06"),
    ("CVE-2026-32597", "A header that has to be understood was passed over, though unknown.", "B05"),
    ("CVE-2026-48523", "A key that said its own algorithm went around the list of allowed ones.", "A04 A05"),
    ("CVE-2026-48524", "Each unknown key id cost a fetch of the keys, and a failed one lost those there were.", "A09"),
    ("CVE-2026-48525", "An unencoded payload of any size was read before the signature was looked at.", "B04"),
    ("CVE-2026-48522", "Keys were fetched from whatever a URL can name: files, FTP, data in the URL itself.", "A11"),
    ("CVE-2026-48526", "A JWK as text was taken as the secret of an HMAC.", "A03"),
    ("CVE-2026-102265", "A header of many nested lists ended the request with an error, by anybody.", "B09"),
    ("CVE-2026-102266", "A JWK with an empty secret was a key.", "A07"),
    ("CVE-2026-102267", "The fetch of keys went wherever the answer sent it.", "A09 A11"),
    ("CVE-2026-102268", "A PEM key with other blanks and line ends was not known for one, and made a secret.", "A03"),
    ("CVE-2026-102269", "A token that was denied by its text came back in another spelling.", "B01 A14 H14"),
    (
        ("CVE-2026-102271", "CVE-2026-102272", "CVE-2026-102273"),
        "A public key in DER, or a JWK within other JSON, was taken as the secret of an HMAC.",
        "A03",
    ),
    ("CVE-2026-102274", "An RSA key in a set that makes no sense raised what nobody caught.", "A06"),
    ("CVE-2026-102275", "A private key was accepted beside a public half that does not belong to it.", "A06"),
    ("CVE-2026-101918", "A payload of many nested lists raised while the key was looked for.", "B09"),
    ("PyJWT exp-types", "An expiry of infinity or of a list raised, though the token was signed.", "B10"),
)
_OTHER_LIBRARIES = (
    *_of(
        "python-jose",
        ("CVE-2026-85394", "A public key in DER was taken as the secret of an HMAC.", "A03"),
        ("CVE-2024-33663", "A public key in OpenSSH's form was taken as the secret of an HMAC.", "A03"),
        ("CVE-2024-33664", "A small encrypted token unpacked to a huge one.", "B03"),
        ("python-jose 413", "A header that has to be understood is passed over.", "B05"),
    ),
    *_of("joserfc", ("CVE-2026-49852", "An empty secret, or none, was a key.", "A07")),
    *_of(
        "Authlib",
        ("CVE-2026-96760", "A token in JSON with an empty list of signatures counted as verified.", "B02"),
        ("CVE-2025-59420", "A header that has to be understood was passed over.", "B05"),
        ("CVE-2026-28802", "Since the code was tidied up, no algorithm and no signature passed.", "A01"),
        ("CVE-2026-27962", "Without a key of its own it took the one in the token's header.", "A11"),
    ),
    *_of(
        "python-jwt",
        ("CVE-2022-39227", "One reading of the text was verified, another one was used.", "B02"),
    ),
    *_of(
        "jwcrypto",
        (("CVE-2024-28102", "CVE-2026-39373"), "A limit on what comes in is none on what it unpacks to.", "B03"),
    ),
    *_of(
        "jsonwebtoken",
        ("CVE-2022-23529", "What was given as the key could be any object, and was run.", "A03"),
        ("CVE-2022-23540", "Without a list of algorithms, none was one of them.", "A01"),
        ("CVE-2022-23541", "A key was used for whatever algorithm the token named.", "A03"),
    ),
    *_of(
        "fast-jwt",
        (("CVE-2023-48223", "CVE-2026-34950"), "A blank before a PEM key hid it from the check for one.", "A03"),
        ("CVE-2026-35039", "Remembered tokens were mixed up, and with them their users.", "J07 E21"),
        ("CVE-2026-35042", "A header that has to be understood was passed over.", "B05"),
    ),
    *_of(
        "Hono",
        ("CVE-2026-22817", "A key that named no algorithm was used for the token's.", "A05"),
        ("CVE-2026-44459", "An expiry that was no number was not compared.", "C02"),
        ("PT-2026-46859", "Any scheme before the token would do.", "E03"),
    ),
    *_of("node-jws", ("GHSA-869p-cjfg-cm3x", "The secret was chosen by what the unverified token said.", "A08")),
)
_FRAMEWORKS = (
    *_of(
        "fastapi-users and fastapi-sso",
        (
            ("CVE-2025-68158", "CVE-2025-68481", "CVE-2025-14546"),
            "A login was not tied to the browser that began it, so a stranger's session could be planted.",
            "G08",
        ),
    ),
    *_of("FastAPI-Security", ("CVE-2026-5580", "Tokens were decoded with whatever algorithm they named.", "A03")),
    *_of(
        "Starlette",
        ("CVE-2026-48710", "The path was taken from a URL that the Host header is a part of.", "F08"),
        ("PYSEC-2026-248", "A target without a slash became a part of the host.", "F07 F08"),
    ),
    *_of("Next.js", ("CVE-2025-29927", "A header for internal use made the check of the token be left out.", "E10")),
    *_of(
        "@fastify/middie and @fastify/static",
        ("CVE-2026-2880", "Two slashes led past the guard to the same page.", "F01 F02"),
        ("CVE-2026-14198", "An encoded slash was one to the router and none to the guard.", "F03"),
        ("CVE-2026-6414", "What follows a semicolon counted for one of them only.", "F02 F04"),
    ),
)
_SESSIONS = (
    *_of(
        "djangorestframework-simplejwt",
        ("CVE-2024-22513", "Who had been disabled went on to refresh.", "H12"),
    ),
    *_of(
        "django-oauth-toolkit",
        ("django-oauth-toolkit 1617", "The grace of a spent token had no end: older generations had it too.", "H04"),
        (
            ("django-oauth-toolkit 558", "django-oauth-toolkit 638"),
            "Refreshes at once got two successors, or an error.",
            "H07",
        ),
        ("django-oauth-toolkit 1809", "To end a family took the longer, the longer it had lived.", "H25"),
    ),
    *_of(
        "Keycloak",
        ("CVE-2026-1035", "Whether a token was spent was read and written in two steps.", "H07"),
        ("CVE-2026-9802", "After a restart, spent tokens were fresh again.", "H18"),
        ("keycloak 49213", "A refresh that failed had spent its token all the same.", "H19"),
    ),
    *_of("Apache CXF", ("CVE-2026-50631", "Refreshes at once all went through with one token.", "H07")),
    *_of(
        "better-auth",
        ("CVE-2026-53517", "Between reading, revoking and writing a family could fork.", "H07 H09"),
        ("GHSA-xg6x-h9c9-2m83", "What was remembered of a session was from before its second factor.", "D06"),
        ("CVE-2025-61928", "Where there was no session, the body said whose request it was.", "J06"),
        ("CVE-2026-45364", "One address of IPv6 had many spellings, each with attempts of its own.", "E12"),
    ),
    *_of("NocoDB", ("CVE-2026-126280", "Nobody looked at whether the conditional write had written anything.", "H07")),
    *_of("Vaultwarden", ("CVE-2026-43911", "Refresh tokens outlived the change of the password.", "H11")),
    *_of(
        "Supabase Auth",
        ("CVE-2026-31813", "A token of an issuer that the attacker runs was accepted.", "C06"),
        ("GHSA-3529-5m8x-rpv3", "X-Forwarded-Host was believed, whoever sent it.", "E10"),
    ),
    *_of(
        "client libraries",
        (
            ("letsrevel 950", "OpenRisk 700", "directus 22360"),
            "Who lost a race of two refreshes was told to delete the winner's cookie.",
            "G10",
        ),
    ),
)
_WITHOUT_A_TEST = (
    Advisory(
        ids=("CVE-2026-101917", "CVE-2026-102270", "CVE-2026-103001"),
        product="PyJWT",
        lesson="Not known.",
        note="not read: only that they exist was found",
    ),
    Advisory(
        ids=("supertokens",),
        product="supertokens",
        lesson="Nothing about sessions; a signature of SAML was wrapped.",
        note="no advisory found for sessions",
    ),
)

ADVISORIES = (*_PYJWT, *_OTHER_LIBRARIES, *_FRAMEWORKS, *_SESSIONS, *_WITHOUT_A_TEST)
