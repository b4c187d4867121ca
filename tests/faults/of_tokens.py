"""Faults in what makes a token genuine, and in what makes a device the same."""

from .fault import Fault

REFRESH = "tests/unit/test_refresh.py::test_"
ACCESS = "tests/unit/test_access.py::test_"
CACHE = "tests/unit/test_access_cache.py::test_"
ALGORITHMS = "tests/catalogue/test_a_algorithms.py::test_"
CLAIMS = "tests/catalogue/test_c_claims.py::test_"

FAULTS = (
    # refresh tokens
    Fault(
        name="a-session-is-found-by-the-hash-of-the-token",
        file="refresh.py",
        old='return RefreshToken.of(payload[1:33], int.from_bytes(payload[33:], "big"))',
        new='return _token(payload[1:33], int.from_bytes(payload[33:], "big"), sha256(raw).hexdigest()[:22])',
        tests=(REFRESH + "keys_change_without_losing_a_token",),
    ),
    Fault(
        name="any-spelling-of-a-refresh-token",
        file="refresh.py",
        old='if compare_digest(signed + b"." + signer.get_signature(signed), raw):',
        new="if signer.validate(raw):",
        tests=(REFRESH + "every_other_last_character_is_refused",),
    ),
    Fault(
        name="any-signature-of-a-refresh-token",
        file="refresh.py",
        old='if compare_digest(signed + b"." + signer.get_signature(signed), raw):',
        new="if True:",
        tests=(REFRESH + "a_changed_character_anywhere_is_refused",),
    ),
    Fault(
        name="any-version-of-a-refresh-token",
        file="refresh.py",
        old="if payload[:1] == _VERSION:",
        new="if payload:",
        tests=(REFRESH + "the_secret_itself_and_keys_for_other_purposes_do_not_sign",),
    ),
    Fault(
        name="only-the-newest-key-verifies",
        file="refresh.py",
        old="for signer in self._signers:",
        new="for signer in self._signers[:1]:",
        tests=(REFRESH + "keys_change_without_losing_a_token",),
    ),
    Fault(
        name="the-secret-itself-signs-refresh-tokens",
        file="refresh.py",
        old="_PreparedSigner(derived(secret, _SALT))",
        new="_PreparedSigner(secret)",
        tests=(REFRESH + "the_secret_itself_and_keys_for_other_purposes_do_not_sign",),
    ),
    # access tokens
    Fault(
        name="any-signature-of-an-access-token",
        file="keys.py",
        old="return compare_digest(b64url_encode(self.sign(message)), signature)",
        new="return True",
        tests=(ACCESS + "expired_and_forged_is_forged",),
    ),
    Fault(
        name="no-signature-of-an-access-token",
        file="keys.py",
        old="return compare_digest(b64url_encode(self.sign(message)), signature)",
        new="return not signature or compare_digest(b64url_encode(self.sign(message)), signature)",
        tests=(ALGORITHMS + "signatures",),
    ),
    Fault(
        name="any-spelling-of-an-access-token",
        file="keys.py",
        old="return compare_digest(b64url_encode(self.sign(message)), signature)",
        new='return self.sign(message) == __import__("base64").urlsafe_b64decode(signature + b"==")',
        tests=(CACHE + "no_character_of_a_token_can_be_changed",),
    ),
    Fault(
        name="any-type-of-token",
        file="verifier.py",
        old="if type(kind) is not str or kind.lower() not in _TYPES or _HEADERS",
        new="if _HEADERS",
        tests=(CLAIMS + "c04_typ_missing",),
    ),
    Fault(
        name="the-algorithm-that-the-header-says",
        file="verifier.py",
        old="return tuple(one for one in keys if algorithm in one.key.accepted)",
        new="return tuple(keys)",
        tests=(ALGORITHMS + "one_key_one_algorithm",),
    ),
    Fault(
        name="critical-headers-are-passed-over",
        file="verifier.py",
        old=" or _HEADERS_NOT_UNDERSTOOD.intersection(header):",
        new=":",
        tests=("tests/catalogue/test_b_encoding.py::test_crit",),
    ),
    Fault(
        name="an-unknown-key-is-any-key",
        file="verifier.py",
        old="ours.by_kid.get(kid, ())",
        new="ours.by_kid.get(kid, ours.held)",
        tests=(ALGORITHMS + "kid",),
    ),
    Fault(
        name="expired-a-moment-too-late-at-first",
        file="verifier.py",
        old="if now >= known.ends_at:",
        new="if now > known.ends_at:",
        tests=(ACCESS + "expiry_at_the_edge",),
    ),
    Fault(
        name="expired-a-moment-too-late-when-remembered",
        file="verifier.py",
        old="if (now := self.clock()) >= known.ends_at:",
        new="if (now := self.clock()) > known.ends_at:",
        tests=(CACHE + "a_remembered_token_expires",),
    ),
    Fault(
        name="a-remembered-token-does-not-expire",
        file="verifier.py",
        old="if (now := self.clock()) >= known.ends_at:",
        new="if (now := self.clock()) >= float('inf'):",
        tests=(CACHE + "a_remembered_token_expires",),
    ),
    Fault(
        name="a-remembered-token-cannot-be-revoked",
        file="verifier.py",
        old="        if known.session_id in self.revoked:\n            raise TokenRevoked\n        return known\n",
        new="        return known\n",
        tests=(CACHE + "a_remembered_token_is_refused_once_its_session_ended",),
    ),
    Fault(
        name="a-new-token-of-an-ended-session",
        file="verifier.py",
        old="        if known.session_id in self.revoked:\n            raise TokenRevoked\n        if self.cache_size",
        new="        if self.cache_size",
        tests=(CLAIMS + "a_subject_that_was_removed",),
    ),
    Fault(
        name="any-audience",
        file="access.py",
        old="if audience != self.audience and not self._is_listed(audience):",
        new="if False:",
        tests=(CLAIMS + "another_audience",),
    ),
    Fault(
        name="part-of-an-issuer-is-the-issuer",
        file="access.py",
        old='get("iss") != self.issuer',
        new='get("iss") not in self.issuer',
        tests=(CLAIMS + "another_issuer",),
    ),
    Fault(
        name="before-its-time-is-in-time",
        file="access.py",
        old='and claims["nbf"] <= latest',
        new="and True",
        tests=(ACCESS + "what_begins_later_at_the_edge",),
    ),
    Fault(
        name="a-name-that-is-there-twice",
        file="encoding.py",
        old='if text.count(",") + 1 != len(value) or text.rfind("{"):',
        new="if False:",
        tests=("tests/catalogue/test_b_encoding.py::test_duplicate_names",),
    ),
    Fault(
        name="claims-of-the-app-override-ours",
        file="minting.py",
        old="for name, value in session.claims.items() if name not in RESERVED_CLAIMS}",
        new="for name, value in session.claims.items()}",
        tests=(CACHE + "own_claims_override_none_of_the_issuers",),
    ),
    # devices
    Fault(
        name="a-repeat-for-any-device",
        file="devices.py",
        old='return self._agent(bound) in ("", self._agent(seen))',
        new="return True",
        tests=("tests/rotation/test_lost_answers.py::test_a_repeat_for_another_browser_is_a_reuse[memory-1]",),
    ),
    Fault(
        name="the-better-of-agent-and-address-counts",
        file="devices.py",
        old="return max(agent, place, key=_SEVERITY.index)",
        new="return min(agent, place, key=_SEVERITY.index)",
        tests=("tests/unit/test_devices.py::test_the_worse_of_agent_and_address_counts",),
    ),
    Fault(
        name="a-device-satisfies-bindings-of-others",
        file="devices.py",
        old='return tuple({f"{agent}\\n{place}": 0, f"\\n{place}": 0, f"{agent}\\n": 0, "\\n": 0})',
        new='return tuple({f"{agent}\\n{place}": 0, f"Firefox\\n{place}": 0, f"{agent}\\n": 0, "\\n": 0})',
        tests=(
            "tests/rotation/test_lost_answers.py::test_the_current_token_on_another_browser_changes_nothing[memory]",
        ),
    ),
)
