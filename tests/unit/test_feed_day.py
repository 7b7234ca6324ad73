"""A live feed whose instrument list is of another day: its tokens may be other contracts' by now."""

import datetime as dt

from actors.feeds.live import REPEAT_NS
from core.market import IST, to_ns
from core.market.list_day import list_ends_ns
from core.schemas import NO_TICKS
from tests.fakes_feed import ticks
from tests.world_feed import DAY, TERMS, WEEKS, S, World, band, option

FRIDAY, MONDAY = DAY, dt.date(2026, 11, 23)


def midnight(day: dt.date) -> int:
    return to_ns(dt.datetime.combine(day, dt.time(), IST))


def left_on(until_ns: int) -> World:
    """A desk of Friday that is left on."""
    world = World()
    world.quote("NIFTY")
    world.go(2)
    world.clock.now = until_ns
    world.bus.heard.clear()
    return world


def test_a_list_is_of_the_day_until_the_next_session_s_day_begins() -> None:
    assert list_ends_ns("NIFTY", FRIDAY) == midnight(MONDAY)
    assert list_ends_ns("NIFTY", MONDAY) == midnight(MONDAY + dt.timedelta(days=2))  # the 24th is Guru Nanak Jayanti
    assert list_ends_ns("SENSEX", dt.date(2089, 1, 3)) == midnight(dt.date(2089, 1, 4))  # no calendar says


def test_at_the_weekend_a_feed_goes_on_with_its_list() -> None:
    world = left_on(midnight(MONDAY) - 20 * S)
    world.quote("NIFTY")
    world.go(3)
    assert len(world.bus.of("ticks")) == 1
    assert world.wanted() == band(26_000)
    assert world.feed.counts()["other_day"] == 0


def test_on_another_trading_day_nothing_is_sent_and_it_is_said_once_and_counted_on() -> None:
    world = left_on(midnight(MONDAY) - S)
    world.go(0.5)
    world.bus.heard.clear()
    world.go(1)
    world.quote("NIFTY", option(WEEKS[0], 26_000))
    world.hold(option(WEEKS[2], 24_000))
    world.feed.on_refresh(NO_TICKS)
    world.clock.wall += 2 * REPEAT_NS
    world.go(400)

    assert world.bus.heard == []
    (said,) = world.feed.alerts()
    assert said.severity == "alarm"
    assert "of 2026-11-20" in said.message
    assert "vikalp down" in said.message
    assert "vikalp up" in said.message
    counts = world.feed.counts()
    assert (counts["other_day"], counts["refused_day"]) == (1, 2)


def test_a_feed_that_starts_again_on_another_day_has_the_old_list_and_sends_nothing() -> None:
    world = World(at=3 * 86_400, again=True)
    world.go(1)
    world.quote("NIFTY")
    assert world.bus.heard == []
    assert len(world.feed.alerts()) == 1
    assert world.feed.counts()["other_day"] == 1


def test_a_desk_that_was_started_at_the_weekend_has_the_list_of_monday() -> None:
    world = World(at=86_400, on=MONDAY)
    world.go(2 * 86_400 / 1_000)
    world.clock.now += 2 * 86_400 * S
    row = dict(zip(("index", "kind", "expiry", "strike_paise"), TERMS["NIFTY"], strict=True))
    world.feed.on_quotes(ticks({**row, "symbol": "NIFTY", "exchange_ns": world.clock.now, "last_paise": 26_000_00}))
    assert len(world.bus.of("ticks")) == 1
    assert world.feed.alerts() == ()
