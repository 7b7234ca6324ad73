"""Options that several commands share."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.ports import DESKS
from core.errors import UnknownDate


def desk_option(text: str, **more: Any) -> Any:
    """`--desk`, whatever it is of a command: a number there can be."""
    return typer.Option("--desk", min=0, max=DESKS - 1, help=text, **more)


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DeskNumber = Annotated[int | None, desk_option("Desk number; if not given the only one running, of several desk 0.")]
AnyDesk = Annotated[
    int | None, desk_option("Desk number, running or not; if not given the only one running, else desk 0.")
]
NewDesk = Annotated[int, desk_option("Desk number; desk 0 has the page on port 8000.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file instead of vikalp.yaml.", show_default=False)
]


def parse_day(text: str, option: str) -> dt.date:
    """The day that `option` was given; raises UnknownDate for what is none."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UnknownDate(f"{option}: expected a day such as 2026-12-01, was {text!r}") from None
