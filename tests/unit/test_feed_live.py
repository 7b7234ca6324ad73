"""A live feed: what it makes of a link's quotes, and what it wants of the link."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.feed import FeedConfig
from actors.feeds.gate import LEVEL_NS
from actors.feeds.live import REPEAT_NS, LiveFeedActor
from actors.feeds.wanted import Wanted
from core.errors import SchemaError, UnknownName
from core.kite import Registry
from core.kite.ticks import CONTRACT
from core.market import session, to_ns
from core.market.symbols import VIX
from core.market.universe import Band
from core.schemas import NO_TICKS, SYMBOLS, WANTED, Kind, check
from tests.fakes_feed import HeardBus, ToldClock, ticks
from tests.fakes_past import ListPast

S = 1_000_000_000
DAY = dt.date(2026, 11, 20)
HOURS = session("NSE", DAY)
assert HOURS is not None
OPEN = to_ns(HOURS.open)
WEEKS = [dt.date(2026, 11, 24), dt.date(2026, 12, 1), dt.date(2026, 12, 8)]
STRIKES = range(24_000, 28_001, 50)
FUTURE = "NIFTY26NOVFUT"
ALWAYS = {"NIFTY", VIX, FUTURE}


def option(day: dt.date, strike: int, right: str = "CE") -> str:
    return f"NIFTY{day:%y%m%d}{strike}{right}"


def listed() -> list[tuple[str, str, Kind, dt.date | None, int]]:
    rows: list[tuple[str, str, Kind, dt.date | None, int]] = [
        ("NIFTY", "NIFTY", Kind.INDEX, None, 0),
        ("NIFTY", VIX, Kind.INDEX, None, 0),
        ("NIFTY", FUTURE, Kind.FUTURE, WEEKS[-1], 0),
        ("SENSEX", "SENSEX", Kind.INDEX, None, 0),
    ]
    for day in WEEKS:
        for strike in STRIKES:
            rows += [
                ("NIFTY", option(day, strike, right), kind, day, strike * 100)
                for right, kind in (("CE", Kind.CALL), ("PE", Kind.PUT))
            ]
    return rows


LISTED = listed()
KIND = {symbol: kind for _, symbol, kind, _, _ in LISTED}
TERMS = {symbol: (index, kind, expiry, strike) for index, symbol, kind, expiry, strike in LISTED}
REGISTRY = Registry(
    np.arange(1, len(LISTED) + 1, dtype=np.int64) * 256 + 2,
    pa.record_batch(
        [pa.array(list(column), f.type) for column, f in zip(zip(*LISTED, strict=True), CONTRACT, strict=True)],
        schema=CONTRACT,
    ),
)
SMALL: dict[str, Any] = {"index": "NIFTY", "strikes": 2, "slack": 1, "expiries": 2}


class StillClock(ToldClock):
    """Its wall goes with the market, and by no look."""

    def wall_ns(self) -> int:
        return self.wall


class World:
    """A live feed in an exchange of notes."""

    def __init__(
        self, *, past: ListPast | None = None, at: float = 0.0, again: bool = False, on: dt.date = DAY, **config: Any
    ) -> None:
        """`again`: a second life."""
        self.bus, self.clock = HeardBus(), StillClock(OPEN + round(at * S))
        self.clock.wall = 1_000 * S
        self.feed = LiveFeedActor(
            FeedConfig(**{**SMALL, **config}), bus=self.bus, clock=self.clock, registry=REGISTRY,
            past=past or ListPast(), on=on,
        )  # fmt: skip
        if again:
            self.feed.restarted()
        self.feed.open()

    def go(self, seconds: float) -> None:
        """Time passes, the timer runs."""
        end = self.clock.wall + round(seconds * S)
        while self.clock.wall < end:
            step = min(100_000_000, end - self.clock.wall)
            self.clock.wall, self.clock.now = self.clock.wall + step, self.clock.now + step
            self.feed.on_timer()

    def quote(self, *symbols: str, last: int = 26_000_00, **row: Any) -> None:
        self.feed.on_quotes(self.rows(*symbols, last=last, **row))

    def rows(self, *symbols: str, last: int = 26_000_00, **row: Any) -> pa.RecordBatch:
        names = ("index", "kind", "expiry", "strike_paise")
        common = {"exchange_ns": self.clock.now, "received_ns": 77, "last_paise": last, **row}
        return ticks(*(dict(zip(names, TERMS[one], strict=True)) | {"symbol": one} | common for one in symbols))

    def hold(self, *symbols: str) -> None:
        self.feed.on_symbols(held(symbols))

    def wanted(self) -> set[str]:
        return set(self.bus.of("wanted")[-1]["symbol"].to_pylist())


def held(symbols: Sequence[str]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(list(symbols), pa.string())], schema=SYMBOLS)


def band(middle: int, each_side: int = 3, weeks: Sequence[dt.date] = WEEKS[:2]) -> set[str]:
    strikes = range(middle - 50 * each_side, middle + 50 * each_side + 1, 50)
    return ALWAYS | {option(day, strike, right) for day in weeks for strike in strikes for right in ("CE", "PE")}


def test_quotes_are_sent_on_at_once_with_the_time_the_link_took_them() -> None:
    world = World()
    world.quote("NIFTY")

    (sent,) = world.bus.of("ticks")
    assert sent["received_ns"].to_pylist() == [77]
    assert world.feed.check_health() == world.clock.wall
    assert world.feed.progress().ticks == 1


def minute(*, then: float) -> World:
    """A minute of quotes, one a second and the last at 00:59, and `then` seconds of silence."""
    world = World(at=-1)
    for last in range(61):
        world.quote("NIFTY", last=100_00 + last)
        world.go(1 if last < 60 else then)
    return world


def test_a_bar_follows_the_tick_that_closes_it() -> None:
    world = minute(then=0.9)
    world.clock.now += S // 5
    world.feed.on_timer()
    assert world.bus.of("bars") == []  # its last tick may still be on its way
    world.quote("NIFTY")
    (bar,) = world.bus.of("bars")[0].to_pylist()
    assert (bar["seconds"], bar["start_ns"], bar["open_paise"], bar["close_paise"]) == (60, OPEN, 100_01, 100_60)
    assert [topic for topic, _, _ in world.bus.heard if topic in {"ticks", "bars"}][-2:] == ["ticks", "bars"]


def test_in_a_silence_the_clock_closes_the_bar() -> None:
    world = minute(then=1.3)
    (bar,) = world.bus.of("bars")[0].to_pylist()
    assert (bar["start_ns"], bar["close_paise"]) == (OPEN, 100_60)


def test_ticks_of_a_batch_that_lie_across_a_bar_s_end_are_each_in_their_own() -> None:
    world = World()
    world.quote("NIFTY")
    world.clock.now += 60 * S
    early, late = world.rows("NIFTY", last=27_000_00, exchange_ns=OPEN + 59 * S), world.rows("NIFTY", last=25_000_00)
    world.clock.wall += S
    world.feed.on_quotes(pa.Table.from_batches([late, early]).combine_chunks().to_batches()[0])

    (bar,) = world.bus.of("bars")[0].to_pylist()
    assert (bar["high_paise"], bar["low_paise"]) == (27_000_00, 26_000_00)
    assert world.feed.counts()["late_for_bars"] == 0


def test_at_first_the_level_and_the_futures_are_wanted_and_with_the_first_level_the_band_at_once() -> None:
    world = World()
    world.go(2)
    assert world.wanted() == ALWAYS
    assert check("wanted", world.bus.of("wanted")[0]).schema.equals(WANTED)
    said = len(world.bus.of("wanted"))

    world.quote("NIFTY", last=26_012_00)

    assert len(world.bus.of("wanted")) == said + 1
    assert world.wanted() == band(26_000)
    assert {index for topic, _, index in world.bus.heard if topic == "wanted"} == {"NIFTY"}
    tokens = dict(zip(*(world.bus.of("wanted")[-1][name].to_pylist() for name in ("symbol", "token")), strict=True))
    places = {symbol: place for place, (_, symbol, *_) in enumerate(LISTED, 1)}
    assert tokens == {symbol: places[symbol] * 256 + 2 for symbol in tokens}


def test_the_whole_set_is_told_again_every_second_and_is_the_same() -> None:
    world = World()
    world.go(2)
    world.quote("NIFTY")
    world.bus.heard.clear()

    world.go(5)

    said = world.bus.of("wanted")
    assert 4 <= len(said) <= 6
    assert all(one.equals(said[0]) for one in said)


def test_the_band_follows_the_money_within_a_second_and_what_has_left_is_no_longer_given() -> None:
    world = World()
    world.go(2)
    world.quote("NIFTY")
    low, high = option(WEEKS[0], 25_850), option(WEEKS[0], 26_500)
    world.quote(low, last=160_00)
    world.quote("NIFTY", last=26_400_00)
    world.go(1.1)
    assert world.wanted() == band(26_350)  # no farther than it must

    world.quote(low, high, last=1_00)  # a last one was on its way
    world.feed.on_refresh(NO_TICKS)

    assert world.feed.counts()["refused_unwatched"] == 1
    (book,) = world.bus.of("snapshot")
    assert set(book["symbol"].to_pylist()) == {"NIFTY", high}


def test_an_expiry_s_money_is_at_its_future_where_that_is_quoted_and_fresh() -> None:
    world = World()
    world.go(2)
    depth = {"bid_paise": [26_299_00, 0, 0, 0, 0], "ask_paise": [26_301_00, 0, 0, 0, 0]}
    world.quote(FUTURE, **depth)
    world.quote("NIFTY")
    assert option(WEEKS[0], 26_000) in world.wanted()  # no future expires with it

    monthly = World(expiries=3)
    monthly.go(2)
    monthly.quote(FUTURE, **depth)
    monthly.quote("NIFTY")
    assert {s for s in monthly.wanted() if "261208" in s} == band(26_300, weeks=WEEKS[2:]) - ALWAYS

    monthly.clock.now += 120 * S
    monthly.quote("NIFTY")
    monthly.go(1.1)
    assert option(WEEKS[2], 26_000) in monthly.wanted()  # the future has been silent


def test_of_an_index_without_a_level_the_nearest_future_says_where_the_money_is() -> None:
    world = World()
    world.go(2)
    world.quote(FUTURE, bid_paise=[26_299_00, 0, 0, 0, 0], ask_paise=[26_301_00, 0, 0, 0, 0])
    world.go(1.1)
    assert world.wanted() == band(26_300)


def test_what_is_held_is_wanted_at_once_and_stays_wherever_the_money_goes() -> None:
    world = World()
    world.go(2)
    world.quote("NIFTY")
    far = option(WEEKS[2], 24_000, "PE")
    before = len(world.bus.of("wanted"))

    world.hold(far)

    assert len(world.bus.of("wanted")) == before + 1
    assert far in world.wanted()
    world.hold(far)
    assert len(world.bus.of("wanted")) == before + 1
    world.quote("NIFTY", last=27_500_00)
    world.go(60)  # the order manager has died: its last word stays
    assert far in world.wanted()

    world.hold()
    assert far not in world.wanted()


def test_a_first_life_speaks_at_once_whatever_comes() -> None:
    world = World()
    world.quote("NIFTY")
    assert world.wanted() == band(26_000)


def test_a_feed_that_starts_again_lets_its_link_go_on_until_it_knows_what_is_held() -> None:
    world, far = World(again=True), option(WEEKS[2], 24_000, "PE")
    for _ in range(70):
        world.quote("NIFTY", far)  # its link carries what an earlier life wanted
        world.go(0.5)
    assert world.bus.of("wanted") == []
    (said,) = world.feed.alerts()
    assert said.severity == "alarm"
    assert "the universe stands still" in said.message
    assert far in world.bus.of("ticks")[-1]["symbol"].to_pylist()

    world.hold(far)

    assert world.wanted() == band(26_000) | {far}


def test_however_quiet_its_link_is_a_second_life_says_no_set_before_it_knows_what_is_held() -> None:
    world, far = World(again=True), option(WEEKS[2], 24_000, "PE")
    world.go(29)  # the link is being connected again, and will carry its set
    assert world.bus.of("wanted") == []
    assert world.feed.alerts() == ()
    world.quote("NIFTY")
    world.go(10)
    assert world.bus.of("wanted") == []
    assert len(world.feed.alerts()) == 1

    world.hold(far)

    assert world.wanted() == band(26_000) | {far}


def test_a_band_is_not_given_up_while_the_level_is_still_to_come() -> None:
    world = World(again=True)
    world.quote(option(WEEKS[0], 26_000))
    world.hold()
    assert world.bus.of("wanted") == []

    world.quote("NIFTY")

    assert world.wanted() == band(26_000)


def test_a_restart_while_the_auction_holds_the_index_still_goes_by_the_future() -> None:
    world, far = World(again=True), option(WEEKS[2], 24_000, "PE")
    world.hold(far)
    world.quote(FUTURE, bid_paise=[26_299_00, 0, 0, 0, 0], ask_paise=[26_301_00, 0, 0, 0, 0])
    world.go(LEVEL_NS / S - 0.1)
    assert world.bus.of("wanted") == []
    world.go(0.3)
    assert world.wanted() == band(26_300) | {far}


def test_what_has_no_room_is_counted() -> None:
    world = World(most=20)
    world.go(2)
    world.quote("NIFTY")
    assert len(world.wanted()) == 20
    assert world.feed.counts()["left_out"] == len(band(26_000)) - 20
    assert world.feed.counts()["watched"] == 20


def test_what_is_held_and_listed_nowhere_is_an_alarm_every_ten_minutes_while_it_is_so() -> None:
    world = World()
    world.hold("NIFTY26NOV1CE")
    world.go(3)

    (said,) = world.feed.alerts()
    assert (said.severity, said.subject) == ("alarm", "feed.NIFTY")
    assert "NIFTY26NOV1CE" in said.message
    world.clock.wall += REPEAT_NS
    world.go(2)
    assert [one.message for one in world.feed.alerts()] == [said.message] * 2

    world.hold()
    world.clock.wall += REPEAT_NS
    world.go(2)
    assert len(world.feed.alerts()) == 2


def test_a_word_that_is_no_set_of_symbols_changes_nothing() -> None:
    world, far = World(), option(WEEKS[2], 24_000)
    world.go(2)
    world.hold(far)
    with pytest.raises(SchemaError):
        world.feed.on_symbols(NO_TICKS)
    world.go(2)
    assert far in world.wanted()


def test_an_index_nobody_knows_is_refused_at_the_start() -> None:
    with pytest.raises(UnknownName, match="NIFTI"):
        World(index="NIFTI")


OPTIONS = [symbol for symbol, kind in KIND.items() if kind in {Kind.CALL, Kind.PUT}]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("level"), st.integers(23_000, 29_000)),
        st.tuples(st.just("hold"), st.lists(st.sampled_from(OPTIONS), max_size=8)),
        st.tuples(st.just("time"), st.sampled_from([0.1, 1.0, 1.1, 6.0])),
        st.tuples(st.just("quotes"), st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=4)),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 40))
def test_no_contract_that_is_held_is_ever_dropped_and_every_row_is_sent_or_counted(
    steps: list[tuple[str, Any]], most: int
) -> None:
    world = World(most=most)
    holding: set[str] = set()
    given_rows = 0
    for what, value in steps:
        said = len(world.bus.of("wanted"))
        if what == "level":
            world.quote("NIFTY", last=value * 100)
            given_rows += 1
        elif what == "hold":
            world.hold(*value)
            holding = set(value)
        elif what == "time":
            world.go(value)
        else:
            world.quote(*value)
            given_rows += len(value)
        for batch in world.bus.of("wanted")[said:]:
            symbols = batch["symbol"].to_pylist()
            assert holding <= set(symbols)
            assert {"NIFTY", FUTURE} <= set(symbols)
            assert len(symbols) == len(set(symbols)) <= max(most, len(holding) + len(ALWAYS))
    sent = sum(batch.num_rows for batch in world.bus.of("ticks"))
    refused = sum(rows for name, rows in world.feed.counts().items() if name.startswith("refused"))
    assert sent + refused == given_rows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(23_000, 29_000), max_size=5), st.lists(st.sampled_from(OPTIONS), max_size=5))
def test_choosing_again_without_news_changes_nothing(levels: list[int], holding: list[str]) -> None:
    wanted = Wanted(REGISTRY, index="NIFTY", band=Band(strikes=2, slack=1, expiries=2), most=50, on=DAY)
    world = World()
    for level in levels:
        wanted.see(world.rows("NIFTY", last=level * 100))
        wanted.choose()
    wanted.hold(holding)
    wanted.choose()
    said = wanted.batch()

    for level in levels[-1:]:
        wanted.see(world.rows("NIFTY", last=level * 100))
    wanted.hold(list(reversed(holding)) * 2)

    assert not wanted.choose()
    assert set(said["symbol"].to_pylist()) == set(wanted.batch()["symbol"].to_pylist()) == wanted.symbols
