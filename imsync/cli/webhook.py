"""`im integration webhook`: the subscription that has PagerDuty tell imsync what happens."""

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.health import took_ms
from imsync.cli.options import NAME, command, given
from imsync.cli.output import DONE, UNHEALTHY, Output
from imsync.cli.table import Block, cell, facts, when
from imsync.cli.working import ASKING, working
from imsync.harmless import harmless

public_url = click.option(
    "--public-url", metavar="URL", help="How PagerDuty reaches the daemon. [its `public_url`]"
)
show_secret = click.option(
    "--show-secret", is_flag=True, help="Print its signing secret, this once."
)


@command("install")
@click.argument("integration", type=NAME)
@public_url
@show_secret
async def install(
    daemon: Daemon, /, integration: str, public_url: str | None, show_secret: bool
) -> Output:
    """Have PagerDuty send its webhooks here, and keep their secret.

    Doing it twice changes nothing. The secret stays with the daemon; it is shown to
    whoever asks for it when it is made, and never again.

    \b
    im integration webhook install prod-pd --public-url https://incidents.example.com
    """
    body = _body(public_url, show_secret=show_secret)
    async with working(ASKING):
        return done(await daemon.post("integrations", integration, "webhook", body=body))


@command("rotate")
@click.argument("integration", type=NAME)
@public_url
@show_secret
async def rotate(
    daemon: Daemon, /, integration: str, public_url: str | None, show_secret: bool
) -> Output:
    """Put a new subscription with a new secret in the place of the present one.

    The new one is made before the old one is deleted: nothing is missed. The old
    secret is good for another ten minutes.

    \b
    im integration webhook rotate prod-pd
    """
    body = _body(public_url, show_secret=show_secret)
    async with working(ASKING):
        return done(await daemon.post("integrations", integration, "webhook", "rotate", body=body))


@command("show")
@click.argument("integration", type=NAME)
async def show(daemon: Daemon, /, integration: str) -> Output:
    """Show how the subscription was when it was last looked at: every minute.

    \b
    im integration webhook show prod-pd
    """
    found = await daemon.get("integrations", integration, "webhook")
    return Output(found, described(found))


@command("ping")
@click.argument("integration", type=NAME)
async def ping(daemon: Daemon, /, integration: str) -> Output:
    """Have PagerDuty send a ping, and see whether it arrives. Exits 5 if it does not.

    \b
    im integration webhook ping prod-pd
    """
    async with working("waiting for a ping"):
        found = await daemon.post("integrations", integration, "webhook", "ping")
    said = [harmless(str(found.get("detail") or ""))]
    if found.get("hint"):
        said.append(harmless(f"hint: {found['hint']}"))
    return Output(found, ["\n".join(said)], status=DONE if found.get("arrived") else UNHEALTHY)


@command("enable")
@click.argument("integration", type=NAME)
async def enable(daemon: Daemon, /, integration: str) -> Output:
    """Let a disabled subscription deliver again, and look for what it has missed.

    The daemon does so by itself within a minute.

    \b
    im integration webhook enable prod-pd
    """
    async with working(ASKING):
        found = await daemon.post("integrations", integration, "webhook", "enable")
    return Output(found, described(found))


def _body(public_url: str | None, *, show_secret: bool) -> Json:
    return given(public_url=public_url, show_secret=show_secret or None)


def done(found: Json) -> Output:
    """What was done, and the subscription as it now is."""
    text: list[Block] = [harmless(str(found.get("detail") or ""))]
    note = ""
    if found.get("secret"):
        text.append(facts(found, "secret"))
    elif "secret" in found:
        note = "its secret was shown when it was made, and is not shown again"
    return Output(found, [*text, *described(found)], note=note)


def described(found: Json) -> list[Block]:
    """The subscription: what it is, how it has been, and what is amiss."""
    counts = {
        "disabled": times(found, "times_disabled", "disabled_at"),
        "enabled": times(found, "times_enabled", "enabled_at"),
    }
    if isinstance(took := found.get("lag"), dict) and took.get("count"):
        counts["deliveries_take"] = (
            f"{took_ms(took.get('p50_ms'))} (p50), {took_ms(took.get('p99_ms'))} (p99)"
        )
    if found.get("replaced"):
        counts["to_be_deleted"] = ", ".join(map(cell, found["replaced"]))
    names = [
        *("integration", "subscription_id", "state", "because", "url", "webhook_url"),
        *("points_here", "made_by", "knows_secret", "secrets_in_force", "installed_at"),
        *("checked_at", "disabled", "enabled", "to_be_deleted", "last_delivery_at"),
        *("deliveries_take", "refused_signatures"),
    ]
    if not found.get("because"):
        names.remove("because")
    problems = [harmless(f"problem: {problem}") for problem in found.get("problems") or []]
    return [facts({**found, **counts}, *names), "\n".join(problems)]


def times(found: Json, count: str, last: str) -> str:
    """How often something happened, and when it last did."""
    many = found.get(count)
    if not many:
        return "never"
    often = "once" if many == 1 else f"{cell(many)} times"
    return f"{often}, last at {when(found[last])}" if found.get(last) else often
