"""Every route of the API on one screen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from imsync.sandbox import creating, directory, incidents, subscriptions, updating
from imsync.sandbox.account import Account
from imsync.sandbox.asking import Ask
from imsync.sandbox.rows import Json

Handler: TypeAlias = Callable[[Account, Ask], Json | None]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; `acts` if it is done in the name of the user in `From`."""

    method: str
    path: str
    handler: Handler
    status: int = 200
    acts: bool = False


ROUTES: Final = (
    Route("GET", "/incidents", incidents.index),
    Route("POST", "/incidents", creating.create, 201, acts=True),
    Route("PUT", "/incidents", updating.update_many, acts=True),
    Route("GET", "/incidents/{id}", incidents.show),
    Route("PUT", "/incidents/{id}", updating.update, acts=True),
    Route("PUT", "/incidents/{id}/merge", incidents.merge, acts=True),
    Route("POST", "/incidents/{id}/snooze", incidents.snooze, 201, acts=True),
    Route("POST", "/incidents/{id}/status_updates", incidents.publish_status, acts=True),
    Route("GET", "/incidents/{id}/notes", incidents.notes),
    Route("POST", "/incidents/{id}/notes", incidents.annotate, acts=True),
    Route("PUT", "/incidents/{id}/notes/{note_id}", incidents.edit_note, acts=True),
    Route("DELETE", "/incidents/{id}/notes/{note_id}", incidents.delete_note, 204),
    Route("GET", "/incidents/{id}/log_entries", directory.log_entries),
    Route("GET", "/log_entries", directory.log_entries),
    Route("GET", "/log_entries/{id}", directory.log_entry),
    Route("PUT", "/log_entries/{id}/channel", incidents.edit_channel, 202, acts=True),
    Route("GET", "/services", directory.services),
    Route("GET", "/services/{id}", directory.service),
    Route("GET", "/users", directory.users),
    Route("GET", "/users/me", directory.me),
    Route("GET", "/users/{id}", directory.user),
    Route("GET", "/escalation_policies", directory.policies),
    Route("GET", "/escalation_policies/{id}", directory.policy),
    Route("GET", "/schedules", directory.schedules),
    Route("GET", "/schedules/{id}", directory.schedule),
    Route("GET", "/oncalls", directory.oncalls),
    Route("GET", "/priorities", directory.priorities),
    Route("GET", "/abilities", directory.abilities),
    Route("GET", "/abilities/{id}", directory.ability, 204),
    Route("GET", "/webhook_subscriptions", subscriptions.index),
    Route("POST", "/webhook_subscriptions", subscriptions.create),
    Route("GET", "/webhook_subscriptions/{id}", subscriptions.show),
    Route("PUT", "/webhook_subscriptions/{id}", subscriptions.update),
    Route("DELETE", "/webhook_subscriptions/{id}", subscriptions.delete, 204),
    Route("POST", "/webhook_subscriptions/{id}/enable", subscriptions.enable),
    Route("POST", "/webhook_subscriptions/{id}/ping", subscriptions.ping, 202),
)
