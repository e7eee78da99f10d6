"""Every command, thin: read the options, call one function, print."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.app import (
    NotMigrated,
    make_server,
    run_workers,
    running_gateway,
    serve_until_signal,
)
from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Role
from gateway.cli.demo import DemoOptions, run_demo
from gateway.cli.doctor import examine
from gateway.cli.watch import watch_wallet
from gateway.clock import system_clock
from gateway.database import close_database, migrate, migration_names, open_database
from gateway.ledger.verify import verify
from gateway.local_postgres import LocalPostgresError
from gateway.logs import configure_logs
from gateway.settings import Settings, SettingsError, load_settings
from resolvers.root import schema
from schema.printing import printed

T = TypeVar("T")

app = typer.Typer(
    help="GraphQL gateway for white-label credit wallets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = Console()
_err = Console(stderr=True)


def main() -> None:
    """Run the command that the arguments name; a foreseen failure is one sentence, not a trace."""
    try:
        app()
    except (SettingsError, NotMigrated, LocalPostgresError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"Rebill cannot go on: {error}")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes one.")] = None,
) -> None:
    """Run a gateway until SIGTERM or Ctrl-C."""
    chosen = {"host": host, "port": port}
    settings = _settings(**{name: value for name, value in chosen.items() if value is not None})

    async def run() -> None:
        async with running_gateway(settings) as gateway:
            await serve_until_signal(make_server(gateway))

    _run(run())


@app.command()
def worker() -> None:
    """Run the background work alone, beside gateways with REBILL_WORKERS_IN_PROCESS=false."""
    settings = _settings()

    async def run() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        work = asyncio.ensure_future(run_workers(settings))
        waiting = asyncio.ensure_future(stopped.wait())
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if work.done():
            work.result()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    _run(run())


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database up to date; safe in several processes at once."""
    settings = _settings()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=_err,
    ) as progress:
        task = progress.add_task("Looking", total=len(migration_names()))

        def show(event: str, _app: str, name: str) -> None:
            if event == "apply_start":
                progress.update(task, description=name)
            elif event == "apply_done":
                progress.advance(task)

        _run(migrate(settings.database_url.get_secret_value(), progress=show))
        progress.update(task, description="Up to date", completed=len(migration_names()))


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the gateway; 0 takes a free one.")] = 8000,
    data_dir: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path(
        ".rebill/demo"
    ),
    reset: Annotated[bool, typer.Option("--reset", help="Forget earlier data first.")] = False,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Let the clients spend, so that balances move.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready, nothing else.")
    ] = False,
) -> None:
    """Start PostgreSQL, a local Stripe, the gateway and an agency with clients to play with."""
    options = DemoOptions(
        port=port, data_dir=data_dir.absolute(), reset=reset, simulate=simulate, as_json=as_json
    )
    _run(run_demo(options, _out))


@app.command()
def watch(
    wallet: Annotated[str, typer.Argument(help="Id of the wallet, wal_….")],
    url: Annotated[str, typer.Option(envvar="REBILL_URL", help="GraphQL address.")] = (
        "http://127.0.0.1:8000/graphql"
    ),
    token: Annotated[str | None, typer.Option(envvar="REBILL_TOKEN", help="Bearer token.")] = None,
    data_dir: Annotated[Path, typer.Option(help="The demo's data; its token is used.")] = Path(
        ".rebill/demo"
    ),
    after: Annotated[int | None, typer.Option(help="Resume after this version.")] = None,
) -> None:
    """Print a wallet's balance whenever it changes."""
    _run(watch_wallet(_out, wallet=wallet, url=url, token=token, data_dir=data_dir, after=after))


@app.command()
def token(
    role: Annotated[Role, typer.Argument(help="ADMIN, OWNER, STAFF, BILLING or MEMBER.")],
    subject: Annotated[str, typer.Option(help="Who it is for.")] = "command-line",
    agency: Annotated[str | None, typer.Option(help="Agency id.")] = None,
    sub_account: Annotated[str | None, typer.Option(help="Sub-account id.")] = None,
    minutes: Annotated[int, typer.Option(min=1, max=43_200, help="Life of the token.")] = 60,
) -> None:
    """Sign a token; only where the gateway itself holds the secret (HS256)."""
    settings = _settings()
    if settings.token_secret is None:
        _fail("This gateway checks tokens with published keys; only their owner can sign one.")
    signed = Tokens(settings, system_clock).sign(
        subject=subject,
        role=role,
        agency_id=agency,
        sub_account_id=sub_account,
        lifetime=timedelta(minutes=minutes),
    )
    sys.stdout.write(signed + "\n")


@app.command("schema")
def schema_command() -> None:
    """Print the public schema."""
    sys.stdout.write(printed(schema))


@app.command("verify")
def verify_command(
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Recompute the whole ledger; exit code 1 names the first wrong row of each wallet."""
    settings = _settings()

    async def run() -> list[dict[str, Any]]:
        await open_database(settings.database_url.get_secret_value(), pool_size=4)
        try:
            return [finding.as_dict() for finding in await verify()]
        finally:
            await close_database()

    findings = _run(run())
    if as_json:
        sys.stdout.write(json.dumps(findings) + "\n")
    for finding in findings if not as_json else []:
        _out.print(f"[red]✗[/] {finding['table']} {finding['id']}: {finding['what']}")
    if not findings and not as_json:
        _out.print("[green]✓[/] Every row of the ledger is as it was written.")
    raise typer.Exit(code=1 if findings else 0)


@app.command()
def doctor() -> None:
    """Check the surroundings; each failure comes with its fix."""
    settings = _settings()
    results = _run(examine(settings))
    for result in results:
        mark = "[green]✓[/]" if result.passed else "[red]✗[/]"
        _out.print(f"{mark} {result.name}: {result.detail}", highlight=False)
        if not result.passed:
            _out.print(f"  [bold]Fix:[/] {result.fix}", highlight=False)
    raise typer.Exit(code=0 if all(result.passed for result in results) else 1)


def _settings(**values: object) -> Settings:
    settings = load_settings(**values)
    configure_logs(settings)
    return settings


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _fail(message: str) -> NoReturn:
    _err.print(message, style="red", highlight=False, markup=False)
    raise SystemExit(2)
