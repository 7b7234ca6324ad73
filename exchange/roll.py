"""From one day to the next: premium, charges and fees leave or reach the cash, what expired is settled.

What has not expired is carried at its last price, and stays listed.
"""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from core.errors import InputError
from core.market import (
    brokerage,
    exercise_charges,
    settlement,
    settlement_price,
    turnover_charges,
    whole_paise,
)
from core.schemas import Kind
from exchange.accounts import User
from exchange.day import Day
from exchange.listing import Instrument
from exchange.minutes import MINUTE_NS
from exchange.orders.engine import Engine
from exchange.orders.funds import Funds
from exchange.orders.order import Trade
from exchange.orders.positions import Position, Positions
from exchange.orders.square_off import fee

UNLISTED = -1  # the place of a contract that the day does not list


def roll(old: Day, new: Day, *, positions: Positions, funds: Funds, engine: Engine) -> None:
    """Settle `old` and carry what is left into `new`; orders have ended already."""
    for user in funds.users:
        purse = funds.purses[user.user_id]
        purse.opening_paise -= whole_paise(sum(charges_of(user, engine, old.date).values(), Decimal(0)))
        for held in positions.taken(user):
            expired = held.one.expiry_date < new.date
            at = settle_paise(old, held.one) if expired else held.last_paise(old.quotes)
            purse.opening_paise += _cash(held, at) if not expired else _settled(held, at)
            if held.quantity and not expired:
                positions.carry(user, held, relisted(held.one, new), at)


def settle_paise(day: Day, one: Instrument) -> int:
    """What `one` settles at, by the index's minutes on `day`, or on a day that was jumped over.

    The print of the closing auction, before 2026-08-03 the mean of the last half hour: core.market.settlement_price,
    whose InputError this raises for a day that does not have them.
    """
    on = day if one.expiry_date == day.date else day.before(one.expiry_date, one.index)
    if on is None:
        raise InputError(f"{one.symbol} expired on {one.expiry_date}, a day this market does not have")
    bars = on.minutes(on.index_of(one.index), on.close_ns)
    ends = settlement(one.index, one.expiry_date)
    return settlement_price(
        ends, published_paise=None, start_ns=bars.start_ns, seconds=MINUTE_NS // 1_000_000_000, open_paise=bars.open,
        close_paise=bars.close,
    ).paise  # fmt: skip


def relisted(one: Instrument, day: Day) -> Instrument:
    """The contract in the day's listing."""
    return day.listing.by_name.get((one.exchange, one.symbol)) or replace(one, place=UNLISTED)


def _cash(held: Position, at_paise: int) -> int:
    """What the day's trades brought; a future is marked to `at_paise`."""
    traded = held.sold_paise - held.bought_paise
    if held.one.kind != Kind.FUTURE:
        return traded
    return traded - held.overnight * held.carried_at + held.quantity * at_paise


def _settled(held: Position, level_paise: int) -> int:
    """The same of what expired, with the intrinsic value of an option and the tax on its exercise."""
    if held.one.kind == Kind.FUTURE:
        return _cash(held, level_paise)
    sign = 1 if held.one.kind == Kind.CALL else -1
    intrinsic = max(0, sign * (level_paise - held.one.strike_paise))
    tax = Decimal(0)
    if held.quantity > 0 and intrinsic:
        tax = exercise_charges(held.one.index, held.quantity, intrinsic, held.one.expiry_date).total
    return _cash(held, 0) + held.quantity * intrinsic - whole_paise(tax)


def charges_of(user: User, engine: Engine, on: dt.date) -> dict[str, Decimal]:
    """Rupees, unrounded, of each of the user's orders that traded, by order id, and of those that were squared off.

    A future's are not known: none.
    """
    by_order: dict[str, list[Trade]] = {}
    for trade in engine.trades:
        if trade.order.user == user:
            by_order.setdefault(trade.order.order_id, []).append(trade)
    return {order_id: _charge(trades, on) for order_id, trades in by_order.items()}


def _charge(trades: list[Trade], on: dt.date) -> Decimal:
    order = trades[0].order
    total = Decimal(fee(on)) if order.forced else Decimal(0)
    if order.one.kind != Kind.FUTURE:
        lines = (turnover_charges(order.one.index, order.side, t.quantity, t.paise, on) for t in trades)
        total += sum((line.total for line in lines), brokerage(on).total)
    return total
