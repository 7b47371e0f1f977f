"""/key/rotate: who may, what it answers, and what the daemon reads meanwhile and after."""

from pathlib import Path

import pytest

from imsync.store.keys import KeyFile, beside

from .asking import INTEGRATIONS, Api, house_of, new

ROTATE = "/api/v1/key/rotate"


async def test_it_answers_which_key_seals_now_and_which_the_backups_need(tmp_path: Path) -> None:
    path = tmp_path / "im.db"
    async with house_of(path) as house:
        secrets = {"token": "u+secret", "webhook_secret": "wh-secret"}
        await house.api.made(INTEGRATIONS, new(credentials=secrets))
        (old,) = KeyFile(beside(path)).read()
        told = (await house.api("POST", ROTATE)).json
        (key,) = KeyFile(beside(path)).read()
        assert told == {
            "key": key.id,
            "old_key": old.id,
            "key_place": str(beside(path)),
            "sealed": 2,
            "at": told["at"],
        }
        assert key.text not in str(told)
        found = await house.api.found(f"{INTEGRATIONS}/prod-pd")
        assert (found["has_token"], found["has_webhook_secret"]) == (True, True)


async def test_a_file_that_cannot_be_written_is_a_problem_and_changes_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    async with house_of(folder / "im.db") as house:
        await house.api.made(INTEGRATIONS, new(credentials={"token": "u+secret"}))
        key_file = beside(folder / "im.db")
        before = key_file.read_bytes()
        key_file.with_name("im.db.key.new").mkdir()
        answer = await house.api("POST", ROTATE)
        assert "cannot write the key file" in answer.problem(400, "invalid_request")
        assert key_file.read_bytes() == before
        assert (await house.api.found(f"{INTEGRATIONS}/prod-pd"))["has_token"]


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 403), ("admin", 200)])
async def test_only_administration_changes_the_key(api: Api, scope: str, status: int) -> None:
    made = await api.made("/api/v1/tokens", {"name": "ci", "scope": scope})
    answer = await api("POST", ROTATE, Authorization=f"Bearer {made['token']}")
    assert answer.status == status
