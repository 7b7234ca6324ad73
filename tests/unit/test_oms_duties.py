"""What the order manager does by the clock: snapshots, whole comparisons, the day's end, breached limits."""

import datetime as dt
import itertools

import msgspec
import pytest

from core.market import to_ns
from core.records import LIVE, Funds, Order
from tests.fakes_orders import IST, LOT, SYMBOL, intent, ticks
from tests.world_oms import World

EXPIRY = dt.date(2025, 9, 11)


class Clocked(World):
    """Two lots are held, quoted at 350.00 / 351.00 whatever the time."""

    def __init__(self, product: str = "NRML") -> None:
        super().__init__()
        self.oms.submit(intent("LONG", quantity=2 * LOT, product=product))
        self.broker.fill("LONG", 2 * LOT, 35_000)
        self.quote()

    def quote(self) -> None:
        self.clock.sleep(1)
        self.oms.on_ticks(ticks(bids=[(35_000, 500)], asks=[(35_100, 500)], at_ns=self.clock.now_ns()))
        self.oms.on_timer()

    def at(self, day: dt.date, hour: int, minute: int) -> None:
        self.clock.now = to_ns(dt.datetime.combine(day, dt.time(hour, minute), IST))
        for _ in range(4):
            self.quote()

    def exits(self) -> list[Order]:
        return [order for order in self.oms.orders() if order.intent.purpose == "exit"]

    def fill(self) -> None:
        for order in self.exits():
            if order.state in LIVE:
                self.broker.fill(order.intent.tag, order.intent.quantity, 34_900)
        for _ in range(3):
            self.quote()


def test_what_expires_today_is_told_an_hour_before_and_leaves_fifteen_minutes_before_the_close() -> None:
    world = Clocked()
    world.at(EXPIRY, 14, 45)
    assert world.exits() == []
    assert any("expires today" in words for words in world.ledger.alerts())
    world.at(EXPIRY, 15, 26)
    (leaving,) = world.exits()

    assert (leaving.intent.side, leaving.intent.quantity, leaving.intent.order_type) == ("SELL", 2 * LOT, "LIMIT")
    assert "day end" in leaving.intent.reason
    world.fill()
    assert [position.quantity for position in world.oms.positions()] == [0]
    assert [plan.running for plan in world.oms.plans()] == [False]
    assert len(world.exits()) == 1


def test_mis_leaves_before_the_broker_squares_it_off_and_nrml_stays() -> None:
    mis, nrml = Clocked("MIS"), Clocked()
    for world in (mis, nrml):
        world.at(dt.date(2025, 9, 8), 15, 21)
    assert [order.intent.product for order in mis.exits()] == ["MIS"]
    assert nrml.exits() == []


def test_a_death_in_the_middle_of_the_day_end_sells_nothing_twice() -> None:
    world = Clocked()
    world.at(EXPIRY, 15, 26)
    world.restart()
    for _ in range(4):
        world.quote()
    assert len([order for order in world.exits() if order.state in LIVE]) == 1
    world.fill()
    assert [position.quantity for position in world.oms.positions()] == [0]


def test_an_entry_that_rests_is_cancelled_before_its_book_is_squared_off() -> None:
    world = Clocked()
    world.clock.now = to_ns(dt.datetime.combine(EXPIRY, dt.time(15, 10), IST))
    world.quote()
    world.oms.submit(intent("REST", limit_paise=100, created_ns=world.clock.now_ns()))
    world.at(EXPIRY, 15, 26)
    assert world.order("REST").state == "CANCELLED"
    assert len([order for order in world.exits() if order.state in LIVE]) == 1


def test_nothing_leaves_by_itself_while_the_kill_switch_is_pulled() -> None:
    world = Clocked()
    world.oms.kill("drill", "asha")
    world.at(EXPIRY, 15, 26)
    assert world.exits() == []


def test_a_breached_limit_pulls_the_kill_switch_once_a_day_and_closes_what_is_held() -> None:
    world = Clocked()
    world.risk.breached = "daily_loss: ₹26,000 of ₹25,000"
    world.quote()
    world.quote()
    killed = world.oms.killed()
    assert killed is not None
    assert (killed.who, killed.square_off) == ("risk", True)
    world.fill()
    assert [position.quantity for position in world.oms.positions()] == [0]
    world.oms.release("seen", "asha")
    world.oms.resume()
    world.quote()
    assert world.oms.state() == "ACTIVE", "a person has answered it"


def test_what_a_person_has_answered_is_not_pulled_again_by_the_next_order_manager() -> None:
    world = Clocked()
    world.risk.breached = "daily_loss: ₹26,000 of ₹25,000"
    world.quote()
    world.fill()
    world.oms.release("seen", "asha")
    world.restart()
    world.oms.resume()
    world.quote()
    assert (world.oms.killed(), world.oms.state()) == (None, "ACTIVE")

    world.risk.breached = "vega: ₹6,000 of ₹5,000"
    world.quote()
    assert "vega" in world.oms.killed().why, "another limit"
    world.oms.release("seen too", "asha")
    world.restart()
    world.at(dt.date(2025, 9, 9), 10, 0)
    assert world.oms.killed() is not None, "another day"


def test_a_breach_pulls_where_the_ledger_does_not_say_whether_it_did_before() -> None:
    world = Clocked()
    world.ledger.down = lambda name: name == "kills"
    world.risk.breached = "daily_loss: ₹26,000 of ₹25,000"
    world.quote()
    assert world.oms.killed() is not None


def test_every_quarter_of_an_hour_a_snapshot_is_kept() -> None:
    world = Clocked()
    world.at(dt.date(2025, 9, 8), 10, 14)
    before = len(world.ledger.snapshots())
    world.at(dt.date(2025, 9, 8), 10, 16)
    world.at(dt.date(2025, 9, 8), 10, 20)
    (taken,) = world.ledger.snapshots()[before:]
    assert [(one.symbol, one.quantity, one.mark_paise) for one in taken.positions] == [(SYMBOL, 2 * LOT, 35_000)]
    assert (taken.state, taken.killed) == ("ACTIVE", False)


def test_a_snapshot_before_the_first_trade_of_a_day_counts_nothing_of_the_day_before() -> None:
    world = Clocked()
    world.at(dt.date(2025, 9, 8), 10, 14)
    world.at(dt.date(2025, 9, 8), 10, 16)
    taken = world.ledger.snapshots()[-1]
    assert {(one.strategy, one.gross_paise, one.charges_paise) for one in taken.results} == {
        ("", 2 * LOT * 1_000, 0),
        ("s", 2 * LOT * 1_000, 0),
    }, "from the previous close, 340.00"
    assert [(one.carried, one.prev_close_paise) for one in taken.positions] == [(2 * LOT, 34_000)]


def test_a_snapshot_before_the_first_quote_of_a_day_counts_nothing_of_the_day_before() -> None:
    world = Clocked()
    world.at(dt.date(2025, 9, 8), 10, 14)
    for hour, look in ((4, world.oms.on_timer), (10, world.quote)):
        world.clock.now = to_ns(dt.datetime.combine(dt.date(2025, 9, 9), dt.time(hour, 1), IST))
        look()
    night, day = world.ledger.snapshots()[-2:]

    assert [one.net_paise() for one in (night, day)] == [0, 2 * LOT * 1_000], "from the previous close, 340.00"
    assert [one.mark_paise for one in night.positions] == [35_050]


def test_a_lasting_difference_is_a_risk_event_and_an_alert_once() -> None:
    world = Clocked()
    order = world.broker.orders["LONG"]
    world.broker.orders["LONG"] = msgspec.structs.replace(order, average_paise=36_000.0)
    for _ in range(200):
        world.quote()
    found = [event for kind, event in world.ledger.events if kind == "risk" and event.kind == "difference"]  # type: ignore[attr-defined]
    assert len(found) == 1
    assert "average price LONG" in found[0].message  # type: ignore[attr-defined]
    assert sum("average price LONG" in words for words in world.ledger.alerts()) == 1


def account(free: int, margin: int | None) -> Funds:
    return Funds(available_paise=free, used_paise=0, margin_paise=margin, at_ns=0)


def differences(world: World) -> list[tuple[str, str]]:
    """Of margin and funds: how grave, and on what."""
    found = [event for kind, event in world.ledger.events if kind == "risk" and event.kind == "difference"]  # type: ignore[attr-defined]
    return [(event.severity, event.message.split(":")[0]) for event in found]


def test_a_margin_other_than_the_brokers_is_an_event_and_an_alert_once_though_it_moves_with_the_market() -> None:
    world = Clocked()
    for second in range(200):
        world.risk.counted = account(10_000_000, 100_000_000 + second * 1_000)
        world.broker.funds = account(10_000_000, 150_000_000 + second * 1_500)
        world.quote()
    alike, said = account(10_000_000, 100_000_000), list(world.ledger.alerts())
    world.risk.counted = world.broker.funds = alike
    for _ in range(200):
        world.quote()

    assert differences(world) == [("warning", "margin account")]
    assert sum("margin account: ₹10,0" in words for words in said) == 1
    assert sum("agree again" in words for words in world.ledger.alerts()) == 1


def test_figures_that_were_apart_once_are_not_found_apart_twice() -> None:
    """Each look has figures of its own: a trade that one side knew first is over at the second."""
    world = Clocked()
    asked, world.risk.counted = itertools.count(), account(10_000_000, 100_000_000)

    def margins() -> Funds:
        return account(10_000_000, 200_000_000 if next(asked) % 5 == 0 else 100_000_000)

    world.broker.margins = margins  # type: ignore[method-assign]
    for _ in range(600):
        world.quote()

    assert next(asked) > 30
    assert differences(world) == []


def test_risk_hears_when_the_funds_were_asked_in_the_time_of_its_orders() -> None:
    """Kite's figure has the machine's time, a simulated market's orders the market's; and an answer may be slow."""
    world, heard, asked = Clocked(), list[Funds](), list[int]()

    def margins() -> Funds:
        asked.append(world.clock.now_ns())
        world.clock.sleep(2)
        return account(10_000_000, 100_000_000)

    world.broker.margins = margins  # type: ignore[method-assign]
    world.risk.funds = heard.append  # type: ignore[method-assign]
    for _ in range(60):
        world.quote()

    assert len(heard) > 3
    assert [funds.at_ns for funds in heard] == asked


def test_while_risk_is_away_older_figures_are_compared_no_more() -> None:
    world = Clocked()
    world.risk.counted = world.broker.funds = account(10_000_000, 100_000_000)
    for _ in range(50):
        world.quote()
    answers = [account(10_000_000, 200_000_000)]
    world.broker.margins = answers.pop  # type: ignore[method-assign]
    while answers:
        world.quote()
    world.risk.away = True
    for _ in range(200):
        world.quote()

    assert differences(world) == []


@pytest.mark.parametrize(("counted", "broker"), [(None, 150_000_000), (100_000_000, None)])
def test_where_one_side_does_not_know_the_margin_nothing_is_compared(counted: int | None, broker: int | None) -> None:
    world = Clocked()
    world.risk.counted = None if counted is None else account(0, counted)
    world.broker.funds = account(10_000_000, broker)
    for _ in range(200):
        world.quote()

    assert differences(world) == []


def test_within_the_tolerance_nothing_is_said_and_funds_are_compared_too() -> None:
    world = Clocked()
    world.risk.counted, world.broker.funds = account(10_000_000, 100_000_000), account(10_499_999, 109_000_000)
    for _ in range(200):
        world.quote()
    near = differences(world)
    world.broker.funds = account(10_500_001, 109_000_000)
    for _ in range(200):
        world.quote()

    assert (near, differences(world)) == ([], [("warning", "funds account")])


def test_the_plan_of_a_day_end_is_a_square_off() -> None:
    world = Clocked()
    world.at(EXPIRY, 15, 26)
    assert [status.kind for status in world.oms.plans()] == ["square_off"]


def test_a_book_that_cannot_be_squared_off_holds_up_no_other() -> None:
    world = Clocked()
    other = SYMBOL.replace("80500", "80000")
    world.oms.submit(intent("ODD", symbol=other, quantity=LOT))
    world.broker.fill("ODD", LOT - 1, 35_000)
    world.quote()
    world.at(EXPIRY, 15, 26)

    assert [order.intent.symbol for order in world.exits()] == [SYMBOL]
    assert sum("cannot be squared off" in words for words in world.ledger.alerts()) == 1
    assert world.oms.state() == "ACTIVE"
