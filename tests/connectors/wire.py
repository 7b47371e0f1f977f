"""A scripted PagerDuty on the wire: what it answers, what it was asked."""

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import orjson
from aiohttp import ClientResponse, ClientSession
from aioresponses import aioresponses
from yarl import URL

from imsync.connectors.base import Limits
from imsync.connectors.pagerduty.client import PagerDuty
from imsync.core.fields import Instant
from imsync.core.offset import Offset

API = "https://api.pagerduty.com"
TOKEN = "u+a_secret-key0000000"
NOW = Instant(1_790_000_000_000)  # 2026-09-21T14:13:20Z


class _Response(ClientResponse):
    """aiohttp 3.14 wants to know its writer, and aioresponses 0.7.9 does not say."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


@dataclass(frozen=True)
class Asked:
    """One request as it left."""

    method: str
    url: URL
    headers: dict[str, str]
    body: Any

    @property
    def line(self) -> str:
        return f"{self.method} {self.url.path}"


class Wire(aioresponses):
    """Answers each path in the order given, whatever the query; remembers what it was asked."""

    def add(self, url: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("response_class", _Response)
        super().add(url, *args, **kwargs)

    def answers(self, line: str, payload: Any = None, **kwargs: Any) -> None:
        """`wire.answers("GET /incidents/P1", {...})`, or with a status, headers, an exception."""
        method, _, path = line.partition(" ")
        if payload is not None:
            kwargs["body"] = orjson.dumps(payload)
        self.add(re.compile(re.escape(API + path) + r"(\?.*)?$"), method=method, **kwargs)

    @property
    def asked(self) -> list[Asked]:
        return [
            Asked(
                method,
                url,
                dict(call.kwargs["headers"]),
                orjson.loads(call.kwargs["data"]) if call.kwargs.get("data") else None,
            )
            for (method, url), calls in self.requests.items()
            for call in calls
        ]

    @property
    def only(self) -> Asked:
        (asked,) = self.asked
        return asked


@dataclass
class Ear:
    """Remembers what it was told of the answers' headers."""

    limits: list[Limits | None] = field(default_factory=list)
    offsets: list[Offset | None] = field(default_factory=list)

    def __call__(self, limits: Limits | None, offset: Offset | None) -> None:
        self.limits.append(limits)
        self.offsets.append(offset)


def pagerduty(session: ClientSession, *, heard: Ear | None = None, **changed: Any) -> PagerDuty:
    """A connector to the scripted account."""
    terms: dict[str, Any] = {
        "base_url": API,
        "token": TOKEN,
        "from_email": "imsync@example.com",
        "now": lambda: NOW,
        "heard": heard or Ear(),
        "priority_id": {"P1": "PRIO1", "P2": "PRIO2"}.get,
        "priority_name": {"PRIO1": "P1", "PRIO2": "P2"}.get,
    }
    return PagerDuty(session=session, **(terms | changed))


def incident(**changed: Any) -> dict[str, Any]:
    """An incident as REST shows it."""
    return {
        "id": "Q3B15VLMF3ASBD",
        "type": "incident",
        "html_url": "https://acme.pagerduty.com/incidents/Q3B15VLMF3ASBD",
        "incident_number": 5,
        "title": "Checkout is slow",
        "status": "triggered",
        "urgency": "high",
        "incident_key": "imsync:INC-1",
        "created_at": "2026-04-01T02:07:30Z",
        "service": {"id": "PSVC", "type": "service_reference", "summary": "Checkout"},
        "escalation_policy": {
            "id": "PPOL",
            "type": "escalation_policy_reference",
            "summary": "Default",
        },
        "assignments": [
            {
                "at": "2026-04-01T02:07:30Z",
                "assignee": {"id": "PBOB", "type": "user", "email": "bob@example.com"},
            }
        ],
        "priority": {"id": "PRIO1", "type": "priority", "name": "P1", "summary": "P1"},
    } | changed
