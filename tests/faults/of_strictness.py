"""Faults in what makes the reading of tokens strict: one spelling, one object, every claim what it has to be."""

from .fault import Fault

ENCODING = "tests/unit/test_encoding.py::test_"
ACCESS = "tests/unit/test_access.py::test_"
CLAIMS = "tests/catalogue/test_c_claims.py::test_"
SPELLINGS = "tests/catalogue/test_b_encoding.py::test_"
STRICT_JSON = (ENCODING + "what_is_not_one_strict_object_is_refused",)

FAULTS = (
    # base64url
    Fault(
        name="the-spare-bits-of-base64-may-be-anything",
        file="encoding.py",
        old="if over and text[-1] not in _LAST[over]:",
        new="if False:",
        tests=(ENCODING + "other_spellings_are_refused",),
    ),
    Fault(
        name="the-standard-alphabet-of-base64-as-well",
        file="encoding.py",
        old='_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")',
        new='_FROM_URL = bytes.maketrans(b"-_=", b"+/!")',
        tests=(ENCODING + "other_spellings_are_refused",),
    ),
    Fault(
        name="whatever-is-no-base64-is-skipped",
        file="encoding.py",
        old="strict_mode=True)",
        new="strict_mode=False)",
        tests=(ENCODING + "other_spellings_are_refused",),
    ),
    # JSON
    Fault(
        name="nan-is-a-number",
        file="encoding.py",
        old="_plain = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)",
        new="_plain = json.JSONDecoder(parse_float=_finite)",
        tests=STRICT_JSON,
    ),
    Fault(
        name="a-number-that-is-infinite",
        file="encoding.py",
        old="    if not math.isfinite(number):\n",
        new="    if False:\n",
        tests=STRICT_JSON,
    ),
    Fault(
        name="more-behind-an-object",
        file="encoding.py",
        old="if end != len(text) or type(value) is not dict:",
        new="if type(value) is not dict:",
        tests=STRICT_JSON,
    ),
    Fault(
        name="json-that-is-no-object",
        file="encoding.py",
        old="if end != len(text) or type(value) is not dict:",
        new="if end != len(text):",
        tests=STRICT_JSON,
    ),
    Fault(
        name="a-byte-order-mark-is-nothing",
        file="encoding.py",
        old='raw.decode("utf-8")',
        new='raw.decode("utf-8-sig")',
        tests=STRICT_JSON,
    ),
    Fault(
        name="half-a-character",
        file="encoding.py",
        old='        if "\\\\" in text:\n',
        new="        if False:\n",
        tests=STRICT_JSON,
    ),
    Fault(
        name="deep-nesting-is-a-fault-of-ours",
        file="encoding.py",
        old="except (RecursionError, StopIteration) as error:",
        new="except StopIteration as error:",
        tests=(ENCODING + "deep_nesting_is_refused",),
    ),
    # claims
    Fault(
        name="true-is-a-date",
        file="access.py",
        old="_NUMBERS = frozenset({int, float})",
        new="_NUMBERS = frozenset({int, float, bool})",
        tests=(CLAIMS + "exp_of_another_type",),
    ),
    Fault(
        name="a-token-that-never-ends",
        file="access.py",
        old="or not 0 <= expires_at < _LAST_DATE",
        new="or not 0 <= expires_at",
        tests=(SPELLINGS + "numbers_out_of_range", CLAIMS + "exp_of_another_type"),
    ),
    Fault(
        name="issued-tomorrow",
        file="access.py",
        old="or not 0 <= issued_at <= latest",
        new="or not 0 <= issued_at",
        tests=(CLAIMS + "from_the_future_or_no_number",),
    ),
    Fault(
        name="nobody-looks-at-nbf",
        file="access.py",
        old='            or ("nbf" in claims and not (_is_date(claims["nbf"]) and claims["nbf"] <= latest))\n',
        new="",
        tests=(CLAIMS + "from_the_future_or_no_number",),
    ),
    Fault(
        name="auth-time-may-be-anything",
        file="access.py",
        old='            or ("auth_time" in claims and not _is_date(auth_time))\n',
        new="",
        tests=(ACCESS + "claims_of_another_type_or_value_are_refused",),
    ),
    Fault(
        name="any-subject-and-any-id",
        file="access.py",
        old='            or not are_clean(subject, token_id, session_id if "sid" in claims else token_id)\n',
        new="",
        tests=(SPELLINGS + "control_characters_in_claims",),
    ),
    Fault(
        name="a-session-id-need-not-be-text",
        file="access.py",
        old='session_id if "sid" in claims else token_id)',
        new="token_id)",
        tests=(ACCESS + "claims_of_another_type_or_value_are_refused",),
    ),
    Fault(
        name="a-generation-that-is-none",
        file="access.py",
        old='            or ("gen" in claims and (type(generation) is not int or generation < 0))\n',
        new="",
        tests=(ACCESS + "claims_of_another_type_or_value_are_refused",),
    ),
    Fault(
        name="a-token-of-any-length-of-life",
        file="access.py",
        old="self._max_lifetime is not None and expires_at - issued_at > self._max_lifetime",
        new="False",
        tests=(CLAIMS + "lifetime_cap",),
    ),
    Fault(
        name="an-audience-in-an-odd-list",
        file="access.py",
        old="type(audience) is list and all(type(member) is str for member in audience) and self.audience in audience",
        new="type(audience) is list and self.audience in audience",
        tests=(CLAIMS + "another_audience",),
    ),
    Fault(
        name="a-part-of-an-audience",
        file="access.py",
        old="if audience != self.audience and not self._is_listed(audience):",
        new="if self.audience not in (audience or ()):",
        tests=(CLAIMS + "another_audience",),
    ),
    Fault(
        name="a-token-that-is-bound-to-a-key-without-its-proof",
        file="access.py",
        old='            or "cnf" in claims ',
        new="            or False ",
        tests=("tests/catalogue/test_i_possession.py",),
    ),
    # what is read of a token, and when
    Fault(
        name="a-token-of-any-size",
        file="verifier.py",
        old="        if len(token) > MAX_TOKEN_BYTES:\n",
        new="        if False:\n",
        tests=(SPELLINGS + "b12_a_subject_of_ten_kilobytes_is_more_than_a_token_may_be",),
    ),
    Fault(
        name="whatever-is-wrong-it-has-expired",
        file="verifier.py",
        old="            raise TokenInvalid from None\n        known = Known(",
        new="            raise TokenExpired from None\n        known = Known(",
        tests=(CLAIMS + "expired_is_not_said_of_a_forgery",),
    ),
    Fault(
        name="claims-before-the-signature",
        file="verifier.py",
        old="        keys = known or self._read_header(header, ours)\n",
        new="        keys = known or self._read_header(header, ours)\n"
        '        if json_object(b64url_decode(payload)).get("exp", now) < now:\n'
        "            raise TokenExpired\n",
        tests=("tests/unit/test_access.py::test_expired_and_forged_is_forged",),
    ),
    Fault(
        name="a-header-is-remembered-before-the-signature",
        file="verifier.py",
        old="        for one in keys:\n            if one.until",
        new="        headers[header] = keys\n        for one in keys:\n            if one.until",
        tests=("tests/faults/test_strict.py::test_who_has_no_key_leaves_nothing_behind",),
    ),
    Fault(
        name="what-nobody-has-thought-of-is-a-fault-of-ours",
        file="verifier.py",
        old="        except Exception:  # noqa: BLE001  the one place",
        new="        except ValueError:  # noqa: BLE001  the one place",
        tests=("tests/faults/test_strict.py::test_whatever_goes_wrong_is_a_refusal",),
    ),
    Fault(
        name="several-tokens-in-a-header",
        file="web/transport.py",
        old="if not token or _SPACE in token or _COMMA in token or _TAB in token:",
        new="if not token or _SPACE in token or _TAB in token:",
        tests=("tests/faults/test_strict.py::test_a_comma_alone_makes_it_two_tokens",),
    ),
)
