"""Deliveries: what is tried next, how it is signed and sent, and what an answer means.

Of one subscription and incident they arrive in order: while the first is tried again, the
others wait. Any 2xx within five seconds is an arrival. No answer, 429 and 5xx are tried
again, further and further apart, for 48 hours; anything else is dropped at once, and after
three drops in a row the subscription is disabled for a day, with all that it was owed.
"""

import hmac
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Final

import aiohttp

from imsync.sandbox import ids, queues
from imsync.sandbox.account import Account
from imsync.sandbox.rows import Delivery, Subscription
from imsync.sandbox.switches import Switches

PATIENCE: Final = 5.0
"""Seconds that a receiver has to answer."""

_HORIZON: Final = 48 * 3_600_000
_DROPS: Final = 3
_REMEMBERED: Final = 100
_EXPIRED: Final = 10  # as OpenSSL counts what is wrong with certificates
_UNUSABLE: Final = 495
_AT_ONCE: Final = 16
"""So many at a time to one subscription: a receiver that hangs holds up no one else's."""


def sign(secret: str, body: bytes) -> str:
    return "v1=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def wait(switches: Switches, attempt: int) -> int:
    """Milliseconds until the next attempt. PagerDuty says only that it keeps trying."""
    return 1000 * min(switches.first_retry << min(attempt - 1, 30), switches.longest_retry)


def heads(account: Account) -> Iterator[Delivery]:
    """The first of every queue."""
    seen = set[tuple[str, str]]()
    for delivery in sorted(account.records.deliveries, key=lambda row: row.turn):
        queue = (delivery.subscription, delivery.queue)
        if queue not in seen:
            seen.add(queue)
            yield delivery


class Courier:
    """Sends what is due, one attempt at a time; several of them may be under way."""

    def __init__(
        self, account: Account, session: aiohttp.ClientSession, *, patience: float = PATIENCE
    ) -> None:
        self._account = account
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=patience)
        self._under_way: dict[tuple[str, str], str] = {}  # a queue: the subscription
        self.made = 0
        self._arrived: dict[str, Delivery] = {}  # the last of them, by id

    def next_due(self) -> int | None:
        """When the next attempt that could be made is due."""
        return min((row.due for row in self._free()), default=None)

    def claim(self, now: int) -> Delivery | None:
        """The delivery to try now, if any; its queue is taken until `attempt` is over."""
        due = [row for row in self._free() if row.due <= now]
        if not due:
            return None
        first = min(due, key=lambda row: (row.due, row.turn))
        self._under_way[first.subscription, first.queue] = first.subscription
        return first

    def _free(self) -> Iterator[Delivery]:
        busy = list(self._under_way.values())
        return (
            row
            for row in heads(self._account)
            if (row.subscription, row.queue) not in self._under_way
            and busy.count(row.subscription) < _AT_ONCE
        )

    async def attempt(self, delivery: Delivery) -> None:
        """Send it once, and remember what came of it."""
        records = self._account.records
        try:
            subscription = records.subscriptions.get(delivery.subscription)
            if subscription is None:
                return
            self.made += 1
            status = await self._send(subscription, delivery)
        finally:
            del self._under_way[delivery.subscription, delivery.queue]
        with records.unit():
            # It may have been changed, disabled or deleted meanwhile.
            subscription = records.subscriptions.get(delivery.subscription)
            if subscription and delivery.id in records.deliveries:
                self._settle(subscription, delivery, status)

    async def _send(self, subscription: Subscription, delivery: Delivery) -> int | None:
        """The status of the answer; None if none came in time."""
        body = delivery.body.encode()
        try:
            async with self._session.post(
                subscription.url,
                data=body,
                headers=self._headers(subscription, delivery, body),
                timeout=self._timeout,
                allow_redirects=False,
                raise_for_status=False,
            ) as response:
                return response.status
        except aiohttp.ClientConnectorCertificateError as error:
            # Somebody may renew it; nothing else about TLS gets better by waiting.
            why = getattr(error.certificate_error, "verify_code", None)
            return None if why == _EXPIRED else _UNUSABLE
        except aiohttp.ClientSSLError:
            return _UNUSABLE
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        except ValueError:  # a URL or a header that cannot be sent
            return _UNUSABLE

    def _headers(
        self, subscription: Subscription, delivery: Delivery, body: bytes
    ) -> Mapping[str, str]:
        signature = sign(subscription.secret, body)
        if self._account.switches.second_signature:
            another = ids.secret(random.Random(subscription.secret))
            signature = f"{sign(another, body)},{signature}"
        return {
            **{header["name"]: header["value"] for header in subscription.headers},
            "User-Agent": "PagerDuty-Webhook/V3.0",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-PagerDuty-Signature": signature,
            "X-Webhook-Id": delivery.id,
            "X-Webhook-Subscription": subscription.id,
        }

    def _settle(self, subscription: Subscription, delivery: Delivery, status: int | None) -> None:
        account, records = self._account, self._account.records
        now = account.now()
        if status is not None and 200 <= status < 300:
            records.deliveries.drop(delivery.id)
            records.subscriptions.put(replace(subscription, drops=0))
            self._arrived.pop(delivery.id, None)
            self._arrived[delivery.id] = delivery
            if len(self._arrived) > _REMEMBERED:
                del self._arrived[next(iter(self._arrived))]
            if delivery.again:
                self._send_again(delivery, now)
            return
        attempts = delivery.attempts + 1
        due = now + account.scaled(wait(account.switches, attempts))
        if self._is_tried_again(status) and due <= delivery.since + account.scaled(_HORIZON):
            records.deliveries.put(replace(delivery, attempts=attempts, due=due))
            return
        records.deliveries.drop(delivery.id)
        subscription = replace(subscription, drops=subscription.drops + 1)
        if subscription.drops >= _DROPS:
            queues.disable(account, subscription, now)
        else:
            records.subscriptions.put(subscription)

    def _is_tried_again(self, status: int | None) -> bool:
        if status is not None and 300 <= status < 400:
            return self._account.switches.retry_redirects
        return status is None or status == 429 or status >= 500

    def repeat(self, count: int = 1) -> int:
        """Owe again the deliveries that arrived last; says how many there were."""
        again = list(self._arrived.values())[-count:] if count > 0 else []
        with self._account.records.unit():
            for delivery in again:
                self._send_again(delivery, self._account.now())
        return len(again)

    def _send_again(self, delivery: Delivery, now: int) -> None:
        """At least once is not once. It has the same id, and goes by itself."""
        records = self._account.records
        if delivery.subscription in records.subscriptions:
            turn = records.count("delivery")
            records.deliveries.put(
                replace(
                    delivery,
                    queue=delivery.id,
                    turn=turn,
                    since=now,
                    due=now,
                    attempts=0,
                    again=False,
                )
            )
