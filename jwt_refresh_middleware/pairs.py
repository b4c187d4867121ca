"""Token pairs: what a client is handed for a session at one of its generations."""

from collections.abc import Mapping

from .keyring import KeyRing
from .minting import Minter
from .refresh import RefreshSigner, RefreshToken
from .sessions import Session, TokenPair
from .values import quick

_pair = quick(TokenPair)


class PairWriter:
    """Writes the access token and the refresh token of a session, and reads the latter.

    Attributes:
        signer: reads and writes refresh tokens.
    """

    def __init__(self, keys: KeyRing, *, fixed: Mapping[str, str], access_ttl: int) -> None:
        """``fixed``: the claims that are in every token; ``access_ttl``: life of an access token in whole seconds."""
        self._minter = Minter(keys, fixed)
        self.signer = RefreshSigner(keys)
        self._access_ttl = access_ttl

    def write(self, session: Session, token: RefreshToken, now: float) -> TokenPair:
        """The pair of ``token``'s generation. No access token outlives the absolute lifetime of its session.

        Raises ValueError if the session's claims do not fit into a token.
        """
        access_token, life = self.access(session, token.generation, now)
        refresh_token = self.signer.write(token)
        left = max(0, int(session.expires_at - now))
        return _pair(access_token, refresh_token, life, left, session)

    def access(self, session: Session, generation: int, now: float) -> tuple[str, int]:
        """The access token alone, and its life in seconds. Errors as in :meth:`write`."""
        issued_at = int(now)
        expires_at = issued_at + self._access_ttl
        if expires_at > session.ends_at:
            expires_at = max(issued_at + 1, int(session.ends_at))
        return self._minter.mint(session, generation, issued_at, expires_at), expires_at - issued_at
