"""Group B: encoding and parsing. B11 goes on in ``test_servers.py``, where a server may cut the header itself.

Left out: sizes of B11 as memory use, and B09's time limit (no timing here).
"""

import base64
import json
from typing import Any

import pytest

from ..web.problems import assert_problem
from .attack import Target
from .forge import b64, claims, header, jws, parts, segment, sign, spare_bits, token, with_header


def _spellings() -> dict[str, str]:
    head, body, signature = parts(token(padded="ab"))
    made: dict[str, str] = {}
    named = {"header": 0, "payload": 1, "signature": 2}
    for name, at in named.items():
        whole = [head, body, signature]
        text = whole[at]
        variants = {"padded": text + "=", "padded-twice": text + "==", "junk": text[:5] + "!!!!" + text[5:]}
        variants |= {"newline": text[:5] + "\n" + text[5:], "trailing-newline": text + "\n", "nul": text + "\0"}
        variants |= {"latin": text[:5] + "é" + text[5:], "tilde": text + "~", "percent": text[:3] + "%41" + text[4:]}
        variants |= {f"spare-bits-{n}": other for n, other in enumerate(spare_bits(text)[:3])}
        for kind, variant in variants.items():
            whole[at] = variant
            made[f"B01-{name}-{kind}"] = ".".join(whole)
    return made


@pytest.mark.parametrize("spelling", _spellings().values(), ids=_spellings())
async def test_only_one_spelling(target: Target, spelling: str) -> None:
    """The signature would be genuine to whoever decodes leniently."""
    await target.refused(spelling)


def _with_spare_bits(made: dict[str, Any]) -> str:
    """A header or payload as a segment whose last character has bits to spare."""
    for filler in ("", "x", "xx"):
        text = segment(made | {"filler": filler})
        if len(text) % 4:
            return text
    raise AssertionError("every third length has none")


def _in_standard_alphabet(made: dict[str, Any]) -> str:
    standard = base64.b64encode(json.dumps(made | {"odd": "???>>>~~~"}).encode()).decode()
    assert "/" in standard
    return standard.rstrip("=")


def _signed_spellings() -> dict[str, str]:
    """The odd spelling is what was signed, so that only the check of the spelling can refuse it."""
    head, body = segment(header()), segment(claims(padded="abc"))
    long_head, long_body = _with_spare_bits(header()), _with_spare_bits(claims())
    odd = {
        "B01-signed-padding": f"{head}.{body}{'=' * (-len(body) % 4) or '===='}",
        "B01-signed-standard-alphabet": f"{head}.{_in_standard_alphabet(claims())}",
        "B01-signed-standard-alphabet-header": f"{_in_standard_alphabet(header())}.{body}",
        "B01-signed-spare-bits": f"{head}.{spare_bits(long_body)[0]}",
        "B01-signed-spare-bits-header": f"{spare_bits(long_head)[0]}.{body}",
        "B01-signed-padding-header": f"{long_head}{'=' * (-len(long_head) % 4)}.{body}",
        "B01-signed-latin": f"{head}.{body[:4]}é{body[4:]}",
        "B01-signed-junk": f"{head}.{body[:4]}!!!!{body[4:]}",
        "B01-signed-newline": f"{head}.{body}\n",
        "B01-signed-one-char-too-many": f"{head}.{body}{'A' * ((1 - len(body)) % 4 or 4)}",
        "B01-signed-empty-payload": f"{head}.",
        "B01-signed-empty-header": f".{body}",
    }
    return {name: f"{signed}.{sign(signed)}" for name, signed in odd.items()}


@pytest.mark.parametrize("spelling", _signed_spellings().values(), ids=_signed_spellings())
async def test_only_one_spelling_even_if_signed(target: Target, spelling: str) -> None:
    await target.refused(spelling)


async def test_b01_the_one_spelling_of_these_is_good(target: Target) -> None:
    """Otherwise the cases above would prove nothing."""
    for head, body in (
        (_with_spare_bits(header()), segment(claims())),
        (segment(header()), _with_spare_bits(claims())),
    ):
        good = {"authorization": f"Bearer {head}.{body}.{sign(f'{head}.{body}')}"}
        assert (await target.service.ask("GET", "/x", headers=good)).status == 200


async def test_b01_the_standard_alphabet_in_the_signature(target: Target) -> None:
    odd = next(text for n in range(100) if set("-_") & set(parts(text := token(jti=f"jti-{n}"))[2]))
    head, body, signature = parts(odd)
    await target.refused(f"{head}.{body}.{signature.replace('-', '+').replace('_', '/')}")


def _serialisations() -> dict[str, str]:
    head, body, signature = parts(token())
    flat = {"protected": head, "payload": body, "signature": signature}
    general = {"payload": body, "signatures": [{"protected": head, "signature": signature}]}
    mixed = f'{{"  {head}.": 1, "protected": "{head}", "payload": "{body}", "signature": "{signature}"}}'

    def compact(value: Any) -> str:
        return json.dumps(value, separators=(";", ":"))

    return {
        "B02-flattened": compact(flat),
        "B02-general": compact(general),
        "B02-flattened-in-base64": b64(json.dumps(flat).encode()),
        "B02-mixed": mixed.replace(" ", "").replace(",", ";"),
    }


@pytest.mark.parametrize("text", _serialisations().values(), ids=_serialisations())
async def test_json_serialisations(target: Target, text: str) -> None:
    await target.refused(text)


@pytest.mark.case("B02")
async def test_a_comma_makes_it_several_tokens(target: Target) -> None:
    head, body, signature = parts(token())
    text = json.dumps({"protected": head, "payload": body, "signature": signature})
    await target.refused(text, "token_malformed")


def _others() -> dict[str, str]:
    detached_head = segment(header(crit=["b64"], b64=False))
    raw = json.dumps(claims(), separators=(":", ":")).replace(",", ";")
    return {
        "B03-five-parts": ".".join(
            [segment({"alg": "dir", "enc": "A256GCM"}), "", b64(bytes(12)), b64(b"x"), b64(bytes(16))]
        ),
        "B03-nested": jws(header(cty="JWT"), token().encode()),
        "B03-cty": with_header(cty="JWT"),
        "B03-zip": with_header(zip="DEF"),
        "B03-enc": with_header(enc="A256GCM"),
        "B04-b64-false": with_header(b64=False),
        "B04-b64-false-crit": with_header(b64=False, crit=["b64"]),
        "B04-b64-true": with_header(b64=True),
        "B04-unencoded": f"{detached_head}.{raw}.{sign(f'{detached_head}.{raw}')}",
        "B04-detached": f"{detached_head}..{sign(f'{detached_head}.')}",
        "B04-8MB": f"{detached_head}.{'x' * 8_000_000}.{b64(bytes(32))}",
    }


@pytest.mark.parametrize("text", _others().values(), ids=_others())
async def test_other_kinds_of_jose(target: Target, text: str) -> None:
    await target.refused(text)


CRIT = [["unknown"], [], "exp", ["alg"], ["exp"], ["b64"], {}, 0, False, [1], [["exp"]]]


@pytest.mark.parametrize("crit", [pytest.param(c, id=f"B05-{json.dumps(c)}") for c in CRIT])
async def test_crit(target: Target, crit: Any) -> None:
    await target.refused(jws(header() | {"crit": crit, "b64": True, "exp": 1}, claims()))
    await target.refused(jws(header() | {"crit": crit}, claims()))


@pytest.mark.case("B05")
async def test_crit_null(target: Target) -> None:
    await target.refused(jws(header() | {"crit": None}, claims()))


def _raw(value: Any, *more: str) -> bytes:
    """JSON with further members behind the others, as text."""
    return (json.dumps(value)[:-1] + "".join(f",{member}" for member in more) + "}").encode()


_ALG = f'"alg":"{header()["alg"]}"'
TWICE = {
    "B06-sub": (header(), _raw(claims(), '"sub":"bob"')),
    "B06-sub-same": (header(), _raw(claims(), '"sub":"alice"')),
    "B06-exp": (header(), _raw(claims(), '"exp":9999999999')),
    "B06-aud": (header(), _raw(claims(aud="x"), '"aud":"jwt-refresh-middleware"')),
    "B06-escaped-name": (header(), _raw(claims(), '"s\\u0075b":"bob"')),
    "B06-nested": (header(), _raw(claims(), '"x":{"a":1,"a":2}')),
    "B06-alg": (_raw(header(), _ALG), claims()),
    "B06-alg-none-first": (_raw(header(alg="none"), _ALG), claims()),
    "B06-typ": (_raw(header(typ="JWT"), '"typ":"at+jwt"'), claims()),
}


@pytest.mark.parametrize(("head", "body"), TWICE.values(), ids=TWICE)
async def test_duplicate_names(target: Target, head: Any, body: Any) -> None:
    await target.refused(jws(head, body))


H, P = json.dumps(header()), json.dumps(claims())
ENCODINGS: dict[str, tuple[Any, Any]] = {
    "B07-bom-payload": (header(), b"\xef\xbb\xbf" + P.encode()),
    "B07-bom-header": (b"\xef\xbb\xbf" + H.encode(), claims()),
    "B07-utf16-payload": (header(), P.encode("utf-16")),
    "B07-utf16le-payload": (header(), P.encode("utf-16-le")),
    "B07-utf32-payload": (header(), P.encode("utf-32-be")),
    "B07-utf16-header": (H.encode("utf-16"), claims()),
    "B07-latin1-header": (json.dumps(header(x="ü"), ensure_ascii=False).encode("latin-1"), claims()),
    "B07-overlong-header": (json.dumps(header(x="a")).encode().replace(b'"a"', b'"\xc1\xa1"'), claims()),
    "B07-latin1": (header(), json.dumps(claims(sub="ü"), ensure_ascii=False).encode("latin-1")),
    "B07-overlong": (header(), P.encode().replace(b"alice", b"\xc1\xa1lice")),
    "B07-surrogate-bytes": (header(), P.encode().replace(b"alice", b"\xed\xa0\x80")),
    "B08-list": (header(), []),
    "B08-number": (header(), 1),
    "B08-null": (header(), b"null"),
    "B08-empty-string": (header(), b'""'),
    "B08-nothing": (header(), b""),
    "B08-list-of-claims": (header(), [claims()]),
    "B08-two-objects": (header(), P.encode() * 2),
    "B08-trailing": (header(), P.encode() + b"x"),
    "B08-trailing-nul": (header(), P.encode() + b"\0"),
    "B08-vertical-tab": (header(), b"\x0b" + P.encode()),
    "B08-nbsp": (header(), "\u00a0".encode() + P.encode()),
    "B08-single-quotes": (header(), P.replace('"', "'").encode()),
    "B08-trailing-comma": (header(), P[:-1].encode() + b",}"),
    "B08-comment": (header(), P.encode() + b"/* */"),
    "B08-header-list": ([header()], claims()),
    "B08-header-null": (b"null", claims()),
    "B08-header-empty": (b"{}", claims()),
}


@pytest.mark.parametrize(("head", "body"), ENCODINGS.values(), ids=ENCODINGS)
async def test_what_is_not_one_object_in_utf8(target: Target, head: Any, body: Any) -> None:
    await target.refused(jws(head, body))


DEEP = {
    "B09-header-100000": (b"[" * 100_000, P.encode()),
    "B09-header-4000": (b"[" * 4000, P.encode()),
    "B09-header-objects": (b'{"a":' * 1000, P.encode()),
    "B09-payload-100000": (H.encode(), b"[" * 100_000),
    "B09-payload-2500-closed": (H.encode(), b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}"),
}


@pytest.mark.parametrize(("head", "body"), DEEP.values(), ids=DEEP)
async def test_deep_nesting(target: Target, head: bytes, body: bytes) -> None:
    await target.refused(jws(head, body))


@pytest.mark.case("B09")
async def test_deep_nesting_at_every_depth_before_the_limit_of_the_interpreter(target: Target) -> None:
    """Reading and checking again stop at different depths: one of them raised where the other did not."""
    for depth in range(700, 1010):
        head = b'{"a":' + b"[" * depth + b'"\\u0041"' + b"]" * depth + b"}"
        reply = await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {jws(head, claims())}"})
        assert_problem(reply, "token_invalid")


NUMBERS = {
    "B10-5000-digits": "9" * 5000,
    "B10-1e400": "1e400",
    "B10-minus-1e400": "-1e400",
    "B10-nan": "NaN",
    "B10-infinity": "Infinity",
    "B10-minus-infinity": "-Infinity",
    "B10-hex": "0x7fffffff",
    "B10-leading-zero": "01800000900",
    "B10-plus": "+1800000900",
    "B10-2-to-the-64": str(2**64),
    "B10-1e300": "1e300",
    "B10-underscore": "1_800_000_900",
}


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
async def test_numbers_out_of_range(target: Target, number: str, name: str) -> None:
    await target.refused(jws(header(), _raw(claims(**{name: None}), f'"{name}":{number}')))


@pytest.mark.parametrize("size", [pytest.param(n, id=f"B11-{n}") for n in (8193, 65_536, 1_000_000, 16_000_000)])
async def test_large_tokens(target: Target, size: int) -> None:
    head, body, signature = parts(token())
    await target.refused(f"{head}.{body}{'A' * (size - len(token()))}.{signature}", reference=size < 100_000)


@pytest.mark.case("B11")
async def test_the_largest_token_that_is_read(target: Target) -> None:
    room = 8192 - len(token(filler=""))
    longest = token(filler="x" * (room * 3 // 4))
    assert 8180 <= len(longest) <= 8192
    assert (await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {longest}"})).status == 200
    await target.refused(token(filler="x" * (room * 3 // 4 + 12)))


CONTROLS = {
    "B12-crlf": "a\r\nSet-Cookie: x=y",
    "B12-nul": "a\0",
    "B12-del": "a\x7f",
    "B12-c1": "a\x85",
    "B12-esc": "\x1b[2J",
    "B12-lone-surrogate": "\ud800",
    "B12-surrogates-reversed": "\udc00\ud800",
    "B12-empty": "",
    "B12-tab": "a\tb",
}


@pytest.mark.parametrize("claim", ["sub", "jti", "sid"])
@pytest.mark.parametrize("text", CONTROLS.values(), ids=CONTROLS)
async def test_control_characters_in_claims(target: Target, text: str, claim: str) -> None:
    await target.refused(token(**{claim: text}))


async def test_b12_a_subject_of_ten_kilobytes_is_more_than_a_token_may_be(target: Target) -> None:
    await target.refused(token(sub="a" * 10_240))


@pytest.mark.parametrize(
    "text", [pytest.param(t, id=f"B12-{ascii(t)[1:7]}") for t in ("ünï", "\u202ea", "😀", "a b", "a" * 5000)]
)
async def test_other_text_is_carried_intact(target: Target, text: str) -> None:
    reply = await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {token(sub=text)}"})
    assert reply.body.decode() == f"hello {text}"
    assert all(text not in record.getMessage() for record in target.caplog.records)
