"""What standards ask of software like this, and what holds each line of it: cases of the attack catalogue, and tests.

docs/security.md is made of it. A test is named by its node id without parameters.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One thing that a standard asks.

    Attributes:
        standard: its number or name.
        section: where.
        duty: what is asked, in our words.
        held_by: ids of cases, and node ids of tests without parameters.
        note: what is left to somebody else or not built, or is done in another way.
    """

    standard: str
    section: str
    duty: str
    held_by: tuple[str, ...]
    note: str = ""


def _of(standard: str, *rows: tuple[str, str, str] | tuple[str, str, str, str]) -> tuple[Duty, ...]:
    """The duties of one standard: section, duty, what holds it (separated by blanks), and a note."""
    return tuple(
        Duty(standard=standard, section=row[0], duty=row[1], held_by=tuple(row[2].split()), note="".join(row[3:]))
        for row in rows
    )


_NO_DPOP = "DPoP is not built: tokens are bearer tokens, and one that is bound to a key is refused."
_NO_DBSC = "Device bound session credentials are not built: browsers that have them were not out of trial."
_WEB, _UNIT, _OURS = "tests/web/test_", "tests/unit/test_", "tests/catalogue/test_standards.py::test_"
_GUARDS = f"{_WEB}routes.py::test_ending_all_others {_WEB}routes.py::test_nobody_ends_the_session_of_another"

_HTTP = (
    *_of(
        "RFC 6750",
        (
            "2",
            "One way to bring a token for each request, the header; form and query are not looked at.",
            "E05 E08 E09",
        ),
        ("2.1", "`Bearer`, in any case, blanks, one token (RFC 9110, 11.1).", "E02 E03 E04 E06"),
        (
            "3",
            "Every 401 has a `Bearer` challenge with a realm, of characters that may be quoted.",
            f"E01 E13 {_WEB}error_table.py::test_row "
            f"{_WEB}error_table.py::test_the_realm_is_the_audience_made_quotable",
        ),
        (
            "3.1",
            "`invalid_request` is 400, `invalid_token` 401, `insufficient_scope` 403; no error where no token came.",
            f"E01 E05 {_WEB}error_table.py::test_row {_WEB}guards.py::test_scopes_that_are_missing_are_named",
        ),
        (
            "5.3",
            "Tokens live shortly, stand in no URL and are kept by no cache.",
            f"E08 E18 G11 {_OURS}an_access_token_lives_for_minutes",
            "TLS is up to the server before the app; `doctor` warns of cookies without it.",
        ),
    ),
    *_of(
        "RFC 6749",
        ("5.1", "Answers with tokens are not stored.", "E18"),
        ("6", "A refresh grants no more than the login.", "H22"),
        ("10.4", "A refresh token is kept from everybody but its client: in store, logs and answers.", "G01 H24 J01"),
    ),
    *_of(
        "RFC 7009",
        (
            "2.1",
            "A session is ended by POST, or DELETE of its own name.",
            f"F11 {_WEB}routes.py::test_ending_one_session",
        ),
        (
            "2.2",
            "200 also for a token that is unknown, spent or broken.",
            f"H16 {_WEB}routes.py::test_logout_answers_200_whatever_token_came",
        ),
        ("2.1", "Where a refresh token is revoked, access tokens of its session are too.", "H10 C09"),
    ),
    *_of(
        "RFC 9457",
        ("3", "Problems have type, title, status and detail; the status is that of the response.", "E14"),
        ("5", "They tell nothing of what is inside.", "E14 J03"),
    ),
    *_of(
        "RFC 9470",
        ("3", "A step-up is asked for with what would do: `acr_values`, `max_age`.", "I11"),
        ("5, 6", "`acr` and `auth_time` are in the token and are checked; a refresh renews neither.", "I11 I12"),
    ),
)
_TOKENS = (
    *_of(
        "RFC 7519",
        ("2, 4.1", "A date is a JSON number within the calendar; no text, no bool, no NaN.", "B10 C02 C03"),
        ("4", "No claim twice.", "B06"),
        ("7.2", "One JSON object in UTF-8; who is not in `aud` refuses.", "B07 B08 C05"),
    ),
    *_of(
        "RFC 7515",
        ("2, 3", "base64url without padding, blanks or anything else.", "B01"),
        ("4.1.11", "`crit` that is not understood, empty, or no list is refused.", "B05"),
        ("5.2, 10.7", "No header name twice; nothing is fetched that a header points to.", "A11 B06"),
        ("10.12", "The last character has one spelling.", "B01"),
    ),
    *_of(
        "RFC 7518",
        ("3.2", "A secret for HS256 has 256 bits at least.", "A07", "HS384 and HS512 are not offered."),
        ("3.3", "RSA keys have 2048 bits at least.", "A07"),
        ("3.4", "ECDSA signatures are two numbers of fixed length.", "A13"),
        ("3.6", "There is no `none`.", "A01"),
    ),
    *_of(
        "RFC 8725 and its revision",
        ("3.1", "A list of algorithms, one for each key, to the letter.", "A02 A04 A05"),
        (
            "3.2 to 3.5",
            "No weak algorithms; keys are examined before they are used.",
            "A04 A06 A07 A13",
            "Of a secret the length is examined; whether it is random cannot be seen from it.",
        ),
        ("3.7", "UTF-8 and nothing else.", "B07"),
        (
            "3.8, 3.9",
            "The key belongs to the issuer; subject and audience are asked for.",
            "C04 C05 C06 D07",
            "Whether an account still exists is asked at every refresh (`load_identity`): H12.",
        ),
        ("3.10", "`kid` finds a key in a dictionary and nothing else; `jku` and `x5u` are refused.", "A08 A10 A11"),
        ("3.11, 3.12", "One kind of token is not taken for another.", "D01 D02 D03 D04 D05"),
        ("3.14", "Only letters, digits, `-`, `_` and the dots between parts.", "B01 B02 B03"),
    ),
    *_of(
        "RFC 9068",
        ("2.1, 4", "`typ` is `at+jwt` or `application/at+jwt`; the rest, and `none`, is refused.", "A01 D04"),
        (
            "2.2",
            "The claims that are required are in our tokens, and asked for in others'.",
            f"C04 I12 {_OURS}our_access_tokens_say_what_rfc_9068_requires "
            f"{_UNIT}issuer.py::test_a_client_id_is_in_every_token_if_it_is_asked_for",
            "`client_id` is there if the issuer is given one: a browser at the app of its own has none.",
        ),
    ),
)
_GRANTS = (
    *_of(
        "RFC 9700",
        ("4.14.2", "A refresh token is for the scope and the audience of its login.", "H22 D07"),
        ("4.14.2", "Refresh tokens rotate; the one before is spent, and known as such.", "H01 H02 H07"),
        ("4.14.2", "If a spent one comes back, what is active of its session ends.", "H02 H04 H09"),
        ("4.14.2", "What a refresh token says of its session is signed.", "D05 H14 H15 H16"),
        ("4.14.2", "They end with a logout and with a new password.", "H10 H11"),
        ("4.14.2", "They end if they are not used.", "H13"),
        ("2.2.1, 4.10", "Access tokens should be bound to their sender.", "I02 I03", _NO_DPOP),
    ),
    *_of(
        "RFC 10017",
        ("refresh tokens", "No rotation goes beyond the end that the first token had.", "H13"),
        (
            "cookies",
            "`Secure`, `HttpOnly`, `SameSite=Strict`, `Path=/`, no `Domain`, a prefix; no request of a simple kind.",
            "G01 G06 G07",
            "Other sites are told by `Sec-Fetch-Site` and `Origin` instead of a header of our own; the prefix is "
            "`__Host-`, which browsers know.",
        ),
    ),
    *_of(
        "RFC 9449",
        ("4.2, 4.3", "Twelve checks of a proof.", "", _NO_DPOP),
        ("5, 6", "Refresh tokens are bound to a key, access tokens by `cnf.jkt`.", "", _NO_DPOP),
        ("7.1", "A challenge `DPoP` with its algorithms.", "", _NO_DPOP),
        ("7.2", "A token that is bound to a key is no bearer token; two headers are 400.", "I02 I03 E05"),
        ("8, 9, 11.3", "Nonces of the server.", "", _NO_DPOP),
        ("11.1", "A proof counts once, and not for long.", "", _NO_DPOP),
    ),
)
_BROWSERS = (
    *_of(
        "RFC 6265bis",
        ("prefixes", "`__Host-` with `Secure`, `Path=/` and no `Domain`; its name compared to the letter.", "G01 G03"),
        ("weak integrity", "A cookie that a sibling host has put beside ours ends nothing.", "G02 G03 G04"),
        ("SameSite", "It is not the only defence against other sites.", "G06 G07 G08"),
        ("SameSite", "No cookie is set or deleted in an answer to another site's request.", "G06 G10"),
    ),
    *_of(
        "OWASP, CSRF",
        ("Fetch Metadata", "`Sec-Fetch-Site` first, `Origin` where it is missing; `Vary` names both.", "G06 E18"),
    ),
    *_of(
        "OWASP, JWT",
        ("key material", "Keys come from the configuration and never from a token.", "A11"),
        ("denylist", "What is denied is the session, by its name, never the text of a token.", "A14 B01 H14"),
    ),
    *_of(
        "DBSC",
        ("registration", "A key of the device is registered.", "I15", _NO_DBSC),
        ("refresh", "A refresh proves that one has it.", "I15", _NO_DBSC),
    ),
)
_ASVS = _of(
    "ASVS 5.0",
    ("3.3.1 to 3.3.4", "The cookie's flags and prefix.", "G01"),
    (
        "3.3.4",
        "The value of the cookie is in `Set-Cookie` and nowhere else.",
        f"{_OURS}a_refresh_token_of_a_browser_is_in_no_other_place {_WEB}dialects.py::test_cookie_in_cookie_out "
        f"{_WEB}step_up.py::test_a_token_that_came_by_cookie_is_not_put_into_a_body",
    ),
    ("3.3.5", "Name and value have less than 4096 bytes.", "G01"),
    ("3.5.1 to 3.5.3", "Other sites change nothing; what changes something is POST or DELETE.", "G06 G07 F11"),
    ("4.1.3", "Headers of proxies cannot be made up by clients.", "E10 E11"),
    ("4.4.1", "WebSockets over TLS.", "", "TLS is up to the server before the app."),
    (
        "4.4.2 to 4.4.4",
        "WebSockets: the origin is compared, and a token of the session is asked for.",
        f"F09 {_WEB}websocket_lease.py::test_ends_at_once_in_the_process_that_ends_the_session",
    ),
    ("7.1.1 to 7.1.3", "Idle end, absolute end and number of sessions are documented.", "H13 H23", "docs/concepts.md"),
    (
        "7.2.3, 11.5.1",
        "128 random bits at least, of a generator made for that.",
        f"{_OURS}what_names_a_session_or_a_token_is_random_enough "
        f"{_UNIT}refresh.py::test_the_handle_is_random_and_not_in_the_repr",
    ),
    (
        "7.2.4",
        "A new session at each login; a new token at each proof.",
        f"G08 {_WEB}step_up.py::test_by_cookie_it_is_answered_as_a_refresh",
        "A step-up keeps the session and rotates its token.",
    ),
    ("7.3.1, 7.3.2", "An idle end and an absolute one.", "H13"),
    ("7.4.1", "A logout ends it, access tokens too.", "H10"),
    (
        "7.4.2",
        "An account that is switched off has no sessions.",
        "H12 C09",
        "Its refreshes end by `load_identity`; its access tokens end at once if `logout_all` is called.",
    ),
    (
        "7.4.3",
        "With a new password the other sessions can be ended.",
        f"H11 {_UNIT}issuer.py::test_logout_all_keeps_one_and_counts_what_lived",
    ),
    ("7.4.5", "Who runs the service can end sessions, of one or of all.", "H11"),
    ("7.5.2", "People see their sessions and end them.", f"{_GUARDS} {_WEB}routes.py::test_the_list_of_sessions"),
    ("9.1.1 to 9.1.3", "The signature first, by a listed algorithm and a trusted key.", "A01 A04 A08 A11 A12"),
    ("9.2.1 to 9.2.4", "Time, kind and audience of a token are checked.", "C01 C03 C05 D03 D04"),
    ("10.3.5", "Level 3: tokens are bound to their sender.", "I02", _NO_DPOP),
    ("10.4.5", "Rotation, and the end of the family on reuse.", "H02 H07"),
    ("10.4.8", "An absolute end of refresh tokens.", "H13"),
    ("10.4.9", "People can revoke.", f"H10 {_WEB}routes.py::test_ending_one_session"),
    ("11.2.4", "Secrets are compared in constant time.", "J02"),
    ("14.2.1", "No token in a URL.", "E08"),
    ("14.3.2", "No answer of ours is stored.", "E18"),
    ("16.2.5", "No token in a log.", "J01"),
    (
        "16.3.1 to 16.3.4",
        "Logins, ends, refusals and reuses are events.",
        f"{_UNIT}issuer_events.py::test_events_say_who_where_when_and_what "
        f"{_WEB}login_limits.py::test_a_failed_login_is_told_with_its_address "
        "tests/audit/test_issuer_audit.py::test_what_is_kept_of_a_life",
    ),
    ("16.5.1 to 16.5.3", "Failures let nobody in, and tell nothing.", "H19 H20 J03 J04"),
)

DUTIES = (*_HTTP, *_TOKENS, *_GRANTS, *_BROWSERS, *_ASVS)
