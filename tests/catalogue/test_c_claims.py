"""Group C: claims.

C07 is in ``tests/web/test_gateway.py`` as well, there with every leeway. C09 is what revocation does; what there is
without one is in ``test_c_accounts.py``.
"""

import json
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import Verifier

from ..web.problems import assert_problem
from ..web.support import SECRET, START
from ..web.test_gateway import Gateway
from .attack import Target
from .forge import ISSUER, claims, header, jws, token

NOW = int(START)


async def _ask(target: Target, forged: str) -> Any:
    return await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {forged}"})


@pytest.mark.parametrize(
    "exp", [pytest.param(e, id=f"C01-{e - START:+g}") for e in (NOW - 3600, NOW - 1, NOW, NOW - 0.5, 0, 1)]
)
async def test_expired(target: Target, exp: float) -> None:
    await target.refused(token(exp=exp), "token_expired", reference=False)


@pytest.mark.parametrize("exp", [pytest.param(e, id=f"C01-{e - START:+g}") for e in (NOW + 1, NOW + 0.5, NOW + 1e9)])
async def test_not_yet_expired(target: Target, exp: float) -> None:
    assert (await _ask(target, token(exp=exp))).status == 200


@pytest.mark.case("C01")
async def test_the_very_moment(target: Target) -> None:
    good = token(exp=NOW + 10)
    for seconds, status in ((9.999, 200), (0.001, 401)):
        target.service.clock.advance(seconds)
        assert (await _ask(target, good)).status == status


LEEWAY = 30
AT_THE_EDGE = {
    "C01-outside": (-LEEWAY - 1, 401),
    "C01-just-outside": (-LEEWAY, 401),
    "C01-just-inside": (-LEEWAY + 0.001, 200),
    "C01-a-second-ago": (-1, 200),
    "C01-now": (0, 200),
}


@pytest.mark.parametrize(("seconds", "status"), AT_THE_EDGE.values(), ids=AT_THE_EDGE)
async def test_expired_with_a_leeway(seconds: float, status: int) -> None:
    reply = await Gateway(leeway=timedelta(seconds=LEEWAY)).get("/x", token(exp=NOW + seconds))
    assert reply.status == status
    if status == 401:
        assert_problem(reply, "token_expired")


@pytest.mark.parametrize("fault", [{"aud": "other"}, {"iss": "other"}, {"sub": ""}, {"iat": NOW + 1}, {"jti": 1}])
@pytest.mark.case("C01")
async def test_expired_is_said_only_if_nothing_else_is_wrong(target: Target, fault: dict[str, Any]) -> None:
    await target.refused(token(exp=NOW - 1, **fault), "token_invalid")


@pytest.mark.parametrize("key", ["another secret of thirty-two bytes or more"])
@pytest.mark.case("C01")
async def test_expired_is_not_said_of_a_forgery(target: Target, key: str) -> None:
    await target.refused(jws(header(), claims(exp=NOW - 1), key), "token_invalid")


NO_DATES: list[Any] = [
    "123",
    " 1 ",
    "9_9",
    "١٢٣",
    str(NOW + 900),
    "",
    True,
    False,
    [],
    [NOW + 900],
    {},
    1e30,
    -1,
    -0.5,
    253_402_300_800,
    10**20,
]


@pytest.mark.parametrize("value", [pytest.param(v, id=f"C02-{json.dumps(v)}") for v in NO_DATES])
async def test_exp_of_another_type(target: Target, value: Any) -> None:
    await target.refused(token(exp=value))


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "auth_time", "iss", "sub", "aud", "jti", "sid", "gen", "scope"])
@pytest.mark.case("C04")
async def test_null(target: Target, claim: str) -> None:
    await target.refused(jws(header(), claims() | {claim: None}))


@pytest.mark.parametrize(
    "value", [pytest.param(v, id=f"C03-{v!r}") for v in (NOW + 1, NOW + 0.5, NOW + 1e8, str(NOW), True, [])]
)
@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_from_the_future_or_no_number(target: Target, claim: str, value: Any) -> None:
    await target.refused(token(**{claim: value}))


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.case("C03")
async def test_from_now(target: Target, claim: str) -> None:
    assert (await _ask(target, token(**{claim: NOW}))).status == 200


@pytest.mark.parametrize("claim", [pytest.param(c, id=f"C04-{c}") for c in ("iss", "sub", "aud", "exp", "iat", "jti")])
async def test_missing(target: Target, claim: str) -> None:
    await target.refused(token(**{claim: None}))


@pytest.mark.parametrize(
    "changes",
    [pytest.param(c, id=f"C04-{c}") for c in ({"sub": 1}, {"sub": ["alice"]}, {"sub": {}}, {"jti": 7}, {"sid": 7})]
    + [
        pytest.param(c, id=f"C04-{c}")
        for c in ({"gen": -1}, {"gen": "0"}, {"gen": 1.0}, {"gen": True}, {"scope": ["a"]})
    ]
    + [pytest.param(c, id=f"C04-{c}") for c in ({"auth_time": "1"}, {"auth_time": -1}, {"auth_time": True})],
)
async def test_claims_of_another_type(target: Target, changes: dict[str, Any]) -> None:
    await target.refused(token(**changes))


@pytest.mark.case("C04")
async def test_what_another_issuer_need_not_say(target: Target) -> None:
    reply = await _ask(target, token())
    assert reply.status == 200
    seen = target.service.inner.scopes[-1]["user"].token
    assert (seen.session_id, seen.generation, seen.auth_time, seen.scopes) == (None, None, None, ())


AUDIENCES: list[Any] = [
    [],
    {},
    [[]],
    {ISSUER: 1},
    [ISSUER, 1],
    [1, ISSUER],
    [ISSUER, None],
    ISSUER + "x",
    "x" + ISSUER,
    ISSUER[:-1],
    ISSUER.upper(),
    ISSUER + "/",
    f"x {ISSUER}",
    [ISSUER + "x"],
    [[ISSUER]],
    "",
    1,
    True,
]


@pytest.mark.parametrize("audience", [pytest.param(a, id=f"C05-{json.dumps(a)}") for a in AUDIENCES])
async def test_another_audience(target: Target, audience: Any) -> None:
    await target.refused(token(aud=audience))


@pytest.mark.parametrize(
    "audience", [pytest.param(a, id=f"C05-{a}") for a in (ISSUER, [ISSUER], ["x", ISSUER], [ISSUER, ISSUER])]
)
async def test_our_audience(target: Target, audience: Any) -> None:
    assert (await _ask(target, token(aud=audience))).status == 200


ISSUERS: list[Any] = [
    "other",
    ISSUER[:-1],
    ISSUER[1:],
    "jwt",
    ISSUER + "x",
    "x" + ISSUER,
    ISSUER.upper(),
    ISSUER + "/",
    " " + ISSUER,
    [ISSUER],
    {"iss": ISSUER},
    "",
    1,
    True,
    ISSUER.replace("-", "\u2010"),
]


@pytest.mark.parametrize("issuer", [pytest.param(i, id=f"C06-{json.dumps(i)}") for i in ISSUERS])
async def test_another_issuer(target: Target, issuer: Any) -> None:
    await target.refused(token(iss=issuer))


@pytest.mark.parametrize("skew", [pytest.param(s, id=f"C07-{s:+d}") for s in (-61, -60, 59, 60)])
async def test_clock_skew(skew: int) -> None:
    """With a minute of leeway, of the clock of a gateway against the issuer's."""
    gateway = Gateway(leeway=timedelta(seconds=60))
    gateway.clock.advance(skew)
    expected = "token_expired" if skew == 60 else "token_invalid" if skew == -61 else None
    reply = await gateway.get("/x", token(exp=NOW + 0.0))
    assert reply.code == expected


@pytest.mark.parametrize("leeway", [pytest.param(s, id=f"C07-{s}-seconds") for s in (-1, 61, 3600)])
def test_a_leeway_that_is_none(leeway: int) -> None:
    with pytest.raises(ValueError, match="leeway"):
        Verifier(SECRET, leeway=timedelta(seconds=leeway))


@pytest.mark.parametrize(
    ("life", "status"), [pytest.param(3600, 200, id="C08-1h"), pytest.param(3601, 401, id="C08-over")]
)
async def test_lifetime_cap(life: int, status: int) -> None:
    gateway = Gateway(max_lifetime=timedelta(hours=1))
    assert (await gateway.get("/x", token(exp=NOW + life))).status == status
    assert_problem(await gateway.get("/x", token(exp=NOW + 315_360_000)), "token_invalid")
    assert (await Gateway().get("/x", token(exp=NOW + 315_360_000))).status == 200


@pytest.mark.parametrize("when", [pytest.param(w, id=f"C09-{w}") for w in ("before-its-first-use", "while-remembered")])
async def test_a_subject_that_was_removed(target: Target, when: str) -> None:
    tokens = await target.service.login()
    if when == "while-remembered":
        assert (await target.service.get_in(tokens)).status == 200
    await target.service.issuer.logout_all("alice")
    target.honest = await target.service.login()
    await target.attack("token_revoked", headers=tokens.bearer, reference=False)


async def test_c04_typ_missing(target: Target) -> None:
    await target.refused(jws(header(typ=None), claims()))
