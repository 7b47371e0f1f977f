"""How commands are declared: the options all of them take, and the words some choose from."""

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec

import asyncclick as click
from asyncclick.exceptions import NoSuchCommand

from imsync.cli.client import Daemon
from imsync.cli.output import Output
from imsync.cli.session import Session
from imsync.errors import did_you_mean

if TYPE_CHECKING:
    from asyncclick.shell_completion import CompletionItem

P = ParamSpec("P")

ASKED_FOR = "asked"
"""The type of a completion that stands for what the daemon has to be asked."""


class Word(click.Choice[str]):
    """One of a few words, in any case; shown as it is spelled here. A near miss is told which."""

    def __init__(self, *words: str) -> None:
        super().__init__(words)

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:  # noqa: ARG002 - asyncclick's
        said = str(choice)
        return next((word for word in self.choices if word.lower() == said.lower()), said)

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        message = super().get_invalid_choice_message(value, ctx)
        meant = did_you_mean(str(value), self.choices)
        return f"{message} {meant[0].upper()}{meant[1:]}" if meant else message

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - asyncclick's
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list["CompletionItem[str]"]:
        from asyncclick.shell_completion import CompletionItem

        begun = incomplete.lower()
        return [CompletionItem(word) for word in self.choices if word.lower().startswith(begun)]

    def fail(
        self,
        message: str,
        param: click.Parameter | None = None,
        ctx: click.Context | None = None,
    ) -> NoReturn:
        if isinstance(param, click.Argument):  # its usual name here would be all its words
            raise click.BadParameter(message, ctx=ctx, param_hint=f"{param.name}".upper())
        super().fail(message, param, ctx)


SEVERITY = Word("SEV-1", "SEV-2", "SEV-3", "SEV-4")
STATUS = Word("open", "mitigated", "resolved", "closed")
STRATEGY = Word("last-write-wins", "ownership-priority", "manual-review")
DIRECTION = Word("inbound", "outbound", "bidirectional", "none")
FORMAT = Word("table", "json")
SCOPE = Word("read", "write", "admin")
SIDE = Word("platform", "external")
FIELD = Word("title", "description", "severity", "status", "assigned_to", "escalation_policy")
CONFLICT_STATUS = Word("pending", "resolved", "ignored")


class Whole(click.IntRange):
    """asyncclick would say that `x` is not a valid integer range."""

    name = "whole number"


class Factor(click.FloatRange):
    name = "number"


class Name(click.ParamType[str]):
    """An id, name or slug: never empty, and never a step in a path."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value.strip() in ("", ".", ".."):
            self.fail(f"{value!r} names nothing.", param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list["CompletionItem[str]"]:
        """Only the daemon knows: what is to be asked of it, in the place of the answer."""
        from asyncclick.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type=ASKED_FOR, kind=param.name, ctx=ctx)]


class File(click.ParamType[str]):
    """The name of a file, or `-` for standard input."""

    name = "file"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - asyncclick's
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list["CompletionItem[str]"]:
        from asyncclick.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Duration(click.ParamType[int]):
    """A number and a unit, in seconds: 90d."""

    name = "duration"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([1-9][0-9]{0,6})([mhdw])", value.strip().lower())
        if not found:
            self.fail(
                f"{value!r} is not a duration: give minutes, hours, days or weeks, such as 90d.",
                param,
                ctx,
            )
        return int(found[1]) * _SECONDS[found[2]]


NAME, FILE, DURATION = Name(), File(), Duration()


class Everywhere(click.Option):
    """An option that every command takes, before and after its name. The last one given counts."""

    def __init__(self, flag: str, to: str, **attrs: Any) -> None:
        super().__init__([flag, to], expose_value=False, callback=_remember, **attrs)


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None and param.name:
        setattr(ctx.ensure_object(Session), param.name, value)


def everywhere() -> list[click.Parameter]:
    return [
        Everywhere(
            "--socket", "socket", metavar="PATH", help="The daemon's socket. [IMSYNC_SOCKET]"
        ),
        Everywhere("--as", "by", metavar="EMAIL", help="Who makes the edit. [IMSYNC_AS]"),
        Everywhere("--format", "format", type=FORMAT, help="How to print."),
    ]


class Command(click.Command):
    """A command. Its help shows its own options first."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.params = [*self.params, *everywhere()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        params = self.get_params(ctx)
        for title, common in (("Options", False), ("Global options", True)):
            shown = [param for param in params if isinstance(param, Everywhere) is common]
            records = [record for param in shown if (record := param.get_help_record(ctx))]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Group(Command, click.Group):
    """Commands about one noun, in the order they are given. Named alone, it shows them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - asyncclick's
        return list(self.commands)

    async def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A command of another noun is told where it is."""
        try:
            return await super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            places = places_of(args[0], ctx.find_root().command)
            if not places:
                raise
            listed = ", ".join(f"`{place}`" for place in places)
            told = f"{error.message} There is {listed}."
            raise NoSuchCommand(args[0], told, ctx=ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


def places_of(name: str, within: click.Command, *path: str) -> list[str]:
    """Every command of that name, as it is typed."""
    here = (*path, within.name or "")
    found = [" ".join(here)] if path and name == within.name else []
    for below in within.commands.values() if isinstance(within, click.Group) else ():
        found += places_of(name, below, *here)
    return found


def group(name: str, says: str, commands: Sequence[click.Command], **attrs: Any) -> Group:
    return Group(name, help=says, commands=list(commands), **attrs)


def command(
    name: str,
) -> Callable[[Callable[Concatenate[Daemon, P], Awaitable[Output]]], click.Command]:
    """Make a command of a function that asks the daemon and says what it found.

    Goes outermost: the options below it become the function's arguments.
    """

    def make(function: Callable[Concatenate[Daemon, P], Awaitable[Output]]) -> click.Command:
        @wraps(function)
        async def run(*args: P.args, **options: P.kwargs) -> Output:
            session = click.get_current_context().ensure_object(Session)
            return await function(session.daemon(), *args, **options)

        return click.command(name, cls=Command)(run)

    return make


limit = click.option(
    "--limit",
    type=Whole(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="At most so many.",
)
yes = click.option("--yes", is_flag=True, help="Do not ask.")


def given(**values: object) -> dict[str, Any]:
    """Those of `values` that the command line named."""
    return {name: value for name, value in values.items() if value is not None}
