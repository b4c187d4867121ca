"""Group D: one kind of token taken for another.

D06, the token from before a second factor, is with the step-up in group I.
"""

import hashlib
from typing import Any

import pytest

from ..web.problems import assert_problem
from ..web.support import SECRET, Service
from .attack import Target
from .forge import ISSUER, claims, header, jws, refresh_token, token

HANDLE = bytes(range(32))


@pytest.mark.parametrize(
    "kind", [pytest.param(k, id=f"D01-{k}") for k in ("of-a-session", "signed-but-unknown", "with-dots")]
)
async def test_refresh_as_access(target: Target, kind: str) -> None:
    value = refresh_token(HANDLE, 0) if kind == "signed-but-unknown" else target.honest.refresh
    await target.refused(f"{value}.x" if kind == "with-dots" else value)


@pytest.mark.parametrize("kind", [pytest.param(k, id=f"D02-{k}") for k in ("of-a-session", "by-hand")])
async def test_access_as_refresh(target: Target, kind: str) -> None:
    value = target.honest.access if kind == "of-a-session" else token()
    await target.refused_refresh(value)
    await target.attack(
        "refresh_invalid", method="POST", path="/auth/refresh", json_body={"refresh_token": value}, secrets=[value]
    )


OTHERS: dict[str, dict[str, Any]] = {
    "D03-id-token": {"typ": "JWT"},
    "D03-id-token-without-typ": {"typ": None},
    "D03-logout-token": {"typ": "logout+jwt"},
    "D03-dpop-proof": {"typ": "dpop+jwt", "jwk": {"kty": "EC"}},
    "D03-dbsc-proof": {"typ": "dbsc+jwt"},
    "D03-introspection": {"typ": "token-introspection+jwt"},
    "D03-secevent": {"typ": "secevent+jwt"},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
async def test_other_tokens_of_the_same_key(target: Target, changes: dict[str, Any]) -> None:
    await target.refused(jws(header(**changes), claims()))


@pytest.mark.parametrize(
    "typ",
    [
        pytest.param(t, id=f"D04-{t}")
        for t in ("at+jwt", "application/at+jwt", "AT+JWT", "At+Jwt", "APPLICATION/AT+JWT")
    ],
)
async def test_typ_of_access_tokens(target: Target, typ: str) -> None:
    good = {"authorization": f"Bearer {jws(header(typ=typ), claims())}"}
    assert (await target.service.ask("GET", "/x", headers=good)).status == 200


TYPES: list[Any] = [
    "JWT", "", 1, True, [], ["at+jwt"], {}, "at+jwt ", " at+jwt", "at jwt", "application/jwt", "application/AT+JWT;v=1",
    "text/at+jwt", "at+jwt\0", "\uff41t+jwt", "application/application/at+jwt",
]  # fmt: skip


@pytest.mark.parametrize("typ", [pytest.param(t, id=f"D04-not-{t!r}") for t in TYPES])
async def test_other_typ(target: Target, typ: Any) -> None:
    await target.refused(jws(header() | {"typ": typ}, claims()))


PURPOSES: dict[str, dict[str, Any]] = {
    "D05-other-salt": {"salt": b"password-reset"},
    "D05-default-salt": {"salt": b"itsdangerous.Signer"},
    "D05-secret-itself": {"key": SECRET.encode()},
    "D05-django-concat": {"key": SECRET.encode(), "key_derivation": "django-concat"},
    "D05-concat": {"key": SECRET.encode(), "key_derivation": "concat"},
    "D05-hmac-of-derived": {"key_derivation": "hmac"},
    "D05-sha1": {"digest": hashlib.sha1},
    "D05-sha512": {"digest": hashlib.sha512},
    "D05-other-secret": {"secret": "another secret, of thirty-two bytes or more"},
    "D05-other-version": {"version": b"\x02"},
    "D05-no-version": {"version": b"", "width": 7},
}


@pytest.mark.parametrize("how", PURPOSES.values(), ids=PURPOSES)
async def test_signed_for_another_purpose(target: Target, how: dict[str, Any]) -> None:
    await target.refused_refresh(refresh_token(HANDLE, 0, **how))


@pytest.mark.case("D05")
async def test_a_refresh_token_made_by_hand_is_genuine_if_nothing_is_wrong_with_it(target: Target) -> None:
    """Otherwise the cases above would prove nothing: this one gets as far as the store."""
    await target.refused_refresh(refresh_token(HANDLE, 0), store=["advance"], reference=False)


TENANTS: dict[str, dict[str, Any]] = {
    "D07-other-audience": {"audience": "billing"},
    "D07-other-issuer": {"issuer": "https://users.other.example"},
    "D07-same-audience": {"issuer": "https://users.other.example", "audience": ISSUER},
}


@pytest.mark.parametrize("options", TENANTS.values(), ids=TENANTS)
async def test_another_service_with_the_same_secret(target: Target, make_service: Any, options: dict[str, Any]) -> None:
    other: Service = make_service(issuer=options)
    tokens = await other.login()
    await target.refused(tokens.access)
    assert_problem(await other.get_in(target.honest), "token_invalid")
