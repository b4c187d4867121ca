"""Group C: C09, what an access token is worth whose account was switched off or deleted since."""

from collections.abc import Callable

from jwt_refresh_middleware import Identity

from ..web.problems import assert_problem
from ..web.support import Service
from ..web.test_gateway import Gateway


async def test_c09_an_account_that_was_switched_off_keeps_its_access_token_until_it_expires(
    make_service: Callable[..., Service],
) -> None:
    """Nobody is asked for it but at a refresh, unless its sessions are ended."""
    known = {"alice"}

    async def load(subject: str) -> Identity | None:
        return Identity(subject) if subject in known else None

    service, gateway = make_service(issuer={"load_identity": load}), Gateway()
    tokens = await service.login()
    known.clear()
    assert_problem(await service.post("refresh", headers=tokens.by_cookie), "refresh_invalid")
    for let_in in (service.get_in(tokens), gateway.get("/x", tokens.access)):
        assert (await let_in).status == 200
    await service.issuer.logout_all("alice")
    assert_problem(await service.get_in(tokens), "token_revoked")
    assert (await gateway.get("/x", tokens.access)).status == 200, "it has no feed, so that nobody tells it"
    gateway.clock.advance(900)
    assert_problem(await gateway.get("/x", tokens.access), "token_expired")
