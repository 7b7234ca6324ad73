"""The job that fills a desk's tape, against the desk's own exchange: everything but Ray."""

import dataclasses
import datetime as dt
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from kiteconnect import KiteConnect

from brokers.kite.limiter import Call, Limiter
from brokers.kite.login import Login
from cluster.account import log_in_locally, login_path, make_client, root_of, store_of
from cluster.desk import Desk, market_clock, tape_url
from cluster.dump import read_listing
from cluster.local_exchange import world_of
from cluster.ports import DESKS, in_use, ports
from cluster.running import keep_settings, running_desk
from cluster.settings import PASSPHRASE, KiteSettings, MarketSettings, Settings
from cluster.state import ROOT, DeskState, desk_dir, pid_of, write_state
from core.errors import BrokerDown
from core.kite.instruments import Listing
from core.market import IST, from_ns, session, to_ns
from core.market.bars import Bars
from core.market.missing import Hole
from core.records import Stamp
from core.schemas import BARS
from exchange.faults import Fault
from exchange.limits import Rates
from exchange.simulator import SimulatedSource
from exchange.world import World
from jobs.backfill import Done, fill, latest, limiter, main
from jobs.wanted import Want, wanted
from storage.backfilled import backfill_root
from storage.holes import Holes
from storage.past import TapePast
from storage.secrets import Passphrase, Secrets
from storage.tape import ParquetTape, read_partition, read_tape
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


def test_after_an_outage_the_tape_is_whole_and_what_was_filled_is_the_exchanges(desk: Desk, listing: Listing) -> None:
    root = tape_url(desk)
    recorded, before = rows(read_tape(root, "bars", DATE, "NIFTY")), files(root)
    assert not [key for key in recorded if key[1] == 60 and OUTAGE[0] <= key[2] < OUTAGE[1]]

    # A few contracts of every kind: an option is asked only if it traded.
    symbols = [c.symbol for c in listing.contracts if c.symbol in {"NIFTY", "INDIA VIX", "NIFTY26NOVFUT"}]
    symbols += [c.symbol for c in listing.contracts if c.symbol.startswith("NIFTY26NOV") and c.strike_paise][:6]
    want = missing(desk, listing, *symbols)
    done = filled(desk, want)

    assert files(root) == before, "the recorder's files"
    whole = rows(read_tape(root, "bars", DATE, "NIFTY"))
    assert {key: whole[key] for key in recorded} == recorded, "what was there is not overwritten"
    new = {key: bar for key, bar in whole.items() if key not in recorded}
    assert done.bars == len(new) > 6 * 3
    for symbol in symbols:
        for seconds in (60, 180):
            said = candles(desk, listing, symbol, seconds)
            ours = {key: bar for key, bar in new.items() if key[:2] == (symbol, seconds)}
            assert ours == {key: said[key] for key in ours}
            # What the exchange has and the tape has not did not trade.
            lacking = {key: bar for key, bar in said.items() if key not in whole}
            assert all(bar[4] == 0 and symbol not in {"NIFTY", "INDIA VIX"} for bar in lacking.values())
    level = [key[2] for key in whole if key[:2] == ("NIFTY", 60)]
    assert level == list(range(at(9, 15), NOW - MINUTE, MINUTE)), "in order, each once"
    assert not done.refused

    again = missing(desk, listing, *symbols)
    assert (again.gaps, again.counts["missing"]) == ((), 0)
    past = TapePast(root, "NIFTY").bars(at(9, 15), NOW)
    assert rows(pa.Table.from_batches(past)).items() == whole.items()


def test_levels_and_futures_are_wanted_from_the_open_and_options_from_their_first_tick(
    desk: Desk, listing: Listing
) -> None:
    late = next(c for c in listing.contracts if c.strike_paise)
    gone = dataclasses.replace(late, symbol="NIFTY26N1723700CE", expiry=dt.date(2026, 11, 17))
    root = tape_url(desk)
    ticks = read_tape(root, "ticks", DATE, "NIFTY")
    taped = TapedDay(root, DATE, "NIFTY")
    assert set(taped.contracts) <= set(listing.keys)
    first = {one.symbol: taped.first_ns(one.symbol) for one in listing.contracts}
    assert first[late.symbol] == at(9, 15)

    mine = ticks.filter(pa.array([s == late.symbol for s in ticks["symbol"].to_pylist()]))
    other = ticks.filter(pa.array([s == "NIFTY26DECFUT" for s in ticks["symbol"].to_pylist()]))
    old = mine.set_column(1, ticks.schema.field(1), pa.array([gone.symbol] * mine.num_rows))
    young = mine.filter(pa.array([ns >= at(9, 31, 20) for ns in mine["exchange_ns"].to_pylist()]))
    some = other.filter(pa.array([ns >= at(9, 31, 20) for ns in other["exchange_ns"].to_pylist()]))
    small = Path(root).with_name("small")
    tape = ParquetTape(str(small))
    for sequence, batch in enumerate(pa.concat_tables([old, young, some]).combine_chunks().to_batches(), 1):
        stamp = Stamp(source="f", topic="ticks", index="NIFTY", epoch=1, sequence=sequence, sent_wall_ns=0)
        tape.append(stamp, "ticks", "NIFTY", batch)
    tape.flush()
    want = wanted(TapedDay(str(small), DATE, "NIFTY"), listing, "NIFTY", DATE, seconds=(60, 180), now_ns=NOW, holes={})
    begins = {(gap.contract.symbol, gap.seconds): int(gap.starts[0]) for gap in want.gaps}
    assert {symbol for symbol, _ in begins} == {
        "NIFTY", "INDIA VIX", "NIFTY26NOVFUT", "NIFTY26DECFUT", "NIFTY27JANFUT", late.symbol,
    }  # fmt: skip
    assert {begins[symbol, 60] for symbol, _ in begins if symbol != late.symbol} == {at(9, 15)}
    assert (begins[late.symbol, 60], begins[late.symbol, 180]) == (at(9, 31), at(9, 30))
    assert want.unlisted == (gone.symbol,)


class Interrupted(KiteConnect):
    """Does `act` before its n-th question for history."""

    def __init__(self, client: KiteConnect, on: int, act: Callable[[], None]) -> None:
        super().__init__(client.api_key, access_token=client.access_token, root=client.root)
        self.asked, self._on, self._act = 0, on, act

    def historical_data(self, *args: object, **options: object) -> object:
        self.asked += 1
        if self.asked == self._on:
            self._act()
        return super().historical_data(*args, **options)


def test_a_429_in_the_middle_is_waited_for_and_loses_nothing(desk: Desk, listing: Listing, served: Served) -> None:
    want, done, hand = missing(desk, listing, "NIFTY", "NIFTY26NOVFUT"), Done(), Hand()

    def refuse() -> None:
        served.do(lambda: served.world.fault(Fault.TOO_MANY, uses=1))

    kite = Interrupted(make_client(desk), 2, refuse)
    fill(want.gaps, kite, Limiter(clock=hand), tape_url(desk), now_ns=NOW, done=done, sleep=hand.sleep)
    assert hand.now > 10 * SECOND, "it cooled down"
    assert (done.requests, kite.asked) == (4, 5)
    assert not missing(desk, listing, "NIFTY", "NIFTY26NOVFUT").gaps


def test_a_token_that_dies_in_the_middle_loses_nothing_and_the_next_run_asks_for_the_rest(
    desk: Desk, listing: Listing, served: Served
) -> None:
    want, done = missing(desk, listing, "NIFTY", "INDIA VIX", "NIFTY26NOVFUT"), Done()

    def die() -> None:
        served.do(lambda: served.world.fault(Fault.TOKEN_DEATH))

    kite = Interrupted(make_client(desk), 4, die)
    with pytest.raises(BrokerDown):
        fill(want.gaps, kite, unlimited(), tape_url(desk), now_ns=NOW, done=done)
    assert done.requests == 3
    left = missing(desk, listing, "NIFTY", "INDIA VIX", "NIFTY26NOVFUT")
    assert [gap.starts.tolist() for gap in left.gaps] == [gap.starts.tolist() for gap in want.gaps[3:]]
    store_of(desk).save(log_in_locally(root_of(desk), market_clock(desk).now_ns()))
    filled(desk, left)
    assert not missing(desk, listing, "NIFTY", "INDIA VIX", "NIFTY26NOVFUT").gaps


def test_what_the_exchange_does_not_have_is_a_hole_and_is_not_asked_again(desk: Desk, listing: Listing) -> None:
    (Path(tape_url(desk)) / "holes.json").unlink(missing_ok=True)
    far = [c.symbol for c in listing.contracts if c.strike_paise][-2:]
    later = at(20, 0)  # of Kite: everything is final, and this exchange has not traded it yet
    want = missing(desk, listing, *far, now_ns=later)
    done = filled(desk, want, now_ns=later)
    assert done.nowhere > 300
    again = missing(desk, listing, *far, now_ns=later)
    assert (again.gaps, again.counts["nowhere"] > 0) == ((), True)
    assert all(isinstance(hole, Hole) for holes in Holes(tape_url(desk)).read().values() for hole in holes)


def test_its_limiter_leaves_a_third_of_the_historical_requests_to_others() -> None:
    hand, granted = Hand(), 0
    ours = limiter(hand)
    while hand.now < 60 * SECOND:
        granted += not ours.ask(Call.HISTORY)
        hand.sleep(0.05)
    assert 90 < granted <= 2 * 60


# The command


def test_the_job_finds_its_desk_says_what_it_did_and_does_it_once(
    desk: Desk, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--desk", str(number), "--symbols", "NIFTY", "NIFTY26NOVFUT", "--seconds", "60"]
    assert main(args) == 0
    said = capsys.readouterr().out
    assert "NIFTY on 2026-11-20: 2 contracts; bars: " in said
    assert "2 requests, at most 2 a second" in said
    assert "of 2 contracts" in said
    assert "took " in said
    once = rows(read_partition(backfill_root(tape_url(desk)), "bars", DATE, "NIFTY"))
    assert main(args) == 0
    again = rows(read_partition(backfill_root(tape_url(desk)), "bars", DATE, "NIFTY"))  # each once, so asked for once
    assert again.items() >= once.items()
    assert read_tape(tape_url(desk), "bars", DATE, "NIFTY").schema.equals(BARS)
    with (Path(desk.data_dir) / "backfill.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(args) == 2
    assert "another backfill" in capsys.readouterr().err


def test_a_live_desk_at_the_weekend_fills_the_session_before(number: int) -> None:
    live = running_desk(paper(number))
    begun = latest(live)
    assert begun <= from_ns(time.time_ns()).date()
    assert session("NSE", begun) is not None
    assert latest(made_desk(number=number)) == DATE


@pytest.mark.usefixtures("desk")
def test_what_it_cannot_do_it_says_in_words(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    one = ["--desk", str(number)]
    for args, words in (
        ([*one, "--symbols", "NIFTY26N1723700CE"], "Kite has no history of what has expired"),
        ([*one, "--index", "SENSEX"], "the desk has NIFTY, not SENSEX"),
        ([*one, "--index", "NIFTEE"], "known are"),
        ([*one, "--date", "2026-11-21"], "has no session"),
        ([*one, "--date", "2026-11-23"], "is yet to come"),
        ([*one, "--date", "yesterday"], "yesterday"),
        ([*one, "--seconds", "3600"], "Kite has no candles"),
        (["--desk", "0"], "desk 0 is not running"),
    ):
        assert main(args) == 2
        assert words in capsys.readouterr().err
    made_desk("r", number=number, mode="replay")
    assert main(one) == 2
    assert "replays a recorded day" in capsys.readouterr().err


class Stdin:
    def __init__(self, *, terminal: bool) -> None:
        self.isatty = lambda: terminal


def test_by_hand_the_passphrase_of_a_live_desk_is_asked_for(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = KiteSettings(root="http://127.0.0.1:9", api_key="key")
    write_state(paper(number, nobody))
    monkeypatch.setenv(PASSPHRASE, "")
    login = Login(root=nobody.root, api_key="key", api_secret="s", access_token="T" * 32, expires_ns=1 << 62)
    Secrets(login_path(nobody.root), Passphrase("the words"), Login, iterations=1).save(login)

    monkeypatch.setattr(sys, "stdin", Stdin(terminal=False))
    assert main(["--desk", str(number)]) == 2
    assert f"give it as {PASSPHRASE}" in capsys.readouterr().err

    monkeypatch.setattr(sys, "stdin", Stdin(terminal=True))
    monkeypatch.setattr("getpass.getpass", lambda asked: "the words" if "passphrase" in asked else "")
    assert main(["--desk", str(number)]) == 2
    assert "Kite cannot be reached" in capsys.readouterr().err, "the login opened, and was used"


def test_a_bug_is_not_said_to_be_the_users(desk: Desk, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise ValueError("array is too big")

    assert desk
    monkeypatch.setattr("jobs.backfill.wanted", bug)
    with pytest.raises(ValueError, match="too big"):
        main(["--desk", str(number)])


def test_killed_at_any_moment_it_asks_for_the_rest_alone(desk: Desk, number: int, listing: Listing) -> None:
    """A process of its own, killed with SIGKILL as soon as some of it is on the disk."""
    symbols = [c.symbol for c in listing.contracts if c.symbol in {"NIFTY", "INDIA VIX"} or c.kind == 1]
    args = [sys.executable, "-m", "jobs.backfill", "--desk", str(number), "--symbols", *symbols]
    root = tape_url(desk)
    process = subprocess.Popen(args, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60  # of a busy machine
        while not list(Path(backfill_root(root)).rglob("part-*.parquet")):
            assert time.monotonic() < until, "nothing was filled"
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = rows(read_partition(backfill_root(root), "bars", DATE, "NIFTY"))
    left = missing(desk, listing, *symbols, now_ns=NOW)
    assert 0 < len(left.gaps) < 10, "some is done, some is left"
    done = filled(desk, left, now_ns=NOW)
    whole = rows(read_partition(backfill_root(root), "bars", DATE, "NIFTY"))
    assert len(whole) == len(kept) + done.bars, "nothing was asked for twice"
    assert not missing(desk, listing, *symbols, now_ns=NOW).gaps
