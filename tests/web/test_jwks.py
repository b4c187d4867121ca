"""``GET {prefix}/jwks.json``: the public halves of the keys, for whoever asks, and a 304 for who has them already."""

import pytest

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, KeyRing, MemoryStore, Verifier

from .asgi import Reply, ask
from .problems import assert_problem
from .support import Inner, check_password

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}
ALGORITHMS = ["EdDSA", "Ed25519", "ES256", "RS256"]


def _service(keys: KeyRing) -> JWTRefreshMiddleware:
    return JWTRefreshMiddleware(Inner(), issuer=Issuer(keys, MemoryStore()), authenticate=check_password)


async def _jwks(app: JWTRefreshMiddleware, **headers: str) -> Reply:
    return await ask(app, "GET", "/auth/jwks.json", headers=headers)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_public_members_of_the_current_and_the_next_key(algorithm: str) -> None:
    keys = KeyRing.generate(algorithm)  # type: ignore[arg-type]
    reply = await _jwks(_service(keys))
    assert reply.status == 200
    assert reply.one("content-type") == "application/jwk-set+json"
    assert reply.one("cache-control") == "public, max-age=300"
    assert reply.one("content-length") == str(len(reply.body))
    published = reply.json()["keys"]
    assert [one["kid"] for one in published] == [key.kid for key in keys.keys]
    assert all(one["alg"] == algorithm and one["use"] == "sig" and not PRIVATE & set(one) for one in published)


async def test_shared_secrets_are_not_published() -> None:
    assert (await _jwks(_service(KeyRing.generate("HS256")))).json() == {"keys": []}


async def test_who_has_them_is_told_so_until_they_change() -> None:
    keys = KeyRing.generate("EdDSA")
    app = _service(keys)
    first = await _jwks(app)
    etag = first.one("etag")
    assert etag is not None
    for named in (etag, f"W/{etag}", f'"another", {etag}', "*"):
        unchanged = await _jwks(app, **{"if-none-match": named})
        assert (unchanged.status, unchanged.body, unchanged.one("etag")) == (304, b"", etag)
        assert unchanged.one("cache-control") == "public, max-age=300"
    assert (await _jwks(app, **{"if-none-match": '"another"'})).status == 200
    keys.rotate()
    changed = await _jwks(app, **{"if-none-match": etag})
    assert changed.status == 200
    assert changed.one("etag") != etag
    assert len(changed.json()["keys"]) == 3, "the one before, the one that signs, and the next"


async def test_a_gateway_passes_on_what_it_verifies_with() -> None:
    keys = KeyRing.generate("ES256")
    gateway = JWTRefreshMiddleware(Inner(), verifier=Verifier(KeyRing.from_jwks(keys.jwks())))
    assert (await _jwks(gateway)).json() == (await _jwks(_service(keys))).json()


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
async def test_other_methods(method: str) -> None:
    reply = await ask(_service(KeyRing.generate("EdDSA")), method, "/auth/jwks.json")
    assert reply.status == 405
    assert reply.one("allow") == "GET"
    if method != "HEAD":
        assert_problem(reply, "method_not_allowed")
