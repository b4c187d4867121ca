"""Group A: A04, the right key for another algorithm; A13 to A15, signatures at the edge of what is one."""

from hashlib import sha256, sha512
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512

from . import forge
from .attack import Target
from .forge import OURS, b64, claims, header, jws_by_mac, pair, parts, segment, token, unb64

_DIGESTS = {"HS384": "sha384", "HS512": "sha512", "HS256": "sha512"}


@pytest.mark.parametrize(("alg", "digest"), _DIGESTS.items(), ids=[f"A04-{alg}" for alg in _DIGESTS])
async def test_another_hash_under_the_right_secret(target: Target, alg: str, digest: str) -> None:
    await target.refused(jws_by_mac(header(alg=alg), claims(), digest=digest))


_RSA, _EC = pair("RS256", OURS), pair("ES256", OURS)
_PSS = padding.PSS(padding.MGF1(SHA256()), 32)
GENUINE_OTHERWISE: dict[str, tuple[str, str, Any]] = {
    "A04-RS512": ("RS256", "RS512", lambda signed: _RSA.sign(signed, padding.PKCS1v15(), SHA512())),
    "A04-RS384": ("RS256", "RS384", lambda signed: _RSA.sign(signed, padding.PKCS1v15(), SHA384())),
    "A04-RS1": ("RS256", "RS1", lambda signed: _RSA.sign(signed, padding.PKCS1v15(), SHA1())),
    "A04-PS256": ("RS256", "PS256", lambda signed: _RSA.sign(signed, _PSS, SHA256())),
    "A04-ES512": ("ES256", "ES512", lambda signed: _raw_ec(signed, SHA512())),
    "A04-ES384": ("ES256", "ES384", lambda signed: _raw_ec(signed, SHA384())),
}


def _raw_ec(signed: bytes, digest: Any) -> bytes:
    return _raw(*decode_dss_signature(_EC.sign(signed, ec.ECDSA(digest))))


@pytest.mark.parametrize("said", ["its-own", "ours"])
@pytest.mark.parametrize(
    ("algorithm", "alg", "sign"), GENUINE_OTHERWISE.values(), ids=GENUINE_OTHERWISE, indirect=["algorithm"]
)
async def test_the_right_key_for_another_algorithm(
    target: Target, algorithm: str, alg: str, sign: Any, said: str
) -> None:
    """Signed by the genuine key, and said so or not: one key has one algorithm."""
    signed = f"{segment(header(alg=alg if said == 'its-own' else algorithm))}.{segment(claims())}"
    await target.refused(f"{signed}.{b64(sign(signed.encode()))}")


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _ec_signatures() -> dict[str, str]:
    """Others than the genuine one, for the token that :func:`_signed` is."""
    raw = unb64(parts(_signed("ES256"))[2])
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    edges = {"0": 0, "1": 1, "n-1": ORDER - 1, "n": ORDER, "n+1": ORDER + 1, "max": 2**256 - 1}
    made = {f"A13-r-{x}-s-{y}": _raw(edges[x], edges[y]) for x in edges for y in edges}
    made |= {f"A13-r-{x}": _raw(edges[x], s) for x in edges} | {f"A13-s-{x}": _raw(r, edges[x]) for x in edges}
    made |= {
        "A13-der": encode_dss_signature(r, s),
        "A13-der-of-zeros": encode_dss_signature(0, 0),
        "A13-swapped": raw[32:] + raw[:32],
        "A13-63-bytes": raw[:-1],
        "A13-63-bytes-cut-in-front": raw[1:],
        "A13-65-bytes": raw + bytes(1),
        "A13-65-bytes-zero-in-front": bytes(1) + raw,
        "A13-66-bytes-both-padded": bytes(1) + raw[:32] + bytes(1) + raw[32:],
        "A13-only-r": raw[:32],
        "A13-with-recovery-id": raw + bytes([27]),
        "A13-empty": b"",
        "A13-96-bytes-of-P-384": r.to_bytes(48, "big") + s.to_bytes(48, "big"),
        "A13-minus-r": _raw(ORDER - r, s),
        "A13-both-negative": _raw(ORDER - r, ORDER - s),
    }
    if r + ORDER < 2**256:
        made["A13-r+n"] = _raw(r + ORDER, s)
    return {name: b64(signature) for name, signature in made.items()}


def _signed(algorithm: str) -> str:
    with forge.under(algorithm):
        return token()


@pytest.mark.parametrize("algorithm", ["ES256"], indirect=True)
@pytest.mark.case("A13")
async def test_es256_at_the_edge(target: Target, algorithm: str) -> None:
    """All signatures are of one token, whose genuine one is good."""
    head, body, _ = parts(_signed(algorithm))
    for name, signature in _ec_signatures().items():
        reply = await target.refused(f"{head}.{body}.{signature}", reference=False)
        assert reply.code == "token_invalid", name


@pytest.mark.parametrize("algorithm", ["ES256"], indirect=True)
async def test_a14_the_other_signature_of_the_same_token(target: Target, algorithm: str) -> None:
    """(r, n - s) is one too (whoever denies a token has to name its ``jti``); it is the same token."""
    head, body, signature = parts(token())
    raw = unb64(signature)
    other = f"{head}.{body}.{b64(raw[:32] + (ORDER - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"
    verify = target.service.issuer.verifier.verify
    assert other != f"{head}.{body}.{signature}"
    assert verify(other) == verify(f"{head}.{body}.{signature}")
    assert verify(other).token_id == claims()["jti"]
    reply = await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {other}"})
    assert reply.status == 200


@pytest.mark.parametrize("algorithm", ["ES256"], indirect=True)
async def test_a14_a_session_that_has_ended_has_ended_for_either_signature(target: Target, algorithm: str) -> None:
    tokens = await target.service.login()
    head, body, signature = parts(tokens.access)
    raw = unb64(signature)
    other = f"{head}.{body}.{b64(raw[:32] + (ORDER - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"
    assert (await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {other}"})).status == 200
    await target.service.issuer.logout(tokens.refresh)
    for text in (tokens.access, other):
        await target.refused(text, "token_revoked", reference=False)


L = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19


def _ed_signatures() -> dict[str, bytes]:
    raw = unb64(parts(_signed("EdDSA"))[2])
    r, s = raw[:32], int.from_bytes(raw[32:], "little")
    made = {f"A15-s+{n}L": r + (s + n * L).to_bytes(32, "little") for n in range(1, 16) if s + n * L < 2**256}
    made |= {f"A15-s-{name}": r + n.to_bytes(32, "little") for name, n in {"0": 0, "L": L, "max": 2**256 - 1}.items()}
    made |= {f"A15-s-bit-{bit}": r + (s ^ 1 << bit).to_bytes(32, "little") for bit in (0, 252, 253, 254, 255)}
    made |= {
        "A15-minus-s": r + (L - s).to_bytes(32, "little"),
        "A15-r-sign": bytes([*r[:31], r[31] ^ 128]) + raw[32:],
        "A15-r-zero": bytes(32) + raw[32:],
        "A15-63-bytes": raw[:-1],
        "A15-65-bytes": raw + bytes(1),
        "A15-ed448-length": raw + bytes(50),
        "A15-empty": b"",
        "A15-swapped": raw[32:] + raw[:32],
    }
    return made


@pytest.mark.parametrize("algorithm", ["EdDSA"], indirect=True)
@pytest.mark.case("A15")
async def test_ed25519_at_the_edge(target: Target, algorithm: str) -> None:
    head, body, _ = parts(_signed(algorithm))
    for name, signature in _ed_signatures().items():
        reply = await target.refused(f"{head}.{body}.{b64(signature)}", reference=False)
        assert reply.code == "token_invalid", name


@pytest.mark.parametrize("algorithm", ["EdDSA"], indirect=True)
@pytest.mark.parametrize("r", [1, P + 1, 1 | 1 << 255, 0, P, P - 1], ids=lambda y: f"A15-{hex(y)[:8]}")
async def test_ed25519_with_a_point_of_low_order_or_in_another_spelling(target: Target, algorithm: str, r: int) -> None:
    """Made by whoever has the key: s = h * a, so that the equation holds for R = 1, of which there is one spelling."""
    key = pair(algorithm, OURS)
    expanded = bytearray(sha512(key.private_bytes_raw()).digest()[:32])
    expanded[0] &= 248
    expanded[31] = expanded[31] & 127 | 64
    secret, public = int.from_bytes(expanded, "little"), key.public_key().public_bytes_raw()
    signed, point = f"{segment(header())}.{segment(claims())}", r.to_bytes(32, "little")
    h = int.from_bytes(sha512(point + public + signed.encode()).digest(), "little") % L
    text = f"{signed}.{b64(point + (h * secret % L).to_bytes(32, 'little'))}"
    if r == 1:  # the canonical one: a signature like another, though a strange one
        assert target.service.issuer.verifier.verify(text).subject == "alice"
    else:
        await target.refused(text)


PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo of SHA-256 (RFC 8017, 9.2)."""


def _padded(digest: bytes, size: int = 256) -> dict[str, bytes]:
    info = PREFIX + digest
    fill = size - 3 - len(info)
    without_null = bytes.fromhex("302f300b0609608648016503040201") + bytes.fromhex("0420") + digest
    return {
        "A13-bleichenbacher": b"\0\1" + b"\xff" * 8 + b"\0" + info + bytes(fill - 8),
        "A13-junk-behind": b"\0\1" + b"\xff" * (fill - 4) + b"\0" + info + b"junk",
        "A13-block-type-2": b"\0\2" + b"\xff" * fill + b"\0" + info,
        "A13-block-type-0": b"\0\0" + b"\0" * fill + b"\0" + info,
        "A13-no-separator": b"\0\1" + b"\xff" * (fill + 1) + info,
        "A13-zero-in-padding": b"\0\1" + b"\xff" * 100 + b"\0" + b"\xff" * (fill - 101) + b"\0" + info,
        "A13-fe-in-padding": b"\0\1\xfe" + b"\xff" * (fill - 1) + b"\0" + info,
        "A13-first-byte": b"\1\1" + b"\xff" * fill + b"\0" + info,
        "A13-without-digest-info": b"\0\1" + b"\xff" * (size - 3 - 32) + b"\0" + digest,
        "A13-without-null": b"\0\1" + b"\xff" * (size - 3 - len(without_null)) + b"\0" + without_null,
        "A13-sha1-oid": b"\0\1" + b"\xff" * fill + b"\0" + info.replace(PREFIX[6:15], bytes(9)),
        "A13-other-digest": b"\0\1" + b"\xff" * fill + b"\0" + PREFIX + bytes(32),
        "A13-long-form-length": b"\0\1" + b"\xff" * (fill - 1) + b"\0" + b"\x30\x81\x31" + info[2:],
    }


@pytest.mark.parametrize("algorithm", ["RS256"], indirect=True)
@pytest.mark.case("A13")
async def test_paddings_of_rs256(target: Target, algorithm: str) -> None:
    """Each was made with the private key, so that it has exactly the padding that is said."""
    own = pair(algorithm, OURS).private_numbers()
    n, d = own.public_numbers.n, own.d
    signed = f"{segment(header())}.{segment(claims())}"
    digest = sha256(signed.encode()).digest()
    good = b"\0\1" + b"\xff" * (256 - 3 - len(PREFIX + digest)) + b"\0" + PREFIX + digest

    def made(encoded: bytes) -> int:
        return pow(int.from_bytes(encoded, "big") % n, d, n)

    genuine = made(good)
    assert f"{signed}.{b64(genuine.to_bytes(256, 'big'))}" == token(), "otherwise the others would prove nothing"
    wrong = {name: made(encoded).to_bytes(256, "big") for name, encoded in _padded(digest).items()}
    wrong |= {
        "A13-0": bytes(256),
        "A13-1": (1).to_bytes(256, "big"),
        "A13-n-1": (n - 1).to_bytes(256, "big"),
        "A13-n": n.to_bytes(256, "big"),
        "A13-minus-s": (n - genuine).to_bytes(256, "big"),
        "A13-zero-in-front": bytes(1) + genuine.to_bytes(256, "big"),
        "A13-zero-behind": genuine.to_bytes(256, "big") + bytes(1),
        "A13-byte-less": genuine.to_bytes(256, "big")[1:],
        "A13-empty": b"",
        "A13-twice": genuine.to_bytes(256, "big") * 2,
        "A13-encoded-itself": good,
    }
    if genuine + n < 2**2048:
        wrong["A13-s+n"] = (genuine + n).to_bytes(256, "big")
    for name, signature in wrong.items():
        reply = await target.refused(f"{signed}.{b64(signature)}", reference=False)
        assert reply.code == "token_invalid", name
