"""What the order manager may do, said by a person: halt, reduce, resume."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: FBT002

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import out, print_json
from cluster.cli.world import world

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.ports import DeskClient

Why = Annotated[str, typer.Option(help="Goes into the journal.")]


def halt(context: typer.Context, why: Why = "by hand", desk: DeskNumber = None, as_json: Json = False) -> None:
    """No new orders, whatever is restarted, until resume; exit-all still works."""
    _say(context, desk, lambda client: client.halt(why), as_json=as_json)


def reduce(context: typer.Context, why: Why = "by hand", desk: DeskNumber = None, as_json: Json = False) -> None:
    """Exits only, whatever is restarted, until resume."""
    _say(context, desk, lambda client: client.reduce(why), as_json=as_json)


def resume(context: typer.Context, desk: DeskNumber = None, as_json: Json = False) -> None:
    """Trade again; says so if something else still stands against it."""
    _say(context, desk, lambda client: client.resume(), as_json=as_json)


def _say(context: typer.Context, desk: int | None, ask: Callable[[DeskClient], str], *, as_json: bool) -> None:
    with world(context).connect(desk) as client:
        state = ask(client)
    if as_json:
        print_json({"oms_state": state})
    else:
        out().print(f"oms {state}")


COMMANDS = {"halt": halt, "reduce": reduce, "resume": resume}
"""By the name a person types."""
