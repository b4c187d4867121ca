"""Group A: algorithm and key, what holds whatever the algorithm is.

A03 and A05 to A07 are in ``test_a_keys.py``, the rest of A04 and A13 to A15 in ``test_a_signatures.py``, A16 and A17 in
``test_a_rotation.py``. Left out: A09 (tests of the keys of an issuer elsewhere).
"""

import itertools
import json
import socket
from typing import Any

import jwt
import pytest

from ..web.support import SECRET
from .attack import Target
from .forge import b64, claims, header, jws, parts, pem, segment, sign, token, unb64, with_header

ATTACKERS = "attacker's own key of 32 bytes..."
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
    await target.refused(f"{signed}.{sign(signed) if signature else ''}")


@pytest.mark.case("A01")
async def test_alg_none_by_a_library(target: Target) -> None:
    await target.refused(jwt.encode(claims(), "", algorithm="none", headers={"typ": "at+jwt"}))


def _spelled(alg: str) -> list[str]:
    odd = [f"{alg} ", f" {alg}", f"{alg}\0", f"{alg[:2]}-{alg[2:]}", alg * 2]
    return [*dict.fromkeys(one for one in [alg.lower(), alg.title(), alg.swapcase(), *odd] if one != alg)]


@pytest.mark.parametrize("alg", [pytest.param(alg, id=f"A02-{alg!r}") for alg in _spelled(header()["alg"])])
async def test_alg_is_case_sensitive(target: Target, alg: str) -> None:
    await target.refused(with_header(alg=alg))


ALGORITHMS = ("HS256", "HS384", "HS512", "RS256", "RS512", "PS256", "ES256", "ES256K", "ES384", "EdDSA", "Ed448", "dir")
OTHERS = [name for name in ALGORITHMS if name != header()["alg"]]


@pytest.mark.parametrize("alg", [pytest.param(alg, id=f"A04-{alg}") for alg in OTHERS])
async def test_one_key_one_algorithm(target: Target, alg: str) -> None:
    """The signature is genuine; only the name of the algorithm is another."""
    await target.refused(with_header(alg=alg))


KIDS = {
    "A08-traversal": "../../dev/null",
    "A08-sql": "x' UNION SELECT 'key",
    "A08-nul": "a\0b",
    "A08-url": "http://127.0.0.1/k",
    "A08-4KB": "k" * 4096,
    "A08-10KB": "k" * 10_240,
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


@pytest.mark.case("A10")
async def test_kid_null(target: Target) -> None:
    await target.refused(jws(header() | {"kid": None}, claims()))


KEYS_IN_HEADERS: dict[str, Any] = {
    "A11-jku": {"jku": "http://127.0.0.1:{port}/keys"},
    "A11-x5u": {"x5u": "http://127.0.0.1:{port}/cert"},
    "A11-jwk": {"jwk": {"kty": "oct", "k": b64(ATTACKERS.encode())}},
    "A11-x5c": {"x5c": ["MIIB"]},
    "A11-kid-and-jku": {"kid": "new", "jku": "http://127.0.0.1:{port}/keys"},
}


@pytest.mark.parametrize("key", [SECRET, ATTACKERS], ids=["genuine", "forged"])
@pytest.mark.parametrize("member", KEYS_IN_HEADERS.values(), ids=KEYS_IN_HEADERS)
async def test_keys_in_the_header(target: Target, member: dict[str, Any], key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        urls = {name: v.format(port=port) if isinstance(v, str) else v for name, v in member.items()}
        await target.refused(jws(header() | urls, claims(), key))
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()  # nobody has called


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
        "A12-zeros": f"{head}.{body}.{b64(bytes(len(unb64(signature))))}",
        "A12-ones": f"{head}.{body}.{b64(bytes([255]) * len(unb64(signature)))}",
        "A12-a-byte-less": f"{head}.{body}.{b64(unb64(signature)[:-1])}",
        "A12-a-byte-more": f"{head}.{body}.{b64(unb64(signature) + bytes(1))}",
        "A12-a-byte-before": f"{head}.{body}.{b64(bytes(1) + unb64(signature))}",
        "A12-reversed": f"{head}.{body}.{b64(unb64(signature)[::-1])}",
        "A12-last-bit": f"{head}.{body}.{b64(unb64(signature)[:-1] + bytes([unb64(signature)[-1] ^ 1]))}",
        "A12-first-bit": f"{head}.{body}.{b64(bytes([unb64(signature)[0] ^ 128]) + unb64(signature)[1:])}",
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


async def test_a_token_made_by_hand_is_good_if_nothing_is_wrong_with_it(target: Target, algorithm: str) -> None:
    """Otherwise the cases of this catalogue would prove nothing."""
    key = SECRET if algorithm == "HS256" else pem(algorithm)
    made = [token(), jwt.encode(claims(), key, algorithm=algorithm, headers={"typ": "at+jwt"})]
    for good in made:
        assert (
            await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {good}"})
        ).body == b"hello alice"
    assert json.loads(unb64(parts(target.honest.access)[0]))["alg"] == algorithm
