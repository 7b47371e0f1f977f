"""PagerDuty's REST API, spoken: which request each question of `base.Connector` becomes."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import aiohttp

from imsync.connectors.base import (
    Change,
    Check,
    Draft,
    Entry,
    Kind,
    Limits,
    LogPage,
    Note,
    OnCall,
    Page,
    Snapshot,
    Subscription,
    Subscriptions,
)
from imsync.connectors.pagerduty import checks, log, subscriptions
from imsync.connectors.pagerduty.incidents import snapshot
from imsync.connectors.pagerduty.notes import note
from imsync.connectors.pagerduty.oncall import on_call
from imsync.connectors.pagerduty.reading import (
    Object,
    dig,
    each_at,
    object_at,
    objects_at,
    text_at,
    written,
)
from imsync.connectors.pagerduty.requests import (
    segment,
    to_create,
    to_note,
    to_write,
    to_write_many,
)
from imsync.connectors.pagerduty.rest import Rest
from imsync.core.fields import Field, Instant, Value
from imsync.core.offset import Offset
from imsync.errors import Gone, Refused

logger = logging.getLogger(__name__)

PAGE: Final = 100
WALL: Final = 10_000
"""PagerDuty lists no further than this."""

_WITH_ASSIGNEES: Final = ("include[]", "assignees")  # their e-mails come along: no lookup


def _no_id(_: str) -> str | None:
    return None


class PagerDuty:
    """One PagerDuty account. Makes one request a method, but where it says otherwise.

    `heard` is told after every answer, whatever its status, what its headers said of the
    rate limit and of the clock. `priority_id` and `priority_name` are what is known of the
    account's priorities; without them, priorities go by name where PagerDuty takes one.
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        base_url: str,
        token: str,
        from_email: str | None,
        now: Callable[[], Instant],
        heard: Callable[[Limits | None, Offset | None], None],
        priority_id: Callable[[str], str | None] = _no_id,
        priority_name: Callable[[str], str | None] = _no_id,
    ) -> None:
        self._rest = Rest(session, base_url, token, from_email, now, heard)
        self._priority_id, self._priority_name = priority_id, priority_name

    def __repr__(self) -> str:
        return f"PagerDuty(from_email={self._rest.from_email!r})"

    async def fetch(self, external_id: str) -> Snapshot:
        path = f"/incidents/{segment(external_id)}"
        return await self._rest.get(path, self._incident, _WITH_ASSIGNEES)

    async def find(self, key: str, service_id: str) -> Sequence[Snapshot]:
        """All incidents created with that key on that service, open or not, newest first.

        PagerDuty reads an empty key as any key, so asking for one is refused here, and
        what it found is compared again.
        """
        if not key or not service_id:
            raise ValueError("an incident is looked for by a key and a service, neither empty")
        found = await self._rest.get(
            "/incidents",
            self._page,
            ("incident_key", key),
            ("service_ids[]", service_id),
            ("date_range", "all"),
            ("sort_by", "created_at:desc"),
            ("limit", str(PAGE)),
        )
        return [item for item in found.items if item.key == key and item.service_id == service_id]

    async def list_open(self, start: int = 0) -> Page:
        """A hundred of the open incidents, those open longest first; 10,000 in all at most.

        Oldest first, so that what opens meanwhile moves nobody to a page already seen.
        """
        page = await self._rest.get(
            "/incidents",
            self._page,
            ("statuses[]", "triggered"),
            ("statuses[]", "acknowledged"),
            ("date_range", "all"),
            ("sort_by", "created_at:asc"),
            ("limit", str(PAGE)),
            ("offset", str(start)),
            _WITH_ASSIGNEES,
        )
        return replace(
            page, next=_after(start, "open incidents") if page.next is not None else None
        )

    async def create(self, draft: Draft, *, actor: str | None) -> Snapshot:
        request = to_create(draft, self._priority_id)
        return await self._rest.send(request, self._incident, actor=actor)

    async def write(
        self, external_id: str, changes: Mapping[Field, Value], *, actor: str | None
    ) -> Snapshot:
        """Set these fields to these external values; the answer is how it stands then."""
        request = to_write(external_id, changes, self._priority_id)
        return await self._rest.send(request, self._incident, actor=actor)

    async def write_many(
        self, changes: Mapping[str, Mapping[Field, Value]], *, actor: str | None
    ) -> Mapping[str, Snapshot]:
        """Set fields of several incidents, 250 at most: all of it, or Refused and nothing."""
        request = to_write_many(changes, self._priority_id)
        page = await self._rest.send(request, self._page, actor=actor)
        return {snapshot.external_id: snapshot for snapshot in page.items}

    async def log(self, external_id: str, since: Instant) -> Sequence[Change]:
        """What was changed on one incident since then, oldest first; the last 100 entries of it.

        Times are cut to whole seconds there, so this begins two seconds early. A change of
        severity knows the urgency or the priority, not both: `mapping.fits` compares it.
        """

        def read(answer: Object, _: Instant) -> Sequence[Change]:
            if not log.page_is_whole(answer):
                logger.warning("incident %s: more than %d log entries at once", external_id, PAGE)
            return log.changes(
                answer,
                external_id=external_id,
                offset=self._offset(),
                priority_name=self._priority_name,
            )

        return await self._rest.get(
            f"/incidents/{segment(external_id)}/log_entries",
            read,
            ("since", written(log.since(since, offset=self._offset()))),
            ("include[]", "channels"),  # which hold the values
            ("limit", str(PAGE)),
        )

    async def feed(self, since: Instant, start: int = 0) -> LogPage:
        """What was changed on any incident since then, a hundred lines at once, newest page first.

        It ends at the 10,000 lines that PagerDuty lists; times are cut as in `log`.
        """

        def read(answer: Object, _: Instant) -> LogPage:
            found = log.changes(answer, offset=self._offset(), priority_name=self._priority_name)
            more = not log.page_is_whole(answer)
            return LogPage(found, _after(start, "log entries") if more else None)

        return await self._rest.get(
            "/log_entries",
            read,
            ("since", written(log.since(since, offset=self._offset()))),
            ("include[]", "channels"),
            ("include[]", "incidents"),
            ("limit", str(PAGE)),
            ("offset", str(start)),
        )

    async def notes(self, external_id: str) -> Sequence[Note]:
        return await self._rest.get(
            f"/incidents/{segment(external_id)}/notes",
            lambda answer, _: each_at(answer, "notes", note),
        )

    async def put_note(
        self, external_id: str, text: str, *, note_id: str | None, actor: str | None
    ) -> Note:
        """Write a note, or put this text in place of what the note `note_id` says."""
        request = to_note(external_id, text, note_id)
        return await self._rest.send(
            request, lambda answer, _: note(object_at(answer, "note")), actor=actor
        )

    async def look_up(self, kind: Kind, name: str) -> Sequence[Entry]:
        """Ask for one name: what was found, or its Entry with an id of None.

        PagerDuty's search is fuzzy; what counts is the same name, in the same case if
        there is one. Of priorities, which are listed whole, all are answered.
        """
        if not name.strip():
            raise ValueError(f"a {kind} has a name")
        if kind is Kind.PRIORITY:
            listed = await self.list_priorities()
            known = any(entry.name.casefold() == name.casefold() for entry in listed)
            return listed if known else [*listed, Entry(kind, name, None)]
        plural, key = _WHERE[kind]

        def read(answer: Object, _: Instant) -> Sequence[Entry]:
            same = [
                _entry(kind, item, key)
                for item in objects_at(answer, plural)
                if (dig(item, key) or "").casefold() == name.casefold()
            ]
            best = sorted(same, key=lambda entry: entry.name != name)[:1]
            return best or [Entry(kind, name, None)]

        return await self._rest.get(f"/{plural}", read, ("query", name), ("limit", str(PAGE)))

    async def look_up_id(self, kind: Kind, id_: str) -> Entry:
        """The name behind an id. Raises Gone when there is none."""
        if kind is Kind.PRIORITY:
            for entry in await self.list_priorities():
                if entry.id == id_:
                    return entry
            raise Gone(f"PagerDuty has no priority {id_}", status=404)
        plural, key = _WHERE[kind]
        return await self._rest.get(
            f"/{plural}/{segment(id_)}",
            lambda answer, _: _entry(kind, object_at(answer, kind.value), key),
        )

    async def list_names(self, kind: Kind) -> Sequence[Entry]:
        """The first hundred of a kind."""
        plural, key = _WHERE[kind]
        return await self._rest.get(
            f"/{plural}",
            lambda answer, _: each_at(answer, plural, lambda item: _entry(kind, item, key)),
            ("limit", str(PAGE)),
        )

    async def list_priorities(self) -> Sequence[Entry]:
        """The account's priorities; none when it has none (404, 402)."""

        def read(answer: Object, _: Instant) -> Sequence[Entry]:
            found = each_at(answer, "priorities", lambda item: _entry(Kind.PRIORITY, item, "name"))
            return [entry for entry in found if entry.name.strip("-")]  # unused ones are `---`

        try:
            return await self._rest.get("/priorities", read, ("limit", str(PAGE)))
        except Refused as error:
            if error.status in (402, 404):
                return []
            raise

    async def on_call(
        self, *, schedule_id: str | None = None, policy_id: str | None = None
    ) -> Sequence[OnCall]:
        """Who is on call now, by that schedule or for that policy, the first to be asked first.

        A hundred at most. A schedule that nobody is on shows as nobody, and so does one
        that is in no escalation policy: PagerDuty does not count that as being on call.
        """
        filters = {"schedule_ids[]": schedule_id, "escalation_policy_ids[]": policy_id}

        def read(answer: Object, _: Instant) -> Sequence[OnCall]:
            found = [on_call(each, offset=self._offset()) for each in objects_at(answer, "oncalls")]
            return sorted(found, key=lambda each: (each.policy, each.level))

        return await self._rest.get(
            "/oncalls",
            read,
            *((name, id_) for name, id_ in filters.items() if id_),
            ("include[]", "users"),
            ("limit", str(PAGE)),
        )

    async def check(self, services: Sequence[str]) -> Sequence[Check]:
        """Several requests: reach, credentials, the clocks, From user, and each service."""
        return await checks.run(self._rest, self.look_up, services=services)

    async def subscriptions(self, start: int = 0) -> Subscriptions:
        return await subscriptions.page(self._rest, start)

    async def subscription(self, id_: str) -> Subscription:
        return await subscriptions.one(self._rest, id_)

    async def subscribe(self, url: str) -> Subscription:
        return await subscriptions.subscribe(self._rest, url)

    async def unsubscribe(self, id_: str) -> None:
        await subscriptions.unsubscribe(self._rest, id_)

    async def enable(self, id_: str) -> None:
        await subscriptions.enable(self._rest, id_)

    async def ping(self, id_: str) -> None:
        await subscriptions.ping(self._rest, id_)

    def _offset(self) -> int:
        return self._rest.offset.ms if self._rest.offset else 0

    def _incident(self, answer: Object, sent: Instant) -> Snapshot:
        """As of when we asked: later is more than we know."""
        return snapshot(object_at(answer, "incident"), as_of=sent, offset=self._offset())

    def _page(self, answer: Object, sent: Instant) -> Page:
        def read(found: Object) -> Snapshot:
            return snapshot(found, as_of=sent, offset=self._offset())

        items = each_at(answer, "incidents", read)
        return Page(items, next=0 if answer.get("more") is True else None)


_WHERE: Final = {
    Kind.USER: ("users", "email"),
    Kind.ESCALATION_POLICY: ("escalation_policies", "name"),
    Kind.SCHEDULE: ("schedules", "name"),
    Kind.SERVICE: ("services", "name"),
}


def _after(start: int, what: str) -> int | None:
    """Where the next page begins; None where PagerDuty lists no further, though there is more."""
    if start + 2 * PAGE <= WALL:
        return start + PAGE
    logger.warning("there are more than %d %s: PagerDuty lists no further", WALL, what)
    return None


def _entry(kind: Kind, found: Object, key: str) -> Entry:
    return Entry(kind, text_at(found, key), text_at(found, "id"))
