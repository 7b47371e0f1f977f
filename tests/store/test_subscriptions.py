"""What is known of a webhook subscription, its secrets, and those that it replaced."""

import sqlite3

import pytest

from imsync.core.fields import Instant
from imsync.store import integrations, subscriptions
from imsync.store.subscriptions import State, Watched
from tests.store.rows import an_integration

URL = "https://imsync.example/api/v1/webhooks/int_1"


@pytest.fixture
def id_(conn: sqlite3.Connection) -> str:
    return an_integration(conn)


def seen(conn: sqlite3.Connection, at: int, *, active: bool, external_id: str = "PHOOK") -> Watched:
    return subscriptions.seen(
        conn, "int_1", external_id, URL, active=active, because="", now=Instant(at)
    )


def test_nothing_is_known_at_first(conn: sqlite3.Connection, id_: str) -> None:
    assert subscriptions.get(conn, id_) == Watched(id_)
    subscriptions.missed(conn, id_, now=Instant(1))
    assert subscriptions.get(conn, id_).state is State.NONE


def test_what_happens_is_counted_once_however_often_it_is_seen(
    conn: sqlite3.Connection, id_: str
) -> None:
    subscriptions.installed(conn, id_, "PHOOK", URL, now=Instant(1))
    for at in (2, 3):
        seen(conn, at, active=False)
    for external_id in ("PHOOK", "POTHER"):
        subscriptions.enabled(conn, id_, external_id, now=Instant(4))
    seen(conn, 5, active=True)
    found = seen(conn, 6, active=False)
    assert (found.times_disabled, found.times_enabled, found.disabled_at) == (2, 1, 6)
    for at in (7, 8):
        subscriptions.missed(conn, id_, now=Instant(at))
    found = subscriptions.get(conn, id_)
    assert (found.state, found.times_deleted, found.checked_at) == (State.DELETED, 1, 8)
    assert found.installed_at == 1


def test_another_that_is_met_is_not_of_our_making(conn: sqlite3.Connection, id_: str) -> None:
    subscriptions.installed(conn, id_, "PHOOK", URL, now=Instant(1))
    assert seen(conn, 2, active=True).installed_at == 1
    assert seen(conn, 3, active=True, external_id="POTHER").installed_at is None


def test_what_we_may_not_see_stays_known(conn: sqlite3.Connection, id_: str) -> None:
    subscriptions.installed(conn, id_, "PHOOK", URL, now=Instant(1))
    subscriptions.hidden(conn, id_, "403", now=Instant(2))
    found = subscriptions.get(conn, id_)
    assert (found.state, found.because, found.external_id) == (State.UNKNOWN, "403", "PHOOK")


def test_what_is_forgotten_keeps_its_counts(conn: sqlite3.Connection, id_: str) -> None:
    seen(conn, 1, active=False)
    subscriptions.forget(conn, id_)
    assert subscriptions.get(conn, id_) == Watched(id_, times_disabled=1, disabled_at=Instant(1))


def test_an_integration_that_was_deleted_meanwhile_is_no_failure(conn: sqlite3.Connection) -> None:
    seen(conn, 1, active=True)
    assert subscriptions.get(conn, "int_1").state is State.UNKNOWN


def test_the_replaced_are_remembered_until_they_are_gone(
    conn: sqlite3.Connection, id_: str
) -> None:
    subscriptions.note_replaced(conn, id_, ["P2", "P1"], now=Instant(1))
    subscriptions.note_replaced(conn, id_, ["P0", "P1"], now=Instant(2))
    assert subscriptions.replaced(conn, id_) == ["P1", "P2", "P0"]
    subscriptions.gone(conn, id_, "P2")
    assert subscriptions.replaced(conn, id_) == ["P1", "P0"]


def test_secrets_are_added_told_apart_and_expire(conn: sqlite3.Connection, id_: str) -> None:
    integrations.set_secret(conn, id_, "by hand", now=Instant(1))
    integrations.add_secret(conn, id_, "new", subscription_id="PNEW", now=Instant(2))
    assert integrations.secrets(conn, id_) == ["new", "by hand"]
    assert integrations.secret_owners(conn, id_) == {None, "PNEW"}

    integrations.expire_secrets(conn, id_, but="PNEW", at=Instant(10))
    integrations.expire_secrets(conn, id_, but="PNEW", at=Instant(99))  # it goes when it was to go
    integrations.drop_expired_secrets(conn, id_, now=Instant(9))
    assert len(integrations.secrets(conn, id_)) == 2
    integrations.drop_expired_secrets(conn, id_, now=Instant(10))
    assert integrations.secrets(conn, id_) == ["new"]


def test_a_good_delivery_makes_what_was_refused_before_it_no_news(
    conn: sqlite3.Connection, id_: str
) -> None:
    integrations.note_refused(conn, {id_: 3}, tell={}, now=Instant(4))
    integrations.note_delivery(conn, id_, Instant(5))
    integrations.note_refused(conn, {id_: 1}, tell={}, now=Instant(6))
    found = integrations.get(conn, id_)
    assert (found.refused_signatures, found.refused_before) == (4, 3)
