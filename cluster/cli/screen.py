"""The one-screen status: what it shows, drawn from records alone."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cluster.cli.out import number

if TYPE_CHECKING:
    from cluster.state import DeskState
    from core.ports import DeskClient
    from core.records import DeskStatus

MODES = {"SIMULATED": "black on cyan", "REPLAY": "black on magenta", "PAPER": "black on yellow", "LIVE": "white on red"}
STATES = {"READY": "green", "STARTING": "yellow", "RESTARTING": "yellow", "SILENT": "yellow"}
ALERTS = {"info": "dim", "warning": "yellow", "alarm": "bold red"}
LAST_ALERTS = 5


@dataclass(frozen=True, kw_only=True)
class View:
    """One look at a desk; `figures` holds the nearest expiry of each index that has a chain."""

    status: DeskStatus | None = None
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trouble: str = ""  # why there is no status


def look(client: DeskClient) -> View:
    """Ask a desk once; what does not answer is shown as such."""
    from core.errors import DeskError

    try:
        status = client.status()
    except DeskError as error:
        return View(trouble=str(error))
    figures = {}
    for index in sorted(a.name.removeprefix("shard.") for a in status.actors if a.name.startswith("shard.")):
        try:
            chain = client.chain(index)
        except DeskError:
            continue  # its actor is shown as what it is: dead, stuck or restarting
        if chain is not None and chain.expiries.num_rows:
            figures[index] = min(chain.expiries.to_pylist(), key=lambda row: row["expiry"])
    return View(status=status, figures=figures)


def screen(view: View, state: DeskState) -> Group:
    """The whole screen of a foreground desk."""
    if view.status is None:
        return Group(Text(f"desk {state.desk}: {view.trouble or 'no answer yet'}", style="yellow"))
    parts: list[Any] = [header(view.status, state), indices_table(view), actors_table(view.status)]
    if view.status.alerts:
        parts.append(_alerts(view.status))
    parts.append(Text("Ctrl-C ends the desk and everything it started", style="dim"))
    return Group(*parts)


def header(status: DeskStatus, state: DeskState) -> Panel:
    """Mode, market clock, URLs, order manager and ledger."""
    banner = Text.assemble(
        (f" {status.mode} ", MODES[status.mode]),
        f"  {status.market_says}",
    )
    oms = ("oms ", (status.oms_state, "green" if status.oms_state == "ACTIVE" else "bold red"))
    ledger = ("   ledger ", ("ok", "green") if status.ledger_ok else ("down", "bold red"))
    at = f"\nmarket {clock(status.market_ns)} IST, {status.phase}   "
    urls = f"\npage {state.page_url}   Ray's dashboard {state.dashboard_url}"
    text = Text.assemble(banner, at, *oms, *ledger, urls)
    return Panel(text, title=f"Vikalp, desk {status.desk}", title_align="left")


def indices_table(view: View) -> Table:
    """Nearest expiry of each index: spot, ATM vol, PCR and how old the newest tick is by the market's clock."""
    table = Table(box=None, pad_edge=False)
    for column in ("index", "expiry", "spot", "forward", "ATM IV %", "PCR OI", "max pain", "quality", "age s", "chain"):
        table.add_column(column, justify="left" if column in ("index", "expiry") else "right")
    assert view.status is not None
    for index, row in view.figures.items():
        age = max(0.0, (view.status.market_ns - row["as_of_ns"]) / 1e9)
        table.add_row(
            index, str(row["expiry"]), number(row["spot_paise"] / 100 or None), number(row["forward"]),
            number(row["atm_iv"] * 100), number(row["pcr_oi"]), number(row["max_pain_paise"] / 100 or None, 0),
            number(row["quality"]), number(age, 1), str(row["sequence"]),
        )  # fmt: skip
    return table


def actors_table(status: DeskStatus) -> Table:
    """Every actor: its state, process, memory, how often it was started, its last progress, what it lost."""
    table = Table(box=None, pad_edge=False)
    for column in ("actor", "state", "pid", "MB", "start", "silent s", "handled", "gaps", "dropped", "refused", "why"):
        table.add_column(column, justify="left" if column in ("actor", "state", "why") else "right")
    for actor in status.actors:
        silent = (status.wall_ns - actor.last_progress_ns) / 1e9 if actor.last_progress_ns else None
        table.add_row(
            actor.name, Text(actor.state, style=STATES.get(actor.state, "bold red")), str(actor.pid), str(actor.rss_mb),
            str(actor.incarnation), number(silent, 1), str(actor.handled), str(actor.gaps), str(actor.dropped),
            str(actor.refused), Text(actor.why, overflow="ellipsis", no_wrap=True),
        )  # fmt: skip
    return table


def lines(view: View) -> list[str]:
    """The same in plain lines, for a log: one about the desk, one an index."""
    if view.status is None:
        return [view.trouble]
    s = view.status
    ready = sum(actor.state == "READY" for actor in s.actors)
    ledger = "ok" if s.ledger_ok else "down"
    market = f"{s.mode} {clock(s.market_ns)} {s.phase}"
    said = [f"{market}: {ready} of {len(s.actors)} actors ready, oms {s.oms_state}, ledger {ledger}"]
    for index, row in view.figures.items():
        spot, vol = number(row["spot_paise"] / 100 or None), number(row["atm_iv"] * 100)
        said.append(f"{index} {row['expiry']} spot {spot} ATM IV {vol} % PCR {number(row['pcr_oi'])}")
    return said


def clock(market_ns: int) -> str:
    """Date and time in IST."""
    from core.market import from_ns

    return f"{from_ns(market_ns):%Y-%m-%d %H:%M:%S}"


def _alerts(status: DeskStatus) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for alert in status.alerts[-LAST_ALERTS:]:
        table.add_row(
            Text(clock(alert.at_wall_ns)), Text(alert.severity, style=ALERTS[alert.severity]), Text(alert.subject),
            Text(alert.message),
        )  # fmt: skip
    return table
