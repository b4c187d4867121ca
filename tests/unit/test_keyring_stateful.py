"""Keys that rotate at random, while tokens are signed at random and verified wherever somebody has fetched the keys."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from jwt_refresh_middleware import KeyRing, Verifier
from jwt_refresh_middleware.errors import AuthError
from jwt_refresh_middleware.minting import Minter
from jwt_refresh_middleware.testing import Clock, a_session

ISS = "https://users.example.com"


@dataclass
class Signed:
    """A token, and what is known of it from when it was made."""

    text: str
    kid: str
    ends_at: float


@dataclass
class Gateway:
    """A verifier with the keys of one moment, and which these were."""

    verifier: Verifier
    kids: frozenset[str]
    at: int = field(kw_only=True)


_PHASES = (Phase.generate,)  # a failing run is short enough to be read; to make it shorter takes half a minute


class Rotating(RuleBasedStateMachine):
    """The model: when each key was published, and until when its last token is good."""

    algorithm: Any = "EdDSA"
    tokens = Bundle("tokens")
    gateways = Bundle("gateways")

    @initialize(life=st.sampled_from([60, 900, 7200]), has_next=st.booleans())
    def begin(self, life: int, has_next: bool) -> None:
        self.clock, self.life, self.step = Clock(), life, 0
        self.ring = KeyRing.generate(self.algorithm)
        if not has_next:
            self.ring = KeyRing(self.ring.keys[:1])
        self.ring.serve(clock=self.clock, access_ttl=life + 60)
        self.minter = Minter(self.ring, {"iss": ISS, "aud": ISS})
        self.warm = Verifier(self.ring, issuer=ISS, clock=self.clock)
        self.published = {key.kid: 0 for key in self.ring.keys}
        self.last_end: dict[str, float] = {}
        self.last_fetched: list[Gateway] = []

    @rule()
    def rotate(self) -> None:
        self.step += 1
        self.ring.rotate()
        assert self.ring.keys[0].kid in self.published
        for key in self.ring.keys:
            self.published.setdefault(key.kid, self.step)

    @rule(
        seconds=st.one_of(
            st.integers(0, 60),
            st.integers(0, 8000),
            st.sampled_from([0.5, 59.999, 60, 899.999, 900, 960, 7259.999, 7260]),
        )
    )
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(target=tokens)
    def sign(self) -> Signed:
        now, signing = int(self.clock()), self.ring.signing
        assert signing is not None
        text = self.minter.mint(a_session(), 0, now, now + self.life)
        self.last_end[signing.kid] = now + self.life
        signed = Signed(text, signing.kid, now + self.life)
        self.verify_here(signed, warm=True)
        for gateway in self.last_fetched[-3:]:
            self.verify_elsewhere(signed, gateway)
        return signed

    @rule(target=gateways)
    def fetch(self) -> Any:
        if self.algorithm == "HS256":
            return multiple()
        self.step += 1
        ring = KeyRing.from_jwks(self.ring.jwks())
        verifier = Verifier(ring, issuer=ISS, clock=self.clock)
        self.last_fetched.append(Gateway(verifier, frozenset(key.kid for key in ring.keys), at=self.step))
        return self.last_fetched[-1]

    @rule(signed=tokens, warm=st.booleans())
    def verify_here(self, signed: Signed, warm: bool) -> None:
        verifier = self.warm if warm else Verifier(self.ring, issuer=ISS, clock=self.clock)
        self._verify(verifier, signed, is_known=True)

    @rule(signed=tokens, gateway=gateways)
    def verify_elsewhere(self, signed: Signed, gateway: Gateway) -> None:
        """Whoever has fetched the keys since this one was published verifies its tokens as long as they live."""
        is_known = gateway.at >= self.published[signed.kid]
        if is_known and self.clock() < signed.ends_at:
            assert signed.kid in gateway.kids
        self._verify(gateway.verifier, signed, is_known=signed.kid in gateway.kids)

    def _verify(self, verifier: Verifier, signed: Signed, *, is_known: bool) -> None:
        said = _outcome(verifier, signed.text)
        if is_known and self.clock() < signed.ends_at:
            assert said == "good"
        elif is_known:  # its key may be gone by now
            assert said in ("token_expired", "token_invalid")
        else:
            assert said == "token_invalid"

    @rule(signed=consumes(tokens))
    def forget(self, signed: Signed) -> None:
        """So that not all of them are old."""

    @invariant()
    def one_key_signs_and_at_most_one_is_next(self) -> None:
        states = [one.state for one in self.ring.held]
        assert states[0] == "current"
        assert states.count("current") == 1
        assert states.count("next") <= 1

    @invariant()
    def what_is_published_is_public(self) -> None:
        assert all(not {"d", "k", "p"} & set(jwk) for jwk in self.ring.jwks()["keys"])

    @invariant()
    def a_key_with_a_token_that_lives_is_there(self) -> None:
        kids = {key.kid for key in self.ring.keys}
        assert {kid for kid, ends_at in self.last_end.items() if ends_at > self.clock()} <= kids

    @invariant()
    def a_key_is_gone_when_its_tokens_are(self) -> None:
        """At the latest when the ring rotates next; published it is no more from that moment."""
        published = {jwk["kid"] for jwk in self.ring.jwks()["keys"]}
        for one in self.ring.held:
            if one.state == "previous" and one.until <= self.clock():
                assert one.key.kid not in published


def _outcome(verifier: Verifier, text: str) -> str:
    try:
        verifier.verify(text)
    except AuthError as error:
        return error.code
    return "good"


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "HS256"])
def test_random_rotations(algorithm: str) -> None:
    machine = type(f"Rotating{algorithm}", (Rotating,), {"algorithm": algorithm})
    test = machine.TestCase
    test.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, phases=_PHASES)
    test().runTest()
