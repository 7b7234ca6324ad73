"""`vikalp chain`: the option chain of one index as a table or JSON."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from cluster.cli.columns import Column, Flow, choose, draw, total
from cluster.cli.options import DeskNumber, Json, parse_day
from cluster.cli.out import out, print_json
from cluster.cli.screen import clock
from cluster.cli.world import world
from cluster.shown import oms_state_of, provenance_of
from core.errors import DeskError, UnknownDate
from gateway import format as fmt

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from core.market.provenance import Provenance
    from core.ports import DeskClient

Row = Mapping[str, Any]
# The gateway's columns from the outside to the strike, each with its rank: the higher goes first.
SIDE = ((9, "rho"), (8, "vega"), (7, "gamma"), (6, "theta"), (5, "change"), (4, "delta"), (3, "oi_change"),
        (3, "volume"), (2, "oi"), (0, "iv"), (0, "ltp"), (1, "bid"), (1, "ask"))  # fmt: skip
CALL, PUT = 2, 3
AROUND = 12  # strikes shown on each side of the money unless --all
HEAD_LINES = 10  # besides a live table's strikes at the worst: title, CALLS and PUTS, columns' names, symbols


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

    index = check_index(index.upper())
    wanted = parse_day(expiry, "--expiry") if expiry else None
    with world(context).connect(desk) as client:
        figures, rows = read(client, index, wanted)
        found = provenance_of(client, figures["as_of_ns"])
        if as_json:
            print_json({"index": index, "expiry": figures["expiry"], "sequence": figures["sequence"],
                        "provenance": found, "figures": figures, "contracts": rows})  # fmt: skip
        elif live and out().is_terminal:
            _follow(client, index, figures["expiry"], every=every)
        else:
            around = _around(out(), every=every, live=False)
            out().print(table(index, figures, rows, found, around=around, oms=oms_state_of(client)))


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


def table(
    index: str, figures: Row, rows: Sequence[Row], found: "Provenance | None", *, around: int, oms: str = "ACTIVE"
) -> Group:
    """The chain of one expiry, `around` strikes on each side of the money; LTP, bid and ask nearest to the strike.

    `found` is what its figures are; a cached chain is dim, and the order manager's state `oms` says what still passes.
    """
    sides = {(row["kind"], row["strike_paise"]): row for row in rows if row["kind"] in (CALL, PUT)}
    strikes = sorted({strike for _, strike in sides})
    atm = figures["atm_forward_paise"] or figures["atm_spot_paise"]
    if atm and strikes:
        at = min(range(len(strikes)), key=lambda place: abs(strikes[place] - atm))
        strikes = strikes[max(0, at - around) : at + around + 1]
    calls, puts = ([sides.get((kind, strike)) for strike in strikes] for kind in (CALL, PUT))
    dim = "dim " if found is not None and found.cached else ""
    styles = [f"{dim}bold" if strike == atm else dim.strip() for strike in strikes]
    middle = [Text(f"▸{fmt.strike(k)}◂" if k == atm else f" {fmt.strike(k)} ", s)
              for k, s in zip(strikes, styles, strict=True)]  # fmt: skip
    title = [*_title(index, figures), *says(found, oms)]
    return Group(
        Flow(title, style="bold"), Sides(_side(calls, styles), middle, _side(puts, styles)), *_symbols(sides, atm)
    )


@dataclass(frozen=True)
class Sides:
    """Calls left, strikes in the middle, puts right, as many columns of each as fit; columns outermost first."""

    calls: Sequence[Column]
    strikes: Sequence[Text]
    puts: Sequence[Column]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        middle = Column(name="strike", cells=self.strikes)
        kept, gap = choose([*self.calls, middle, *reversed(self.puts)], options.max_width)
        at = kept.index(middle)
        left, right = total(kept[:at], gap), total(kept[at + 1 :], gap)
        yield Text("CALLS".center(left) + " " * (middle.width + 2 * gap) + "PUTS".center(right).rstrip(), style="bold")
        yield draw(kept, gap)


def says(found: "Provenance | None", oms: str) -> list[Text]:
    """What the figures are, and of cached ones what it means."""
    if found is None:
        return [Text("live or cached is not known: no word of the supervisor", "yellow")]
    if not found.cached:
        return [Text(fmt.provenance(found))]
    return [Text(fmt.provenance(found), "bold red"), Text(fmt.what_passes(oms), "bold red")]


def _title(index: str, row: Row) -> list[str]:
    say = {name: text(row) for name, (_, text) in fmt.FIGURES.items()}
    return [
        f"{index} {row['expiry']}", f"{clock(row['as_of_ns'])} IST", f"chain {row['sequence']}", f"spot {say['spot']}",
        f"forward {say['forward']} ({row['forward_source']})", f"ATM IV {say['atm_iv']} %", f"PCR {say['pcr']}",
        f"max pain {say['max_pain']}", f"lot {row['lot']}",
    ]  # fmt: skip


def _symbols(sides: Mapping[tuple[int, int], Row], atm: int) -> list[Flow]:
    """How contracts of this expiry are written, as an order wants them: those at the money; none without them."""
    call, put = sides.get((CALL, atm)), sides.get((PUT, atm))
    if call is None or put is None:
        return []
    return [
        Flow([f"symbols: {call['symbol']} is the {fmt.strike(atm)} call,", f"{put['symbol']} the put"], between=" ")
    ]


def _side(rows: Sequence[Row | None], styles: Sequence[str]) -> list[Column]:
    """One side's columns, written as the page writes them."""
    made = []
    for rank, name in SIDE:
        header, text = fmt.COLUMNS[name]
        cells = [Text(fmt.DASH if row is None else text(row), style) for row, style in zip(rows, styles, strict=True)]
        made.append(Column(name=header, cells=cells, rank=rank))
    return made


def _around(console: "Console", *, every: bool, live: bool) -> int:
    """Strikes on each side; a live table is no higher than the screen, which could not scroll it."""
    if live:
        return max(1, min(10_000 if every else AROUND, (console.height - HEAD_LINES) // 2))
    return 10_000 if every else AROUND


def _follow(client: "DeskClient", index: str, expiry: dt.date, *, every: bool) -> None:
    from rich.live import Live

    console = out()
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                figures, rows = read(client, index, expiry)
                around = _around(console, every=every, live=True)
                found = provenance_of(client, figures["as_of_ns"])
                oms = oms_state_of(client)
                live.update(table(index, figures, rows, found, around=around, oms=oms), refresh=True)
                time.sleep(0.5)
        except KeyboardInterrupt:
            return


COMMANDS = {"chain": chain}
