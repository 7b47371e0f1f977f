"""Whatever is owed wakes who sends it: nothing waits for a loop to look by itself."""

from typing import Any

import pytest

from tests.engine import hooks
from tests.town import Town

from .asking import INCIDENTS, Api

PROD = "/api/v1/integrations/prod-pd"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", INCIDENTS, {"title": "Declared"}),
        ("PATCH", f"{INCIDENTS}/INC-1", {"title": "Edited"}),
        ("POST", f"{INCIDENTS}/INC-1/notes", {"text": "Noted"}),
        ("PUT", f"{PROD}/field-ownership/title", {"owner": "external"}),
    ],
)
async def test_the_outbound_loop_is_woken(town: Town, method: str, path: str, body: Any) -> None:
    await town.declare("Start")
    await town.settle()
    town.fleet._crews["int_test"] = town.crew, []
    bell = town.crew.outbound.bell
    await hooks.has_rung(bell)
    answer = await Api(town.session, town.server)(method, path, body)
    assert answer.status < 300, answer.text
    assert await hooks.has_rung(bell)
