"""The subscription by which the external side tells us what happens there."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from imsync.api.answers.integrations import Lag
from imsync.store.subscriptions import State


class WebhookSubscription(TypedDict):
    """As it was last seen. Null where nothing is known; `replaced`: old ones not yet deleted.

    `lag`: how long the last hundred deliveries were on their way.
    """

    integration: str
    subscription_id: str | None
    state: State
    because: str | None
    url: str | None
    webhook_url: str
    points_here: bool | None
    made_by: Literal["imsync", "hand"] | None
    knows_secret: bool | None
    secrets_in_force: int
    replaced: list[str]
    installed_at: str | None
    checked_at: str | None
    times_disabled: int
    times_enabled: int
    times_deleted: int
    disabled_at: str | None
    enabled_at: str | None
    last_delivery_at: str | None
    lag: Lag
    refused_signatures: int
    refused_since_delivery: int
    problems: list[str]


class InstalledWebhook(WebhookSubscription):
    """What was done. `made`: a new one; `secret`: only where it was asked for, and of that one."""

    made: bool
    detail: str
    secret: NotRequired[str | None]


class WebhookProof(TypedDict):
    """Whether a ping that was sent has arrived, rightly signed, and after how long (ms)."""

    integration: str
    subscription_id: str
    url: str
    arrived: bool
    took_ms: int | None
    detail: str
    hint: str
