"""The attack catalogue: what an attacker sends, and what we answer. One table, and therefore longer than other modules.

``python -m tests.catalogue`` makes the table of docs/security.md of it and of a run of the tests; which tests are about
a case is said in ``tests/record.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

GROUPS: dict[str, str] = {
    "A": "Algorithm and key",
    "B": "Encoding and parsing",
    "C": "Claims",
    "D": "One token for another",
    "E": "HTTP: how credentials travel, and errors",
    "F": "Paths, mounts, WebSockets",
    "G": "Cookies and requests of other sites",
    "H": "Life of a refresh token",
    "I": "Device binding, proof of possession, step-up",
    "J": "Side channels and failure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One attack.

    Attributes:
        id: its group and number.
        title: a few words.
        sent: what an attacker does.
        expected: what we answer.
        deviation: why that is not what the catalogue asked for at first; empty if it is.
        missing: what would have to be built before this can happen at all; empty if there is a test.
    """

    id: str
    title: str
    sent: str
    expected: str
    deviation: str = ""
    missing: str = ""


def without_a_test(tried: Iterable[str]) -> list[str]:
    """The ids of the cases that should have a test and are not among those that were ``tried``."""
    known = set(tried)
    return [case.id for case in CASES if not case.missing and case.id not in known]


def _case(name: str, title: str, sent: str, expected: str, *, deviation: str = "", missing: str = "") -> Case:
    return Case(id=name, title=title, sent=sent, expected=expected, deviation=deviation, missing=missing)


_INVALID = "401 `token_invalid`."
_SPENT = "401 `refresh_invalid`."
_DPOP = "DPoP (RFC 9449)"
_DBSC = "Device Bound Session Credentials"

CASES: tuple[Case, ...] = (
    _case(
        "A01",
        "No algorithm",
        "`alg` is `none` in any mixture of cases, null, empty, a list, an object, a number or missing; with an empty "
        "and with a genuine signature.",
        _INVALID,
    ),
    _case("A02", "Algorithm in another case", "`hs256`, `Hs256`, `HS256` with a blank, rightly signed.", _INVALID),
    _case(
        "A03",
        "Public key as HMAC secret",
        "The service signs with a key pair; a token of HS256 is keyed with the public key in each way to write it "
        "down: PEM of both kinds, with line ends, blanks, tabs or a byte order mark changed, its body alone, DER, "
        "OpenSSH, JWK, JWKS, the bare modulus, point or 32 bytes. Or somebody configures one of these as the secret.",
        "401 `token_invalid`; as a secret: an error at the start, but for what looks like random bytes.",
    ),
    _case(
        "A04",
        "Right key, other algorithm",
        "Signed by our own key under another algorithm of its family (HS512, RS512, PS256, ES384), whatever the header "
        "says.",
        _INVALID,
    ),
    _case(
        "A05",
        "JWK without or with another algorithm",
        "A published key without `alg`, or with one that does not belong to its type; the header of a token names "
        "another.",
        "The type of the key decides: 401 `token_invalid`; a key with an `alg` of another type is not used.",
    ),
    _case(
        "A06",
        "Mixed key set",
        "A JWKS with a secret beside public keys, or with one `kid` twice.",
        "An error at the start; in a set that is fetched these keys are left out.",
    ),
    _case(
        "A07",
        "Weak keys",
        "Secrets under 32 bytes; RSA of 1024 bits, with a tiny exponent, with factors that can be found; points on no "
        "curve or of low order; `use` or `key_ops` for something else.",
        "An error at the start; in a set that is fetched these keys are left out.",
    ),
    _case(
        "A08",
        "Odd key names",
        "`kid` is a path, SQL, has a NUL, is a URL, or has 10 KB.",
        "401 `token_invalid`; no file is opened, nothing is connected to.",
    ),
    _case(
        "A09",
        "Flood of unknown key names",
        "10 000 requests, each with another `kid`, at a gateway that fetches its keys.",
        "401 `token_invalid`; at most one fetch in each cooldown, no request waits for it, and keys that are there "
        "stay when a fetch fails.",
    ),
    _case("A10", "Key name of another type", "`kid` is a number, a list, an object, true or null.", _INVALID),
    _case(
        "A11",
        "Key brought along",
        "`jku`, `x5u`, `x5c` or `jwk` in the header, rightly signed or forged; somebody listens at the URL.",
        "401 `token_invalid`; nobody is called.",
    ),
    _case("A12", "Broken signature", "Empty, missing, cut, longer, of another token, a bit changed.", _INVALID),
    _case(
        "A13",
        "Signatures at the edge",
        "RSA with every wrong padding; ECDSA with r and s of zero, one, the order and around it, in DER, too short and "
        "too long.",
        _INVALID,
    ),
    _case(
        "A14",
        "Second signature of ECDSA",
        "(r, n - s) of a good token of ES256, which is a signature too.",
        "200: it is the same token, with the same `jti`; when its session has ended, both are `token_revoked`.",
    ),
    _case("A15", "Second signature of Ed25519", "s + L, and R of low order or in another spelling.", _INVALID),
    _case(
        "A16",
        "Token of the key before",
        "The keys were rotated; a token of the key before, inside and outside the overlap.",
        "200 inside; 401 `token_invalid` outside.",
    ),
    _case(
        "A17",
        "Keys rotate under load",
        "Fifty clients refresh and ask while the keys rotate six times.",
        "Nobody is refused.",
    ),
    _case(
        "B01",
        "Other spelling of base64url",
        "Spare bits, padding, the other alphabet, junk, line breaks or é in the header, the payload or the signature, "
        "and such a spelling rightly signed.",
        _INVALID,
    ),
    _case("B02", "JSON serialisation", "A JWS as JSON, flattened, general, or both kinds mixed.", _INVALID),
    _case(
        "B03",
        "Encrypted, nested, compressed",
        "Five parts; a token inside a token; `cty`, `zip` or `enc` in the header.",
        _INVALID,
    ),
    _case(
        "B04",
        "Unencoded or detached payload",
        "`b64` false with and without `crit`; no payload; 8 MB as payload.",
        "401 `token_invalid`; what is too long is not decoded.",
    ),
    _case(
        "B05",
        "Critical extensions",
        "`crit` with an unknown name, with a registered one, with `b64`; empty, null, or no list.",
        _INVALID,
    ),
    _case("B06", "Names twice", "`sub`, `exp`, `aud`, `alg` or `typ` twice, in either order.", _INVALID),
    _case(
        "B07",
        "Other character sets",
        "Header or payload with a byte order mark, in UTF-16 or UTF-32, in bytes that are no UTF-8.",
        _INVALID,
    ),
    _case("B08", "No object", "Header or payload is a list, a number, null, text, nothing, or two objects.", _INVALID),
    _case(
        "B09",
        "Deep nesting",
        "100 000 brackets in the header (before the signature is looked at) and in the payload; every depth up to "
        "that of the interpreter.",
        "401 `token_invalid`; what is too long is not decoded.",
    ),
    _case(
        "B10",
        "Numbers out of range",
        "5000 digits, 1e400, NaN, Infinity and other notations as `exp`, `iat`, `nbf`.",
        _INVALID,
    ),
    _case(
        "B11",
        "Very large token",
        "8 KiB and a byte, 64 KB, 1 MB, 16 MB.",
        "401 `token_invalid` before anything is decoded, or 400 or 431 from the server.",
    ),
    _case(
        "B12",
        "Odd text in claims",
        "Subjects and names with line breaks, NUL, other controls, lone surrogates; right-to-left marks, emoji, 10 KB.",
        "401 `token_invalid` for controls and surrogates; other text is carried as it is, and is in no header or log.",
        deviation="a subject of 10 KB is refused too, since the token is larger than the 8 KiB that are read",
    ),
    _case(
        "C01",
        "Expired",
        "`exp` an hour ago, a second ago, now; just outside and just inside the leeway.",
        "401 `token_expired` from the very moment on, later by the leeway; 200 before.",
    ),
    _case(
        "C02",
        "Expiry that is no date",
        "`exp` as text, with blanks, in other digits, true, null, a list, an object, negative, 1e30, 0.",
        "401 `token_invalid`; 0 is a date: `token_expired`.",
    ),
    _case("C03", "From the future", "`iat` or `nbf` later than now, or no number.", _INVALID),
    _case(
        "C04",
        "Claims missing",
        "Each of `exp`, `iat`, `sub`, `jti`, `iss`, `aud`, and `typ`; or of another type.",
        _INVALID,
    ),
    _case(
        "C05",
        "Other audience",
        "A list with ours in it, of mixed types, empty, an object, longer or shorter text, another case, none.",
        "200 only for exactly our text, alone or in a list of text; else 401 `token_invalid`.",
    ),
    _case(
        "C06",
        "Other issuer",
        "Another one, a piece of ours, ours with more, in another case, with a slash, as a list.",
        _INVALID,
    ),
    _case(
        "C07",
        "Clocks that differ",
        "The clock of a gateway a minute early or late, and a second more, with a leeway of a minute.",
        "200 up to the leeway, refused beyond, in both directions; a leeway over 60 s is an error at the start.",
    ),
    _case(
        "C08",
        "Life of ten years",
        "A token of another issuer, rightly signed, with ten years between `iat` and `exp`.",
        "401 `token_invalid` where `max_lifetime` is set.",
    ),
    _case(
        "C09",
        "Subject removed",
        "An access token that has not expired, of somebody who was removed or switched off since.",
        "401 `token_revoked` once the sessions of the subject were ended; a gateway without a feed accepts it until it "
        "expires, at most 15 minutes.",
        deviation="it has a code of its own, for a refresh would not mend it",
    ),
    _case("D01", "Refresh token as access token", "The refresh token in `Authorization`.", _INVALID),
    _case("D02", "Access token as refresh token", "A JWT in the cookie or in the body of a refresh.", _SPENT),
    _case(
        "D03",
        "Other JWTs of the same key",
        "An ID token, a logout token, proofs of possession and other kinds, signed by our key.",
        _INVALID,
    ),
    _case(
        "D04",
        "Spellings of the type",
        "`typ` as `at+jwt` or `application/at+jwt`, in other cases; `JWT`, empty, missing, a number, with a blank.",
        "200 for the two in any case; else 401 `token_invalid`.",
    ),
    _case(
        "D05",
        "Signed for another purpose",
        "A refresh token under another salt, derivation, hash or secret, and of another version.",
        _SPENT,
    ),
    _case(
        "D06",
        "Token from before the second factor",
        "A token that was given out after the password alone, where more is needed; refreshed in between; of another "
        "session.",
        "401 `step_up_required`.",
    ),
    _case(
        "D07",
        "Other service, same secret",
        "A token of a service that shares our secret and has another issuer or audience.",
        _INVALID,
    ),
    _case(
        "E01",
        "No credentials",
        "A request without an `Authorization` header.",
        "401 `token_missing`; the challenge has a realm and no error.",
    ),
    _case("E02", "Scheme in another case", "`bearer`, `BEARER`, `BeArEr`.", "200."),
    _case("E03", "Other scheme", "A good token after `Basic`, `Token`, `JWT`, or nothing.", "401 `token_missing`."),
    _case(
        "E04",
        "Blanks",
        "Several blanks, a tab or nothing between scheme and token; blanks after it; no token.",
        "200 with blanks, before the token and after it; 400 `token_malformed` with a tab, without a gap, without a "
        "token.",
        deviation="blanks after the token are accepted, since some servers take them away and the answer is to be the "
        "same on all",
    ),
    _case(
        "E05",
        "Two Authorization headers",
        "A good and a bad token, in both orders; twice the same; another scheme or nothing beside it.",
        "400 `token_malformed`.",
    ),
    _case("E06", "Several tokens in one header", "Joined by commas, with parameters.", "400 `token_malformed`."),
    _case(
        "E07",
        "Odd bytes in the header",
        "Folded lines, NUL, controls, bytes over 0x7f.",
        "400 from the server, or 401 `token_invalid`; a folded line counts as a blank where it is let through.",
    ),
    _case(
        "E08",
        "Token in the query or a form",
        "A good token as `access_token` and under other names.",
        "401 `token_missing`: it is not looked at, and not logged by us.",
        deviation="what a server writes into an access log of its own is beyond us; many write the whole query",
    ),
    _case(
        "E09",
        "Token in two places",
        "A header and a query, a header and a cookie, good and bad.",
        "Only the header counts.",
    ),
    _case(
        "E10",
        "Headers of proxies",
        "`X-Original-URL`, `X-Forwarded-Prefix`, `X-Forwarded-User`, `X-Forwarded-Host`, `X-HTTP-Method-Override` and "
        "others.",
        "No effect: 401 `token_missing`, and 403 `cross_origin` where they vouch for an origin.",
    ),
    _case(
        "E11",
        "Spoofed address",
        "`X-Forwarded-For` and its kin from a peer that is not trusted; more in front of the truth.",
        "Ignored: the address is the connection's, or what a trusted proxy has added.",
    ),
    _case(
        "E12",
        "Spellings of IPv6",
        "IPv4 inside IPv6, other cases, zones; another address of the same /64.",
        "The same address, and the same network.",
    ),
    _case(
        "E13",
        "Injection into error headers",
        "Quotes, line breaks and backslashes in `kid`, in claims, in the name of our own audience.",
        "The headers are the same text for everybody, of printable ASCII.",
    ),
    _case(
        "E14",
        "Shape of every error",
        "Whatever leads to each code.",
        "`application/problem+json` with `type`, `title`, `status`, `code`, `detail`, `action` and `error`; `status` "
        "is that of HTTP; no token, no stack trace.",
    ),
    _case("E15", "HEAD", "HEAD on a protected path.", "The headers of GET, and no body."),
    _case(
        "E16",
        "CORS preflight",
        "OPTIONS with `Origin` and `Access-Control-Request-Method`, and with only one of them.",
        "A preflight reaches the app as nobody; anything else is 401 `token_missing`.",
    ),
    _case(
        "E17",
        "Refusal for another origin",
        "A request of a page of another origin without a token, with CORS middleware outside ours.",
        "The 401 carries the CORS headers; inside ours it would not.",
    ),
    _case(
        "E18",
        "Caches",
        "Every refusal, and what login, refresh and logout answer.",
        "`Cache-Control: no-store`, and `Vary` over `Authorization`, `Cookie`, `Origin` and `Sec-Fetch-Site`.",
    ),
    _case("E19", "Challenge on success", "A good request, a login.", "No `WWW-Authenticate`."),
    _case(
        "E20",
        "Several people on one connection",
        "Keep-alive and pipelining: good, bad and no tokens of several people.",
        "Each is answered as who it is.",
    ),
    _case("E21", "500 users at once", "Each asks who it is.", "No mix-up."),
    _case("F01", "Line break after the path", "`/admin%0A`, `/docs%0A`.", "Protected: 401 `token_missing`."),
    _case(
        "F02",
        "Slashes, dots, semicolons",
        "`//admin`, `/./admin`, `/x/../admin`, `/admin;x`, `/admin/.`, `/%2e/admin`.",
        "Protected, unless exactly the canonical path is public.",
    ),
    _case(
        "F03",
        "Percent encoding",
        "`/%61dmin`, `/admin%2f`, `/sub%2Fadmin`, `/public%2f..%2fadmin`, `%00`, `%ff`, `%5c`, encoded twice.",
        "Protected; what is public is public in its one decoded spelling, whole segments at a time.",
    ),
    _case(
        "F04",
        "Similar prefix",
        "`/public/*` is public; `/publicity`, `/public/../admin` and `/PUBLIC/x` are asked for.",
        "Protected.",
    ),
    _case("F05", "Redirects", "A path with a slash too many.", "401 before any redirect."),
    _case(
        "F06",
        "Mounts",
        "The middleware inside and outside a mount; behind a `root_path`.",
        "The same decisions.",
    ),
    _case(
        "F07",
        "Targets that are no paths",
        "A whole URL, `*`, a fragment, a target without a slash.",
        "Nothing protected opens.",
        deviation="servers make different paths of a whole URL and of a fragment; where it is passed on as it came, "
        "even a public page is refused",
    ),
    _case(
        "F08",
        "Poisoned Host",
        "`Host` with a path, `?`, `#` or `@` in it, empty, or twice.",
        "The same decision: it is not read for that.",
    ),
    _case(
        "F09",
        "WebSocket handshakes",
        "Without a token, with a bad one, with one in the URL, from a page of another origin.",
        "Refused before it is accepted: 401 or 403 where the server can send an answer, else close 4401 or 4403.",
        deviation="a missing or bad token is 401, as over HTTP, and not 403",
    ),
    _case(
        "F10",
        "Unknown kinds of connection",
        "`lifespan`, and kinds that do not exist.",
        "Passed on, never with a user.",
    ),
    _case(
        "F11",
        "Other methods",
        "GET, HEAD, PUT, TRACE and others on refresh, logout and login; headers that override the method.",
        "405 `method_not_allowed` with `Allow: POST`.",
    ),
    _case(
        "G01",
        "Attributes of the cookie",
        "What login, refresh and logout set.",
        "`__Host-`, `Secure`, `HttpOnly`, `SameSite=Strict`, `Path=/`, no `Domain`, `Max-Age`; `__Secure-` with "
        "`Path=/auth`; under 4096 bytes.",
    ),
    _case(
        "G02",
        "Cookie twice",
        "In one header and in two, in both orders.",
        "400 `invalid_request`; nothing is rotated, no cookie is touched.",
    ),
    _case(
        "G03",
        "Similar cookie names",
        "Another case, blanks, a no-break space, no name, other prefixes.",
        "Ignored: 401 `refresh_missing`.",
    ),
    _case("G04", "Quoted values", "Quotes, octal and percent escapes.", "Not undone: 401 `refresh_invalid`."),
    _case("G05", "Cookie and body disagree", "A token in each.", "400 `invalid_request`."),
    _case(
        "G06",
        "Requests of other sites",
        "Refresh, logout and login with each value of `Sec-Fetch-Site` and with an `Origin` that is another, null, a "
        "longer name, another port, another scheme.",
        "403 `cross_origin` unless it is our own or an allowed one; without both headers, which is no browser, it "
        "passes.",
    ),
    _case(
        "G07",
        "Simple requests",
        "Bodies that a page may send without asking: plain text, forms, multipart.",
        "415 `unsupported_media_type`; a form is never answered by cookie.",
    ),
    _case(
        "G08",
        "Fixation",
        "A refresh cookie planted before the login.",
        "A login is a new session; the planted one stays whose it was.",
    ),
    _case(
        "G09",
        "Logout",
        "A logout with the cookie.",
        "The session is ended in the store first; then the cookie is deleted under the same name and attributes.",
    ),
    _case(
        "G10",
        "Failed refresh and the cookie",
        "A refresh that fails by a race, an outage, another origin, a bad signature, the rate.",
        "No `Set-Cookie`: it is deleted only with a session that is known to have ended.",
    ),
    _case("G11", "Open redirect", "`next=//evil` and the like.", "Nothing redirects."),
    _case(
        "H01",
        "Rotation",
        "A refresh.",
        "200 with a new access token and a new refresh token; the one before is spent.",
    ),
    _case(
        "H02",
        "Spent token again",
        "The token before, after the leeway or after its successor was used.",
        "401 `refresh_invalid`; the session ends, with everything that came of it; one event `reuse_detected`.",
    ),
    _case(
        "H03",
        "Spent token again within the leeway",
        "The token before, at once, its successor unused.",
        "200 with the same successor; there is no second branch.",
    ),
    _case(
        "H04",
        "Leeway is for one generation",
        "The token before the one before, within the leeway.",
        "401 `refresh_invalid`; the session ends.",
    ),
    _case(
        "H05",
        "Leeway is for one device",
        "The token before, within the leeway, from another browser.",
        "401 `refresh_invalid`; the session ends. The current token from another browser: `device_mismatch`, nothing "
        "changes.",
    ),
    _case(
        "H06",
        "Displaced branch",
        "An answer is lost, asked for again, and both answers are used.",
        "They are one: a successor is computed, so that none can be displaced.",
    ),
    _case(
        "H07",
        "Fifty at once",
        "One token fifty times at the same moment, in one process and in four.",
        "One rotation; everybody gets the same successor; nobody is refused.",
    ),
    _case(
        "H08",
        "Refresh and logout at once",
        "In every order of what they ask the store.",
        "When both are answered, no token lives.",
    ),
    _case(
        "H09",
        "Thief and owner at once",
        "An old token and the current one, in both orders.",
        "401 `refresh_invalid`; nothing that either was given lives on.",
    ),
    _case(
        "H10",
        "After a logout",
        "The refresh token of any generation, and the access token.",
        "401 `refresh_invalid`; 401 `token_revoked`, at once here, within a second in other processes.",
    ),
    _case(
        "H11",
        "All sessions ended under load",
        "Logout everywhere, or an end by somebody in charge, during twenty refreshes.",
        "When it is answered, no token lives.",
    ),
    _case(
        "H12",
        "Account deleted or switched off",
        "A refresh after the app says that there is no such subject.",
        "401 `refresh_invalid`: the app is asked at every refresh.",
    ),
    _case(
        "H13",
        "Idle and absolute end",
        "Refreshes up to the absolute end; one after the idle time.",
        "401 `refresh_expired`; no refresh moves the absolute end.",
        deviation="it has a code of its own, for nothing bad has happened to the session",
    ),
    _case(
        "H14",
        "Other spellings of a refresh token",
        "Spare bits, padding, junk, other alphabets, blanks, surrogates.",
        "401 `refresh_invalid`; it is neither the token nor an unknown one, and no reuse: the session lives on.",
    ),
    _case(
        "H15",
        "Flood of junk",
        "Thousands of refresh tokens that nobody signed.",
        "401 `refresh_invalid`; the store is not asked, no line is logged for each.",
    ),
    _case(
        "H16",
        "Signed but unknown",
        "A genuine token of a session that does not exist.",
        "401 `refresh_invalid`; no session is touched.",
        deviation="the one operation of the store is the conditional write itself, which matches no row, and no read",
    ),
    _case(
        "H17",
        "Store older than the tokens",
        "A backup was restored: tokens of a generation that it does not know yet.",
        "200: it goes on from there, with the event `generation_ahead`; nobody is logged out.",
    ),
    _case(
        "H18",
        "Restart",
        "A spent token after the server, or the database, was killed and started again.",
        "Still spent.",
    ),
    _case(
        "H19",
        "Store fails in the middle",
        "An error at each operation, before it and after it, and the same request again.",
        "503 `store_unavailable`; the retry succeeds, and the failure has cost nothing.",
    ),
    _case(
        "H20",
        "Store away",
        "It refuses connections, hangs, is restarted, is cut off.",
        "503 `store_unavailable` with `Retry-After`; the cookie stays; never 401, never 200.",
    ),
    _case(
        "H21",
        "Lost answer",
        "The server is killed before or after the write; the client asks again with what it has.",
        "200, by a rotation or by the same successor.",
    ),
    _case(
        "H22",
        "More rights at a refresh",
        "More scopes, another subject or audience, other claims in the body.",
        "Ignored: what the login granted.",
    ),
    _case(
        "H23",
        "Too many sessions",
        "A login more than the policy allows.",
        "The oldest session ends, or 403 `session_limit`, as configured.",
    ),
    _case(
        "H24",
        "Stolen database",
        "Everything that a store keeps, read as it is.",
        "No token is in it, and nothing that one can be made of.",
    ),
    _case(
        "H25",
        "Session of many generations",
        "One session is refreshed thousands of times; then its first token comes.",
        "One row for each session; ending it costs the same few operations.",
    ),
    _case(
        "I01",
        "Other network or browser",
        "A refresh from elsewhere, under each policy.",
        "As the policy says: an event, 401 `step_up_required`, 401 `device_mismatch`, or the end of the session.",
        deviation="the strict policy refuses the stranger and leaves the session to its owner; it ends with `revoke`, "
        "which one has to choose",
    ),
    _case(
        "I02",
        "Key-bound token as Bearer",
        "An access token with `cnf` (a key or a certificate), rightly signed, without the proof that belongs to it.",
        _INVALID,
    ),
    _case(
        "I03",
        "Bearer token as DPoP",
        "A good token after the scheme `DPoP`.",
        "401 `token_missing`, with a `Bearer` challenge.",
        deviation="proofs are not read here, so that `DPoP` is a scheme like any other that we do not know",
    ),
    _case(
        "I04",
        "Faulty proofs",
        "None, two, of another type, algorithm or key, with a private key in it.",
        "401 with `invalid_dpop_proof`.",
        missing=_DPOP,
    ),
    _case("I05", "Method and URL of a proof", "Of another request.", "Refused.", missing=_DPOP),
    _case("I06", "Age of a proof", "Too old, or made for later.", "Refused.", missing=_DPOP),
    _case("I07", "Proof again", "The same one twice, on two processes.", "Accepted once.", missing=_DPOP),
    _case("I08", "Proof for another token", "A hash that is missing or another.", "Refused.", missing=_DPOP),
    _case("I09", "Nonces of proofs", "None, an old one, a forged one.", "401 `use_dpop_nonce`.", missing=_DPOP),
    _case(
        "I10",
        "Refresh with another key",
        "A refresh token that is bound to a key, with a proof of another.",
        "401 `refresh_invalid`; the session ends.",
        missing=_DPOP,
    ),
    _case(
        "I11",
        "Step-up",
        "A context that is too low, an authentication that is too old, or neither said.",
        "401 `step_up_required` with `acr_values` and `max_age`, in the body and in the challenge.",
    ),
    _case(
        "I12",
        "Step-up by a refresh",
        "Refreshes, repeats and lost answers; bodies that ask for more.",
        "Neither `acr` nor `auth_time` moves.",
    ),
    _case(
        "I13",
        "Registration of a device key",
        "Proofs of another type or algorithm, for an old challenge.",
        "Refused.",
        missing=_DBSC,
    ),
    _case(
        "I14",
        "Refresh with a device key",
        "Without a proof; with a key in the proof.",
        "403 with a challenge, then 200.",
        missing=_DBSC,
    ),
    _case(
        "I15",
        "Old names of the device key headers",
        "`Sec-Session-Registration` and its kin come with a login and a refresh.",
        "Ignored, and in no answer.",
    ),
    _case(
        "J01",
        "What leaks",
        "A whole life of sessions, good and bad; all that is logged, raised, told, printed and stored is searched.",
        "No piece of a token, no secret.",
    ),
    _case(
        "J02",
        "Timing",
        "Refusals that differ in what is wrong, many times over.",
        "Nothing is to be learnt from how long they take; signatures are compared in constant time.",
    ),
    _case(
        "J03",
        "What the answer tells",
        "Tokens with everything that can be wrong, compared.",
        "All that is forged, unknown, spent or ended has one answer, to the byte.",
        deviation="whoever has a genuine access token learns whether it has expired or its session has ended: a client "
        "has to act on that",
    ),
    _case(
        "J04",
        "Exceptions",
        "The store, the user database, the parser or the clock raises whatever it likes.",
        "Nobody gets in: 503 `store_unavailable`, or 401 `token_invalid`; the app is not reached.",
    ),
    _case("J05", "Memory", "Floods of bad requests.", "Memory and open files stay what they are."),
    _case(
        "J06",
        "Trust of the app",
        "A client, or a server in front, brings keys and headers that say who it is.",
        "Overwritten, or not looked at.",
    ),
    _case(
        "J07",
        "Remembered tokens",
        "Tokens that share all but a character with one that was seen; one whose session has ended since.",
        "Only the whole token counts, and its end is looked at every time.",
    ),
)
