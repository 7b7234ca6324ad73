"""A live feed: what it makes of a link's quotes, and what it wants of the link."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.live import REPEAT_NS
from actors.feeds.wanted import Wanted
from core.errors import SchemaError, UnknownName
from core.market.universe import Band
from core.schemas import NO_TICKS, WANTED, Kind, check
from tests.world_feed import ALWAYS, DAY, FUTURE, KIND, LISTED, OPEN, REGISTRY, WEEKS, S, World, band, option


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
@given(steps=STEPS, most=st.integers(1, 40), again=st.booleans())
def test_no_contract_that_is_held_is_ever_dropped_and_every_row_is_sent_or_counted(
    *, steps: list[tuple[str, Any]], most: int, again: bool
) -> None:
    world, told = World(most=most, again=again), not again
    holding: set[str] = set()
    given_rows = 0
    for what, value in steps:
        said = len(world.bus.of("wanted"))
        if what == "level":
            world.quote("NIFTY", last=value * 100)
            given_rows += 1
        elif what == "hold":
            world.hold(*value)
            holding, told = set(value), True
        elif what == "time":
            world.go(value)
        else:
            world.quote(*value)
            given_rows += len(value)
        assert told or not world.bus.of("wanted")
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
