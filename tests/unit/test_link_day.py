"""A link whose registry is of another day: what a token names may be another contract by now."""

import datetime as dt

from core.market.list_day import list_ends_ns
from core.schemas import Kind
from tests.unit.test_link import CALL, NIFTY, World, frame, wanted

FRIDAY = dt.date(2026, 11, 20)


def test_on_another_trading_day_no_quotes_are_passed_on_and_order_news_is() -> None:
    world = World("NIFTY", on=FRIDAY)
    world.clock.wall = list_ends_ns("NIFTY", FRIDAY) - 1
    world.link.on_wanted(wanted(NIFTY, CALL))
    world.comes((frame(NIFTY), 1))
    last = world.link.check_health()
    assert len(world.quotes("NIFTY")) == 1

    world.clock.wall += 200_000_000
    world.comes((frame(NIFTY, CALL), 2), texts=[("order", {"order_id": "7", "tag": "A", "status": "COMPLETE"})])
    world.quiet()

    assert [row["kind"] for row in world.quotes("NIFTY")] == [Kind.INDEX]
    assert world.link.check_health() == last  # so that nobody calls its feeds silent
    assert world.counts("other_day", "orders", "ticks") == {"other_day": 2, "orders": 1, "ticks": 3}
