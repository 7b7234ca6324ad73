"""What fills add up to: one holding per symbol, folded fill by fill.

Money is conserved to the paisa by construction: `cash` is what the fills paid and received, `open_cost` what is
still tied up, realised is cash + open_cost, unrealised is quantity × mark − open_cost, so that
realised + unrealised = cash + quantity × mark always. Rounding (half even, one paisa at most) happens only when a
part of a position is closed, and moves between realised and open cost, never out of the sum. Charges are exact until
they are told, and then rounded as everywhere (core/market/charges.py).
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from core.errors import InputError
from core.market import brokerage, exercise_charges, from_ns, turnover_charges, whole_paise
from core.records import Fill, Position, Settled


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's position and its history in this session.

    `quantity` is signed units; `cash_paise` is received − paid before charges; `open_cost_paise` is signed (+ paid for
    a long, − received for a short); `charges_rupees` is unrounded. `trades` and `charged` are the trade ids already
    counted and the order tags that already bore their brokerage; `settled` is what its contract expired at, and
    `settled_quantity` the signed units that were open then, as far as the trades told of by now say.
    """

    symbol: str
    index: str
    quantity: int = 0
    cash_paise: int = 0
    open_cost_paise: int = 0
    charges_rupees: Decimal = Decimal(0)
    trades: frozenset[str] = frozenset()
    charged: frozenset[str] = frozenset()
    settled: Settled | None = None
    settled_quantity: int = 0

    @property
    def realised_paise(self) -> int:
        return self.cash_paise + self.open_cost_paise

    @property
    def charges_paise(self) -> int:
        return whole_paise(self.charges_rupees)

    @property
    def average_paise(self) -> float:
        """Average price of the open quantity; 0 when flat."""
        return self.open_cost_paise / self.quantity if self.quantity else 0.0

    def unrealised_paise(self, mark_paise: int) -> int:
        """Open profit at `mark_paise`; 0 while no mark is known (mark 0)."""
        return self.quantity * mark_paise - self.open_cost_paise if mark_paise else 0


def signed(fill: Fill) -> int:
    """+ units bought, − units sold."""
    return fill.quantity if fill.side == "BUY" else -fill.quantity


def market_date(at_ns: int) -> dt.date:
    """The exchange's calendar date (IST) of a market time."""
    return from_ns(at_ns).date()


def apply(holding: Holding, fill: Fill) -> Holding:
    """`holding` after `fill`; the same holding if this trade id is already in it (a fill counts once)."""
    if fill.symbol != holding.symbol:
        raise InputError(f"fill {fill.trade_id} is of {fill.symbol}, the holding is of {holding.symbol}")
    if fill.quantity <= 0 or fill.price_paise < 0:
        raise InputError(
            f"fill {fill.trade_id}: expected quantity > 0 and price ≥ 0, was {fill.quantity} at {fill.price_paise}"
        )
    if fill.trade_id in holding.trades:
        return holding
    after = msgspec.structs.replace(
        traded(holding, signed(fill), fill.quantity * fill.price_paise),
        charges_rupees=holding.charges_rupees + fill_charges(fill, first=fill.tag not in holding.charged),
        trades=holding.trades | {fill.trade_id},
        charged=holding.charged | {fill.tag},
    )
    return after if holding.settled is None else settle(after, holding.settled)  # a trade told of after the expiry


def traded(holding: Holding, units: int, value_paise: int) -> Holding:
    """`holding` after `units` signed units, not 0, were taken (+) or given for `value_paise` in all; no charges."""
    held, direction = holding.quantity, 1 if units > 0 else -1
    closing = min(abs(units), abs(held)) if units * held < 0 else 0
    released = _share(holding.open_cost_paise, closing, abs(held))
    opened = value_paise - _share(value_paise, closing, abs(units))
    return msgspec.structs.replace(
        holding,
        quantity=held + units,
        cash_paise=holding.cash_paise - direction * value_paise,
        open_cost_paise=holding.open_cost_paise - released + direction * opened,
    )


def moved(holding: Holding, move_id: str, units: int, value_paise: int) -> Holding:
    """`holding` after `units` signed units came (+) or went without a trade, for what they had cost; once an id."""
    if move_id in holding.trades or not units:
        return holding
    return msgspec.structs.replace(traded(holding, units, value_paise), trades=holding.trades | {move_id})


def settle(holding: Holding, settled: Settled) -> Holding:
    """`holding` flat: its contract expired, what was open is paid at the intrinsic value and a long bears STT on it.

    Of two settlements the first counts. A trade told of after it changes what was open then, and so what it bears.
    """
    if settled.symbol != holding.symbol:
        raise InputError(f"{settled.symbol} has settled, the holding is of {holding.symbol}")
    settled = holding.settled or settled
    borne, expired = holding.settled_quantity, holding.settled_quantity + holding.quantity
    due = _exercise(holding.index, expired, settled) - _exercise(holding.index, borne, settled)
    return msgspec.structs.replace(
        holding,
        quantity=0,
        cash_paise=holding.cash_paise + holding.quantity * settled.value_paise,
        open_cost_paise=0,
        charges_rupees=holding.charges_rupees + due,
        trades=holding.trades | {settled.id},
        settled=settled,
        settled_quantity=expired,
    )


def _exercise(index: str, quantity: int, settled: Settled) -> Decimal:
    """Unrounded rupees that `quantity` signed units bear at their settlement: a long in the money alone."""
    if quantity <= 0 or settled.value_paise <= 0:
        return Decimal(0)
    return exercise_charges(index, quantity, settled.value_paise, market_date(settled.at_ns)).total


def _share(cost_paise: int, part: int, whole: int) -> int:
    if not part:
        return 0
    if part == whole:
        return cost_paise
    return int((Decimal(cost_paise) * part / whole).quantize(Decimal(1), ROUND_HALF_EVEN))


def fill_charges(fill: Fill, *, first: bool) -> Decimal:
    """Unrounded rupees this fill costs; an order's first fill bears its brokerage and the GST on it."""
    on = market_date(fill.at_ns)
    cost = turnover_charges(fill.index, fill.side, fill.quantity, fill.price_paise, on)
    return (cost + brokerage(on)).total if first else cost.total


def fold(fills: Iterable[Fill], settlements: Iterable[Settled] = ()) -> dict[str, Holding]:
    """Every holding the fills, and the settlements after them, add up to; by symbol, in the order first traded."""
    holdings: dict[str, Holding] = {}
    for fill in fills:
        holdings[fill.symbol] = apply(holding_of(holdings, fill), fill)
    for settled in settlements:
        if settled.symbol in holdings:
            holdings[settled.symbol] = settle(holdings[settled.symbol], settled)
    return holdings


def holding_of(holdings: Mapping[str, Holding], fill: Fill) -> Holding:
    """The holding `fill` belongs to; an empty one if its symbol was never traded."""
    return holdings.get(fill.symbol) or Holding(symbol=fill.symbol, index=fill.index)


def position(holding: Holding, mark_paise: int) -> Position:
    """The record that the page and the ledger keep, marked at `mark_paise` (0 unknown: unrealised is 0)."""
    return Position(
        symbol=holding.symbol,
        index=holding.index,
        quantity=holding.quantity,
        average_paise=holding.average_paise,
        last_paise=mark_paise,
        realised_paise=holding.realised_paise,
        unrealised_paise=holding.unrealised_paise(mark_paise),
        charges_paise=holding.charges_paise,
    )


def mark(bid_paise: int, ask_paise: int, last_paise: int, quantity: int = 0) -> int:
    """What a unit of a position of `quantity` signed units would bring now: a long the bid, a short the ask.

    Without that side the last trade; 0 unknown. With quantity 0, for display and valuation, the mid of a two-sided
    quote (a half paisa rounds down), else the last trade.
    """
    if quantity:
        return (bid_paise if quantity > 0 else ask_paise) or last_paise
    return (bid_paise + ask_paise) // 2 if bid_paise > 0 and ask_paise > 0 else last_paise
