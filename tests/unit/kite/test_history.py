"""Missing bars: which they are, how they are asked for, and what becomes of the answers."""

import datetime as dt
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteConnect
from kiteconnect.exceptions import InputException, NetworkException, TokenException
from numpy.typing import NDArray

from brokers.kite.history import CLOSED_S, FINAL_S, INTERVALS, Filled, Gap, backfill, gap_of, requests_of
from brokers.kite.limiter import Call, Limiter
from brokers.kite.reads import read
from core.errors import BrokerDown, InputError
from core.market import IST, from_ns, to_ns
from core.market.bars import Bars
from core.market.missing import Hole, bar_starts, missing, stretches
from core.market.symbols import Contract
from core.records import Stamp
from core.schemas import Kind, check
from exchange.limits import Rates
from exchange.world import World, WorldConfig
from storage.holes import Holes
from storage.tape import ParquetTape, read_tape
from tests.unit.exchange.conftest import DATE, Served

SECOND, MINUTE = 1_000_000_000, 60_000_000_000
NIFTY = Contract("NIFTY", Kind.INDEX, None, 0, "NIFTY")
CALL = Contract("NIFTY", Kind.CALL, dt.date(2026, 11, 23), 26_000_00, "NIFTY26NOV26000CE")
NONE: NDArray[np.int64] = np.empty(0, np.int64)


def at(hour: int, minute: int, second: int = 0, *, on: dt.date = DATE) -> int:
    return to_ns(dt.datetime.combine(on, dt.time(hour, minute, second), IST))


NIGHT = at(20, 0)


def candle(start_ns: int, price: float = 100.05, **other: Any) -> dict[str, Any]:
    row = {
        "date": from_ns(start_ns),
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": 65,
        "oi": 130,
    }
    return row | other


class Kite(KiteConnect):
    """A client whose answers are these, one a call; it keeps what it was asked."""

    def __init__(self, *answers: list[dict[str, Any]] | Exception) -> None:
        super().__init__(api_key="k")
        self.answers, self.asked = list(answers), []

    def historical_data(self, *asked: Any, **_: Any) -> list[dict[str, Any]]:
        self.asked.append(asked)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Hand:
    """A clock that only sleeping turns."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND) + 1


def filled(kite: KiteConnect, *gaps: Gap, now_ns: int = NIGHT) -> list[Filled]:
    hand = Hand()
    return list(backfill(gaps, kite, Limiter(clock=hand), now_ns=now_ns, sleep=hand.sleep))


def gap(first_ns: int, end_ns: int, *, of: Contract = CALL, have: NDArray[np.int64] = NONE, **more: Any) -> Gap:
    return gap_of(of, 7, 60, (first_ns, end_ns), now_ns=more.pop("now_ns", NIGHT), have=have, **more)


# Which bars there should be


def test_a_session_has_its_bars_and_a_night_has_none() -> None:
    for exchange in ("NSE", "BSE"):
        starts = bar_starts(exchange, 60, at(0, 0), at(0, 0, on=DATE + dt.timedelta(days=3)))
        assert (starts[0], starts[-1], starts.size) == (at(9, 15), at(15, 39), 385)
    threes = bar_starts("NSE", 180, at(0, 0), NIGHT)
    assert (threes[0], threes[-1], threes.size) == (at(9, 15), at(15, 39), 129)  # the last is a minute long
    assert bar_starts("NSE", 60, at(10, 0), at(10, 0)).size == 0
    assert bar_starts("NSE", 60, at(10, 0), at(9, 0)).size == 0
    assert bar_starts("NSE", 60, at(10, 0), at(10, 0) + 1).tolist() == [at(10, 0)]
    assert bar_starts("NSE", 60, at(10, 0) + 1, at(10, 1)).size == 0


def test_a_holiday_has_none_and_special_sessions_have_their_own() -> None:
    def times(day: dt.date) -> list[str]:
        starts = bar_starts("NSE", 60, at(0, 0, on=day), at(23, 59, on=day))
        return [f"{from_ns(int(ns)):%H:%M}" for ns in starts]

    assert times(dt.date(2026, 1, 26)) == []
    drill = times(dt.date(2024, 3, 2))
    assert (drill[0], drill[-1]) == ("09:15", "12:29")
    assert "10:30" not in drill  # its pause
    assert len(times(dt.date(2026, 7, 31))) == 375  # the last day that closed at 15:30


@given(st.integers(0, 26 * 3600), st.integers(0, 26 * 3600), st.sampled_from(sorted(INTERVALS)))
def test_two_stretches_make_the_whole(first_s: int, then_s: int, seconds: int) -> None:
    first, middle, end = at(0, 0), at(0, 0) + min(first_s, then_s) * SECOND, at(0, 0) + max(first_s, then_s) * SECOND
    whole = bar_starts("NSE", seconds, first, end)
    parts = np.concatenate([bar_starts("NSE", seconds, first, middle), bar_starts("NSE", seconds, middle, end)])
    assert whole.tolist() == parts.tolist()
    assert set(whole.tolist()) <= set(bar_starts("NSE", 60, first, end).tolist())
    Bars([seconds])  # a length our own bars have
    assert not (whole % (seconds * SECOND)).any()


@given(st.sets(st.integers(0, 384)), st.sets(st.integers(0, 384)))
def test_what_is_missing_is_neither_there_nor_a_hole(have: set[int], absent: set[int]) -> None:
    starts = bar_starts("NSE", 60, at(0, 0), NIGHT)
    runs = stretches(starts, starts[sorted(absent)], 60)
    holes = [Hole("X", 60, first, end, 0) for first, end in runs]
    assert all(one[1] < two[0] for one, two in pairwise(runs))
    left = missing(starts, starts[sorted(have)], holes)
    assert left.tolist() == starts[sorted(set(range(385)) - have - absent)].tolist()


def test_a_length_whose_candles_are_not_our_bars_is_refused() -> None:
    for seconds in (600, 1800, 3600, 86_400):
        with pytest.raises(InputError, match="Kite has no candles"):
            gap_of(CALL, 7, seconds, (at(9, 0), NIGHT), now_ns=NIGHT, have=NONE)
    with pytest.raises(InputError, match="quarter of an hour"):
        bar_starts("NSE", 3600, at(9, 0), NIGHT)


def test_a_bar_that_may_not_be_final_is_not_asked_for() -> None:
    for seconds, last in ((CLOSED_S, at(9, 19)), (CLOSED_S - 1, at(9, 18))):
        assert gap(at(9, 0), NIGHT, now_ns=at(9, 20) + seconds * SECOND).starts[-1] == last
    with pytest.raises(ValueError, match="no time zone"):
        to_ns(dt.datetime(2026, 11, 20, 9, 15))  # noqa: DTZ001 what is refused


# How they are asked for


@given(st.sets(st.integers(0, 300), min_size=1, max_size=40), st.sampled_from(sorted(INTERVALS)))
def test_requests_are_the_fewest_kite_allows_and_together_everything(days: set[int], seconds: int) -> None:
    starts = np.array([at(9, 15) + day * 86_400 * SECOND for day in sorted(days)], np.int64)
    found = requests_of(Gap(CALL, 7, seconds, starts))
    longest = INTERVALS[seconds][1]

    assert np.concatenate(found).tolist() == starts.tolist()
    assert all((from_ns(int(one[-1])).date() - from_ns(int(one[0])).date()).days < longest for one in found)
    for one, two in pairwise(found):  # the next one's first day would not have fitted
        assert (from_ns(int(two[0])).date() - from_ns(int(one[0])).date()).days >= longest


def test_nothing_missing_is_no_request() -> None:
    assert requests_of(gap(at(9, 0), at(9, 0))) == []


def test_kite_is_asked_in_indian_time_from_the_first_to_the_last_missing() -> None:
    kite = Kite([candle(at(9, 16)), candle(at(9, 17)), candle(at(9, 18))])
    out = filled(kite, gap(at(9, 0), at(9, 19), have=np.array([at(9, 15), at(9, 17)])))

    assert kite.asked == [(7, "2026-11-20 09:16:00", "2026-11-20 09:18:00", "minute")]
    assert [one.to_pydict()["start_ns"] for one in out[0].batches] == [[at(9, 16), at(9, 18)]]
    assert (out[0].holes, out[0].refused) == ((), ())


def test_the_limiter_grants_every_call_and_a_429_cools_it_down() -> None:
    kite, hand = Kite(*[[] for _ in range(4)], NetworkException("Too many requests", code=429), []), Hand()
    gaps = [gap(at(9, 15), at(9, 16)) for _ in range(5)]
    out = backfill(gaps, kite, Limiter(clock=hand), now_ns=NIGHT, sleep=hand.sleep)
    times = [hand.now / SECOND for _ in out]
    assert times[:3] == [0, 0, 0]
    assert 1 < times[3] < 2
    assert times[4] > times[3] + 10
    assert len(kite.asked) == 6


def test_a_kite_that_only_says_too_many_is_given_up_within_the_minute() -> None:
    hand, again = Hand(), NetworkException("Too many requests", code=429)
    kite = Kite(*[again] * 20)
    with pytest.raises(BrokerDown, match="not asked: Kite's limit"):
        read(Call.HISTORY, kite.historical_data, Limiter(clock=hand), clock=hand, sleep=hand.sleep)
    assert 40 < hand.now / SECOND < 60
    assert len(kite.asked) == 6


def test_a_contract_kite_refuses_does_not_stop_the_others_and_a_dead_login_does() -> None:
    gaps = [gap(at(9, 15), at(9, 16)) for _ in range(3)]
    kite = Kite(InputException("invalid token", code=400), [], TokenException("dead", code=403))
    out = backfill(gaps, kite, Limiter(), now_ns=NIGHT)
    found = [next(out), next(out)]
    with pytest.raises(BrokerDown, match="dead"):
        next(out)
    assert "invalid token" in found[0].refused[0]
    assert not found[0].holes
    assert len(found[1].holes) == 1
    with pytest.raises(BrokerDown, match="ReadTimeout"):
        filled(Kite(requests.exceptions.ReadTimeout("late")), gaps[0])


# What becomes of the answers


def test_a_batch_is_of_one_market_date_and_holds_paise() -> None:
    thursday = at(15, 39, on=dt.date(2026, 11, 19))
    kite = Kite([candle(thursday, 0.05, high=12.35, volume=0, oi=0), candle(at(9, 15), 26_012.3)])
    out = filled(kite, gap(thursday, at(9, 16)))[0]

    rows = [check("bars", batch).to_pylist() for batch in out.batches]
    assert [[from_ns(row["start_ns"]).day for row in batch] for batch in rows] == [[19], [20]]
    prices = ("open_paise", "high_paise", "low_paise", "close_paise", "volume", "oi")
    assert [rows[0][0][name] for name in prices] == [5, 1235, 5, 5, 0, 0]
    assert [rows[1][0][name] for name in prices] == [26_012_30] * 4 + [65, 130]
    terms = ("index", "symbol", "kind", "expiry", "strike_paise", "seconds")
    assert tuple(rows[1][0][n] for n in terms) == ("NIFTY", CALL.symbol, 2, CALL.expiry, 26_000_00, 60)


def test_the_zone_of_an_answer_counts_and_one_without_is_refused_and_proves_nothing() -> None:
    utc = from_ns(at(9, 15)).astimezone(dt.UTC)
    odd = utc.astimezone(dt.timezone(dt.timedelta(hours=-3)))
    assert filled(Kite([candle(0, date=odd)]), gap(at(9, 15), at(9, 16)))[0].batches[0].num_rows == 1
    for bad in (utc.replace(tzinfo=None), "2026-11-20T09:15:00+0530", None, utc + dt.timedelta(seconds=1)):
        out = filled(Kite([candle(0, date=bad)]), gap(at(9, 15), at(9, 16)))[0]
        assert (out.batches, out.holes, len(out.refused)) == ((), (), 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"high": 100.0}, "open, high, low, close"),
        ({"low": 100.06}, "open, high, low, close"),
        ({"close": 200}, "open, high, low, close"),
        ({"open": 100.051}, "whole paise"),
        ({"open": 0}, "above 0"),
        ({"low": -1.0}, "above 0"),
        ({"open": math.nan}, "is a number"),
        ({"high": math.inf}, "is a number"),
        ({"high": 10**400}, "is a number"),
        ({"open": None}, "is a number"),
        ({"open": True}, "is a number"),
        ({"close": "100.05"}, "is a number"),
        ({"volume": -1}, "whole number"),
        ({"volume": 1.5}, "whole number"),
        ({"oi": None}, "is a number"),
    ],
)
def test_a_candle_that_cannot_be_is_said_and_is_no_hole(change: dict[str, Any], words: str) -> None:
    out = filled(Kite([candle(at(9, 15)) | change, candle(at(9, 16))]), gap(at(9, 15), at(9, 18)))[0]
    assert [batch.num_rows for batch in out.batches] == [1]
    assert [words in said and "09:15:00" in said for said in out.refused] == [True]
    assert [(hole.first_ns, hole.end_ns) for hole in out.holes] == [(at(9, 17), at(9, 18))]


def test_candles_of_a_session_nobody_knows_the_hours_of_leave_the_other_days_alone() -> None:
    muhurat, monday = dt.date(2026, 11, 8), dt.date(2026, 11, 9)
    want = gap(at(15, 38, on=dt.date(2026, 11, 6)), at(9, 17, on=monday))
    strange = [candle(at(18, minute, on=muhurat)) for minute in range(60)]
    out = filled(Kite([*strange, candle(at(9, 15, on=monday))]), want)[0]
    friday = at(15, 38, on=dt.date(2026, 11, 6))
    assert [(hole.first_ns, hole.end_ns) for hole in out.holes] == [
        (friday, friday + 2 * MINUTE),
        (at(9, 16, on=monday), at(9, 17, on=monday)),
    ]
    assert len(out.refused) == 1
    assert "(60 such)" in out.refused[0]


def test_an_index_has_no_open_interest_and_of_two_candles_the_first_stays() -> None:
    bare = candle(at(9, 15))
    del bare["oi"]
    out = filled(Kite([bare, bare, candle(at(9, 15), 99.0)]), gap(at(9, 15), at(9, 16), of=NIFTY))[0]
    assert [row["close_paise"] for row in out.batches[0].to_pylist()] == [100_05]
    assert len(out.refused) == 1
    assert "two candles" in out.refused[0]
    assert len(filled(Kite([bare]), gap(at(9, 15), at(9, 16)))[0].refused) == 1  # an option has one


def test_what_kite_does_not_have_is_a_hole_asked_for_once_unless_it_may_still_come() -> None:
    now = at(9, 25) + FINAL_S * SECOND
    out = filled(Kite([candle(at(9, 20))]), gap(at(9, 15), at(10, 0), now_ns=now), now_ns=now)[0]

    assert [(hole.first_ns, hole.end_ns, hole.asked_ns) for hole in out.holes] == [
        (at(9, 15), at(9, 20), now),
        (at(9, 21), at(9, 25), now),
    ]
    have = np.array([at(9, 20)])
    again = gap(at(9, 15), at(10, 0), now_ns=now, have=have, holes=out.holes)
    assert again.starts[0] == at(9, 25)
    other = gap_of(NIFTY, 7, 60, (at(9, 15), at(9, 25)), now_ns=now, have=have, holes=out.holes)
    assert other.starts.size == 9  # another contract's holes are its own


def test_holes_lie_beside_the_tape_and_a_damaged_file_is_said(tmp_path: Path) -> None:
    one, two = Hole("X", 60, 1, 2, 3), Hole("Y", 180, 4, 5, 6)
    holes = Holes(str(tmp_path))
    assert holes.read() == {}
    holes.add((one,))
    holes.add((one, two, one._replace(end_ns=9)))
    assert Holes(str(tmp_path)).read() == {("X", 60): (one, one._replace(end_ns=9)), ("Y", 180): (two,)}
    assert [path.name for path in tmp_path.iterdir()] == ["holes.json"]
    (tmp_path / "holes.json").write_text('[["X",60,1]]')
    with pytest.raises(InputError, match="delete it"):
        holes.read()


# The local exchange


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    world = World(WorldConfig(date=DATE, indices=("NIFTY",), rates=Rates(enforced=True)))
    world.clock.jump(1800 * SECOND)
    world.step()
    with Served(world) as server:
        yield server


LIMITER = Limiter()  # of the one account there


def test_a_backfill_from_the_exchange_is_on_the_tape_and_is_not_asked_for_again(served: Served, tmp_path: Path) -> None:
    kite, now = served.client(), served.world.clock.now_ns()
    one = served.world.day.listing.by_name["NSE", "NIFTY 50"]
    first = at(15, 30, on=dt.date(2026, 11, 19))
    want = gap_of(NIFTY, one.token, 60, (first, NIGHT), now_ns=now, have=NONE)
    out = list(backfill([want], kite, LIMITER, now_ns=now))

    assert [batch.num_rows for batch in out[0].batches] == [10, int((want.starts >= at(9, 15)).sum())]
    assert (len(out), out[0].holes, out[0].refused) == (1, (), ())
    tape = ParquetTape(str(tmp_path))

    def stamp(number: int) -> Stamp:
        return Stamp(source="history", topic="bars", index="NIFTY", epoch=1, sequence=number, sent_wall_ns=now)

    for number, batch in enumerate(out[0].batches, 1):
        tape.append(stamp(number), "bars", "NIFTY", batch)
    tape.flush()
    table = read_tape(str(tmp_path), "bars", DATE, "NIFTY")
    five = (one.token, f"{DATE} 09:15:00", f"{DATE} 09:20:00", "minute")
    said = read(Call.HISTORY, lambda: kite.historical_data(*five), LIMITER)
    assert [round(row["close"] * 100) for row in said] == table.column("close_paise").to_pylist()[:6]
    assert [to_ns(row["date"]) for row in said] == table.column("start_ns").to_pylist()[:6]
    have = np.concatenate([batch.column("start_ns").to_numpy() for batch in out[0].batches])
    assert requests_of(gap_of(NIFTY, one.token, 60, (first, NIGHT), now_ns=now, have=have)) == []


def test_the_longest_stretch_of_each_interval_is_taken_by_the_exchange(served: Served) -> None:
    kite, now = served.client(), served.world.clock.now_ns()
    kite.timeout = 60  # two hundred days are drawn as they are asked for, on a machine that may be busy
    one = next(one for one in served.world.day.listing.instruments if one.kind == Kind.CALL)
    call = Contract(one.index, one.kind, one.expiry_date, one.strike_paise, one.symbol)
    for seconds, (_, days) in INTERVALS.items():
        starts = bar_starts("NSE", seconds, at(9, 15) - (days + 1) * 86_400 * SECOND, at(9, 16))
        asked = requests_of(Gap(call, one.token, seconds, starts))
        assert len(asked) == 2
        for part in asked:
            ends = Gap(call, one.token, seconds, part[[0, -1]])
            assert not next(backfill([ends], kite, LIMITER, now_ns=now)).refused
