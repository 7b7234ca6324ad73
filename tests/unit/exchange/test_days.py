"""What happens by the clock: square-off of MIS, after-market orders, legs of an iceberg, the roll of the day.

Without a server: a world whose wall clock the test moves.
"""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from core.market import IST, charges_at, exercise_charges, settlement, to_ns
from core.schemas import Kind
from exchange.day import Day
from exchange.limits import Rates
from exchange.listing import Instrument
from exchange.orders.gtt import State, Wish
from exchange.orders.order import Order, Status
from exchange.orders.request import parse
from exchange.roll import UNLISTED, settle_paise
from exchange.world import World, WorldConfig

FRIDAY = dt.date(2026, 11, 20)
EXPIRY = dt.date(2026, 11, 23)  # a Monday: Tuesday is a holiday
SECOND = 1_000_000_000


class Run:
    """A world at any moment."""

    def __init__(self, date: dt.date = FRIDAY, **config: Any) -> None:
        self.at = to_ns(dt.datetime.combine(date, dt.time(9, 15), IST))
        self.world = World(
            WorldConfig(date=date, indices=("NIFTY",), rates=Rates(enforced=False), **config), wall=lambda: self.at
        )
        self.user = self.world.config.users[0]
        self.go(dt.time(10, 0))

    def go(self, time: dt.time, date: dt.date | None = None) -> None:
        """On to a time of the day, or of another day."""
        moment = to_ns(dt.datetime.combine(date or self.world.day.date, time, IST))
        self.at += moment - self.world.clock.now_ns()
        self.world.step()

    def wait(self, seconds: float = 1.0) -> None:
        self.at += round(seconds * SECOND)
        self.world.step()

    def option(self, *, kind: Kind = Kind.CALL, later: bool = False) -> Instrument:
        """At the money: of the first expiry or a later one."""
        day = self.world.day
        spot = day.quotes.last[day.listing.by_name["NSE", "NIFTY 50"].place]
        options = [one for one in day.listing.instruments if one.kind == kind]
        expiry = sorted({one.expiry for one in options})[1 if later else 0]
        own = [one for one in options if one.expiry == expiry]
        return min(own, key=lambda one: abs(one.strike_paise - spot))

    def place(self, one: Instrument, side: str = "BUY", *, variety: str = "regular", **changes: Any) -> Order:
        """A LIMIT order a fifth beyond the market, which trades, unless told otherwise."""
        beyond = 1.2 if side == "BUY" else 0.8
        price = round(self.world.day.quotes.last[one.place] * beyond / 100, 1)
        fields = {
            "exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": side, "quantity": one.lot,
            "product": "NRML", "order_type": "LIMIT", "price": price,
        } | changes  # fmt: skip
        form = {name: str(value) for name, value in fields.items()}
        order = self.world.engine.place(self.user, parse(variety, form, self.world.day.listing))
        self.wait()
        return order

    def fresh(self, date: dt.date) -> Day:
        """The day of `date` in which nobody has done anything."""
        found = self.world.day.following(date, ())
        assert found is not None
        return found

    def trigger(self, one: Instrument) -> int:
        """A trigger on a contract that its price does not reach."""
        order = {
            "exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": "BUY", "quantity": str(one.lot),
            "order_type": "LIMIT", "product": "NRML", "price": "1.0",
        }  # fmt: skip
        condition = {"exchange": one.exchange, "tradingsymbol": one.symbol, "last_price": "100000.0"}
        wish = Wish(kind="single", condition=condition, values=[{"trigger_values": "0.05"}], orders=[order])
        return self.world.triggers.place(self.user, wish)

    @property
    def cash(self) -> int:
        """Opening cash of the day, paise."""
        return self.world.funds.purses[self.user.user_id].opening_paise

    def held(self) -> dict[str, tuple[str, int]]:
        return {p.one.symbol: (p.product, p.quantity) for p in self.world.positions.of(self.user)}


def test_mis_is_squared_off_at_its_time_and_nrml_is_not() -> None:
    run = Run()
    one, other = run.option(), run.option(kind=Kind.PUT, later=True)
    run.place(one, product="MIS")
    run.place(other, product="NRML")
    run.go(dt.time(15, 24, 50))
    resting = run.place(one, product="MIS", price=round(run.world.day.quotes.last[one.place] * 0.7 / 100, 1))
    assert resting.status == Status.OPEN
    assert run.held()[one.symbol] == ("MIS", one.lot)
    run.go(dt.time(15, 25))
    run.wait()
    assert resting.status == Status.CANCELLED
    assert run.held() == {one.symbol: ("MIS", 0), other.symbol: ("NRML", other.lot)}
    (closing,) = [order for order in run.world.engine.orders.values() if order.forced]
    assert (closing.side, closing.quantity, closing.status) == ("SELL", one.lot, Status.COMPLETE)
    late = run.place(one, product="MIS")
    assert (late.status, "square-off" in (late.message or "")) == (Status.REJECTED, True)


def test_the_square_off_costs_its_fee_and_the_day_its_charges() -> None:
    run = Run()
    one, before = run.option(), run.cash
    run.place(one, product="MIS")
    run.go(dt.time(15, 25))
    run.wait()
    trades = list(run.world.engine.trades)
    run.go(dt.time(9, 15), EXPIRY)
    premium = sum((t.paise if t.order.side == "SELL" else -t.paise) * t.quantity for t in trades)
    assert len(trades) == 2, "each order met one level"
    charged = sum(charges_at("NIFTY", t.order.side, t.quantity, t.paise, FRIDAY).total for t in trades)
    assert run.cash - before == pytest.approx(premium - float(charged) * 100 - 5900, abs=1)


def test_an_after_market_order_goes_to_the_market_at_the_next_open() -> None:
    run = Run()
    run.go(dt.time(16, 0))
    one, tomorrow = run.option(later=True), Run(EXPIRY).world.day
    opening = int(tomorrow.minutes(tomorrow.listing.by_name["NFO", one.symbol], tomorrow.open_ns + SECOND).open[0])
    order = run.place(one, variety="amo", price=round(opening * 1.3 / 100, 1))
    symbol = order.one.symbol
    assert order.status == Status.AMO_RECEIVED
    run.wait(3600)
    assert order.status == Status.AMO_RECEIVED
    run.go(dt.time(9, 15), EXPIRY)
    run.wait()
    assert order.status == Status.COMPLETE, order.message
    assert order.one is run.world.day.listing.by_name["NFO", symbol]
    assert list(run.world.engine.of(run.user)) == [order], "yesterday's book is gone"


def test_an_iceberg_shows_one_leg_after_the_other() -> None:
    run = Run()
    one = run.option()
    low = round(run.world.day.quotes.last[one.place] * 0.7 / 100, 1)
    first = run.place(
        one, variety="iceberg", quantity=5 * one.lot, iceberg_legs=3, iceberg_quantity=2 * one.lot, price=low
    )
    run.wait(5)
    assert [o.quantity for o in run.world.engine.orders.values()] == [2 * one.lot]
    assert first.row()["meta"] == {
        "iceberg": {
            "leg": 1, "legs": 3, "leg_quantity": 2 * one.lot, "total_quantity": 5 * one.lot,
            "remaining_quantity": 3 * one.lot,
        }
    }  # fmt: skip
    reach = round(run.world.day.quotes.last[one.place] * 1.3 / 100, 1)
    run.world.engine.modify(run.user, first.order_id, {"price": str(reach)}, 25)
    for _ in range(20):
        run.wait()
    legs = list(run.world.engine.orders.values())
    assert [leg.quantity for leg in legs] == [2 * one.lot, 2 * one.lot, one.lot]
    assert {leg.status for leg in legs} == {Status.COMPLETE}
    assert [leg.parent_id for leg in legs] == [None, first.order_id, first.order_id]
    assert run.held()[one.symbol] == ("NRML", 5 * one.lot)


def test_a_cancelled_leg_ends_its_iceberg() -> None:
    run = Run()
    one = run.option()
    low = round(run.world.day.quotes.last[one.place] * 0.7 / 100, 1)
    first = run.place(one, variety="iceberg", quantity=2 * one.lot, iceberg_legs=2, iceberg_quantity=one.lot, price=low)
    run.world.engine.cancel(run.user, first.order_id)
    run.wait(5)
    assert [o.status for o in run.world.engine.orders.values()] == [Status.CANCELLED]


def test_what_is_open_goes_into_the_next_day_at_its_average() -> None:
    run = Run()
    one = run.option(later=True)
    bought = run.place(one)
    run.place(run.option(), product="MIS")
    run.go(dt.time(15, 39))
    last = int(run.world.day.quotes.last[one.place])
    run.go(dt.time(9, 15), EXPIRY)
    held = {p.one.symbol: p for p in run.world.positions.of(run.user)}
    assert set(held) == {one.symbol}
    carried = held[one.symbol]
    assert (carried.overnight, carried.bought, carried.product) == (one.lot, 0, "NRML")
    assert carried.overnight_paise == bought.filled_paise
    assert carried.carried_at == pytest.approx(last, rel=0.2)
    row = carried.row(run.world.day.quotes)
    assert (row["overnight_quantity"], row["day_buy_quantity"]) == (one.lot, 0)
    assert row["average_price"] == pytest.approx(bought.average_paise / 100, abs=0.01)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("kind", [Kind.CALL, Kind.PUT])
def test_what_expired_is_settled_at_the_close_of_its_index(side: str, kind: Kind) -> None:
    run = Run(EXPIRY)
    one = run.option(kind=kind)
    assert one.expiry_date == EXPIRY
    order = run.place(one, side)
    assert order.status == Status.COMPLETE
    (trade,) = run.world.engine.trades
    before = run.cash
    run.go(dt.time(15, 35))
    spot = int(run.world.day.quotes.last[run.world.day.listing.by_name["NSE", "NIFTY 50"].place])
    assert settlement("NIFTY", EXPIRY).known.time() == dt.time(15, 35)
    assert settle_paise(run.world.day, one) == spot
    run.go(dt.time(9, 15), dt.date(2026, 11, 25))
    inside = max(0, (spot - one.strike_paise) * (1 if kind == Kind.CALL else -1))
    signed = one.lot if side == "BUY" else -one.lot
    tax = exercise_charges("NIFTY", one.lot, inside, EXPIRY).total if side == "BUY" and inside else 0
    charged = charges_at("NIFTY", trade.order.side, one.lot, trade.paise, EXPIRY).total
    expected = signed * (inside - trade.paise) - float(charged + tax) * 100
    assert run.cash - before == pytest.approx(expected, abs=2)
    assert run.held() == {}


def test_a_day_that_is_jumped_over_settles_what_expired_on_it() -> None:
    run = Run()
    one = run.option()
    assert one.expiry_date == EXPIRY
    run.place(one)
    run.go(dt.time(9, 15), dt.date(2026, 11, 26))
    assert run.held() == {}


def test_a_future_is_marked_to_its_last_price_overnight() -> None:
    run = Run()
    one = next(o for o in run.world.day.listing.instruments if o.kind == Kind.FUTURE and o.expiry > "2026-12")
    order = run.place(one, price=run.world.day.quotes.last[one.place] * 1001 // 1000 // 10 * 10 / 100)
    assert order.status == Status.COMPLETE
    before = run.cash
    run.go(dt.time(15, 40))
    last = int(run.world.day.quotes.last[one.place])
    run.go(dt.time(9, 15), EXPIRY)
    assert run.cash - before == one.lot * last - order.filled_paise
    (held,) = run.world.positions.of(run.user)
    assert held.m2m_paise(run.world.day.quotes) == one.lot * (run.world.day.quotes.last[held.one.place] - last)


def test_margins_are_known_at_every_moment_of_an_expiry() -> None:
    run = Run(EXPIRY)
    run.world.funds.purses[run.user.user_id].opening_paise *= 100
    for kind in (Kind.CALL, Kind.PUT):
        run.place(run.option(kind=kind), "SELL")
    for time in (dt.time(15, 14), dt.time(15, 20), dt.time(15, 34), dt.time(15, 36), dt.time(15, 45), dt.time(23, 0)):
        run.go(time)
        need = run.world.funds.need(run.user, [])
        assert need.span_paise > 0, time
        assert need.exposure_paise > 0, time


def test_a_contract_that_the_next_day_does_not_list_keeps_its_price_and_its_margin() -> None:
    run = Run()
    one = run.option(later=True)
    run.place(one, "SELL")
    (held,) = run.world.positions.taken(run.user)
    run.world.positions.carry(run.user, held, replace(one, place=UNLISTED), 123_45)
    (kept,) = run.world.positions.of(run.user)
    row = kept.row(run.world.day.quotes)
    assert (row["quantity"], row["last_price"], row["m2m"]) == (-one.lot, 123.45, 0)
    assert run.world.funds.need(run.user, []).span_paise > 50_000_00
    run.go(dt.time(9, 15), EXPIRY)
    (kept,) = run.world.positions.of(run.user)
    assert kept.one == run.world.day.listing.by_name["NFO", one.symbol], "listed again, it trades again"


def test_a_trigger_lives_through_the_night_and_ends_with_its_contract() -> None:
    run = Run()
    names = {}
    for one in (run.option(), run.option(later=True)):
        names[one.expiry_date] = run.trigger(one)
    run.go(dt.time(9, 20), dt.date(2026, 11, 25))
    states = {expiry: run.world.triggers.find(run.user, str(name)).state for expiry, name in names.items()}
    assert states.pop(EXPIRY) == State.EXPIRED
    assert set(states.values()) == {State.ACTIVE}


def test_a_resting_order_changed_to_market_trades_inside_its_protection() -> None:
    run = Run()
    one = run.option()
    last = run.world.day.quotes.last[one.place]
    order = run.place(one, price=round(last * 0.7 / 100, 1), validity="TTL", validity_ttl=5)
    assert (order.status, order.row()["validity_ttl"]) == (Status.OPEN, 5)
    run.world.engine.modify(run.user, order.order_id, {"order_type": "MARKET", "market_protection": "-1"}, 25)
    run.wait()
    assert order.status == Status.COMPLETE
    assert last * 0.7 < order.average_paise <= order.price_paise < last * 1.2
