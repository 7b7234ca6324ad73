"""What one desk is made of, from its settings: its session, its clock, its ledger, its actors' ports."""

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from brokers.kite.login import KITE
from cluster.bus import RayBus
from cluster.clock import ReplayClock, SimulatedClock, WallClock
from cluster.settings import Settings
from cluster.state import desk_dir
from cluster.way import BusLimits
from core.errors import ConfigError
from core.market import IST, check_index, exchange_of, from_ns, phase, session, to_ns, why_closed
from core.market.overlay import DayContracts, UserFacts, use, user_facts
from core.market.simclock import SimulatedSession, session_date, simulate
from core.ports import Clock, Ledger, Source
from storage import kafka
from storage.chain_files import ChainFileSource
from storage.ledger import PostgresLedger
from storage.tape_source import TapeSource

if TYPE_CHECKING:
    from core.kite.instruments import Listing


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A desk that is coming up; picklable, the same in every process of it."""

    desk: int
    settings: Settings
    session_id: str
    namespace: str
    dsn: str
    data_dir: str
    anchor_wall_ns: int
    facts: tuple[UserFacts, ...] = ()  # the user's own rows, the same in every process however long it runs
    dump: DayContracts | None = None  # the instrument dump of its day; it wins over the tables
    differences: tuple[str, ...] = ()  # where the two differ
    listing: "Listing | None" = None  # of the broker's dump, with its tokens; None in a replay

    @property
    def exchange(self) -> str:
        return exchange_of(self.settings.indices[0])


def is_local(desk: Desk) -> bool:
    """Its market and its broker are its own local exchange."""
    return desk.settings.mode == "SIMULATED"


def check(settings: Settings) -> None:
    """Refuse what would only fail inside an actor: an unknown index, a day without a session, a missing file."""
    for index in settings.indices:
        check_index(index)
    day = settings.market.session_date
    if day is not None:
        _require_session(settings, day)
    if settings.events.kafka.bootstrap:
        kafka.require()
        kafka.read_properties(settings.events.kafka.properties)
    instruments = settings.market.instruments
    if instruments and not Path(instruments).is_file():
        raise ConfigError(f"market.instruments: no file {instruments!r}")
    if settings.mode != "REPLAY":
        _check_live(settings)
        return
    if day is None:
        raise ConfigError("market.session_date: a replay needs the day to replay")
    path = settings.market.path
    if settings.market.source == "file" and not Path(path).is_file():
        raise ConfigError(f"market.path: no file {path!r} to replay")
    if settings.market.source == "tape" and not (path and ("://" in path or Path(path).is_dir())):
        raise ConfigError(f"market.path: no tape {path!r} to replay; `vikalp status --json` names a desk's data_dir")
    for index in settings.indices:  # now, and not in five actors a minute later
        recorded(settings, index).open()


def _check_live(settings: Settings) -> None:
    market = settings.market
    if market.instruments and market.source == "kite":
        raise ConfigError("market.instruments: a desk with an account has the day's instruments from its broker")
    if market.source == "simulated" and not market.speed:
        raise ConfigError("market.speed: 0 is for a replay; a simulated session needs more than 0, 1 is real time")
    if market.source == "kite" and market.session_date is not None:
        raise ConfigError("market.session_date: a live market is of today; leave it empty")
    if market.source == "kite" and not settings.kite.api_key:
        raise ConfigError("kite.api_key: a live market needs the key of your app at Kite, docs/live.md")
    if settings.mode == "LIVE" and any(strategy.enabled for strategy in settings.strategies):
        raise ConfigError(
            "strategies: they trade on paper; with kite.orders they would trade the account: leave one of the two out"
        )
    if settings.kite.links > len(settings.indices):
        raise ConfigError(
            f"kite.links: a link carries whole indices; {len(settings.indices)} need no {settings.kite.links} links"
        )


def simulated(desk: Desk) -> SimulatedSession:
    """The session this desk simulates: the same in every process, however often it starts again."""
    market = desk.settings.market
    today = dt.datetime.fromtimestamp(desk.anchor_wall_ns / 1e9, tz=IST).date()
    return simulate(
        desk.exchange,
        market.session_date or session_date(desk.exchange, today),
        anchor_wall_ns=desk.anchor_wall_ns,
        seed=market.seed,
        speed=market.speed,
    )


def market_day(desk: Desk) -> dt.date:
    """The day this desk simulates, trades or replays; where today has no session, the next that has."""
    if desk.settings.mode == "SIMULATED":
        return simulated(desk).date
    today = from_ns(desk.anchor_wall_ns).date()
    return desk.settings.market.session_date or session_date(desk.exchange, today)


def market_clock(desk: Desk) -> Clock:
    """A clock of its own for each actor: in a replay it stands where that actor's data stand."""
    if desk.settings.mode == "SIMULATED":
        return SimulatedClock(simulated(desk))
    if desk.settings.mode in {"PAPER", "LIVE"}:
        return WallClock()
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
    if market.source == "kite":
        where = "Kite" if desk.settings.kite.root == KITE else desk.settings.kite.root
        return f"live market at {where}, {'orders go to the account' if desk.settings.kite.orders else 'paper orders'}"
    pace = f"at {market.speed:g}×" if market.speed else "at full speed"
    return f"replay of {market.session_date} from {Path(market.path).name} {pace}"


def make_phase(desk: Desk) -> Callable[[int], str]:
    """Market time to closed, pre-open or open, on the desk's first exchange."""
    return partial(_phase, desk.facts, desk.exchange)


def _phase(facts: tuple[UserFacts, ...], exchange: str, market_ns: int) -> str:
    if user_facts() != facts:  # the supervisor's process, which is handed nothing else of the desk
        use(facts)
    return phase(exchange, market_ns)


def make_ledger(desk: Desk, *, writer: str) -> Ledger:
    """Of the actor `writer`."""
    carry = desk.settings.mode == "LIVE"
    return PostgresLedger(desk.dsn, book_id(desk), carry=carry, writer=writer, scope=kill_scope(desk))


def book_id(desk: Desk) -> str:
    """Whose orders and positions these are: a session's; in PAPER a trading day's, however often the desk starts; in
    LIVE the account's, which outlive every day.
    """
    mode, kite = desk.settings.mode, desk.settings.kite
    account = f"{mode.lower()}-{urlsplit(kite.root).netloc}-{kite.api_key}"
    return {"PAPER": f"{account}-{market_day(desk)}", "LIVE": account}.get(mode, desk.session_id)


def kill_scope(desk: Desk) -> str:
    """What a kill switch stops until a person releases it: an account, through its days; all simulated sessions of this
    desk; a replay stands for itself.
    """
    mode, kite = desk.settings.mode, desk.settings.kite
    if mode == "REPLAY":
        return desk.session_id
    account = f"{urlsplit(kite.root).netloc}-{kite.api_key}" if mode in {"PAPER", "LIVE"} else f"desk {desk.desk}"
    return f"{mode.lower()} {account}"


def is_rehearsal(desk: Desk) -> bool:
    """Its market is a local exchange's, its own or another, and so an invented one or a recording."""
    return is_local(desk) or (desk.settings.market.source == "kite" and desk.settings.kite.root != KITE)


def make_bus(desk: Desk, source: str, routes: Mapping[str, tuple[str, ...]]) -> RayBus:
    bus, replays = desk.settings.bus, desk.settings.mode == "REPLAY"
    # A feed is what sends the order manager quotes; news of orders come from elsewhere and go at once. The paper broker
    # fills by them: an exit decided on a chain must not meet an older book.
    own_book = desk.settings.mode in {"SIMULATED", "LIVE"} and source.startswith("feed.")
    patient = () if replays else ("recorder", "oms") if own_book else ("recorder",)
    return RayBus(
        desk.namespace,
        routes,
        source=source,
        lossless=replays,
        pace_s=dict.fromkeys(patient, bus.pace_ms / 1000),
        limits=BusLimits(waiting=bus.waiting, ring_bytes=bus.ring_mb * 1_000_000, lossless_s=bus.lossless_s),
    )


def recorded(settings: Settings, index: str) -> Source:
    """The recorded day of `index` that these settings replay."""
    market = settings.market
    assert market.session_date is not None, "check() refuses a replay without a day"
    source = ChainFileSource if market.source == "file" else TapeSource
    return source(market.path, index, market.session_date)


def tape_url(desk: Desk) -> str:
    """Where this desk records. Two simulated sessions of one date are two markets: each has a folder of its own.

    So has a replay that was given none: what it shows is not the live market of its date.
    """
    mode, base = desk.settings.mode, desk.settings.tape.url or str(desk_dir(desk.desk) / "tape")
    if is_rehearsal(desk) and not is_local(desk):
        return f"{base}/{urlsplit(desk.settings.kite.root).netloc}"
    own = mode == "SIMULATED" or (mode == "REPLAY" and not desk.settings.tape.url)
    return f"{base}/{desk.session_id}" if own else base


def _require_session(settings: Settings, day: dt.date) -> None:
    exchange = exchange_of(settings.indices[0])
    if session(exchange, day) is None:
        raise ConfigError(f"market.session_date: {day} has no session: {why_closed(exchange, day)}")
