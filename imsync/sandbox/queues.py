"""What subscriptions are owed: joining a queue, and losing it."""

from dataclasses import replace
from typing import Final

from imsync.sandbox import ids
from imsync.sandbox.account import Account
from imsync.sandbox.rows import Delivery, Subscription

_ORDERED: Final = 55 * 1024
_LARGEST: Final = 256 * 1024
_A_DAY: Final = 24 * 3_600_000


def owe(
    account: Account,
    subscription: Subscription,
    event_type: str,
    body: str,
    *,
    queue: str,
    at: int,
) -> None:
    """Queue it. Large ones are promised no order, and the largest are not sent at all."""
    faults, deliveries = account.faults, account.records.deliveries
    id_ = account.fresh(ids.webhook, deliveries)
    if account.chance(faults.subscription_disable):
        disable(account, subscription, at)
        return
    size = len(body.encode())
    if size > _LARGEST or account.chance(faults.delivery_drop):
        return
    due = at
    strays = account.chance(faults.delivery_reorder)
    if strays or account.chance(faults.delivery_delay):
        due += account.luck.randint(0, faults.delivery_delay_ms)
    deliveries.put(
        Delivery(
            id=id_,
            subscription=subscription.id,
            queue=id_ if strays or size > _ORDERED or not queue else queue,
            turn=account.records.count("delivery"),
            event_type=event_type,
            body=body,
            since=at,
            due=due,
            again=account.chance(faults.delivery_repeat),
        )
    )


def disable(account: Account, subscription: Subscription, at: int) -> None:
    """Send it nothing for a day; what it is still owed is lost."""
    until = at + account.scaled(_A_DAY)
    account.records.subscriptions.put(replace(subscription, drops=0, disabled_until=until))
    drop(account, subscription)


def drop(account: Account, subscription: Subscription) -> None:
    deliveries = account.records.deliveries
    for delivery in [row for row in deliveries if row.subscription == subscription.id]:
        deliveries.drop(delivery.id)
