"""Two workers of one service over a file of keys that is rotated by hand."""

import json
from pathlib import Path

import pytest

from .line import until
from .processes import Centre, kid_of


async def _all_sign_with(centre: Centre, kid: str) -> bool:
    return {state["signing"] for state in (await centre.states()).values()} == {kid}


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(tmp_path, workers=2)


async def test_all_workers_sign_with_the_new_key_and_old_tokens_stay_good(centre: Centre) -> None:
    with centre:
        pairs = [await centre.login()]
        for _ in range(3):
            assert centre.command("rotate", "--force") == 0
            await until(lambda: _all_sign_with(centre, centre.key("current")))
            pairs.append(await centre.login())
            assert kid_of(pairs[-1].access) == centre.key("current")
            for pair in pairs:
                for _ in range(4):  # whichever worker answers
                    assert (await centre.ask("GET", "/me", token=pair.access)).status == 200
        for pair in pairs:
            assert (await centre.ask("POST", "/auth/refresh", {"refresh_token": pair.refresh})).status == 200
        listed = {jwk["kid"] for jwk in (await centre.ask("GET", "/auth/jwks.json")).body["keys"]}
        assert listed == {jwk["kid"] for jwk in json.loads(centre.keys.read_text())["keys"]}


async def test_no_request_is_refused_in_the_middle_of_a_rotation(centre: Centre) -> None:
    """Some workers sign with the new key already, others do not: each knows both."""
    with centre:
        for _ in range(5):
            assert centre.command("rotate", "--force") == 0
            refused = []

            async def every_worker_has_it() -> bool:
                pair = await centre.login()
                for _ in range(3):
                    reply = await centre.ask("GET", "/me", token=pair.access)
                    if reply.status != 200:
                        refused.append(reply)  # noqa: B023  used within the round
                return await _all_sign_with(centre, centre.key("current"))

            await until(every_worker_has_it)
            assert refused == []


@pytest.mark.parametrize("damage", ["cut off", "empty", "no keys", "missing"])
async def test_a_damaged_file_stops_nobody_and_is_logged_once_by_each_worker(centre: Centre, damage: str) -> None:
    with centre:
        assert len(await centre.states()) == 2, "both have started"
        pair, text = await centre.login(), centre.keys.read_text()
        damaged = {"cut off": text[:-100], "empty": "", "no keys": '{"keys": []}'}
        if damage == "missing":
            centre.keys.unlink()
        else:
            _put(centre.keys, damaged[damage])

        async def both_have_said_so() -> bool:
            return centre.log.read_text().count("the keys stay as they are") == 2

        await until(both_have_said_so)
        for _ in range(4):
            assert (await centre.ask("GET", "/me", token=pair.access)).status == 200
        assert (await centre.ask("POST", "/auth/refresh", {"refresh_token": pair.refresh})).status == 200
        _put(centre.keys, text)
        assert centre.command("rotate", "--force") == 0
        await until(lambda: _all_sign_with(centre, centre.key("current")))
        assert (await centre.ask("GET", "/me", token=pair.access)).status == 200
    log = centre.log.read_text()
    assert log.count("the keys stay as they are") == 2
    assert "Traceback" not in log
    content = json.loads(text)
    assert not [one for one in (*(jwk["d"] for jwk in content["keys"]), *content["secrets"]) if one in log]


def _put(path: Path, text: str) -> None:
    """Whole from one moment to the next."""
    beside = path.with_name("beside")
    beside.write_text(text)
    beside.chmod(0o600)
    beside.replace(path)
