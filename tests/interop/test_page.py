"""The script of docs/interoperability.md, and what the page says that other libraries do not do."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc import jwk
from joserfc import jwt as joserfc_jwt
from joserfc.errors import SecurityWarning

from jwt_refresh_middleware import KeyRing

from ..client.node.running import MODULES, node
from .forgery import with_claims
from .site import AUDIENCE, ISSUER, Site
from .test_our_tokens import access_token, payload_of

PAGE = Path(__file__).parents[2] / "docs" / "interoperability.md"
TRY = """
import { verify } from './page.mjs'
for (const token of process.argv.slice(2)) {
  const answer = await verify(token).then((claims) => ({ claims }), (error) => ({ error: error.code }))
  console.log(JSON.stringify(answer))
}
"""


def resigned(keys: KeyRing, token: str, typ: str = "at+jwt", **more: object) -> str:
    """The token with another header or more claims, signed anew with the issuer's own key."""
    key = jwk.import_key(keys.held[0].key.private_jwk())
    header = {"alg": "ES256", "typ": typ, "kid": key.kid}
    return joserfc_jwt.encode(header, payload_of(token) | more, key)


@pytest.fixture
def site(signers: Callable[[str], Site]) -> Site:
    return signers("ES256")


@pytest.mark.usefixtures("jose")  # it says what is missing where jose is not installed
def test_the_script_for_node_reads_our_tokens_and_no_others(site: Site, tmp_path: Path) -> None:
    (script,) = re.findall(r"^```js\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    url = "https://users.example.com/auth/jwks.json"
    assert script.count(url) == 1
    (tmp_path / "page.mjs").write_text(script.replace(url, site.url + "/auth/jwks.json"))
    (tmp_path / "try.mjs").write_text(TRY)
    (tmp_path / "node_modules").symlink_to(MODULES, target_is_directory=True)

    good = access_token(site)
    tokens = [
        good,
        with_claims(good, sub="mallory"),
        resigned(site.issuer.verifier.keys, good, typ="JWT"),
        resigned(site.issuer.verifier.keys, good, aud="https://other.example.com"),
        resigned(site.issuer.verifier.keys, good, exp=1),
    ]
    ran = subprocess.run(
        [node(), "try.mjs", *tokens], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [
        {"claims": payload_of(good)},
        {"error": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"},
        {"error": "ERR_JWT_CLAIM_VALIDATION_FAILED"},
        {"error": "ERR_JWT_CLAIM_VALIDATION_FAILED"},
        {"error": "ERR_JWT_EXPIRED"},
    ]


def test_pyjwt_does_not_know_the_new_name_of_ed25519(signers: Callable[[str], Site]) -> None:
    ed25519 = signers("Ed25519")
    client = jwt.PyJWKClient(ed25519.url + "/auth/jwks.json")
    with pytest.raises(jwt.PyJWTError):
        client.get_signing_key_from_jwt(access_token(ed25519))


def test_joserfc_warns_of_the_old_name_of_ed25519() -> None:
    keys = KeyRing.generate("EdDSA")
    key = jwk.import_key(keys.held[0].key.private_jwk())
    with pytest.warns(SecurityWarning, match="EdDSA is deprecated"):
        joserfc_jwt.encode({"alg": "EdDSA"}, {}, key, algorithms=["EdDSA"])


class Validator(JWTBearerTokenValidator):
    """Authlib's, for the resource servers of RFC 9068."""

    def __init__(self, keys: KeyRing) -> None:
        super().__init__(issuer=ISSUER, resource_server=AUDIENCE)
        self._keys = keys

    def get_jwks(self) -> object:
        return jwk.KeySet.import_key_set(self._keys.jwks())

    def check(self, token: str) -> None:
        self.validate_token(self.authenticate_token(token), ["read write"], None)


def test_the_validator_of_authlib_wants_a_client_id_and_nothing_else(site: Site) -> None:
    keys = site.issuer.verifier.keys
    validator, token = Validator(keys), access_token(site)
    validator.check(resigned(keys, token, client_id="reports"))
    with pytest.raises(InvalidTokenError):
        validator.check(token)
