"""`vikalp exchange`: the local exchange alone, for any program that speaks Kite."""

# Imported where used: a command that does not need Arrow starts at once; a flag is a boolean.
# ruff: noqa: PLC0415, PLR0917, FBT002

import datetime as dt
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import parse_day
from cluster.cli.out import say
from cluster.facts import install_facts
from core.errors import ConfigError

if TYPE_CHECKING:
    from exchange.recorded_day import Recording

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed and date give the same market.")]
Speed = Annotated[float, typer.Option("--speed", help="Market seconds a second, above 0.")]
Date = Annotated[str, typer.Option("--date", help="Trading day, such as 2026-11-23; empty: today or the next one.")]
FaultsAnHour = Annotated[float, typer.Option("--faults", min=0, help="Faults an hour, drawn from the seed.")]
Limits = Annotated[bool, typer.Option("--limits/--no-limits", help="Kite's rate limits.")]
Tape = Annotated[
    str,
    typer.Option("--tape", help="A recorded chain file, or a tape's root folder: the market instead of the simulator."),
]
Postback = Annotated[
    str, typer.Option("--postback", help="URL that order updates are posted to; http on this machine alone.")
]
WallClock = Annotated[
    bool,
    typer.Option("--wall-clock", help="Market time is this machine's, as Kite's: to rehearse a PAPER or LIVE desk."),
]
AskLogin = Annotated[bool, typer.Option("--ask-login", help="A login page with a button, not a redirect at once.")]


def exchange(
    port: Port = 8100, seed: Seed = 7, speed: Speed = 1.0, date: Date = "", faults: FaultsAnHour = 0.0,
    limits: Limits = True, ask_login: AskLogin = False, tape: Tape = "", postback: Postback = "",
    wall_clock: WallClock = False,
) -> None:  # fmt: skip
    """Run the local exchange until Ctrl-C: Kite's REST and socket, an invented market or a recorded one, no account."""
    from cluster.local_exchange import about, serve
    from exchange.limits import Rates
    from exchange.world import DEFAULT_USER, World, WorldConfig

    install_facts()
    if wall_clock and (date or tape or speed != 1.0):
        raise ConfigError("--wall-clock is today at speed 1: it goes with no --date, no --tape and no --speed")
    day = parse_day(date, "--date") if date else None
    config = WorldConfig(
        seed=seed,
        date=day,
        recording=recording(tape, day) if tape else None,
        speed=speed,
        rates=Rates(enforced=limits),
        faults_an_hour=faults,
        users=(replace(DEFAULT_USER, postback_url=postback),),
        ask_login=ask_login,
        opens_wall_ns=_today_opens_ns() if wall_clock else None,
    )
    world = World(config)

    def tell(bound: int) -> None:
        root = f"http://127.0.0.1:{bound}"
        say(about(world, bound))
        say(f"log in: {root}/connect/login?v=3&api_key=vikalp (secret vikalp); faults: {root}/admin")

    serve(world, port, tell)


def _today_opens_ns() -> int:
    """Wall ns at which today's session opens or opened; ConfigError on a day without one."""
    from core.market import from_ns, session, to_ns, why_closed

    today = from_ns(time.time_ns()).date()
    hours = session("NSE", today)
    if hours is None:
        raise ConfigError(
            f"--wall-clock: {why_closed('NSE', today)}; on a day without a session leave it out, or import one of "
            "your own for a rehearsal: vikalp facts import FILE (docs/facts.md)"
        )
    return to_ns(hours.open)


def recording(path: str, date: dt.date | None) -> "Recording":
    """What lies at `path`, as a market. Raises as storage.recordings does."""
    from exchange.recorded_day import Recording
    from storage.recordings import recorded_sources

    return Recording(path, *recorded_sources(path, date))


COMMANDS = {"exchange": exchange}
