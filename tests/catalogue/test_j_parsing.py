"""Group J: J03, what the outside learns of an access token; J04, parsers that raise, by fault or by attack."""

from typing import Any

import pytest

from jwt_refresh_middleware import verifier

from ..web.support import COOKIE
from ..web.test_gateway import Gateway
from .attack import Target
from .forge import claims, header, jws, token

RAISED: list[BaseException] = [
    RecursionError(), MemoryError(), KeyError("x"), UnicodeDecodeError("utf-8", b"x", 0, 1, "x"), AttributeError("x"),
    ZeroDivisionError(), OverflowError(), AssertionError(), StopIteration(), OSError("x"),
]  # fmt: skip


@pytest.mark.parametrize("what", ["b64url_decode", "json_object"])
@pytest.mark.parametrize("raised", [pytest.param(one, id=f"J04-{type(one).__name__}") for one in RAISED])
async def test_a_parser_that_raises_lets_nobody_in(
    target: Target, monkeypatch: pytest.MonkeyPatch, what: str, raised: BaseException
) -> None:
    """Whatever it is, it is a refusal, of tokens that would be good otherwise too."""

    def fails(_raw: bytes) -> Any:
        raise raised

    before = target.service.inner.calls
    with monkeypatch.context() as broken:
        broken.setattr(verifier, what, fails)
        for text in (token(jti="not seen before"), "x.y.z"):
            reply = await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {text}"})
            assert (reply.code, target.service.inner.calls) == ("token_invalid", before)
    await target.assert_unharmed()


BODIES: dict[str, bytes] = {
    "J04-deep": b"[" * 60_000,
    "J04-deep-object": b'{"refresh_token":' * 3_000,
    "J04-half": b'{"refresh_token": "x',
    "J04-no-utf8": b'{"refresh_token": "\xff"}',
    "J04-bom": b'\xef\xbb\xbf{"refresh_token": "x"}',
    "J04-utf16": '{"refresh_token": "x"}'.encode("utf-16"),
    "J04-nan": b'{"refresh_token": NaN}',
    "J04-digits": b'{"refresh_token": ' + b"9" * 5_000 + b"}",
    "J04-twice": b'{"refresh_token": "x", "refresh_token": "y"}',
    "J04-list": b'["x"]',
    "J04-null": b"null",
    "J04-surrogate": b'{"refresh_token": "\\ud800"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("route", ["refresh", "logout", "step-up"])
async def test_a_body_that_breaks_a_parser_is_a_bad_request(target: Target, body: bytes, route: str) -> None:
    headers = {"content-type": "application/json", "cookie": f"{COOKIE}={target.honest.refresh}"}
    reply = await target.attack(
        "invalid_request", method="POST", path=f"/auth/{route}", headers=headers, body=body, reference=False
    )
    assert reply.all("set-cookie") == []


async def test_j03_only_who_has_a_genuine_token_learns_what_is_wrong_with_it(target: Target) -> None:
    """Forged, the same tokens all have one answer; and a gateway that trusts others says of ours that they are bad."""
    service, other_key = target.service, "somebody else's key of 32 bytes and more"
    ended = await service.login("bob")
    await service.issuer.logout(ended.refresh)
    session = service.issuer.session_id_of(ended.refresh)
    genuine = {"token_expired": claims(exp=1), "token_revoked": claims(sid=session, gen=0)}
    replies = []
    for code, said in genuine.items():
        reply = await service.ask("GET", "/x", headers={"authorization": f"Bearer {jws(header(), said)}"})
        assert (reply.code, reply.status) == (code, 401)
        forged = jws(header(), said, other_key)
        replies.append(await target.refused(forged))
        gateway = Gateway(audience="another")
        assert (await gateway.get("/x", jws(header(), said))).body == replies[-1].body
    assert len({(reply.status, reply.headers, reply.body) for reply in replies}) == 1
