"""Positions that move without a trade: convert, adopt, moves."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from __future__ import annotations

import getpass
import uuid
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer
from rich.text import Text

from cluster.cli.columns import Column, Fit
from cluster.cli.intent import one_of
from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import FAILURE, out, print_json, print_problem, say
from cluster.cli.screen import clock
from cluster.cli.world import world
from core.errors import DeskError
from gateway.format import DASH, money, paise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.records import Move, Product

PHASES = {"done": "green", "asked": "bold yellow", "refused": "red"}
Id = Annotated[str, typer.Option("--id", help="To ask again after no answer: the id of the first try.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Strategy = Annotated[str, typer.Option(help="Whose position it is, see positions.")]


def convert(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="Trading symbol, e.g. NIFTY26D0124500CE.")],
    quantity: Annotated[int, typer.Option(min=1, help="Units, not lots, without a sign.")],
    from_: Annotated[str, typer.Option("--from", help="MIS or NRML: the product they are in.")],
    to: Annotated[str, typer.Option("--to", help="The product they shall be in.")],
    strategy: Strategy = "manual",
    move_id: Id = "",
    yes: Yes = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Have the broker move units of a position from MIS to NRML, or back. Exits with 1 if it was refused."""
    old, new = (_product(name, typed) for name, typed in (("--from", from_), ("--to", to)))
    made = _id(move_id)
    with world(context).connect(desk) as client:
        say(f"{quantity} × {symbol.upper()} of {strategy}: {old} → {new}; id {made}")
        if not yes:
            typer.confirm("convert them?", abort=True, err=True)
        found = _asked(lambda: client.convert(symbol.upper(), old, new, quantity, strategy, _who(), made), made)
    _print([found], as_json=as_json, one=True)
    if found.phase == "refused":
        _refused(found)
    if found.phase == "asked":
        say("the broker has not answered: the positions will tell, see vikalp moves")


def adopt(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="Trading symbol, e.g. NIFTY26D0124500CE.")],
    product: Annotated[str, typer.Option(help="NRML or MIS.")] = "NRML",
    strategy: Strategy = "manual",
    price: Annotated[str, typer.Option(help="What a unit has cost, rupees; the broker's average if not given.")] = "",
    move_id: Id = "",
    yes: Yes = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Make a strategy's own what the account holds of a contract beyond this desk: placed by hand, or of before.

    From then on limits, exit-all and the day's end count it. Nothing is traded.
    """
    name, made = _product("--product", product), _id(move_id)
    at = paise(price, "--price") if price else 0
    with world(context).connect(desk) as client:
        say(f"what the account holds of {symbol.upper()} {name} beyond this desk becomes {strategy}'s; id {made}")
        if not yes:
            typer.confirm("take it over?", abort=True, err=True)
        found = _asked(lambda: client.adopt(symbol.upper(), name, strategy, _who(), made, at), made)
    _print([found], as_json=as_json, one=True)


def moves(context: typer.Context, desk: DeskNumber = None, as_json: Json = False) -> None:
    """Conversions and positions taken over, and what became of them."""
    with world(context).connect(desk) as client:
        found = list(client.moves())
    if not found and not as_json:
        out().print("no position was converted or taken over in this session")
    else:
        _print(found, as_json=as_json)


def moves_table(found: Sequence[Move]) -> Fit:
    """One row a move, with the broker's words beside it or below."""
    columns = [
        Column(name="id", left=True, cells=[move.move_id for move in found]),
        Column(name="kind", left=True, cells=[move.kind for move in found]),
        Column(name="state", left=True, cells=[Text(move.phase, PHASES[move.phase]) for move in found]),
        Column(name="time", left=True, rank=3, cells=[clock(move.at_ns) for move in found]),
        Column(name="symbol", left=True, cells=[move.symbol for move in found]),
        Column(name="quantity", cells=[f"{move.quantity:+d}" for move in found]),
        Column(name="from", left=True, rank=1, cells=[move.product_from or "outside" for move in found]),
        Column(name="to", left=True, cells=[move.product for move in found]),
        Column(name="by", left=True, cells=[move.strategy for move in found]),
        Column(name="cost", rank=2, cells=[money(move.value_paise) if move.value_paise else DASH for move in found]),
    ]
    return Fit(columns, [move.move_id for move in found], [move.message for move in found], "message")


def _asked(ask: Callable[[], Move], move_id: str) -> Move:
    """Raises DeskError with the id when there is no answer: it may have been done."""
    try:
        return ask()
    except DeskError as error:
        raise DeskError(f"{error}; ask again with --id {move_id}, so that it is done once") from error


def _refused(found: Move) -> NoReturn:
    print_problem(f"{found.symbol}: refused: {found.message}; id {found.move_id}", "OrderRefused", as_json=False)
    raise typer.Exit(FAILURE)


def _print(found: Sequence[Move], *, as_json: bool, one: bool = False) -> None:
    if as_json:
        print_json(found[0] if one else found)
    else:
        out().print(moves_table(found))


def _id(typed: str) -> str:
    from core.orders.tag import check_tag, make_tag

    return check_tag(typed.upper()) if typed else make_tag(uuid.uuid4().bytes)


def _product(name: str, typed: str) -> Product:
    return cast("Product", one_of(name, typed.upper(), "NRML", "MIS"))


def _who() -> str:
    return f"{getpass.getuser()}, on the command line"


COMMANDS = {"convert": convert, "adopt": adopt, "moves": moves}
