"""The day's end of several positions: a cover stays until its short is gone, and the last minutes are urgent."""

import datetime as dt

import msgspec
import pyarrow as pa
import pytest

from core.market import to_ns
from core.orders.answer import Answer
from core.orders.machine import terms
from core.orders.plans import Bracket, ExitRules
from core.records import LIVE, Order
from tests.fakes_orders import INDEX, IST, LOT, SECOND, SYMBOL, intent, ticks
from tests.world_oms import World

EXPIRY = dt.date(2025, 9, 11)  # the session ends at 15:30
SHORT, WING = SYMBOL, SYMBOL.replace("80500", "80000")


class Ending(World):
    """Positions, each quoted at 350.00 / 351.00."""

    def quote(self, seconds: float = 1.0, *, timer: bool = True) -> None:
        self.clock.sleep(seconds)
        self.show()
        if timer:
            self.oms.on_timer()

    def show(self) -> None:
        batch = ticks(bids=[(35_000, 500)], asks=[(35_100, 500)], at_ns=self.clock.now_ns())
        other = batch.set_column(batch.schema.get_field_index("symbol"), "symbol", pa.array([WING]))
        self.oms.on_ticks(pa.Table.from_batches([batch, other.cast(batch.schema)]).combine_chunks().to_batches()[0])

    def hold(self, tag: str, symbol: str, side: str, *, product: str = "NRML", strategy: str = "s") -> None:
        made = intent(tag, symbol=symbol, side=side, product=product, strategy=strategy, created_ns=self.clock.now_ns())
        assert self.oms.submit(made).state == "OPEN"
        self.broker.fill(tag, LOT, 35_000)
        self.oms.on_timer()

    def at(self, hour: int, minute: int, day: dt.date = EXPIRY) -> None:
        self.clock.now = to_ns(dt.datetime.combine(day, dt.time(hour, minute), IST))
        for _ in range(4):
            self.quote()

    def exits(self, side: str, *, live: bool = True) -> list[Order]:
        found = [one for one in self.oms.orders() if one.intent.purpose == "exit" and one.intent.side == side]
        return [one for one in found if one.state in LIVE or not live]

    def fill(self, side: str) -> None:
        for order in self.exits(side):
            self.broker.fill(order.intent.tag, order.intent.quantity - order.filled_quantity, 35_000)
        for _ in range(4):
            self.quote()


@pytest.mark.parametrize("strategies", [("s", "s"), ("a", "b")])
def test_a_wing_is_not_sold_before_the_short_it_covers_is_bought_back(strategies: tuple[str, str]) -> None:
    world = Ending()
    world.hold("W", WING, "BUY", strategy=strategies[0])
    world.hold("S", SHORT, "SELL", strategy=strategies[1])
    world.at(15, 16)
    for _ in range(10):
        world.quote()
    assert [one.intent.symbol for one in world.exits("BUY")] == [SHORT]
    assert world.exits("SELL", live=False) == [], "the wing stays while the short stands"
    world.fill("BUY")
    assert [one.intent.symbol for one in world.exits("SELL")] == [WING]
    world.fill("SELL")
    assert {position.quantity for position in world.oms.positions()} == {0}


def test_of_one_strategy_one_plan_closes_all_that_is_due() -> None:
    world = Ending()
    world.hold("W", WING, "BUY")
    world.hold("S", SHORT, "SELL")
    world.at(15, 16)
    (status,) = world.oms.plans()
    assert {one["symbol"] for one in msgspec.json.decode(status.body)["positions"]} == {SHORT, WING}


def test_a_wing_in_mis_stays_while_a_short_that_does_not_leave_stands_and_that_is_said() -> None:
    world = Ending()
    world.hold("W", WING, "BUY", product="MIS")
    world.hold("S", SHORT, "SELL")
    world.at(15, 21, dt.date(2025, 9, 8))
    assert world.exits("SELL", live=False) == []
    assert sum("a short stands against it" in words for words in world.ledger.alerts()) == 1


def test_a_wing_of_another_product_stays_until_the_short_is_back() -> None:
    world = Ending()
    world.hold("W", WING, "BUY", product="MIS")
    world.hold("S", SHORT, "SELL")
    world.at(15, 16)
    assert world.exits("SELL", live=False) == []
    assert len(world.exits("BUY")) == 1
    world.fill("BUY")
    assert [one.intent.product for one in world.exits("SELL")] == ["MIS"]


def test_the_last_minutes_replace_a_square_off_that_stands_still_by_one_that_goes_to_the_edge() -> None:
    world = Ending()
    world.hold("L", SHORT, "BUY")
    world.at(15, 16)
    (slow,) = world.exits("SELL")
    assert slow.intent.limit_paise == 35_000
    world.broker.modify = lambda broker_id, terms: world.broker._cancel("none")  # type: ignore[method-assign, assignment]
    world.at(15, 24)
    assert [one.intent.tag for one in world.exits("SELL")] == [slow.intent.tag], "it stands still"
    before = world.clock.now_ns()
    world.at(15, 26)
    (urgent,) = world.exits("SELL")
    assert urgent.intent.tag != slow.intent.tag
    assert urgent.intent.limit_paise < 30_000, "far through the touch at once"
    assert [status.running for status in world.oms.plans()] == [False, True]
    assert before < urgent.intent.created_ns


def test_the_urgent_one_is_at_the_edge_of_the_band_a_moment_later() -> None:
    world = Ending()
    world.hold("L", SHORT, "BUY")
    world.at(15, 26)
    for _ in range(3):
        world.quote()
    (urgent,) = world.exits("SELL")
    assert terms(urgent).limit_paise == 21_000, "40 % below the last trade"
    world.fill("SELL")
    assert {position.quantity for position in world.oms.positions()} == {0}


def test_a_plan_that_does_not_leave_holds_the_last_minutes_up_no_longer() -> None:
    world = Ending()
    world.hold("L", SHORT, "BUY")
    plan = Bracket(
        plan_id="P1", strategy="s", index=INDEX, created_ns=world.clock.now_ns(), symbol=SHORT, side="BUY",
        quantity=LOT, limit_paise=100, exit=ExitRules(stop_paise=50),
    )  # fmt: skip
    world.oms.start_plan(msgspec.json.encode(plan).decode())
    world.quote()
    world.broker.slow = True  # the cancel of its entry is not confirmed
    world.at(15, 16)
    assert world.exits("SELL", live=False) == []
    world.at(15, 26)
    world.broker.slow = False
    world.broker.confirm()
    for _ in range(3):
        world.quote()
    assert [one.intent.quantity for one in world.exits("SELL")] == [LOT]


@pytest.mark.parametrize("product", ["NRML", "MIS"])
def test_nothing_enters_what_leaves_today(product: str) -> None:
    world = Ending()
    day, minute = (EXPIRY, 16) if product == "NRML" else (EXPIRY - dt.timedelta(days=3), 21)
    world.clock.now = to_ns(dt.datetime.combine(day, dt.time(15, minute - 2), IST))
    before = world.oms.submit(intent("A", limit_paise=100, product=product, created_ns=world.clock.now_ns()))
    world.clock.now = to_ns(dt.datetime.combine(day, dt.time(15, minute), IST))
    late = world.oms.submit(intent("B", limit_paise=100, product=product, created_ns=world.clock.now_ns()))
    hedge = world.oms.submit(
        intent("C", limit_paise=100, product=product, purpose="hedge", created_ns=world.clock.now_ns())
    )
    assert before.state == "OPEN"
    assert (late.state, hedge.state) == ("REFUSED", "REFUSED")
    assert "day_end: " in late.message
    assert "nothing enters" in late.message


def test_an_entry_that_rests_is_cancelled_at_the_moment_though_nothing_is_held() -> None:
    world = Ending()
    world.clock.now = to_ns(dt.datetime.combine(EXPIRY, dt.time(15, 10), IST))
    world.quote()
    world.oms.submit(intent("A", limit_paise=100, created_ns=world.clock.now_ns()))
    world.at(15, 16)
    assert world.order("A").state == "CANCELLED"


@pytest.mark.parametrize("speed", [1, 60, 600, 6_000])
def test_at_any_speed_of_the_market_the_same_leaves(speed: int) -> None:
    """Quotes come every second of the market; the timer goes by the wall."""
    world = Ending()
    world.hold("L", SHORT, "BUY")
    wall_ns = world.clock.wall
    market_ns = world.clock.now = to_ns(dt.datetime.combine(EXPIRY, dt.time(15, 14, 30), IST))
    timed = 0
    for second in range(60 * 4):
        world.clock.now = market_ns + second * SECOND
        world.clock.wall = wall_ns + second * SECOND // speed
        world.show()
        if (world.clock.wall - wall_ns) // (SECOND // 2) > timed:
            timed = (world.clock.wall - wall_ns) // (SECOND // 2)
            world.oms.on_timer()
    sent = [one.intent.created_ns for one in world.exits("SELL", live=False)]
    assert sent, "it left"
    moment = to_ns(dt.datetime.combine(EXPIRY, dt.time(15, 15), IST))
    assert moment <= sent[0] <= moment + SECOND


@pytest.mark.parametrize("speed", [1, 6_000])
def test_at_any_speed_a_breach_is_seen(speed: int) -> None:
    world = Ending()
    world.hold("L", SHORT, "BUY")
    world.quote()
    world.risk.breached = "daily_loss: ₹26,000 of ₹25,000"
    for second in range(10):
        world.quote(1.0 if speed == 1 else 0.0, timer=speed == 1)
        world.clock.now += 0 if speed == 1 else (second + 1) * SECOND
    killed = world.oms.killed()
    assert killed is not None
    assert killed.who == "risk"


MIS_DAY = dt.date(2025, 9, 8)


class Mis(Ending):
    """A lot in MIS, at noon of a day on which nothing expires."""

    def __init__(self) -> None:
        super().__init__()
        self.at(12, 0, MIS_DAY)
        self.hold("L", SHORT, "BUY", product="MIS")

    def rest(self, tag: str, *, side: str = "BUY", purpose: str = "", **others: str) -> Order:
        """An order in the same book, or in that of `others`, that does not fill."""
        leaves, paise = side == "SELL", 37_000 if side == "SELL" else 33_000
        terms = {"symbol": SHORT, "product": "MIS", "side": side, "limit_paise": paise, **others}
        made = intent(tag, **terms, created_ns=self.clock.now_ns())
        return self.oms.submit(msgspec.structs.replace(made, purpose=purpose or ("exit" if leaves else "entry")))

    def vanish(self, *tags: str) -> list[Order]:
        gone = [self.broker.orders.pop(tag) for tag in tags]
        for _ in range(20):
            self.quote()
        return gone


@pytest.mark.parametrize(("minute", "urgent"), [(21, False), (26, True)])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_an_order_that_the_broker_no_longer_lists_holds_no_square_off_up(
    side: str, minute: int, *, urgent: bool
) -> None:
    world = Mis()
    world.rest("V", side=side)
    world.vanish("V")
    world.at(15, minute, MIS_DAY)
    (out,) = [one for one in world.exits("SELL") if one.intent.tag != "V"]
    assert (out.intent.quantity, out.intent.limit_paise < 30_000) == (LOT, urgent)


def test_an_exit_that_is_listed_again_beside_the_square_off_is_taken_back() -> None:
    world = Mis()
    world.rest("V", side="SELL")
    (gone,) = world.vanish("V")
    world.at(15, 21, MIS_DAY)
    world.broker.orders["V"] = gone
    for _ in range(3):
        world.quote()
    assert world.order("V").state == "CANCELLED"
    assert sum(units for _, units in world.sold()) == LOT


def test_one_that_is_listed_again_when_all_is_sold_is_taken_back() -> None:
    world = Mis()
    world.rest("V", side="SELL")
    (gone,) = world.vanish("V")
    world.at(15, 21, MIS_DAY)
    (out,) = [one for one in world.exits("SELL") if one.intent.tag != "V"]
    world.broker.fill(out.intent.tag, LOT, 35_000)
    for _ in range(4):
        world.quote()
    world.broker.orders["V"] = gone
    for _ in range(3):
        world.quote()
    assert world.sold() == []


@pytest.mark.parametrize("how", ["vanished", "refused", "unknown"])
def test_entries_that_cannot_be_cancelled_keep_no_other_from_it(how: str) -> None:
    world, asked = Mis(), list[str]()
    for tag in ("X", "Y"):
        world.broker.next_place = "lose the request" if how == "unknown" else "ack"
        world.rest(tag)
    if how == "vanished":
        world.vanish("X", "Y")
    world.rest("Z")
    stuck, cancel = {world.order(tag).broker_id for tag in ("X", "Y")}, world.broker.cancel

    def refusing(broker_id: str) -> Answer:
        asked.append(broker_id)
        return Answer(kind="REFUSED", message="not now") if broker_id in stuck else cancel(broker_id)

    world.broker.cancel = refusing  # type: ignore[method-assign]
    world.at(15, 21, MIS_DAY)
    assert world.order("Z").state == "CANCELLED"
    assert ("" not in asked, bool(stuck.intersection(asked))) == (True, how == "refused")
