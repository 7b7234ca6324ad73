"""A desk's life: up, down, status, doctor, env."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.foreground import Ended, run, signals_end
from cluster.cli.options import Config, DeskNumber, Json, NewDesk
from cluster.cli.out import out, print_json, say
from cluster.cli.screen import actors_table, alerts_table, header, killed_of
from cluster.cli.world import world
from cluster.facts import install_facts

if TYPE_CHECKING:
    from cluster.doctor import Check
    from cluster.settings import Settings


def up(
    context: typer.Context,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when the desk is ready and leave it running.")
    ] = False,
    desk: NewDesk = 0,
    config: Config = None,
    live: Annotated[
        bool, typer.Option("--live", help="Yes, send real orders to the account: asked for beside kite.orders.")
    ] = False,
) -> None:
    """Start a desk; in the foreground until Ctrl-C unless --detach."""
    install_facts()
    w = world(context)
    settings = w.load(config)
    if settings.market.source == "kite":
        _unlock(settings, live=live)
    try:
        with signals_end() as told:
            run(w, settings, desk, told, detach=detach)
    except Ended as ended:
        # Ctrl-C is how a foreground desk is meant to end; a start that was broken off is no success.
        raise typer.Exit(0 if told.came_up else ended.exit_code) from None
    if not detach:
        return
    state = w.state(desk)
    say(f"it goes on in the background; its log is {state.log_path}; end it: vikalp down --desk {desk}")


def _unlock(settings: "Settings", *, live: bool) -> None:
    """The passphrase of the stored login, typed here or in the environment, for the desk's processes alone."""
    from cluster.account import login_path
    from cluster.settings import PASSPHRASE
    from core.errors import ConfigError
    from storage.secrets import kind_at

    if settings.mode == "LIVE" and not live:
        raise ConfigError("kite.orders is true: these are real orders with real money; say it again: vikalp up --live")
    if kind_at(login_path(settings.kite.root)) == "passphrase" and not os.environ.get(PASSPHRASE):
        os.environ[PASSPHRASE] = typer.prompt("passphrase of the stored login", hide_input=True, err=True)


def down(
    context: typer.Context,
    desk: DeskNumber = None,
    if_running: Annotated[bool, typer.Option("--if-running", help="No error where no such desk is running.")] = False,
) -> None:
    """End a desk and every process it started; exit code 1 when something of it was lost or left undone."""
    from cluster.state import NotRunningError

    try:
        for step in world(context).down(desk):
            say(f"{step.seconds:6.1f} s  {step.text}")
    except NotRunningError as error:
        if not if_running:
            raise
        say(str(error))


def status(context: typer.Context, desk: DeskNumber = None, as_json: Json = False) -> None:
    """What runs, in which state, and for how long it has done nothing."""
    w = world(context)
    state = w.state(desk)
    with w.connect(desk) as client:
        found, killed = client.status(), killed_of(client)
    if state.step != "ready":
        say(f"desk {state.desk}: {state.step}")
    if as_json:
        urls = {"page": state.page_url, "dashboard": state.dashboard_url, "client": state.client_url}
        if state.mode == "SIMULATED" and "exchange" in state.ports:
            urls["exchange"] = f"http://127.0.0.1:{state.ports['exchange']}"
        print_json(
            {
                "status": found,
                "killed": killed,
                "urls": urls,
                "session_id": state.session_id,
                "data_dir": state.data_dir,
            }
        )
        return
    out().print(
        header(found, state, killed),
        actors_table(found, found.actors),
        *([alerts_table(found)] if found.alerts else []),
    )


def doctor(context: typer.Context, desk: NewDesk = 0, config: Config = None, as_json: Json = False) -> None:
    """Can this machine run a desk? Says what was found and what to do; exit code 1 when it cannot."""
    from cluster.doctor import examine, probe, with_ledger

    settings = world(context).load(config)
    checks = examine(with_ledger(probe(desk), settings.ledger.dsn))
    if as_json:
        print_json({"desk": desk, "ok": all(c.outcome != "fail" for c in checks), "checks": checks})
    else:
        out().print(f"for desk {desk}; --desk N looks at the ports of another")
        _print_checks(checks)
    if any(check.outcome == "fail" for check in checks):
        raise typer.Exit(1)


def env(context: typer.Context, desk: DeskNumber = None) -> None:
    """Print what other programs need to reach a desk: eval "$(vikalp env)"."""
    from cluster.environment import lines

    for line in lines(world(context).state(desk)):
        print(line)


def _print_checks(checks: "list[Check]") -> None:
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    table = Table(box=None, pad_edge=False)
    for column in ("", "check", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for check in checks:
        cells = (check.name, check.found, check.todo)
        table.add_row(Text(check.outcome, style=colours[check.outcome]), *(Text(cell) for cell in cells))
    out().print(table)


COMMANDS = {"up": up, "down": down, "status": status, "doctor": doctor, "env": env}
