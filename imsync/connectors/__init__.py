"""The neighbours: one folder of translation each, with no policy in it.

A new one is a folder, and a line in each of the two tables here.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import aiohttp

from imsync.connectors.base import Connector, Limits, Translation
from imsync.connectors.pagerduty.client import PagerDuty
from imsync.connectors.pagerduty.translation import TRANSLATION as PAGERDUTY
from imsync.core.fields import Instant
from imsync.core.offset import Offset
from imsync.errors import UserError


class Connect(Protocol):
    """How a connector is made: every one takes the same."""

    def __call__(
        self,
        *,
        session: aiohttp.ClientSession,
        base_url: str,
        token: str,
        from_email: str | None,
        now: Callable[[], Instant],
        heard: Callable[[Limits | None, Offset | None], None],
        priority_id: Callable[[str], str | None],
        priority_name: Callable[[str], str | None],
    ) -> Connector: ...


TRANSLATIONS: Final[Mapping[str, Translation]] = {"pagerduty": PAGERDUTY}
_CONNECT: Final[Mapping[str, Connect]] = {"pagerduty": PagerDuty}


def connect(integration_type: str) -> Connect:
    """What makes connectors of this type: `connect("pagerduty")(session=..., ...)`.

    Raises UserError for a type there is none of.
    """
    if integration_type not in _CONNECT:
        known = ", ".join(_CONNECT)
        raise UserError(f"no connector speaks {integration_type!r}", hint=f"one of: {known}")
    return _CONNECT[integration_type]
