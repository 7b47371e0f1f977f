"""Rows to start from."""

import sqlite3

from imsync.core.fields import Edit, Field, Instant
from imsync.engine.configure import DEFAULTS
from imsync.store import incidents
from imsync.store.sealing import Column, keyring

NOW = Instant(1_000)


def an_integration(conn: sqlite3.Connection, id_: str = "int_1", slug: str = "prod-pd") -> str:
    """Without the event that tells of it."""
    values = {
        **DEFAULTS,
        "id": id_,
        "integration_type": "pagerduty",
        "created_at": NOW,
        "updated_at": NOW,
        "slug": slug,
        "name": slug,
        "base_url": "https://api.pagerduty.com",
        "token": keyring(conn).seal("u+secret", Column.TOKEN, id_),
        "default_service": "PSERVICE",
    }
    marks = ", ".join(f":{name}" for name in values)
    conn.execute(f"INSERT INTO integrations ({', '.join(values)}) VALUES ({marks})", values)
    return id_


def some_incidents(conn: sqlite3.Connection, count: int, severity: str = "SEV-3") -> None:
    for number in range(count):
        values = {
            Field.TITLE: Edit(f"title {number}", NOW),
            Field.SEVERITY: Edit(severity, NOW),
            Field.STATUS: Edit("open", NOW),
        }
        incidents.create(conn, values, organization_id=None, incident_type=None, now=NOW)
