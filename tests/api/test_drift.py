"""/integrations/{i}/drift: a sweep is asked for, and told of until it is over."""

from .asking import INTEGRATIONS, House, new

PATH = f"{INTEGRATIONS}/prod-pd/drift"


async def test_a_sweep_is_told_of_from_the_moment_it_is_asked_for(house: House) -> None:
    made = await house.api.made(INTEGRATIONS, new(credentials={"token": "u+token"}))
    answer = await house.api("POST", PATH, {"accept": True})
    assert answer.status == 202, answer.text
    assert answer.json["sweep"]["state"] in ("waiting", "running", "failed"), "nobody answers"
    crew = house.fleet.crew(made["id"])
    assert crew is not None
    assert crew.drift.accepted
    await house.fleet.dismiss(made["id"])
    assert (await house.api.found(PATH))["sweep"] is None


async def test_one_that_is_not_at_work_is_not_swept(house: House) -> None:
    await house.api.made(INTEGRATIONS, new(enabled=False))
    answer = await house.api("POST", PATH, {})
    assert "not at work" in answer.problem(409, "clash")
