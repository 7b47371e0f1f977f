"""PagerDuty's own Python client, as it is, over TLS."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pagerduty
import pytest
import trustme
from aiohttp import ClientSession

from imsync.sandbox.sandbox import Sandbox
from tests.sandbox.conftest import Clock


@pytest.fixture
async def client(
    session: ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> AsyncIterator[pagerduty.RestApiV2Client]:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    sandbox = Sandbox(session=session, now=clock, rng=random.Random(1))
    url = await sandbox.start("localhost", ssl_context=context)
    found = pagerduty.RestApiV2Client(
        sandbox.token, default_from="alice@acme.example", base_url=url
    )
    yield found
    await asyncio.to_thread(found.close)
    await sandbox.stop()


def flows(client: pagerduty.RestApiV2Client) -> None:
    """It is synchronous, and so is this."""
    services = client.list_all("services")
    alice = client.find("users", "alice@acme.example", attribute="email")
    assert alice
    assert alice["name"] == "Alice Martin"
    incident = client.rpost(
        "incidents",
        json={
            "type": "incident",
            "title": "From the official client",
            "service": {"id": services[0]["id"], "type": "service_reference"},
            "assignments": [{"assignee": {"id": alice["id"], "type": "user_reference"}}],
        },
    )
    assert incident["status"] == "acknowledged"
    path = f"incidents/{incident['id']}"
    changed = client.rput(path, json={"type": "incident", "title": "New", "priority": "P1"})
    assert (changed["title"], changed["priority"]["name"]) == ("New", "P1")
    note = client.rpost(f"{path}/notes", json={"content": "Looking"})
    assert note["user"]["summary"] == "Alice Martin"
    both = client.rput(
        "incidents", json=[{"id": incident["id"], "type": "incident", "status": "resolved"}]
    )
    assert both[0]["status"] == "resolved"
    for number in range(30):
        client.rpost(
            "incidents",
            json={
                "type": "incident",
                "title": str(number),
                "service": {"id": services[1]["id"], "type": "service_reference"},
            },
        )
    listed = list(client.iter_all("incidents", params={"statuses[]": ["triggered"]}, page_size=7))
    assert [row["title"] for row in listed] == [str(number) for number in range(30)]
    assert client.rget(path)["resolved_at"]
    assert next(client.iter_all("priorities"))["name"] == "P1"
    assert len(list(client.iter_all(f"{path}/log_entries"))) > 5
    assert client.list_all("oncalls")
    subscription = client.rpost(
        "webhook_subscriptions",
        json={
            "type": "webhook_subscription",
            "delivery_method": {"type": "http_delivery_method", "url": "https://x.example"},
            "events": ["incident.triggered"],
            "filter": {"type": "account_reference"},
        },
    )
    assert subscription["delivery_method"]["secret"]
    client.rdelete(f"webhook_subscriptions/{subscription['id']}")
    missing = client.get("incidents/QNONE")
    assert missing.status_code == 404


async def test_works_unpatched(client: pagerduty.RestApiV2Client) -> None:
    await asyncio.to_thread(flows, client)
