"""What a desk's tape lacks, from the desk's own exchange: everything but Ray."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from kiteconnect import KiteConnect

from brokers.kite.limiter import Limiter
from cluster.account import log_in_locally, make_client, root_of, store_of
from cluster.desk import Desk, market_clock, tape_url
from core.errors import BrokerDown
from core.kite.instruments import Listing
from core.market.missing import Hole
from core.records import Stamp
from exchange.faults import Fault
from jobs.backfill import Done, fill
from jobs.wanted import wanted
from storage.holes import Holes
from storage.past import TapePast
from storage.tape import ParquetTape, read_tape
from storage.taped_day import TapedDay
from tests.unit.backfill_desk import (
    MINUTE,
    NOW,
    OUTAGE,
    SECOND,
    Hand,
    _logged_in,
    at,
    candles,
    desk,
    files,
    filled,
    home,
    listing,
    missing,
    number,
    recorded,
    rows,
    served,
    unlimited,
)
from tests.unit.exchange.conftest import DATE, Served

__all__ = ["_logged_in", "desk", "home", "listing", "number", "recorded", "served"]


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
