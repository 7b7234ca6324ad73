"""`vikalp facts`: the tables of the exchanges with source, grade and horizon; rows of one's own: import, remove."""

# Imported where used: a command that does not need Arrow starts at once; a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cluster.cli.options import Json
from cluster.cli.out import out, print_json, say
from cluster.facts import import_facts, install_facts, remove_facts

if TYPE_CHECKING:
    from core.market.facts import FactRow

COMING = {"calendar": 6, "expiry": 2}  # of these the next days are shown
COLUMNS = ("table", "index", "since", "value", "grade")
Action = Annotated[
    Literal["show", "import", "remove"] | None,
    typer.Argument(
        help="show (also without a word): print what is in force and comes next; import FILE: add rows of your own; "
        "remove SOURCE: take back what an imported file said."
    ),
]
What = Annotated[
    str,
    typer.Argument(
        metavar="[FILE|SOURCE]",
        help="YAML file of dated rows, or the source that such a file named.",
        show_default=False,
    ),
]
Table = Annotated[
    str,
    typer.Option(
        "--table", help="Every row of this table, with source: calendar, expiry, lot, freeze, contract, weekday."
    ),
]
Index = Annotated[str, typer.Option("--index", help="Every row of this index, with source; with --table of both.")]
Every = Annotated[bool, typer.Option("--all", help="Every row of every table, with source.")]
On = Annotated[str, typer.Option("--on", help="As of this day, such as 2026-11-23; empty: today.")]


def facts(
    action: Action = None, what: What = "", table: Table = "", index: Index = "", every: Every = False, on: On = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """What the desk knows of the exchanges: each row with its source and how sure it is, and when a table ends."""
    if action == "import":
        _import(what, as_json=as_json)
        return
    if action == "remove":
        _remove(what, as_json=as_json)
        return
    if what:
        raise typer.BadParameter(f"{what} is read by `vikalp facts import FILE`")
    install_facts()
    _show(_day(on), table, index.upper(), every=every, as_json=as_json)


def _import(file: str, *, as_json: bool) -> None:
    from core.market import IST

    if not file:
        raise typer.BadParameter("import needs the file to read: vikalp facts import FILE")
    added, kept = import_facts(Path(file), dt.datetime.now(IST).date())
    counts = {
        name: len(getattr(added, name)) for name in ("holidays", "sessions", "lots", "freeze") if getattr(added, name)
    }
    if as_json:
        print_json({"source": added.source, "years": added.years, "rows": counts, "kept": str(kept)})
        return
    rows = ", ".join(f"{count} {name}" for name, count in counts.items())
    year = f", which publishes {added.years[0]}" if added.years else ""
    say(
        f"imported {rows}{year} from {added.source!r}, kept in {kept}; desks that run keep theirs until they start anew"
    )


def _remove(source: str, *, as_json: bool) -> None:
    if not source:
        raise typer.BadParameter("remove needs the source that the imported file named: vikalp facts remove SOURCE")
    gone = remove_facts(source)
    if as_json:
        print_json({"source": source, "removed": str(gone)})
        return
    say(f"removed what {source!r} said; desks that run keep it until they start anew")


def _show(day: dt.date, table: str, index: str, *, every: bool, as_json: bool) -> None:
    from core.market import CONTRACT_INDICES
    from core.market.facts import fact_rows, table_horizons, today

    known = fact_rows(day)
    rows = _chosen(known, table, index)
    now, horizons = today("NSE", day, CONTRACT_INDICES), table_horizons(day)
    if as_json:  # a program filters for itself: without an option every row
        ends = [horizon._asdict() for horizon in horizons]
        print_json({"on": day, "today": now, "horizons": ends, "rows": rows})
        return
    said = [[h.table, str(h.last_day), f"{h.days_left} days", h.todo] for h in horizons]
    said_today = f"{day}: {now.session_says}" if now.hours else now.session_says
    out().print(said_today, *map(str, now.expiries), sep="\n", markup=False)
    out().print(_table(("table", "answers to", "left", "then"), said))
    if every or table or index:
        out().print(_table((*COLUMNS, "source"), [[*_cells(row), row.source] for row in rows]))
        return
    out().print(_table(COLUMNS, [_cells(row) for row in in_force(rows, day)]))
    say(f"of {len(rows):,} rows those in force and the next; with source: --table NAME, --index NAME, or --all")


def _chosen(rows: "Sequence[FactRow]", table: str, index: str) -> "list[FactRow]":
    """The rows of a table and an index, of a table for all indices those too; a usage error where there is none."""
    tables, indices = {row.table for row in rows}, {row.index for row in rows} - {""}
    if not any(table in name for name in tables):
        raise typer.BadParameter(f"--table: no table {table!r}; known are {', '.join(sorted(tables))}")
    if index and index not in indices:
        raise typer.BadParameter(f"--index: no index {index!r}; known are {', '.join(sorted(indices))}")
    wanted = {index, ""} if table else {index}
    return [row for row in rows if table in row.table and (not index or row.index in wanted)]


def in_force(rows: "Sequence[FactRow]", day: dt.date) -> "list[FactRow]":
    """Of each table and index the row that holds on `day` and what follows it; of days, the next few."""
    groups: dict[tuple[str, str], list[FactRow]] = {}
    for row in sorted(rows, key=lambda row: row.since):
        groups.setdefault((row.table, row.index), []).append(row)
    found = []
    for (table, _), of in groups.items():
        if table in COMING:
            found += [row for row in of if row.since >= day][: COMING[table]]
        else:
            found += [row for row in of if row.since <= day][-1:] + [row for row in of if row.since > day]
    return sorted(found, key=lambda row: row.table)


def _cells(row: "FactRow") -> list[str]:
    return [row.table, row.index, str(row.since), row.value, row.grade]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table as RichTable
    from rich.text import Text

    made = RichTable(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _day(text: str) -> dt.date:
    from core.market import IST

    if not text:
        return dt.datetime.now(IST).date()
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"--on: expected a day such as 2026-11-23, was {text!r}") from None


COMMANDS = {"facts": facts}
