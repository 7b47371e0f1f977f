"""`im integration dlq`: what imsync gave up on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import asyncclick as click

from imsync.cli.ask import agreed
from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, command, limit, yes
from imsync.cli.output import REFUSED, Output, how_many
from imsync.cli.table import Table, ago, cell, facts
from imsync.cli.working import working
from imsync.errors import NotFound
from imsync.harmless import prose

ALL = "all"


@command("dlq")
@click.argument("integration", type=NAME)
@click.option("--show", type=NAME, metavar="ID", help="Everything about one.")
@click.option("--retry", type=NAME, metavar="ID|all", help="Try again.")
@click.option("--discard", type=NAME, metavar="ID|all", help="Throw away.")
@limit
@yes
async def dlq(
    daemon: Daemon,
    /,
    integration: str,
    show: str | None,
    retry: str | None,
    discard: str | None,
    limit: int,
    yes: bool,
) -> Output:
    """List the dead letters of an integration; look at, retry or discard them.

    \b
    im integration dlq prod-pd
    im integration dlq prod-pd --retry all
    """
    if sum(value is not None for value in (show, retry, discard)) > 1:
        raise click.UsageError("--show, --retry and --discard exclude each other.")
    if show == ALL:
        raise click.UsageError("--show takes one id; without it all are listed.")
    if show:
        [letter] = await letters(daemon, integration, show)
        return describe(letter)
    if retry:
        found = await letters(daemon, integration, retry)
        return await send_again(daemon, found, one=retry != ALL)
    if discard:
        found = await letters(daemon, integration, discard)
        return await throw_away(daemon, found, one=discard != ALL, yes=yes)
    page = await daemon.items("integrations", integration, "dead-letters", limit=limit)
    return Output(page, [rows_of(page["items"])], note=how_many(page, "dead letters"))


async def letters(daemon: Daemon, /, integration: str, which: str) -> list[Json]:
    """The dead letter with that id, or all of them. Raises NotFound, also for another's id."""
    found = (await daemon.items("integrations", integration, "dead-letters"))["items"]
    if which == ALL:
        return list(found)
    named = [letter for letter in found if letter.get("id") == which]
    if not named:
        raise NotFound(
            f"{integration} has no dead letter {which!r}",
            hint=f"`im integration dlq {integration}` lists them",
        )
    return named


async def send_again(daemon: Daemon, /, found: list[Json], *, one: bool) -> Output:
    """The oldest first, as they came to be: of one incident they are applied in order."""
    answers = []
    async with working("trying again") as work:
        for each in reversed(found):
            with _gone_meanwhile(one=one):
                answers.append(await daemon.post("dead-letters", str(each["id"]), "retry"))
            work.tell(len(answers), len(found))
    text = [f"{cell(each['id'])} will be tried again" for each in answers]
    return Output(answers[0] if one else _items(answers), ["\n".join(text)], note=_none(found))


async def throw_away(daemon: Daemon, /, found: list[Json], *, one: bool, yes: bool) -> Output:
    if not found:
        return Output(_items([]), [], note=_none(found))
    what = f"the dead letter {cell(found[0]['id'])}" if one else f"all dead letters ({len(found)})"
    if not agreed(f"Discard {what}, for good?", yes=yes):
        return Output({"deleted": False}, [], note="nothing discarded", status=REFUSED)
    gone: list[Json] = []
    async with working("discarding") as work:
        for done, letter in enumerate(found, 1):
            with _gone_meanwhile(one=one):
                await daemon.delete("dead-letters", str(letter["id"]))
                gone.append({"id": letter["id"], "deleted": True})
            work.tell(done, len(found))
    text = [f"discarded {cell(letter['id'])}" for letter in gone]
    return Output(gone[0] if one else _items(gone), ["\n".join(text)])


@contextmanager
def _gone_meanwhile(*, one: bool) -> Iterator[None]:
    """Of all that there were, one may have been dealt with by somebody else."""
    try:
        yield
    except NotFound:
        if one:
            raise


def rows_of(found: list[Json]) -> Table:
    rows = [
        [
            *(cell(letter.get(name)) for name in ("id", "incident", "direction", "field")),
            cell(letter.get("attempts")),
            ago(letter.get("created_at")),
            reason(letter.get("error")),
        ]
        for letter in found
    ]
    return Table(["id", "incident", "way", "field", "tries", "given up", "error"], rows, cut=True)


def describe(letter: Json) -> Output:
    body = letter.get("body")
    told = letter.get("error")
    code = told.get("code") if isinstance(told, Mapping) else None
    shown = facts(
        {**letter, "error": reason(told), "code": code},
        *("id", "integration", "incident", "direction", "field", "attempts"),
        *("created_at", "error", "code", "hint"),
    )
    return Output(letter, [shown, prose(body) if isinstance(body, str) else ""])


def reason(error: Any) -> str:
    if not isinstance(error, Mapping):
        return cell(error)
    return cell(error.get("message") or error.get("code"))


def _items(found: list[Any]) -> Json:
    return {"items": found, "next_cursor": None}


def _none(found: list[Json]) -> str:
    return "" if found else "no dead letters"
