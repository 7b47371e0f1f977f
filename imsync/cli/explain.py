"""`im explain`: why a field is what it is."""

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.conflict import rule_of, sides
from imsync.cli.options import FIELD, NAME, command
from imsync.cli.output import Output
from imsync.cli.table import Block, cell, facts
from imsync.harmless import prose


@command("explain")
@click.argument("incident", type=NAME)
@click.argument("field", type=FIELD)
@click.option("--integration", type=NAME, help="Where it is linked in several.")
async def explain(daemon: Daemon, /, incident: str, field: str, integration: str | None) -> Output:
    """Say why a field of an incident is what it is: who set it, what decided, what lost.

    \b
    im explain INC-1 title
    """
    found = await daemon.get("incidents", incident, "explain", field, integration=integration)
    text: list[Block] = [told(found)]
    for one in [found, *(found.get("others") or [])]:
        if one is not found:
            text.append(f"in {cell(one.get('integration'))}: {told(one)}")
        text += [
            sides({**one, "platform": found.get("platform")}),
            facts({**one, **rule_of(one)}, "integration", "state", "rule", "confirmed_at"),
        ]
    return Output(found, text)


def told(found: Json) -> str:
    """The story, a sentence a line."""
    return prose("\n".join(str(sentence) for sentence in found.get("story") or []))
