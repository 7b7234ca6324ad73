"""`vikalp chain`: the option chain of one index as a table or JSON."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import number, out, print_json
from cluster.cli.screen import clock
from cluster.cli.world import world
from core.errors import DeskError, UnknownDate

if TYPE_CHECKING:
    from core.ports import DeskClient

Row = Mapping[str, Any]
SIDE = ("OI", "ΔOI", "volume", "IV %", "delta", "LTP", "bid", "ask")
CALL, PUT = 2, 3
AROUND = 12  # strikes shown on each side of the money unless --all


def chain(
    context: typer.Context,
    index: Annotated[str, typer.Argument(help="NIFTY, BANKNIFTY, FINNIFTY, MIDCPNIFTY or SENSEX.")],
    expiry: Annotated[str, typer.Option(help="Expiry day, 2026-12-01; the nearest if not given.")] = "",
    live: Annotated[bool, typer.Option("--live", help="Go on showing it until Ctrl-C.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every strike, not only those near the money.")] = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Calls left, strikes in the middle, puts right; the strike at the money is marked."""
    from core.market import check_index

    check_index(index)
    wanted = _day(expiry) if expiry else None
    with world(context).connect(desk) as client:
        figures, rows = read(client, index, wanted)
        if as_json:
            print_json({"index": index, "expiry": figures["expiry"], "sequence": figures["sequence"],
                        "figures": figures, "contracts": rows})  # fmt: skip
        elif live and out().is_terminal:
            _follow(client, index, figures["expiry"], every=every)
        else:
            out().print(table(index, figures, rows, every=every))


def read(client: "DeskClient", index: str, expiry: dt.date | None) -> tuple[Row, list[Row]]:
    """Figures and contracts of one expiry of the newest chain. Raises UnknownDate naming the expiries there are."""
    found = client.chain(index)
    if found is None or not found.expiries.num_rows:
        raise DeskError(f"shard.{index} has no chain yet: its first ticks are on their way; try again")
    figures = {row["expiry"]: row for row in found.expiries.to_pylist()}
    day = min(figures) if expiry is None else expiry
    if day not in figures:
        raise UnknownDate(f"{index} has no expiry {day}; choose --expiry from {', '.join(map(str, sorted(figures)))}")
    return figures[day], [row for row in found.contracts.to_pylist() if row["expiry"] == day]


def table(index: str, figures: Row, rows: Sequence[Row], *, every: bool) -> Group:
    """The chain of one expiry, bid and ask nearest to the strike on both sides."""
    made = Table(box=None, pad_edge=False, row_styles=["", "dim"])
    for column in (*SIDE, "strike", *reversed(SIDE)):
        made.add_column(column, justify="right")
    sides = {(row["kind"], row["strike_paise"]): row for row in rows if row["kind"] in (CALL, PUT)}
    strikes = sorted({strike for _, strike in sides})
    atm = figures["atm_forward_paise"] or figures["atm_spot_paise"]
    if atm and not every:
        at = min(range(len(strikes)), key=lambda place: abs(strikes[place] - atm))
        strikes = strikes[max(0, at - AROUND) : at + AROUND + 1]
    for strike in strikes:
        middle = Text(f"{strike / 100:g}", style="reverse bold" if strike == atm else "bold")
        made.add_row(*_side(sides.get((CALL, strike))), middle, *reversed(_side(sides.get((PUT, strike)))))
    return Group(Text(_title(index, figures), style="bold"), made)


def _title(index: str, row: Row) -> str:
    spot = number(row["spot_paise"] / 100 or None)
    return (
        f"{index} {row['expiry']}  {clock(row['as_of_ns'])} IST  chain {row['sequence']}  spot {spot}  "
        f"forward {number(row['forward'])} ({row['forward_source']})  ATM IV {number(row['atm_iv'] * 100)} %  "
        f"PCR {number(row['pcr_oi'])}  max pain {number(row['max_pain_paise'] / 100 or None, 0)}  lot {row['lot']}"
    )


def _side(row: Row | None) -> list[str]:
    if row is None:
        return ["–"] * len(SIDE)
    change = None if row["prev_oi"] < 0 else row["oi"] - row["prev_oi"]
    return [
        f"{row['oi']:,}", number(change, 0), f"{row['volume']:,}", number(row["iv"] * 100), number(row["delta"]),
        number(row["last_paise"] / 100 or None), number(row["bid_paise"] / 100 or None),
        number(row["ask_paise"] / 100 or None),
    ]  # fmt: skip


def _follow(client: "DeskClient", index: str, expiry: dt.date, *, every: bool) -> None:
    from rich.live import Live

    figures, rows = read(client, index, expiry)
    with Live(table(index, figures, rows, every=every), console=out(), auto_refresh=False) as live:
        try:
            while True:
                figures, rows = read(client, index, expiry)
                live.update(table(index, figures, rows, every=every), refresh=True)
                time.sleep(0.5)
        except KeyboardInterrupt:
            return


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UnknownDate(f"--expiry: expected a day such as 2026-12-01, was {text!r}") from None


COMMANDS = {"chain": chain}
