"""What one desk is made of, from its settings: its session, its clock, its ledger, its actors' ports."""

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from cluster.bus import BusLimits, RayBus
from cluster.clock import ReplayClock, SimulatedClock
from cluster.settings import Settings
from cluster.state import desk_dir
from cluster.supervisor import DeskFacts
from cluster.topology import ROUTES, Spec, specs
from core.errors import ConfigError
from core.market import IST, check_index, exchange_of, phase, session, to_ns, why_closed
from core.market.simclock import SimulatedSession, session_date, simulate
from core.ports import Clock, Ledger
from storage.ledger import PostgresLedger


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A desk that is coming up; picklable, the same in every process of it."""

    desk: int
    settings: Settings
    session_id: str
    namespace: str
    dsn: str
    data_dir: str
    anchor_wall_ns: int

    @property
    def exchange(self) -> str:
        return exchange_of(self.settings.indices[0])


def check(settings: Settings) -> None:
    """Refuse what would only fail inside an actor: an unknown index, a day without a session, a missing file."""
    for index in settings.indices:
        check_index(index)
    day = settings.market.session_date
    if settings.market.source == "simulated":
        if day is not None:
            _require_session(settings, day)
        return
    if day is None:
        raise ConfigError("market.session_date: a replay needs the day to replay")
    if settings.market.source == "file" and not Path(settings.market.path).is_file():
        raise ConfigError(f"market.path: no file {settings.market.path!r} to replay")


def simulated(desk: Desk) -> SimulatedSession:
    """The session this desk simulates: the same in every process, however often it starts again."""
    market = desk.settings.market
    today = dt.datetime.fromtimestamp(desk.anchor_wall_ns / 1e9, tz=IST).date()
    return simulate(
        desk.exchange,
        market.session_date or session_date(desk.exchange, today),
        anchor_wall_ns=desk.anchor_wall_ns,
        seed=market.seed,
        speed=market.speed or 1.0,
    )


def market_clock(desk: Desk) -> Clock:
    """A clock of its own for each actor: in a replay it stands where that actor's data stand."""
    if desk.settings.mode == "SIMULATED":
        return SimulatedClock(simulated(desk))
    day = desk.settings.market.session_date
    assert day is not None, "check() refuses a replay without a day"
    hours = session(desk.exchange, day)
    if hours is None:
        raise ConfigError(f"market.session_date: {day} has no session: {why_closed(desk.exchange, day)}")
    return ReplayClock(to_ns(hours.open))


def market_says(desk: Desk) -> str:
    """One line for banners: what kind of market this is."""
    if desk.settings.mode == "SIMULATED":
        return simulated(desk).says()
    market = desk.settings.market
    pace = f"at {market.speed:g}×" if market.speed else "at full speed"
    return f"replay of {market.session_date} from {Path(market.path).name} {pace}"


def make_facts(desk: Desk) -> DeskFacts:
    return DeskFacts(
        desk=desk.desk,
        mode=desk.settings.mode,
        namespace=desk.namespace,
        session_id=desk.session_id,
        market_says=market_says(desk),
    )


def make_phase(desk: Desk) -> Callable[[int], str]:
    """Market time to closed, pre-open or open, on the desk's first exchange."""
    return partial(phase, desk.exchange)


def make_ledger(desk: Desk) -> Ledger:
    """Simulated and replayed positions end with their session; PAPER's and LIVE's carry over."""
    return PostgresLedger(desk.dsn, desk.session_id, carry=False)


def make_bus(desk: Desk, source: str) -> RayBus:
    bus = desk.settings.bus
    return RayBus(
        desk.namespace,
        ROUTES,
        source=source,
        lossless=desk.settings.mode == "REPLAY",
        limits=BusLimits(
            in_flight=bus.in_flight, waiting=bus.waiting, ring_bytes=bus.ring_mb * 1_000_000, lossless_s=bus.lossless_s
        ),
    )


def make_specs(desk: Desk) -> list[Spec]:
    return specs(desk)


def tape_url(desk: Desk) -> str:
    return desk.settings.tape.url or str(desk_dir(desk.desk) / "tape")


def _require_session(settings: Settings, day: dt.date) -> None:
    exchange = exchange_of(settings.indices[0])
    if session(exchange, day) is None:
        raise ConfigError(f"market.session_date: {day} has no session: {why_closed(exchange, day)}")
