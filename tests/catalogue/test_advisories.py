"""Every advisory has its regression test, by its name; and those about what a token says and how it is written."""

import json
import tracemalloc
import zlib
from typing import Any

import pytest

from jwt_refresh_middleware import verifier as checking
from jwt_refresh_middleware.errors import TokenInvalid

from ..web.problems import assert_problem
from .advisories import ADVISORIES, GROUP_SIZES, Advisory, marked_tests, slug
from .attack import Target
from .forge import ISSUER, b64, claims, header, jws, parts, segment, sign, token, with_header

CASES = {f"{group}{number:02}" for group, size in GROUP_SIZES.items() for number in range(1, size + 1)}
TESTED = [one for one in ADVISORIES if one.cases]


def test_there_are_135_cases_and_every_entry_names_some_of_them_or_says_why_not() -> None:
    assert len(CASES) == 135
    for advisory in ADVISORIES:
        assert set(advisory.cases) <= CASES, advisory
        assert bool(advisory.cases) != bool(advisory.note), advisory


def test_no_id_comes_twice() -> None:
    every = [slug(identifier) for advisory in ADVISORIES for identifier in advisory.ids]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("advisory", [pytest.param(one, id=slug(one.ids[0])) for one in TESTED])
def test_every_advisory_has_its_test(advisory: Advisory) -> None:
    """One, marked with the cases that the data name; the mark is what the table of the catalogue is made of."""
    assert [cases for nodeid, cases in marked_tests().items() if nodeid in advisory.tests] == [set(advisory.cases)]


# Algorithm and signature


@pytest.mark.case("A01")
async def test_cve_2026_28802_no_algorithm_and_no_signature(target: Target) -> None:
    """There, a refactoring let ``none`` with an empty signature pass, years after everybody had fixed that."""
    for alg in ("none", "None", "NONE", "nOnE"):
        for head in (header(alg=alg), header(alg=alg, kid=target.service.issuer.verifier.keys.keys[0].kid)):
            await target.refused(f"{segment(head)}.{segment(claims())}.")


@pytest.mark.case("A01")
async def test_cve_2022_23540_nobody_has_to_forbid_none(target: Target) -> None:
    """There, a verifier that was given no algorithms allowed ``none``. Here there is no such option."""
    for text in (f"{segment({'alg': 'none', 'typ': 'at+jwt'})}.{segment(claims())}", f"{segment({})}.{segment({})}"):
        for signature in ("", b64(b"none"), sign(text)):
            await target.refused(f"{text}.{signature}")


# Headers that have to be understood


@pytest.mark.case("B05")
async def test_cve_2026_32597_what_is_critical_and_unknown(target: Target) -> None:
    """There, a policy that an issuer had put into the header as critical was not kept, and not missed."""
    await target.refused(jws(header(crit=["x-policy"]) | {"x-policy": "require-mfa"}, claims()))


@pytest.mark.case("B05")
async def test_cve_2025_59420_what_is_critical_and_missing(target: Target) -> None:
    """There, names in ``crit`` were not compared with what was understood, nor looked for in the header."""
    for crit in (["bork"], ["bork", "typ"], ["http://example.com/under"], ["cnf"]):
        await target.refused(with_header(crit=crit))
        await target.refused(jws(header(crit=crit) | dict.fromkeys(crit, True), claims()))


@pytest.mark.case("B05")
async def test_python_jose_413_crit_is_not_passed_over(target: Target) -> None:
    """There, ``crit`` is not read at all, not even to see that it is no list."""
    for crit in ([], ["exp"], "exp", [1], {"exp": True}, None):
        await target.refused(jws(header() | {"crit": crit, "exp": 0}, claims()))


@pytest.mark.case("B05")
async def test_cve_2026_35042_crit_of_registered_names(target: Target) -> None:
    """There, nothing in ``crit`` was looked at; what a header member changes was ignored with it."""
    for crit in (["b64"], ["alg", "typ"], ["b64", "x"], ["kid"]):
        await target.refused(jws(header(crit=crit, b64=True, kid="x"), claims()))


# Large and deep


@pytest.mark.case("B04")
async def test_cve_2026_48525_an_unencoded_payload_is_not_even_read(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, eight megabytes were decoded for a token that said that it is not encoded, before its signature."""
    read: list[int] = []

    def decode(text: bytes) -> bytes:
        read.append(len(text))
        return genuine(text)

    genuine = checking.b64url_decode
    monkeypatch.setattr(checking, "b64url_decode", decode)
    for head in (header(b64=False, crit=["b64"]), header(b64=False)):
        huge = f"Bearer {segment(head)}.{'x' * 8_000_000}.{sign('x')}"
        assert_problem(await target.service.ask("GET", "/x", headers={"authorization": huge}), "token_invalid")
        await target.refused(f"{segment(head)}..{sign(segment(head) + '.')}")
    assert sum(read) < 4096


@pytest.mark.case("B09")
async def test_cve_2026_102265_a_deep_header_by_anybody(target: Target) -> None:
    """There, a RecursionError came out of the reading of the header, which is before any signature."""
    for opening in ("[", '{"a":', '{"alg":['):
        for depth in (900, 1200, 50_000):
            await target.refused(f"{b64((opening * depth).encode())}.{segment(claims())}.{b64(bytes(32))}")


@pytest.mark.case("B09")
async def test_cve_2026_101918_a_deep_payload(target: Target) -> None:
    """There, looking for the key decoded the payload too: a RecursionError, whoever had signed it."""
    kid = target.service.issuer.verifier.keys.keys[0].kid
    for depth in (900, 1200, 2900):
        deep = f'{{"sub":{"[" * depth}{"]" * depth}}}'.encode()
        await target.refused(jws(header(kid=kid), deep))
        await target.refused(f"{segment(header(kid=kid))}.{b64(deep)}.{b64(bytes(32))}")


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)  # RFC 7516, 4.1.3: raw DEFLATE
    return packer.compress(bytes(6_000_000)) + packer.flush()


async def _refused_without_unpacking(target: Target, *texts: str) -> None:
    tracemalloc.start()
    try:
        for text in texts:
            assert len(text) < 8192
            await target.refused(text, reference=False)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.case("B03")
async def test_cve_2024_33664_an_encrypted_token_is_not_unpacked(target: Target) -> None:
    """There, a token of some kilobytes that was encrypted and packed became gigabytes."""
    head = segment({"alg": "dir", "enc": "A256GCM", "zip": "DEF", "typ": "at+jwt"})
    await _refused_without_unpacking(target, ".".join([head, "", b64(bytes(12)), b64(_bomb()), b64(bytes(16))]))


@pytest.mark.case("B03")
async def test_cve_2024_28102_a_limit_on_the_input_needs_nothing_to_unpack(target: Target) -> None:
    """There, tokens were limited in length, and what they unpack to was not. Here nothing is unpacked."""
    bomb = _bomb()
    packed = jws(header(zip="DEF"), bomb)
    await _refused_without_unpacking(target, packed, jws(header(), bomb), jws(header(enc="A256GCM", zip="DEF"), bomb))


# Two readings of one text


@pytest.mark.case("B02")
async def test_cve_2026_96760_no_signatures_are_not_enough(target: Target) -> None:
    """There, all signatures of an empty list were good."""
    said = {"payload": segment(claims())}
    for text in (said | {"signatures": []}, said, said | {"signatures": [{}]}, said | {"signature": ""}):
        with pytest.raises(TokenInvalid):
            target.service.issuer.verifier.verify(json.dumps(text))
        await target.refused(b64(json.dumps(text).encode()))
        written = json.dumps(text, separators=(",", ":"))
        await target.refused(written, "token_malformed" if "," in written else "token_invalid")


@pytest.mark.case("B02")
async def test_cve_2022_39227_one_text_is_read_once(target: Target) -> None:
    """There, one reader found a genuine token in JSON, the other took the claims from a name beside it."""
    head, body, signature = parts(target.honest.access)
    forged = segment(claims(sub="root"))
    mixed = f'{{" {head}.{forged}.":"","protected":"{head}", "payload":"{body}","signature":"{signature}"}}'
    for text in (mixed, f"{head}.{forged}.{signature}", f"{head}.{body}.{signature}.{forged}"):
        with pytest.raises(TokenInvalid):
            target.service.issuer.verifier.verify(text)
    await target.refused(mixed, "token_malformed", secrets=[target.honest.access])
    await target.refused(f"{head}.{forged}.{signature}", secrets=[target.honest.access])


# Claims


@pytest.mark.case("C06")
async def test_cve_2024_53861_a_part_of_the_issuer(target: Target) -> None:
    """There, ``iss`` was looked for in a text as in a list: any part of it was a member."""
    for issuer in (ISSUER[:-1], ISSUER[1:], ISSUER[4:7], "", "-", [ISSUER], ISSUER + ISSUER):
        await target.refused(token(iss=issuer))


@pytest.mark.case("C06")
async def test_cve_2026_31813_an_issuer_that_the_attacker_runs(target: Target) -> None:
    """There, a token that was genuine at a server of the attacker's opened somebody else's account."""
    theirs = "the key of an issuer that anybody may run"
    for said in (claims(iss="https://evil.example"), claims(), claims(iss=f"https://evil.example/{ISSUER}")):
        await target.refused(jws(header(), said, theirs))
        await target.refused(jws(header(jku="https://evil.example/jwks.json", kid="theirs"), said, theirs))
    await target.refused(token(iss="https://evil.example"))  # even if they had our key


@pytest.mark.case("C02")
async def test_cve_2026_44459_an_expiry_that_is_no_number(target: Target) -> None:
    """There, a comparison with what is no number was never true, so the token never ended."""
    for exp in ("never", "9999999999", "NaN", [], {}, True, None):
        await target.refused(jws(header(), claims() | {"exp": exp}))


@pytest.mark.case("B10")
async def test_pyjwt_exp_types_of_a_signed_token(target: Target) -> None:
    """There, infinity raised an OverflowError and a list a TypeError: a signed token ended the request with a 500."""
    for exp in ("1e400", "-1e400", "Infinity", "NaN", "[1]", "{}", "9" * 4000, "1" + "0" * 400):
        said = json.dumps(claims(exp=None))[:-1] + f',"exp":{exp}}}'
        await target.refused(jws(header(), said.encode()))


# The scheme


@pytest.mark.case("E03")
async def test_pt_2026_46859_another_scheme_is_no_token(target: Target) -> None:
    """There, whatever stood before the blank was a scheme."""
    good: dict[str, Any] = {"secrets": [target.honest.access]}
    for scheme in ("Basic", "Token", "JWT", "X", "Bearer:", "DPoP", "BearerX", "Digest"):
        await target.attack("token_missing", headers={"authorization": f"{scheme} {target.honest.access}"}, **good)
