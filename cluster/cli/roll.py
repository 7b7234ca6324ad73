"""What expires, and rolling it: roll."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.columns import Column, Fit
from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import out, print_json, say
from cluster.cli.plans import plans_table
from cluster.cli.world import world
from gateway.format import DASH, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.rolls import Rolled


def roll(
    context: typer.Context,
    strategy: Annotated[str, typer.Option(help="Only this strategy's positions.")] = "",
    index: Annotated[str, typer.Option(help="Only this index's.")] = "",
    days: Annotated[int, typer.Option(min=0, help="What expires up to so many days from today.")] = 0,
    go: Annotated[bool, typer.Option("--go", help="Roll them: starts a rollover plan.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Show which positions expire, into what they would be rolled and what that costs; with --go roll them."""
    from gateway.rolls import proposed, start

    with world(context).connect(desk) as client:
        rows = proposed(client, strategy=strategy, index=index.upper(), days=days)
        if not go or not rows:
            _show(rows, as_json=as_json)
            return
        if not as_json:
            _show(rows, as_json=False)
        if not yes:
            typer.confirm(f"roll {len(rows)} positions?", abort=True, err=True)
        begun = start(client, rows)
    if as_json:
        print_json(begun)
        return
    out().print(plans_table(begun))
    say("see vikalp plans; end one: vikalp plan end ID WHY")


def rolls_table(rows: Sequence[Rolled]) -> Fit:
    """One row a position, what is paid for it in all, and a total; below why a cost is not known."""

    def cost(name: str) -> list[str]:
        return [DASH if row.why else money(getattr(row, name)) for row in rows]

    total = DASH if any(row.why for row in rows) else money(sum(row.net_paise for row in rows))
    return Fit(
        [
            Column(name="symbol", left=True, cells=[row.symbol for row in rows], footer="paid"),
            Column(name="expires", left=True, rank=2, cells=[f"{row.expiry}" for row in rows]),
            Column(name="quantity", cells=[f"{row.quantity:+d}" for row in rows]),
            Column(name="into", left=True, cells=[row.into for row in rows]),
            Column(name="until", left=True, rank=1, cells=[f"{row.into_expiry}" for row in rows]),
            Column(name="by", left=True, rank=4, cells=[row.strategy for row in rows]),
            Column(name="product", left=True, rank=5, cells=[row.product for row in rows]),
            Column(name="close", rank=3, cells=cost("close_paise")),
            Column(name="open", rank=3, cells=cost("open_paise")),
            Column(name="spread", rank=2, cells=cost("spread_paise")),
            Column(name="charges", rank=1, cells=cost("charges_paise")),
            Column(name="paid", cells=cost("net_paise"), footer=total),
        ],
        [row.symbol for row in rows],
        [row.why for row in rows],
        "why",
    )


def _show(rows: Sequence[Rolled], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        out().print(rolls_table(rows) if rows else "no position expires that soon")


COMMANDS = {"roll": roll}
