"""The one-screen status: what it shows, drawn from records alone."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from cluster.cli.columns import Column, Fit, Flow
from cluster.homes import indices_in
from cluster.shown import provenance_of
from gateway.format import compact, mode, number, percent, price, strike

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from cluster.state import DeskState
    from core.market.provenance import Provenance
    from core.ports import DeskClient
    from core.records import ActorStatus, DeskStatus, Kill

MODES = {"SIMULATED": "black on cyan", "REPLAY": "black on magenta", "PAPER": "black on yellow", "LIVE": "white on red"}
STATES = {"READY": "green", "STARTING": "yellow", "RESTARTING": "yellow", "SILENT": "yellow"}
KINDS = {"cached": "bold red", "simulated": "cyan", "replay": "magenta", "live": "green"}
ALERTS = {"info": "dim", "warning": "yellow", "alarm": "bold red"}
LAST_ALERTS = 5


@dataclass(frozen=True, kw_only=True)
class View:
    """One look at a desk; `figures` holds the nearest expiry of each index that has a chain."""

    status: DeskStatus | None = None
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provenance: Mapping[str, Provenance | None] = field(default_factory=dict)  # of each of these
    killed: Kill | None = None
    trouble: str = ""  # why there is no status

    def kind(self, index: str) -> str:
        """One word for what the figures of that index are."""
        found = self.provenance.get(index)
        return found.kind if found is not None else "unknown"


def look(client: DeskClient) -> View:
    """Ask a desk once; what does not answer is shown as such."""
    from core.errors import DeskError

    try:
        status = client.status()
    except DeskError as error:
        return View(trouble=str(error))
    figures, found = {}, {}
    for index in indices_in([actor.name for actor in status.actors]):
        try:
            chain = client.chain(index)
        except DeskError:
            continue  # its actor is shown as what it is: dead, stuck or restarting
        if chain is not None and chain.expiries.num_rows:
            figures[index] = min(chain.expiries.to_pylist(), key=lambda row: row["expiry"])
            found[index] = provenance_of(client, figures[index]["as_of_ns"], status)
    return View(status=status, figures=figures, provenance=found, killed=killed_of(client))


def killed_of(client: DeskClient) -> Kill | None:
    """The kill switch; None also while the order manager does not answer, which its state says."""
    from core.errors import VikalpError

    try:
        return client.killed()
    except VikalpError:
        return None


@dataclass(frozen=True)
class Screen:
    """A screen that is no higher than the terminal, which could not scroll it: `parts`, else `short`."""

    parts: Sequence[RenderableType]
    short: Sequence[RenderableType]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = Group(*self.parts)
        fits = len(console.render_lines(whole, options, pad=False)) < console.height
        yield whole if fits else Group(*self.short)


def screen(view: View, state: DeskState) -> RenderableType:
    """The whole screen of a foreground desk; on a low terminal of the actors only those in trouble."""
    end = Text("Ctrl-C ends the desk and everything it started", style="dim")
    if view.status is None:
        return Group(Text(f"desk {state.desk}: {view.trouble or 'no answer yet'}", style="yellow"), end)
    status = view.status
    troubled = [actor for actor in status.actors if actor.state != "READY"]
    ready = Text(f"{len(status.actors) - len(troubled)} of {len(status.actors)} actors ready")
    top: list[RenderableType] = [header(status, state, view.killed), *([indices_table(view)] if view.figures else [])]
    alerts = [alerts_table(status)] if status.alerts else []
    short = [actors_table(status, troubled)] if troubled else []
    return Screen([*top, actors_table(status, status.actors), *alerts, end], [*top, ready, *short, end])


def header(status: DeskStatus, state: DeskState, killed: Kill | None = None) -> Panel:
    """Mode, market clock, URLs, order manager and ledger; the kill switch while it is pulled."""
    oms = Text.assemble("oms ", (status.oms_state, "green" if status.oms_state == "ACTIVE" else "bold red"))
    broken = [Text(f"circuit breaker {status.breaker}", "bold red")] if status.breaker else []
    ledger = Text.assemble("ledger ", ("ok", "green") if status.ledger_ok else ("down", "bold red"))
    # A rehearsal looks like what it is: its orders are no real ones.
    banner = Flow([Text(f" {mode(status)} ", MODES[status.market_mode]), status.market_says])
    market = Flow([f"market {clock(status.market_ns)} IST, {status.phase}", oms, *broken, ledger], between="   ")
    urls = Flow([f"page {state.page_url}", f"Ray's dashboard {state.dashboard_url}"], between="   ")
    switch = [Text(killed_line(killed), "white on red")] if killed is not None else []
    return Panel(Group(*switch, banner, market, urls), title=f"Vikalp, desk {status.desk}", title_align="left")


def killed_line(kill: Kill) -> str:
    """Who, when, why, and how it ends."""
    when = f" at {clock(kill.at_ns)}" if kill.at_ns else ""
    return f'KILL SWITCH pulled by {kill.who}{when}: {kill.why}; end it: vikalp release "WHY"'


def indices_table(view: View) -> Fit:
    """Nearest expiry of each index: spot, ATM vol, PCR, whether that is live or cached, and how old by the market's
    clock.
    """
    assert view.status is not None
    now, rows = view.status.market_ns, list(view.figures.values())
    kinds = [Text(kind, KINDS.get(kind, "")) for kind in map(view.kind, view.figures)]
    return Fit([
        Column(name="index", left=True, cells=list(view.figures)),
        Column(name="expiry", left=True, rank=2, cells=[str(row["expiry"]) for row in rows]),
        Column(name="spot", cells=[price(row["spot_paise"]) for row in rows]),
        Column(name="forward", rank=5, cells=[number(row["forward"]) for row in rows]),
        Column(name="ATM IV %", cells=[percent(row["atm_iv"]) for row in rows]),
        Column(name="PCR OI", rank=1, cells=[number(row["pcr_oi"]) for row in rows]),
        Column(name="max pain", rank=4, cells=[strike(row["max_pain_paise"]) for row in rows]),
        Column(name="quality", rank=3, cells=[number(row["quality"]) for row in rows]),
        Column(name="data", left=True, cells=kinds),
        Column(name="age s", cells=[number(max(0.0, (now - row["as_of_ns"]) / 1e9), 1) for row in rows]),
        Column(name="chain", rank=6, cells=[str(row["sequence"]) for row in rows]),
    ])  # fmt: skip


def actors_table(status: DeskStatus, actors: Sequence[ActorStatus]) -> Fit:
    """These actors: state, process, memory, how often it was started, its last progress, what it lost."""
    columns = [
        Column(name="actor", left=True, cells=[a.name for a in actors]),
        Column(name="state", left=True, cells=[Text(a.state, STATES.get(a.state, "bold red")) for a in actors]),
        Column(name="idle s", cells=[_idle(status, a) for a in actors]),
        Column(name="pid", rank=3, cells=[str(a.pid) for a in actors]),
        Column(name="MB", rank=4, cells=[str(a.rss_mb) for a in actors]),
        Column(name="starts", rank=1, cells=[str(a.incarnation) for a in actors]),
        Column(name="handled", rank=5, cells=[compact(a.handled) for a in actors]),
        Column(name="gaps", rank=2, cells=[compact(a.gaps) for a in actors]),
        Column(name="dropped", rank=2, cells=[compact(a.dropped) for a in actors]),
        Column(name="refused", rank=2, cells=[compact(a.refused) for a in actors]),
    ]
    return Fit(columns, [a.name for a in actors], [a.why for a in actors], "why")


def lines(view: View) -> list[str]:
    """The same in plain lines, for a log: one about the desk, one an index."""
    if view.status is None:
        return [view.trouble]
    s = view.status
    ready = sum(actor.state == "READY" for actor in s.actors)
    ledger = "ok" if s.ledger_ok else "down"
    market = f"{mode(s)} {clock(s.market_ns)} {s.phase}"
    said = [f"{market}: {ready} of {len(s.actors)} actors ready, oms {s.oms_state}, ledger {ledger}"]
    said += [killed_line(view.killed)] if view.killed is not None else []
    said += [f"circuit breaker {s.breaker}"] if s.breaker else []
    for index, row in view.figures.items():
        spot, vol, pcr = price(row["spot_paise"]), percent(row["atm_iv"]), number(row["pcr_oi"])
        said.append(f"{index} {row['expiry']} {view.kind(index)} spot {spot} ATM IV {vol} % PCR {pcr}")
    return said


def clock(market_ns: int) -> str:
    """Date and time in IST."""
    from core.market import from_ns

    return f"{from_ns(market_ns):%Y-%m-%d %H:%M:%S}"


def alerts_table(status: DeskStatus) -> Fit:
    alerts = status.alerts[-LAST_ALERTS:]
    columns = [
        Column(name="alerts, wall clock", left=True, cells=[clock(a.at_wall_ns) for a in alerts]),
        Column(name="", left=True, cells=[Text(a.severity, ALERTS[a.severity]) for a in alerts]),
        Column(name="", left=True, cells=[a.subject for a in alerts]),
    ]
    return Fit(columns, [a.subject for a in alerts], [a.message for a in alerts])


def _idle(status: DeskStatus, actor: ActorStatus) -> str:
    """Seconds since it last did something."""
    return number((status.wall_ns - actor.last_progress_ns) / 1e9 if actor.last_progress_ns else None, 1)
