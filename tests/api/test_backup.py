"""/backup: the audit trail is told of a copy before it is made, and how it ended."""

from pathlib import Path

from .asking import house_of, lines, over_the_socket
from .deeds import refuse_lines


async def test_a_backup_is_told_of_before_it_is_made_and_how_it_ended(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with house_of(tmp_path / "im.db") as house:
        for status in (201, 409):
            body = {"path": str(copy)}
            answer = await over_the_socket(house, tmp_path / "s", "POST", "/api/v1/backup", body)
            assert answer["status"] == status
        told = [(line.asking.action, line.told.subject) for line in await lines(house)]
        assert told == [
            ("backup.failed", str(copy)),
            ("backup.begun", str(copy)),
            ("backup.made", str(copy)),
            ("backup.begun", str(copy)),
        ]
    async with house_of(copy) as restored:
        assert [line.asking.action for line in await lines(restored)] == ["backup.begun"]


async def test_a_daemon_that_stops_does_not_wait_for_a_copy(tmp_path: Path) -> None:
    body = {"path": str(tmp_path / "copy.db")}
    async with house_of(tmp_path / "im.db") as house:
        house.context.stopping.set()
        answer = await over_the_socket(house, tmp_path / "s", "POST", "/api/v1/backup", body)
        assert (answer["status"], answer["code"]) == (503, "overloaded")
        last, *_ = await lines(house)
        assert last.asking.action == "backup.failed"
    assert not list(tmp_path.glob("copy*"))


async def test_no_copy_is_made_that_cannot_be_told_of(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with house_of(tmp_path / "im.db") as house:
        await house.db.run(refuse_lines)
        body = {"path": str(copy)}
        answer = await over_the_socket(house, tmp_path / "s", "POST", "/api/v1/backup", body)
        assert answer["status"] == 503
    assert not copy.exists()
