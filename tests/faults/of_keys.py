"""Faults in keys: which of them are good, which one signs, how long they verify, and who learns of it."""

from .fault import Fault

CONFUSION = "tests/catalogue/test_a_confusion.py::test_"
ODD = "tests/catalogue/test_a_keys.py::test_"
ROTATION = "tests/catalogue/test_a_rotation.py::test_"
PAIRS = "tests/unit/test_signatures.py::test_"
WEAK = "tests/unit/test_weak_keys.py::test_"
RING = "tests/unit/test_keyring.py::test_"
RANDOM = "tests/unit/test_keyring_stateful.py::test_random_rotations"

FAULTS = (
    # what a key may be
    Fault(
        name="a-public-key-in-base64-is-a-secret",
        file="usable_keys.py",
        old="for reading in readings(key.secret):",
        new="for reading in [key.secret]:",
        tests=(CONFUSION + "a_public_key_is_no_shared_secret",),
    ),
    Fault(
        name="a-private-key-in-base64-is-a-secret",
        file="usable_keys.py",
        old="if is_of_a_pair(reading):",
        new="if False:",
        tests=(CONFUSION + "a_private_key_is_no_shared_secret",),
    ),
    Fault(
        name="every-secret-that-begins-like-der-is-a-key",
        file="weak_keys.py",
        old="    if len(outer) != 1 or outer[0][0] != _SEQUENCE:\n        return False\n",
        new="    if raw[:1] == b'0':\n        return True\n    if not outer:\n        return False\n",
        tests=(CONFUSION + "a_secret_that_only_begins_like_a_key_is_one_no_less",),
    ),
    Fault(
        name="secrets-and-pairs-in-one-ring",
        file="key_texts.py",
        old="if len({isinstance(key, HmacKey) for key in left}) > 1:",
        new="if False:",
        tests=(RING + "secrets_and_pairs_make_no_ring",),
    ),
    Fault(
        name="a-secret-that-was-published-is-used",
        file="key_texts.py",
        old="if tolerant is not None and isinstance(jwk, Mapping) and private_members(jwk):",
        new="if False:",
        tests=(ODD + "a06_a_published_set_never_has_secrets_that_are_used",),
    ),
    Fault(
        name="the-first-of-two-keys-with-one-name",
        file="key_texts.py",
        old="left = [key for key in keys if key.kid not in twice]",
        new="left = [*{key.kid: key for key in reversed(keys)}.values()]",
        tests=(ODD + "a06_a_kid_that_two_keys_have_is_used_for_neither",),
    ),
    Fault(
        name="any-public-half-beside-a-private-one",
        file="key_texts.py",
        old="if any(key.members()[name] != jwk[name] for name in names):",
        new="if False:",
        tests=(ODD + "a_key_that_cannot_be_used_is_an_error_at_the_start",),
    ),
    Fault(
        name="a-key-for-encryption-verifies",
        file="key_texts.py",
        old='if "use" in jwk and jwk["use"] != "sig":',
        new="if False:",
        tests=(ODD + "a_key_that_cannot_be_used_is_left_out_of_a_set_of_somebody_elses",),
    ),
    Fault(
        name="one-odd-key-costs-the-whole-set",
        file="key_texts.py",
        old="read = _READERS.get(kind) if type(kind) is str else None",
        new="read = _READERS.get(kind)",
        tests=(ODD + "a_key_that_cannot_be_used_is_left_out_of_a_set_of_somebody_elses",),
    ),
    Fault(
        name="any-curve-for-es256",
        file="signatures.py",
        old="if not isinstance(key.curve, ec.SECP256R1):",
        new="if False:",
        tests=(ODD + "other_kinds_of_pem_are_refused_at_the_start",),
    ),
    Fault(
        name="a-short-rsa-key",
        file="weak_keys.py",
        old="if not _LEAST_BITS <= bits <= _MOST_BITS:",
        new="if bits > _MOST_BITS:",
        tests=(WEAK + "a_modulus_has_2048_to_8192_bits",),
    ),
    Fault(
        name="an-rsa-key-of-a-faulty-generator",
        file="weak_keys.py",
        old="if all(modulus % p in group for p, group in _ROCA_GROUPS.items()):",
        new="if False:",
        tests=(ODD + "a_key_that_cannot_be_used_is_an_error_at_the_start[A07-roca]",),
    ),
    Fault(
        name="an-ed25519-key-for-which-everybody-signs",
        file="weak_keys.py",
        old="if y >= _P25519 or y in _LOW_ORDER:",
        new="if y >= _P25519:",
        tests=(ODD + "a_key_that_cannot_be_used_is_an_error_at_the_start",),
    ),
    # signatures
    Fault(
        name="any-spelling-of-a-signature-of-a-pair",
        file="signatures.py",
        old="self.check(message, b64url_decode(signature))",
        new='self.check(message, __import__("base64").urlsafe_b64decode(signature + b"=="))',
        tests=(PAIRS + "a_signature_has_one_spelling",),
    ),
    Fault(
        name="any-length-of-a-signature-of-es256",
        file="signatures.py",
        old="if len(signature) != 2 * _COORDINATE:",
        new="if not signature:",
        tests=(PAIRS + "numbers_of_es256_keep_their_leading_zeros",),
    ),
    Fault(
        name="one-of-two-names-of-ed25519",
        file="signatures.py",
        old="self.accepted = frozenset(self.names)",
        new="self.accepted = frozenset({self.algorithm})",
        tests=(RING + "both_names_of_ed25519_are_one_algorithm",),
    ),
    # what is seen of a key
    Fault(
        name="the-private-half-is-published",
        file="signatures.py",
        old='return {**self.members(), "use": "sig", "alg": self.algorithm, "kid": self.kid}',
        new='return {**self.members(), "use": "sig", "alg": self.algorithm, "kid": self.kid, '
        "**(self.private_members() if self.is_private else {})}",
        tests=(RING + "what_is_published_is_public_and_has_the_next_key_and_none_that_is_gone",),
    ),
    Fault(
        name="an-error-holds-the-text-of-a-key",
        file="keyring.py",
        old="    except ValueError:  # which may hold the text, and so would the context of what is raised in here\n"
        "        pass\n",
        new="    except ValueError:\n        raise\n",
        tests=(RING + "a_variable_that_cannot_be_read_is_not_quoted",),
    ),
    Fault(
        name="an-error-holds-the-bytes-of-a-key",
        file="key_texts.py",
        old='pem.decode("ascii", "replace")',
        new='pem.decode("utf-8")',
        tests=("tests/unit/test_key_texts.py::test_der_in_place_of_pem_is_not_quoted_either",),
    ),
    # one key after another
    Fault(
        name="a-key-signs-before-it-was-published",
        file="key_states.py",
        old="        return in_order([*left, following], now)\n",
        new="        stepped = [_step(one, now, overlap) for one in left]\n"
        '        return in_order([*stepped, replace(following, state="current")], now)\n',
        tests=(RING + "a_key_is_published_before_it_signs",),
    ),
    Fault(
        name="the-next-key-is-not-published",
        file="keyring.py",
        old="for one in living(self.held, self._clock()))",
        new='for one in living(self.held, self._clock()) if one.state != "next")',
        tests=(RANDOM,),
    ),
    Fault(
        name="a-key-that-is-gone-is-published",
        file="keyring.py",
        old="for one in living(self.held, self._clock()))",
        new="for one in self.held)",
        tests=(RING + "what_is_published_is_public_and_has_the_next_key_and_none_that_is_gone",),
    ),
    Fault(
        name="a-key-goes-before-its-tokens",
        file="keyring.py",
        old="self._overlap = max(self._overlap, access_ttl)",
        new="self._overlap = self._overlap",
        tests=(ROTATION + "a16_no_token_outlives_its_key",),
    ),
    Fault(
        name="a-key-that-is-gone-verifies",
        file="verifier.py",
        old="if one.until > now and one.key.verifies(signed, signature):",
        new="if one.key.verifies(signed, signature):",
        tests=(ROTATION + "a16_inside_the_overlap_and_outside",),
    ),
    Fault(
        name="a-remembered-token-outlives-its-key",
        file="verifier.py",
        old="min(token.expires_at + self._leeway, key_until)",
        new="token.expires_at + self._leeway",
        tests=(ROTATION + "a16_inside_the_overlap_and_outside",),
    ),
    Fault(
        name="refresh-tokens-go-with-the-key",
        file="keyring.py",
        old="self.replace(Contents(rotated(self.held, self._clock(), self._overlap), self.secrets))",
        new="held = rotated(self.held, self._clock(), self._overlap)\n"
        "        self.replace(Contents(held, (held[0].key.secret_of_its_own(),)))",
        tests=(RING + "refresh_tokens_survive_any_number_of_rotations",),
    ),
    # who follows a ring
    Fault(
        name="remembered-under-a-key-that-was-taken-away",
        file="verifier.py",
        old="        self.remembered.clear()\n",
        new="",
        tests=(RING + "a_token_under_a_key_that_was_taken_away_is_refused_at_once",),
    ),
    Fault(
        name="a-thread-remembers-what-was-taken-away",
        file="verifier.py",
        old="if keys is not self._known_keys:",
        new="if False:",
        tests=(RING + "a_token_that_was_being_checked_when_its_key_went_is_not_remembered",),
    ),
    Fault(
        name="a-ring-that-has-changed-by-half",
        file="keyring.py",
        old="            self._hold(before)\n",
        new="",
        tests=(RING + "a_ring_changes_wholly_or_not_at_all",),
    ),
    Fault(
        name="a-minter-goes-on-with-the-old-key",
        file="minting.py",
        old="        keys.follow(self._use_current)\n",
        new="",
        tests=(RING + "verifiers_and_minters_follow_a_ring",),
    ),
    Fault(
        name="a-ring-keeps-its-verifiers-alive",
        file="keyring.py",
        old="self._followers.append(WeakMethod(changed))",
        new="self._followers.append(lambda: changed)",
        tests=(RING + "a_verifier_that_is_garbage_is_not_kept_alive",),
    ),
)
