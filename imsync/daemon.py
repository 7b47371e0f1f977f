"""imsyncd: makes everything, connects it, runs it, puts it away."""

import asyncio
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random, SystemRandom

import aiohttp
import asyncclick as click

from imsync import __version__, config, listening, logs
from imsync.api import key
from imsync.api.caller import of_this_process
from imsync.api.context import Context
from imsync.config import Settings
from imsync.connectors import connect
from imsync.connectors.base import Connector, Limits
from imsync.core.fields import Instant
from imsync.core.offset import Offset
from imsync.engine.fleet import GRACE, Connects, Fleet
from imsync.engine.keeping import Keeping
from imsync.errors import UserError
from imsync.store import audit, forgetting, keys, lock, restoring
from imsync.store.audit import Action
from imsync.store.database import Connection, Database, DatabaseError, remedy
from imsync.store.integrations import Integration
from imsync.store.sealed import Rotated
from imsync.store.sealing import Column
from imsync.trial import Trial

log = logging.getLogger(__name__)

_ID_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def wall_clock() -> Instant:
    return Instant(time.time_ns() // 1_000_000)


def ids(rng: Random) -> Callable[[str], str]:
    """Makes ids that nobody can guess: 16 of 32 letters, 80 bits, behind a prefix."""
    return lambda prefix: prefix + "".join(rng.choice(_ID_LETTERS) for _ in range(16))


def outward() -> aiohttp.ClientSession:
    """What everything that is asked of others goes through. It keeps no cookies: nobody here needs
    any, and whoever answers could send them without end."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())


def connecting(session: aiohttp.ClientSession, now: Callable[[], Instant]) -> Connects:
    """Makes connectors that share one HTTP session and one clock."""

    def make(
        integration: Integration,
        *,
        heard: Callable[[Limits | None, Offset | None], None],
        priorities: dict[str, str],
    ) -> Connector:
        return connect(integration.integration_type)(
            session=session,
            base_url=integration.base_url,
            token=integration.token or "",
            from_email=integration.from_email,
            now=now,
            heard=heard,
            priority_id=priorities.get,
            priority_name=lambda id_: next((n for n, i in priorities.items() if i == id_), None),
        )

    return make


async def serve(
    settings: Settings, source: keys.Source, *, sandbox: bool, stop: asyncio.Event
) -> None:
    """Run the daemon until `stop` is set; then let what is in hand finish.

    Raises UserError where a person can put it right, and what a loop failed with.
    """
    now, rng = wall_clock, SystemRandom()

    def rotated(conn: Connection, done: Rotated) -> None:
        asking = of_this_process(Action.KEY_ROTATED)
        audit.append(conn, asking, key.told_of(done), now=now())

    async with AsyncExitStack() as stack:
        listening.private_folder(settings.database.parent)
        stack.enter_context(lock.held(settings.database))
        is_new = not source.read()
        with _usable(settings.database):
            db = await Database.open(settings.database, source, rotated=rotated)
        stack.push_async_callback(db.close)
        session = await stack.enter_async_context(outward())
        fleet = Fleet(
            db=db,
            connects=connecting(session, now),
            now=now,
            rng=rng,
            drift_interval=settings.drift_interval,
            sweep_interval=settings.sweep_interval,
            rate_limit_share=settings.rate_limit_share,
            max_attempts=settings.max_attempts,
        )
        stack.push_async_callback(fleet.stop)
        context = Context(
            db=db,
            fleet=fleet,
            now=now,
            new_id=ids(rng),
            database=settings.database,
            started_at=now(),
            public_url=settings.public_url,
            socket=settings.socket,
        )
        context.listen = await stack.enter_async_context(listening.listening(context, settings))
        if sandbox:
            trial = Trial(session=session, now=now, rng=rng, database=settings.database)
            stack.push_async_callback(trial.sandbox.stop)
            await trial.start()
            deliveries = asyncio.create_task(trial.sandbox.run(), name="sandbox")
            stack.callback(deliveries.cancel)
            await trial.set_up(db, fleet, new_id=context.new_id, listen=context.listen)
            context.sandbox = trial.describe
        await fleet.start()
        if is_new:
            log.info("made the key %s: keep a copy of it elsewhere", source.place)
        _say(settings, context)
        await _until(stop, fleet, Keeping(db, now, settings.retention))
        log.info("stopping: what is in hand has %.0f s; Ctrl-C does not wait for it", GRACE)


def _keep_to_ourselves() -> None:
    """No file that we make is for others, however we were started; a crash makes none at all."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def _usable(database: Path) -> Iterator[None]:
    """What a database fails with inside is for a person to put right."""
    try:
        yield
    except (DatabaseError, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        what = filter(None, [remedy(error), "set `database` to another path"])
        raise UserError(
            f"cannot use the database {database}: {said}", hint=", or ".join(what)
        ) from error


async def _until(stop: asyncio.Event, fleet: Fleet, keeping: Keeping) -> None:
    """Until told to stop; raises what a loop failed with."""
    told = {asyncio.create_task(stop.wait())}
    ends = {asyncio.create_task(fleet.run()), asyncio.create_task(keeping.run(), name="keeping")}
    done, going = await asyncio.wait(told | ends, return_when=asyncio.FIRST_COMPLETED)
    for task in going:
        task.cancel()
    await asyncio.wait(going)
    for task in done & ends:
        task.result()


def _say(settings: Settings, context: Context) -> None:
    print(f"imsyncd {__version__} listens on http://{context.listen} and {settings.socket}")
    if context.sandbox is not None:
        sandbox = context.sandbox()
        print(
            f"a PagerDuty sandbox is at {sandbox['url']}; "
            f"act there with `Authorization: Token token={sandbox['token']}`"
        )
    sys.stdout.flush()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "path", type=click.Path(path_type=Path), help="The settings' file.")
@click.option("--sandbox", is_flag=True, help="Also start a PagerDuty sandbox, set up with it.")
@click.option("--check", is_flag=True, help="Validate the settings, and exit.")
@click.option(
    "--forget-secrets", is_flag=True, help="Forget what was sealed with a lost key, and exit."
)
@click.option(
    "--restore",
    "copy",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Put a copy that `im backup` made in the database's place, and exit.",
)
@click.version_option(__version__, prog_name="imsyncd")
async def command(
    path: Path | None, sandbox: bool, check: bool, forget_secrets: bool, copy: Path | None
) -> None:
    """Keep incidents in step between this host's platform and PagerDuty, both ways.

    Example: imsyncd --sandbox
    """
    settings = config.load(path, os.environ)
    source = keys.of(
        settings.database, file=settings.key_file, variable=os.environ.get(keys.VARIABLE)
    )
    source.read()  # one that cannot be used is a bad setting, whatever is to be done
    if check:
        print("the settings are good")
        file = config.file_of(path, os.environ)
        sources = [str(file) if file else "no file", *config.variables_of(os.environ)]
        print(f"they come from {', '.join(sources)}, and the defaults")
        return
    _keep_to_ourselves()
    if forget_secrets:
        _forget_secrets(settings.database, source)
        return
    if copy is not None:
        _restore(settings.database, copy)
        return
    logs.set_up(settings.log_level, settings.log_format)
    stop = asyncio.Event()
    _let_signals(stop)
    await serve(settings, source, sandbox=sandbox, stop=stop)


def _let_signals(stop: asyncio.Event) -> None:
    """A service manager's, a terminal's end (unless under nohup), and Ctrl-C: `stop`.

    Another Ctrl-C ends it at once, which loses nothing that a crash would not.
    """
    loop = asyncio.get_running_loop()

    def heard() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, heard)


def _forget_secrets(database: Path, source: keys.Source) -> None:
    """Say what was forgotten, a line each, and what gives it anew."""
    with _usable(database), lock.held(database):
        asking = of_this_process(Action.FORGOTTEN)
        forgotten = forgetting.forget(database, source, now=wall_clock(), asking=asking)
    if not forgotten:
        print("nothing is forgotten: every token and signing secret can be read")
    for one in forgotten:
        anew = {
            Column.TOKEN: f"im integration configure {one.slug} --token-file FILE",
            Column.SECRET: f"im integration webhook rotate {one.slug}",
        }
        what = forgetting.SETTING[one.column]
        print(f"forgot a {what} of {one.slug}: `{anew[one.column]}` gives it one")


def _restore(database: Path, copy: Path) -> None:
    listening.private_folder(database.parent)
    with lock.held(database):
        now, asking = wall_clock(), of_this_process(Action.BACKUP_RESTORED)
        stamp = f"{datetime.fromtimestamp(now / 1000, UTC):%Y%m%dT%H%M%SZ}"
        found = restoring.restore(database, copy, stamp=stamp, now=now, asking=asking)
    many = "1 incident" if found.incidents == 1 else f"{found.incidents:,} incidents"
    print(f"{database} is what {copy} was: {many}")
    if found.before is not None:
        print(f"what was there before is {found.before} now")


def main() -> None:
    """The entry of `imsyncd`: exits with 0, 1 when it could not run, or 2 for its arguments."""
    try:
        sys.exit(asyncio.run(command.main(standalone_mode=True)))
    except UserError as error:
        for line in str(error).splitlines():
            print(f"imsyncd: {line}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        sys.exit(1)
    except DatabaseError as error:
        # Half a daemon would look healthy and keep nothing. All that it had said yes to is kept.
        print(f"imsyncd: stopped, for the database failed: {error}", file=sys.stderr)
        what = remedy(error) or "it is a bug in imsync: see its log"
        print(f"hint: {what}; then start imsyncd again", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
