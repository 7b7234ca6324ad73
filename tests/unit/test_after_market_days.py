"""An after-market order is given on one day and trades on another: it is of both, wherever days are told apart."""

import datetime as dt

from msgspec.structs import replace

from core.market import to_ns
from core.orders.end_of_day import Facts, statement
from core.orders.windows import is_of
from core.records import Fill, Order
from core.risk.book import RiskBook, at, with_end, with_fill, with_intent, working
from core.risk.resting import agrees, live_limits
from tests.fakes_orders import DAY, INDEX, IST, LOT, SYMBOL, intent, ticks
from tests.world_oms import World

EVENING = to_ns(dt.datetime.combine(DAY, dt.time(18), IST))  # of a Friday
MONDAY = DAY + dt.timedelta(days=3)
MORNING = to_ns(dt.datetime.combine(MONDAY, dt.time(9, 16), IST))
WAITS = intent("WAITS", variety="amo", created_ns=EVENING)


def test_it_is_of_the_day_it_is_given_on_and_of_the_one_it_arrives_on() -> None:
    days = [DAY + dt.timedelta(days=ahead) for ahead in range(-1, 5)]
    assert [on for on in days if is_of(WAITS, on)] == [DAY, MONDAY]
    assert [on for on in days if is_of(replace(WAITS, variety="regular"), on)] == [DAY]


def test_what_of_it_may_still_fill_counts_for_risk_in_the_morning_and_no_longer_than_it_lives() -> None:
    book = with_intent(RiskBook(), WAITS)
    book = with_intent(book, intent("DAY", created_ns=EVENING))
    saturday, monday = at(book, EVENING + 86_400_000_000_000), at(book, MORNING)
    assert [set(live_limits(one)) for one in (saturday, monday)] == [{"WAITS"}, {"WAITS"}]
    assert working(monday, SYMBOL, "BUY") == LOT
    trade = Fill(
        trade_id="T1", tag="WAITS", strategy="s", index=INDEX, symbol=SYMBOL, side="BUY", quantity=LOT,
        price_paise=35_000, at_ns=MORNING,
    )  # fmt: skip
    assert working(with_fill(monday, trade), SYMBOL, "BUY") == 0
    assert live_limits(at(with_end(monday, "WAITS"), MORNING + 86_400_000_000_000)) == {}


def test_risk_is_told_that_it_lives() -> None:
    world = World()
    world.clock.now = EVENING
    world.oms.submit(WAITS)
    world.clock.now = MORNING
    world.restart()
    assert world.risk.working == {"WAITS"}
    assert agrees(at(with_intent(RiskBook(), WAITS), MORNING), world.risk.live, ())


def test_the_broker_lists_it_in_the_morning_and_that_is_no_difference() -> None:
    world = World()
    world.clock.now = EVENING
    world.oms.submit(WAITS)
    world.clock.now = MORNING
    for second in range(200):
        world.clock.sleep(1)
        if second == 100:
            arrived = replace(world.broker.orders["WAITS"], updated_ns=world.clock.now_ns())
            world.broker.orders["WAITS"] = arrived
            world.broker.fill("WAITS", LOT, 35_000)
        world.oms.on_ticks(ticks(bids=[(35_000, 500)], asks=[(35_100, 500)], at_ns=world.clock.now_ns()))
        world.oms.on_timer()
    assert world.order("WAITS").state == "COMPLETE"
    assert [words for words in world.ledger.alerts() if "WAITS" in words] == []


def test_a_book_that_is_without_it_before_its_day_is_over_ends_it_not() -> None:
    world = World()
    world.clock.now = EVENING
    world.oms.submit(WAITS)
    listed = world.broker.orders.pop("WAITS")
    world.clock.now = EVENING + 86_400_000_000_000
    world.later(1)
    assert world.order("WAITS").state == "OPEN"
    world.clock.now = MORNING
    world.broker.orders["WAITS"] = listed
    world.later(1)
    assert (world.order("WAITS").state, world.broker.orders["WAITS"].state) == ("OPEN", "OPEN")
    world.clock.now = MORNING + 86_400_000_000_000
    del world.broker.orders["WAITS"]
    world.later(1)
    assert world.oms.all_orders()[0].state == "CANCELLED"


def test_the_report_of_the_day_it_trades_on_has_it() -> None:
    done = Order(intent=WAITS, state="COMPLETE", filled_quantity=LOT, broker_id="B1", updated_ns=MORNING)
    facts = Facts(orders=(done,), fills=())
    told = [statement(facts, DAY + dt.timedelta(days=ahead)).orders for ahead in range(5)]
    assert told == [(done,), (), (), (done,), ()]
