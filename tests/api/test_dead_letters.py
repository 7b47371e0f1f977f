"""/dead-letters: what was given up on, retried by people or let go."""

import asyncio
from typing import Any

import pytest

from imsync.core.schedule import LONGEST_WAIT
from imsync.store import integrations
from tests.town import Town

from .asking import INTEGRATIONS, Api, asks, signed
from .door import event

LETTER = {
    *("id", "integration", "incident", "direction", "field", "error", "attempts", "body"),
    *("created_at", "hint"),
}


async def an_inbound_letter(town: Town) -> dict[str, Any]:
    (secret,) = await town.db.read(integrations.secrets, "int_test")
    body = event("incident.acknowledged", [1, 2])
    answer = await asks(town)(
        "POST",
        "/api/v1/webhooks/int_test",
        data=body,
        X_PagerDuty_Signature=signed(body, secret),
    )
    assert answer.status == 202
    assert await town.crew.inbound.step()
    return await the_letter(town)


async def an_outbound_letter(town: Town) -> dict[str, Any]:
    await town.declare("Start")
    await town.settle()
    town.sandbox.faults.api_error = 1.0
    await town.edit(title="Ours")
    for _ in range(8):
        town.clock.at += LONGEST_WAIT
        await town.settle()
    town.sandbox.faults.api_error = 0.0
    return await the_letter(town)


async def the_letter(town: Town) -> dict[str, Any]:
    (letter,) = (await asks(town).found(f"{INTEGRATIONS}/prod-pd/dead-letters"))["items"]
    assert set(letter) == LETTER
    assert set(letter["error"]) == {"code", "message"}
    found: dict[str, Any] = letter
    return found


async def test_an_inbound_letter_holds_the_body_and_is_tried_again(town: Town) -> None:
    letter = await an_inbound_letter(town)
    assert (letter["direction"], letter["incident"], letter["field"]) == ("inbound", None, None)
    assert letter["body"] == event("incident.acknowledged", [1, 2]).decode()
    assert letter["error"]["code"] == "unusable_delivery"

    answer = await asks(town)("POST", f"/api/v1/dead-letters/{letter['id']}/retry")
    assert answer.status == 202
    assert answer.json["id"] == letter["id"]
    assert (await asks(town).found(f"{INTEGRATIONS}/prod-pd/dead-letters"))["items"] == []
    assert await town.crew.inbound.step(), "it is tried anew"
    assert (await the_letter(town))["error"] == letter["error"]


async def test_an_outbound_letter_is_tried_again_with_what_the_field_is_now(town: Town) -> None:
    letter = await an_outbound_letter(town)
    assert (letter["direction"], letter["incident"], letter["field"]) == (
        "outbound",
        "INC-1",
        "title",
    )
    assert letter["attempts"] == 5
    assert (await asks(town)("POST", f"/api/v1/dead-letters/{letter['id']}/retry")).status == 202
    await town.settle()
    assert (await town.there())["title"] == "Ours"
    assert await town.dead_letters() == []


async def test_a_letter_that_two_people_retry_is_tried_once(town: Town) -> None:
    path = f"/api/v1/dead-letters/{(await an_outbound_letter(town))['id']}/retry"
    writes = town.sandbox.writes
    answers = await asyncio.gather(asks(town)("POST", path), asks(town)("POST", path))
    assert sorted(answer.status for answer in answers) == [202, 404]
    await town.settle()
    assert town.sandbox.writes == writes + 1
    assert await town.dead_letters() == []


@pytest.mark.parametrize("way", ["inbound", "outbound"])
async def test_a_letter_that_is_let_go_is_gone_for_good(town: Town, way: str) -> None:
    make = an_inbound_letter if way == "inbound" else an_outbound_letter
    path = f"/api/v1/dead-letters/{(await make(town))['id']}"
    answer = await asks(town)("DELETE", path)
    assert (answer.status, answer.text) == (204, "")
    assert await town.dead_letters() == []
    (await asks(town)("DELETE", path)).problem(404, "not_found")
    (await asks(town)("POST", f"{path}/retry")).problem(404, "not_found")
    requests = town.sandbox.requests
    await town.settle()
    assert town.sandbox.requests == requests
    status = await asks(town).found(f"{INTEGRATIONS}/prod-pd/sync-status")
    assert (status["healthy"], status["dead_letters"]) == (True, 0)


@pytest.mark.parametrize("id_", ["dlq_1", "dlq_", "1", "dlq_x", "cfl_1", "dlq_" + "9" * 99])
async def test_a_letter_that_is_not_there_is_not_found(api: Api, id_: str) -> None:
    (await api("POST", f"/api/v1/dead-letters/{id_}/retry")).problem(404, "not_found")
    (await api("DELETE", f"/api/v1/dead-letters/{id_}")).problem(404, "not_found")


async def test_the_letters_have_pages(town: Town) -> None:
    (secret,) = await town.db.read(integrations.secrets, "int_test")
    for number in range(3):
        body = b"junk %d" % number
        signature = signed(body, secret)
        await asks(town)(
            "POST", "/api/v1/webhooks/int_test", data=body, X_PagerDuty_Signature=signature
        )
        await town.crew.inbound.step()
    pages = await asks(town).pages(f"{INTEGRATIONS}/prod-pd/dead-letters", limit=2)
    assert [[one["body"] for one in page] for page in pages] == [["junk 2", "junk 1"], ["junk 0"]]
