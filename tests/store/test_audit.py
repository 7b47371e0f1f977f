"""The audit trail: only added to, bounded, and found again by whatever people ask."""

import sqlite3
from dataclasses import replace

import pytest

from imsync.core.fields import Instant
from imsync.store import audit, tokens
from imsync.store.audit import SECRET, Action, Asking, Change, Told
from imsync.store.tokens import Scope

NOW = Instant(1_000)
ASKING = Asking(
    action=Action.RULE_SET,
    actor="token ci",
    actor_id="tok_1",
    claims="ada@acme.example",
    peer="127.0.0.1",
    forwarded="203.0.113.9",
    request_id="req-1",
)
TOLD = Told("int_1", "prod-pd", {"field-ownership/title": Change({"owner": "platform"}, None)})


def keep(conn: sqlite3.Connection, **more: str) -> None:
    audit.append(conn, replace(ASKING, **more), TOLD, now=NOW)


def test_a_line_is_told_as_it_was_kept(conn: sqlite3.Connection) -> None:
    keep(conn)
    (line,) = audit.page(conn, limit=9)
    assert (line.id, line.at, line.asking, line.told) == (1, NOW, ASKING, TOLD)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE id = 1",
        "REPLACE INTO audit SELECT id, at, action, subject, subject_name, changes, 'nobody',"
        " actor_id, claims, peer, forwarded, request_id FROM audit",
        "INSERT INTO audit SELECT * FROM audit WHERE TRUE"
        " ON CONFLICT (id) DO UPDATE SET actor = 'nobody'",
    ],
)
def test_it_is_only_added_to(conn: sqlite3.Connection, statement: str) -> None:
    keep(conn)
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        conn.execute(statement)
    assert [line.asking for line in audit.page(conn, limit=9)] == [ASKING]


def test_neither_a_change_nor_its_line_is_kept_alone(conn: sqlite3.Connection) -> None:
    def work(conn: sqlite3.Connection) -> str:
        return tokens.create(
            conn, "tok_9", "x", name="x", scope=Scope.READ, expires_at=None, now=NOW
        ).id

    def broken(_: str) -> Told:
        raise RuntimeError("nothing can be told")

    conn.execute("BEGIN")
    with pytest.raises(RuntimeError):
        audit.recorded(conn, work, broken, asking=ASKING, now=NOW)
    conn.execute("ROLLBACK")
    assert tokens.every(conn) == []

    assert audit.recorded(conn, work, lambda id_: Told(id_, "x", {}), asking=ASKING, now=NOW)
    assert [line.told.subject for line in audit.page(conn, limit=9)] == ["tok_9"]


def test_what_is_secret_has_a_line_of_its_own_which_says_nothing_else(
    conn: sqlite3.Connection,
) -> None:
    told = Told("int_1", "prod-pd", {"name": Change("A", "B"), "token": SECRET})
    audit.append(conn, ASKING, told, now=NOW)
    secret, plain = audit.page(conn, limit=9)
    assert (secret.asking.action, secret.told.changes) == ("credentials.changed", {"token": SECRET})
    assert (plain.asking.action, plain.told.changes) == ("rule.set", {"name": Change("A", "B")})


@pytest.mark.parametrize("value", ["x" * 5_000, {"out": {"y" * 3_000: "z" * 3_000}}, ["é" * 4_000]])
def test_a_long_value_is_cut(conn: sqlite3.Connection, value: object) -> None:
    audit.append(conn, ASKING, Told("x", None, {"name": Change(None, value)}), now=NOW)
    (line,) = audit.page(conn, limit=9)
    kept = line.told.changes["name"].new
    assert isinstance(kept, str)
    assert (len(kept), kept[-1]) == (audit.LONGEST + 1, "…")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [3, 2, 1]),
        ({"since": 2_000}, [3, 2]),
        ({"until": 2_000}, [1]),
        ({"since": 2_000, "until": 3_000}, [2]),
        ({"actor": "token ci"}, [1]),
        ({"actor": "ci"}, [1]),
        ({"actor": "tok_1"}, [1]),
        ({"actor": "ada@acme.example"}, [3, 2, 1]),
        ({"actor": "alice"}, [3, 2]),
        ({"actor": "uid:7"}, [3, 2]),
        ({"actor": "user"}, []),
        ({"actor": "%"}, []),
        ({"subject": "tok_9"}, [2]),
        ({"subject": "prod-pd"}, [3, 1]),
        ({"actions": ["rule.set"]}, [1]),
        ({"actions": ["rule"]}, [3, 1]),
        ({"actions": ["token", "rule.deleted"]}, [3, 2]),
        ({"actions": ["webhook"]}, []),
        ({"before": 3}, [2, 1]),
        ({"before": 3, "actor": "alice", "actions": ["token"]}, [2]),
        ({"limit": 1}, [3]),
    ],
    ids=str,
)
def test_it_is_found_again(
    conn: sqlite3.Connection, filters: dict[str, object], found: list[int]
) -> None:
    alice = replace(ASKING, actor="user alice", actor_id="uid:7", peer="socket")
    audit.append(conn, ASKING, TOLD, now=NOW)
    made = replace(alice, action=Action.TOKEN_CREATED)
    audit.append(conn, made, Told("tok_9", "cd", {}), now=Instant(2_000))
    audit.append(conn, replace(alice, action=Action.RULE_DELETED), TOLD, now=Instant(3_000))
    lines = audit.page(conn, **{"limit": 9, **filters})  # type: ignore[arg-type]
    assert [line.id for line in lines] == found


def test_what_a_token_was_refused_is_kept_once_an_hour(conn: sqlite3.Connection) -> None:
    """Whoever holds any token at all could fill the disk otherwise."""

    def refuse(at: int, token: str = "tok_1") -> None:
        told = Told("POST /api/v1/tokens", None, {})
        audit.refused(conn, replace(ASKING, actor_id=token), told, now=Instant(at))

    for at in (1, 2, audit.REFUSED_EVERY, audit.REFUSED_EVERY + 1, audit.REFUSED_EVERY + 2):
        refuse(at)
    refuse(audit.REFUSED_EVERY + 2, "tok_2")
    kept = [(line.at, line.asking.actor_id) for line in reversed(audit.page(conn, limit=9))]
    assert kept == [
        (1, "tok_1"),
        (audit.REFUSED_EVERY + 1, "tok_1"),
        (audit.REFUSED_EVERY + 2, "tok_2"),
    ]
    assert {line.asking.action for line in audit.page(conn, limit=9)} == {"access.refused"}


def test_a_line_of_an_action_that_is_no_longer_known_is_told(conn: sqlite3.Connection) -> None:
    keep(conn, action="key.forged")
    (line,) = audit.page(conn, limit=9)
    assert line.asking.action == "key.forged"


def test_nothing_in_it_refers_to_what_may_be_deleted(conn: sqlite3.Connection) -> None:
    assert conn.execute("PRAGMA foreign_key_list(audit)").fetchall() == []
