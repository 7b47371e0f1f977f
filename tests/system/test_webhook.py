"""The subscription looked after by a real daemon: what its loop finds when it starts."""

from tests.system.world import World, eventually

HOOKS = "/webhook_subscriptions"


def test_what_was_switched_off_while_nobody_looked_is_on_again_and_nothing_is_missed(
    world: World,
) -> None:
    world.start_pagerduty()
    world.start()
    world.json(
        "integration", "configure", "--name", "Production PagerDuty", "--type", "pagerduty",
        "--base-url", world.sandbox["url"], "--token", world.sandbox["token"],
        "--from-email", world.sandbox["from_email"],
        "--default-service", world.sandbox["default_service"],
    )  # fmt: skip
    made = world.json("integration", "webhook", "install", "prod-pd")
    assert made["made"] is True
    world.json("declare", "--sev", "SEV-2", "--title", "Checkout down")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")

    path = f"{HOOKS}/{made['subscription_id']}"
    world.there("PUT", path, {"webhook_subscription": {"active": False}})
    world.kill()
    world.act(world.all_there()[0]["id"], title="Checkout gone")
    world.start()

    def active() -> bool:
        return bool(world.there("GET", path)["webhook_subscription"]["active"])

    eventually(active, True, "whether it is on")
    eventually(lambda: world.here("title"), "Checkout gone", "the title here")
    shown = world.json("integration", "webhook", "show", "prod-pd")
    assert (shown["times_disabled"], shown["times_enabled"]) == (1, 1)
    assert shown["problems"] == []
