"""What the order manager may do, said by a person: halt, reduce, resume."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: FBT002

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import FAILURE, out, print_json, print_problem
from cluster.cli.screen import killed_line, killed_of
from cluster.cli.world import world

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.ports import DeskClient

Why = Annotated[str, typer.Option(help="Goes into the journal.")]


def halt(context: typer.Context, why: Why = "by hand", desk: DeskNumber = None, as_json: Json = False) -> None:
    """No new orders, whatever is restarted, until resume; exit-all still works."""
    _say(context, desk, "HALTED", lambda client: client.halt(why), as_json=as_json)


def reduce(context: typer.Context, why: Why = "by hand", desk: DeskNumber = None, as_json: Json = False) -> None:
    """Exits only, whatever is restarted, until resume; exits with 1 while not even these are sent."""
    _say(context, desk, "REDUCING", lambda client: client.reduce(why), as_json=as_json)


def resume(context: typer.Context, desk: DeskNumber = None, as_json: Json = False) -> None:
    """Trade again; exits with 1 while something else still stands against it, and says what or where to look."""
    _say(context, desk, "ACTIVE", lambda client: client.resume(), as_json=as_json)


def _say(
    context: typer.Context, desk: int | None, asked: str, ask: Callable[[DeskClient], str], *, as_json: bool
) -> None:
    """The state there is then, before anything else is asked; where that is not the one asked for, what to do."""
    with world(context).connect(desk) as client:
        state = ask(client)
        if as_json:
            print_json({"oms_state": state})
        else:
            out().print(f"oms {state}")
        if state == asked:
            return
        switch = killed_of(client)
    if switch is not None:
        print_problem(killed_line(switch), "Killed", as_json=as_json)
    else:
        why = (
            f"it is {state}, not {asked}: something else stands against that; vikalp status shows what, in its alerts."
        )
        unkept = (
            "; if that is the ledger and the order manager restarts before, say it again" if asked == "ACTIVE" else ""
        )
        print_problem(
            f"{why} It turns {asked} by itself once that is over, unless you halt it{unkept}",
            "Stricter",
            as_json=as_json,
        )
    raise typer.Exit(FAILURE)


COMMANDS = {"halt": halt, "reduce": reduce, "resume": resume}
"""By the name a person types."""
