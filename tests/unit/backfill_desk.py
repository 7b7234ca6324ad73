"""A desk of now whose tape has an outage, logged in at its own exchange: everything but Ray."""

import dataclasses
import datetime as dt
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from kiteconnect import KiteConnect

from brokers.kite.limiter import Limiter
from cluster.account import log_in_locally, make_client, root_of, store_of
from cluster.desk import Desk, market_clock, tape_url
from cluster.dump import read_listing
from cluster.local_exchange import world_of
from cluster.ports import DESKS, in_use, ports
from cluster.running import keep_settings, running_desk
from cluster.settings import KiteSettings, MarketSettings, Settings
from cluster.state import DeskState, desk_dir, pid_of, write_state
from core.kite.instruments import Listing
from core.market import IST, to_ns
from core.market.bars import Bars
from core.records import Stamp
from exchange.limits import Rates
from exchange.simulator import SimulatedSource
from exchange.world import World
from jobs.backfill import Done, fill
from jobs.wanted import Want, wanted
from storage.holes import Holes
from storage.tape import ParquetTape
from storage.taped_day import TapedDay
from tests.unit.exchange.conftest import DATE, Served

SECOND, MINUTE = 1_000_000_000, 60_000_000_000
BARE = ["symbol", "seconds", "start_ns", "open_paise", "high_paise", "low_paise", "close_paise", "volume", "oi"]


def at(hour: int, minute: int, second: int = 0) -> int:
    return to_ns(dt.datetime.combine(DATE, dt.time(hour, minute, second), IST))


OUTAGE = at(9, 20), at(9, 26)  # no link, so no ticks
TAPED = at(9, 33)  # the end of the tape
NOW = at(9, 40)  # of the desk, or a little later
ANCHOR = time.time_ns() - (NOW - at(9, 14))


def made_desk(session_id: str = "s", *, number: int, mode: str = "simulated") -> Desk:
    """A desk of now, 26 minutes into its session, as `vikalp up` leaves it."""
    market = MarketSettings(session_date=DATE, ticks_per_second=30)
    settings = Settings(indices=("NIFTY",), market=market)
    folder = desk_dir(number)
    folder.mkdir(parents=True, exist_ok=True)
    keep_settings(folder, settings)
    (folder / "facts.json").write_text("[]")
    state = DeskState(
        desk=number, session_id=session_id, phase="READY", step="ready", host=pid_of(os.getpid()), data_dir=str(folder),
        mode="REPLAY" if mode == "replay" else settings.mode, anchor_wall_ns=ANCHOR,
    )  # fmt: skip
    write_state(state)
    return running_desk(state)


def paper(number: int, kite: KiteSettings | None = None) -> DeskState:
    """The state of a desk on the live market."""
    folder = desk_dir(number)
    keep_settings(folder, Settings(market=MarketSettings(source="kite"), kite=kite or KiteSettings()))
    return DeskState(
        desk=number, session_id="p", phase="READY", step="ready", host=pid_of(os.getpid()), data_dir=str(folder),
        mode="PAPER", anchor_wall_ns=time.time_ns(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("VIKALP_HOME", str(folder))
        patch.delenv("VIKALP_SESSION", raising=False)
        yield folder


@pytest.fixture(scope="module")
def number() -> int:
    return next(n for n in range(DESKS - 1, 0, -1) if not in_use(n))


@pytest.fixture(scope="module")
def served(home: Path, number: int) -> Iterator[Served]:
    assert home.exists()
    config = world_of(made_desk(number=number)).config
    world = World(dataclasses.replace(config, rates=Rates(enforced=False)))
    with Served(world, ports(number).exchange) as server:
        yield server


@pytest.fixture(autouse=True)
def _logged_in(served: Served, number: int) -> None:
    """Anew for each test: one may have ended the session."""
    served.world.faults.stop()
    desk = made_desk(number=number)
    store_of(desk).save(log_in_locally(root_of(desk), market_clock(desk).now_ns()))


@pytest.fixture(scope="module")
def recorded() -> tuple[list[pa.RecordBatch], list[pa.RecordBatch]]:
    """Ticks and bars of the session so far as a recorder has them, but for the outage; the first bar after it torn."""
    source = SimulatedSource(index="NIFTY", seed=7, session_date=DATE, ticks_per_second=30, batch_ms=5_000)
    source.open()
    made, ticks, bars = Bars(), [], []
    while (due := source.next_ns()) is not None and due < TAPED:
        for batch in source.poll(due):
            if not OUTAGE[0] <= due < OUTAGE[1]:
                ticks.append(batch)
                closed = made.add(batch)
                bars += [closed] if closed is not None else []
    return ticks, bars


@pytest.fixture
def desk(request: pytest.FixtureRequest, number: int, recorded: tuple[list[pa.RecordBatch], ...]) -> Desk:
    """A session of its own, with its tape."""
    made = made_desk(request.node.name.replace("/", "-")[:60], number=number)
    tape = ParquetTape(tape_url(made))
    for name, batches in zip(("ticks", "bars"), recorded, strict=True):
        for sequence, batch in enumerate(batches, 1):
            stamp = Stamp(source="feed.NIFTY", topic=name, index="NIFTY", epoch=1, sequence=sequence, sent_wall_ns=0)
            tape.append(stamp, name, "NIFTY", batch)
    tape.flush()
    return made


@pytest.fixture
def listing(desk: Desk) -> Listing:
    return read_listing(desk)[1]


@dataclasses.dataclass
class Hand:
    """A clock that only sleeping turns."""

    now: int = 0

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND) + 1


def unlimited() -> Limiter:
    return Limiter(clock=iter(range(0, 1 << 62, 60 * SECOND)).__next__)


def missing(desk: Desk, listing: Listing, *symbols: str, now_ns: int = NOW) -> Want:
    holes, taped = Holes(tape_url(desk)).read(), TapedDay(tape_url(desk), DATE, "NIFTY")
    return wanted(taped, listing, "NIFTY", DATE, seconds=(60, 180), now_ns=now_ns, holes=holes, symbols=symbols)


def filled(desk: Desk, want: Want, *, now_ns: int = NOW, kite: KiteConnect | None = None) -> Done:
    done = Done()
    fill(want.gaps, kite or make_client(desk), unlimited(), tape_url(desk), now_ns=now_ns, done=done)
    return done


def rows(table: pa.Table | None) -> dict[tuple[str, int, int], tuple[int, ...]]:
    assert table is not None
    values = zip(*(table[name].to_pylist() for name in BARE), strict=True)
    found = [(row[:3], row[3:]) for row in values]
    assert len(dict(found)) == len(found), "a bar is there twice"
    return dict(found)


def files(root: str) -> Mapping[str, bytes]:
    """Of the recorder, not of the backfill."""
    paths = (path for path in Path(root).rglob("*") if path.is_file() and "backfill" not in path.parts)
    return {str(path): path.read_bytes() for path in paths if path.name != "holes.json"}


def candles(desk: Desk, listing: Listing, symbol: str, seconds: int) -> dict[tuple[str, int, int], tuple[int, ...]]:
    """What the exchange says of that contract's session."""
    name = {60: "minute", 180: "3minute"}[seconds]
    span = f"{DATE} 09:15:00", f"{DATE} 09:38:59"
    said = make_client(desk).historical_data(listing.token(symbol), *span, name, oi=True)
    prices = ("open", "high", "low", "close")
    return {
        (symbol, seconds, to_ns(row["date"])): (*(round(row[of] * 100) for of in prices), row["volume"], row["oi"])
        for row in said
    }
