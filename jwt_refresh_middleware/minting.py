"""Minting access tokens (RFC 9068)."""

from collections.abc import Mapping
from secrets import token_bytes

from .access import MAX_TOKEN_BYTES
from .encoding import b64url_encode, json_quoted, json_text
from .keyring import KeyRing
from .keys import Key
from .sessions import RESERVED_CLAIMS, Session
from .standing import NO_STANDING
from .usable_keys import usable

_ID_BYTES = 16


class Minter:
    """Writes access tokens under the current key of a ring."""

    def __init__(self, keys: KeyRing, fixed: Mapping[str, str]) -> None:
        """``fixed``: the claims that are in every token. Raises ValueError if none of the keys can sign."""
        self._keys = keys
        self._fixed = json_text(dict(fixed))[:-1]
        self._use_current()
        keys.follow(self._use_current)

    def _use_current(self) -> None:
        key = self._keys.signing
        if key is None:
            raise ValueError("an issuer needs a key that can sign: a secret, or a private key")
        header = {"alg": usable(key).algorithm, "typ": "at+jwt", "kid": key.kid}
        self._signing: tuple[Key, bytes] = key, b64url_encode(json_text(header).encode()) + b"."

    def mint(self, session: Session, generation: int, issued_at: int, expires_at: int) -> str:
        """A signed token (RFC 9068, 2.2) of ``session``, whose own claims cannot override the issuer's.

        Args:
            session: whose token it is.
            generation: of the refresh token that goes with it.
            issued_at: seconds since the epoch, claim ``iat``.
            expires_at: seconds since the epoch, claim ``exp``.

        Raises:
            ValueError: the claims make the token longer than any verifier here would read.
        """
        token_id = b64url_encode(token_bytes(_ID_BYTES)).decode("ascii")
        proven, standing, auth_time = session.amr, session.standing, session.created_at
        more = ""
        if standing is not NO_STANDING:
            proven, auth_time = session.authenticated_by, session.auth_time
            more = "" if standing.acr is None else f',"acr":{json_quoted(standing.acr)}'
        if proven:
            more += f',"amr":{json_text(list(proven))}'
        if session.claims:
            own = {name: value for name, value in session.claims.items() if name not in RESERVED_CLAIMS}
            more += "," + json_text(own)[1:-1] if own else ""
        # The members are the same in every token: written like this they take a fifth of an encoder's time.
        payload = (
            f'{self._fixed},"sub":{json_quoted(session.subject)},"iat":{issued_at},"exp":{expires_at},'
            f'"jti":"{token_id}","sid":{json_quoted(session.id)},"gen":{generation},'
            f'"auth_time":{int(auth_time)},"scope":{json_quoted(" ".join(session.scopes))}{more}}}'
        )
        key, header = self._signing
        signed = header + b64url_encode(payload.encode("ascii"))
        token = signed + b"." + b64url_encode(key.sign(signed))
        if len(token) > MAX_TOKEN_BYTES:
            raise ValueError(f"the claims make an access token of {len(token)} bytes; {MAX_TOKEN_BYTES} is the limit")
        return token.decode("ascii")
