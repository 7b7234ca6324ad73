"""What risk allows and how much of it is used: limits, limits set."""

# A command's options are its parameters, and a flag is a boolean.
# ruff: noqa: FBT002, PLR0917

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from cluster.cli.columns import Column, Fit
from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import out, print_json, say
from cluster.cli.plans import value_of
from cluster.cli.world import world
from core.errors import DeskError, InputError
from gateway.format import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.ports import DeskClient
    from core.records import LimitUse

WARN_SHARE = 0.8  # of a limit, from which on it is a warning
Action = Annotated[
    Literal["set"] | None,
    typer.Argument(help="Nothing: how much of each is used; set: change fields of them.", show_default=False),
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(help="For set: NAME.FIELD=VALUE, such as order_size.max_lots=10; any number.", show_default=False),
]


def limits(
    context: typer.Context,
    action: Action = None,
    changes: Changes = None,
    why: Annotated[str, typer.Option(help="For set: goes into the journal with your name.")] = "",
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """How much of limits and order budget is used; `limits set NAME.FIELD=VALUE … --why WHY` changes limits now."""
    asked = _asked(changes or [], why) if action == "set" else {}
    with world(context).connect(desk) as client:
        if asked:
            client.set_limits(asked, getpass.getuser(), why.strip())
        found = [*client.limits(), *_budget(client)]
    if as_json:
        print_json(found)
    else:
        out().print(limits_table(found) if found else "no limits")


def _budget(client: DeskClient) -> Sequence[LimitUse]:
    """The order manager's own; while it is away risk's limits are shown without, and it is said."""
    try:
        return client.budget()
    except DeskError as error:
        say(f"without the order budget: {error}")
        return ()


def limits_table(found: Sequence[LimitUse]) -> Fit:
    """One row a limit, in its own unit; amber from 80 % on, red where nothing is left."""
    return Fit([
        Column(name="limit", left=True, cells=[use.limit for use in found]),
        Column(name="used", cells=[number(use.used) for use in found]),
        Column(name="allowed", cells=[number(use.allowed) for use in found]),
        Column(name="unit", left=True, rank=1, cells=[use.unit for use in found]),
        Column(name="share", cells=[_share(use) for use in found]),
    ])  # fmt: skip


def _share(use: LimitUse) -> Text:
    share = use.used / use.allowed if use.allowed > 0 else 0.0
    return Text(f"{share:.0%}", "bold red" if share >= 1 else "yellow" if share >= WARN_SHARE else "")


def _asked(changes: Sequence[str], why: str) -> dict[str, Any]:
    """Values by "name.field"; InputError for what is no change, for none, and without a reason."""
    if not changes:
        raise InputError(
            "limits set: expected NAME.FIELD=VALUE, such as order_size.max_lots=10; there was nothing to set"
        )
    if not why.strip():
        raise InputError("limits set: a reason is needed: --why WHY")
    asked: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not all(name.partition(".")):
            raise InputError(f"limits set: expected NAME.FIELD=VALUE, such as order_size.max_lots=10, was {change!r}")
        asked[name] = value_of(value)
    return asked


COMMANDS = {"limits": limits}
"""By the name a person types."""
