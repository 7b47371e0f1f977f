"""One act: what every change to an incident has in common, its log entry and its event."""

from dataclasses import dataclass, replace
from typing import Any, Self

from imsync.sandbox import events, ids, log
from imsync.sandbox.account import Account
from imsync.sandbox.asking import Ask
from imsync.sandbox.rows import Incident, Json, Note


@dataclass(frozen=True, slots=True)
class Act:
    """Who does it, when and where; nobody when PagerDuty does it by itself."""

    account: Account
    by: str | None
    at: int
    website: bool = False
    names_agent: bool = True

    @classmethod
    def of(cls, account: Account, ask: Ask) -> Self:
        """To do what was asked."""
        return cls(account, ask.by, ask.at, website=ask.website, names_agent=ask.names_agent)

    @property
    def agent(self) -> str | None:
        """Whom events name as having done it."""
        return self.by if self.names_agent else None

    @property
    def channel(self) -> Json:
        if self.by is None:
            return {"type": "timeout"}
        return {"type": "website" if self.website else "api"}

    def keep(self, row: Incident, **changed: Any) -> Incident:
        return self.account.records.incidents.put(replace(row, updated_at=self.at, **changed))

    def log(
        self, row: Incident, kind: str, did: str, channel: Json | None = None, **more: object
    ) -> None:
        """Write down that it was done; the channel says how, where that is not the usual."""
        log.write(
            self.account,
            row,
            kind,
            by=self.by,
            summary=f"{did} by {self.name(row)}.",
            at=self.at,
            channel={**self.channel, **(channel or {})},
            **more,
        )

    def tell(self, event_type: str, row: Incident) -> None:
        events.of_incident(self.account, event_type, row, by=self.agent)

    def note(self, row: Incident, content: str) -> Note:
        """Add a note. One that nobody writes is the service's own."""
        notes = self.account.records.notes
        note = notes.put(
            Note(
                id=self.account.fresh(ids.short, notes),
                incident=row.id,
                user=self.by or row.service,
                content=content,
                created_at=self.at,
                updated_at=self.at,
            )
        )
        self.log(row, "annotate", "Note added", {"type": "note", "summary": content})
        events.of_note(self.account, row, note, by=self.agent)
        return note

    def name(self, row: Incident) -> str:
        user = self.account.records.users.get(self.by)
        return user.name if user else self.account.records.services[row.service].name
