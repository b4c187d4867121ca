"""Group A: algorithm and key.

Left out: A05, A06, A09, A13 to A15 and most of A03 and A07 (they need asymmetric keys or a remote key set, which do not
exist yet), A17 (load: its single-client form is A16).
"""

import itertools
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore

from ..web.problems import assert_problem
from ..web.support import SECRET, Service
from .attack import Target
from .forge import b64, claims, header, jws, mac, parts, segment, token, with_header

ALGS_NONE: dict[str, Any] = {
    "none": "none",
    "nOnE": "nOnE",
    "NONE": "NONE",
    "None": "None",
    "null": "\0null",
    "empty": "",
    "blank": " ",
    "list": [],
    "object": {},
    "number": 1,
    "true": True,
    "list-of-HS256": ["HS256"],
    "missing": None,
}


def _alg(value: Any) -> dict[str, Any]:
    made = header(alg=value)
    return made | {"alg": None} if value == "\0null" else made


@pytest.mark.parametrize(
    ("alg", "signature"),
    list(itertools.product(ALGS_NONE.values(), ["", "genuine"])),
    ids=[f"A01-{alg}-{sig}" for alg, sig in itertools.product(ALGS_NONE, ["unsigned", "signed"])],
)
async def test_alg_none(target: Target, alg: Any, signature: str) -> None:
    signed = f"{segment(_alg(alg))}.{segment(claims())}"
    await target.refused(f"{signed}.{mac(signed) if signature else ''}")


async def test_alg_none_by_a_library(target: Target) -> None:
    await target.refused(jwt.encode(claims(), "", algorithm="none", headers={"typ": "at+jwt"}))


@pytest.mark.parametrize(
    "alg", [pytest.param(alg, id=f"A02-{alg!r}") for alg in ("hs256", "Hs256", "HS256 ", " HS256", "HS256\0", "HS-256")]
)
async def test_alg_is_case_sensitive(target: Target, alg: str) -> None:
    await target.refused(with_header(alg=alg))


RSA_PUBLIC = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
ED_PUBLIC = ed25519.Ed25519PrivateKey.generate().public_key()
PEM = RSA_PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
PUBLIC_KEYS = {
    "A03-pem": PEM,
    "A03-pem-stripped": PEM.strip(),
    "A03-pem-leading-space": " " + PEM,
    "A03-pem-leading-newline": "\n" + PEM,
    "A03-pem-crlf": PEM.replace("\n", "\r\n"),
    "A03-pkcs1": RSA_PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode(),
    "A03-openssh": RSA_PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
    "A03-ed25519-pem": ED_PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
}


@pytest.mark.parametrize("public", PUBLIC_KEYS.values(), ids=PUBLIC_KEYS)
def test_a_public_key_is_no_shared_secret(public: str) -> None:
    with pytest.raises(ValueError, match="shared secret"):
        Issuer(public, MemoryStore())


@pytest.mark.parametrize(
    ("alg", "digest"),
    [
        pytest.param(alg, digest, id=f"A04-{alg}")
        for alg, digest in [("HS384", "sha384"), ("HS512", "sha512"), ("HS256", "sha512"), ("HS512", "sha256")]
        + [(alg, "sha256") for alg in ("RS256", "PS256", "ES256", "EdDSA", "dir", "HS1")]
    ],
)
async def test_one_key_one_algorithm(target: Target, alg: str, digest: str) -> None:
    await target.refused(jws(header(alg=alg), claims(), digest=digest))


@pytest.mark.parametrize("length", [pytest.param(n, id=f"A07-{n}-bytes") for n in (0, 1, 16, 31)])
def test_weak_keys_are_refused_at_startup(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyRing.from_secret("k" * length)


KIDS = {
    "A08-traversal": "../../dev/null",
    "A08-sql": "x' UNION SELECT 'key",
    "A08-nul": "a\0b",
    "A08-url": "http://127.0.0.1/k",
    "A08-4KB": "k" * 4096,
    "A08-unknown": "unknown",
    "A08-empty": "",
    "A08-surrogate": "\ud800",
}


@pytest.mark.parametrize("kid", KIDS.values(), ids=KIDS)
async def test_kid(target: Target, kid: str) -> None:
    await target.refused(with_header(kid=kid))


@pytest.mark.parametrize("kid", [pytest.param(k, id=f"A10-{k!r}") for k in (1, 1.5, True, [], ["a"], {}, {"a": 1})])
async def test_kid_of_another_type(target: Target, kid: Any) -> None:
    await target.refused(with_header(kid=kid))


async def test_kid_null(target: Target) -> None:
    await target.refused(jws(header() | {"kid": None}, claims()))


KEYS_IN_HEADERS: dict[str, Any] = {
    "A11-jku": {"jku": "http://127.0.0.1:1/keys"},
    "A11-x5u": {"x5u": "http://127.0.0.1:1/cert"},
    "A11-jwk": {"jwk": {"kty": "oct", "k": b64(b"attacker's own key of 32 bytes...")}},
    "A11-x5c": {"x5c": ["MIIB"]},
}


@pytest.mark.parametrize("key", [SECRET, "attacker's own key of 32 bytes..."], ids=["genuine", "forged"])
@pytest.mark.parametrize("member", KEYS_IN_HEADERS.values(), ids=KEYS_IN_HEADERS)
async def test_keys_in_the_header(target: Target, member: dict[str, Any], key: str) -> None:
    await target.refused(jws(header() | member, claims(), key))


def _signatures() -> dict[str, str]:
    head, body, signature = parts(token())
    return {
        "A12-empty": f"{head}.{body}.",
        "A12-missing": f"{head}.{body}",
        "A12-one-part": head,
        "A12-dots": "..",
        "A12-truncated": f"{head}.{body}.{signature[:-2]}",
        "A12-extended": f"{head}.{body}.{signature}AA",
        "A12-doubled": f"{head}.{body}.{signature}{signature}",
        "A12-fourth-part": f"{head}.{body}.{signature}.{signature}",
        "A12-leading-dot": f".{head}.{body}.{signature}",
        "A12-trailing-dot": f"{head}.{body}.{signature}.",
        "A12-zeros": f"{head}.{body}.{b64(bytes(32))}",
        "A12-of-another-token": f"{head}.{body}.{parts(token(sub='bob'))[2]}",
        "A12-payload-swapped": f"{head}.{segment(claims(sub='bob'))}.{signature}",
        "A12-header-swapped": f"{segment(header(kid='x'))}.{body}.{signature}",
        "A12-other-key": jws(header(), claims(), "another key, of thirty-two bytes or more"),
        "A12-empty-key": jws(header(), claims(), b""),
        "A12-zero-key": jws(header(), claims(), bytes(32)),
    }


@pytest.mark.parametrize("forged", _signatures().values(), ids=_signatures())
async def test_signatures(target: Target, forged: str) -> None:
    await target.refused(forged)


NEWER = "the newer secret of these tests, long enough as well"


@pytest.mark.parametrize("secrets", [[NEWER, SECRET], [NEWER]], ids=["A16-inside", "A16-outside"])
async def test_the_previous_key(make_service: Callable[..., Service], secrets: list[str]) -> None:
    before = make_service()
    tokens = await before.login()
    after = make_service(issuer={"secret": secrets, "store": before.store})
    if SECRET in secrets:
        assert (await after.get_in(tokens)).status == 200
        renewed = after.tokens(await after.post("refresh", headers=tokens.by_cookie))
        assert (await make_service(issuer={"secret": NEWER}).get_in(renewed)).status == 200
    else:
        before.store.calls.clear()
        assert_problem(await after.get_in(tokens), "token_invalid")
        assert_problem(await after.post("refresh", headers=tokens.by_cookie), "refresh_invalid")
        assert before.store.calls == ["open", "revocations"]


async def test_a_token_made_by_hand_is_good_if_nothing_is_wrong_with_it(target: Target) -> None:
    """Otherwise the cases of this catalogue would prove nothing."""
    made = [token(), jwt.encode(claims(), SECRET, algorithm="HS256", headers={"typ": "at+jwt"})]
    for good in made:
        assert (
            await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {good}"})
        ).body == b"hello alice"
