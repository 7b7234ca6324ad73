"""`vikalp report eod` and `vikalp snapshots`: what a day came to, and how the desk stood in between."""

# Imported where used: a command that does not need Arrow starts at once; a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cluster.cli.options import AnyDesk, Json, parse_day
from cluster.cli.out import FAILURE, out, print_json, say

if TYPE_CHECKING:
    from core.orders.end_of_day import EndOfDay
    from core.orders.snapshot import Snapshot

Date = Annotated[str, typer.Option("--date", help="Such as 2026-11-20; else the desk's market day, or its last one.")]
SessionName = Annotated[str, typer.Option("--session", help="Else the one the desk trades in, or the day's last.")]


def report(
    what: Annotated[Literal["eod"], typer.Argument(help="eod: the end-of-day report.")],
    date: Date = "", session: SessionName = "",
    kept: Annotated[bool, typer.Option("--kept", help="Print the last one that was kept; make none.")] = False,
    desk: AnyDesk = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The day beside the broker's word: made and kept in the ledger; exits with 1 if something differs."""
    assert what == "eod", "typer lets nothing else through"
    from cluster.end_of_day import files_of, kept_report, report_day
    from cluster.facts import install_facts
    from cluster.state import desk_number
    from core.orders.end_of_day import as_json as told

    day = parse_day(date, "--date") if date else None
    install_facts()
    number = desk_number(desk)
    if kept:
        _print_kept(kept_report(number, day, session))
        return
    made = report_day(number, day, session)
    if as_json:
        print_json(told(made))
    else:
        _print(made)
        say(f"kept in the ledger and as {', '.join(map(str, files_of(number, made)))}")
    if not made.reconciliation.clean:
        raise typer.Exit(FAILURE)


def snapshots(
    at: Annotated[str, typer.Argument(metavar="[HH:MM]", help="Show the last one up to this time, India's.")] = "",
    session: SessionName = "", desk: AnyDesk = None, as_json: Json = False,
) -> None:  # fmt: skip
    """How the desk stood every quarter of an hour: the list, or the one of a time."""
    from cluster.end_of_day import kept_snapshots
    from cluster.state import desk_number
    from core.market import from_ns

    name, found = kept_snapshots(desk_number(desk), session)
    if at:
        until = _time(at)
        found = [one for one in found if from_ns(one.at_ns).time() <= until][-1:]
    if as_json:
        print_json({"session": name, "snapshots": found})
        return
    if not found:
        out().print(f"no snapshot{f' up to {at}' if at else ''} in session {name}", markup=False)
        return
    out().print(
        _rows(("time", "state", "positions", "orders", "gross", "charges", "net"), [_line(one) for one in found])
    )
    if at:
        _print_one(found[0])


def _print(made: "EndOfDay") -> None:
    from core.orders.books import ACCOUNT
    from core.orders.end_of_day import DRAWDOWN_SEEN
    from core.orders.reconcile import in_words, rows
    from gateway.format import money

    orders = ", ".join(f"{count} {state}" for state, count in made.orders.items()) or "no orders"
    out().print(f"{made.date}, session {made.session}: {orders}; {made.fills} trades", markup=False, soft_wrap=True)
    results = [
        [name or "account", money(one.gross_paise), money(one.charges_paise), money(one.net_paise), f"{one.trades}",
         f"{one.winners}/{one.losers}", money(one.max_drawdown_paise)]
        for name, one in sorted(made.results.items(), key=lambda row: row[0] == ACCOUNT)
    ]  # fmt: skip
    out().print(_rows(("strategy", "gross", "charges", "net", "trades", "won/lost", "drawdown"), results))
    if made.reconciliation.differences:
        columns = ("severity", "what", "of", "here", "at the broker", "to do")
        out().print(_rows(columns, [list(row) for row in rows(made.reconciliation)]))
    for key, units in made.external.items():
        say(f"external: {units:+d} {key} at the broker are nobody's here")
    say(f"broker: {made.broker}; marks: {made.marks_from}; drawdown: {DRAWDOWN_SEEN}")
    say(in_words(made.reconciliation).splitlines()[0])


def _print_kept(found: dict[str, object] | None) -> None:
    from core.errors import InputError

    if found is None:
        raise InputError("no report of that day is kept: make one without --kept")
    print_json(found)


def _line(one: "Snapshot") -> list[str]:
    from core.market import from_ns
    from core.orders.books import ACCOUNT
    from gateway.format import money

    account = next((result for result in one.results if result.strategy == ACCOUNT), None)
    earned = (
        [money(account.gross_paise), money(account.charges_paise), money(account.net_paise)] if account else [""] * 3
    )
    held = sum(1 for position in one.positions if position.quantity)
    state = f"{one.state}{', killed' if one.killed else ''}"
    return [f"{from_ns(one.at_ns):%Y-%m-%d %H:%M:%S}", state, f"{held}", f"{len(one.orders)}", *earned]


def _print_one(one: "Snapshot") -> None:
    from cluster.cli.books import orders_table
    from gateway.format import DASH, money, number

    held = [
        [p.strategy, p.symbol, p.product, f"{p.quantity:+d}", money(p.average_paise),
         money(p.mark_paise) if p.mark_paise else DASH, money(p.realised_paise + p.unrealised_paise)]
        for p in one.positions
    ]  # fmt: skip
    if held:
        out().print(_rows(("strategy", "symbol", "product", "units", "average", "mark", "gross"), held))
    if one.orders:
        out().print(orders_table(list(one.orders)))
    if one.limits:
        limits = [[use.limit, number(use.used), number(use.allowed), use.unit] for use in one.limits]
        out().print(_rows(("limit", "used", "allowed", "unit"), limits))


def _rows(columns: tuple[str, ...], rows: list[list[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _time(text: str) -> dt.time:
    try:
        found = dt.time.fromisoformat(text)
        return found if found.second else found.replace(second=59, microsecond=999_999)
    except ValueError:
        raise typer.BadParameter(f"expected a time such as 11:15, was {text!r}") from None


COMMANDS = {"report": report, "snapshots": snapshots}
