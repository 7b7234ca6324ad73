"""What executed orders of index options cost, and what exercise costs, by date; the rates are in rates.py.

Every line is an exact Decimal of rupees: brokerage is per executed order (a slice is an order, three partial fills
are one brokerage), the rest is on premium. `contract_note` rounds as the note of a day does.

One rule rounds everywhere: to the nearest, a half goes up. For STT in rupees two brokers' notices say so (geojit: fifty
paise or more go up; tradejini's examples); for whole paise no source was found, the same rule is taken.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal

from core.errors import InputError
from core.market import rates
from core.market.indices import exchange_of
from core.market.moment import from_ns
from core.market.symbols import parse_symbol
from core.records import Fill, Intent, Order, Side
from core.schemas import Kind

_ZERO, _ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True)
class Charges:
    """Rupees, unrounded, a field a line; `stt` is on sales, `exercise_stt` on longs that expire in the money."""

    brokerage: Decimal = _ZERO
    stt: Decimal = _ZERO
    exchange: Decimal = _ZERO  # transaction charge, without the fund's share
    ipft: Decimal = _ZERO  # the investor protection fund's share
    sebi: Decimal = _ZERO
    stamp: Decimal = _ZERO
    gst: Decimal = _ZERO
    exercise_stt: Decimal = _ZERO

    def __add__(self, other: "Charges") -> "Charges":
        return Charges(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def total(self) -> Decimal:
        return sum((getattr(self, f.name) for f in fields(self)), _ZERO)

    @property
    def total_paise(self) -> int:
        """Whole paise of the exact sum; `contract_note` rounds line by line and may differ by the lines' roundings."""
        return whole_paise(self.total)


@dataclass(frozen=True)
class Exercise:
    """A long option that expired in the money; `intrinsic_paise` a unit."""

    index: str
    quantity: int
    intrinsic_paise: int


@dataclass(frozen=True)
class TradingDay:
    """One account's fills of one day, in any order, and what it held to an expiry in the money."""

    date: dt.date
    fills: tuple[Fill, ...] = ()
    exercised: tuple[Exercise, ...] = ()


@dataclass(frozen=True)
class ContractNote:
    """A day as its contract note has it: paise, STT and stamp whole rupees; `premium_paise` is received − paid."""

    date: dt.date
    orders: int
    premium_paise: int
    brokerage_paise: int
    stt_paise: int
    exercise_stt_paise: int
    exchange_paise: int
    ipft_paise: int
    sebi_paise: int
    stamp_paise: int
    gst_paise: int

    @property
    def total_paise(self) -> int:
        """All charges."""
        taxes = self.stt_paise + self.exercise_stt_paise + self.stamp_paise + self.gst_paise
        return self.brokerage_paise + self.exchange_paise + self.ipft_paise + self.sebi_paise + taxes

    @property
    def net_paise(self) -> int:
        """What the day's trades bring (above 0) or cost, settlement of expired options apart."""
        return self.premium_paise - self.total_paise


def charges(order: Order | Intent, fills: Iterable[Fill]) -> Charges:
    """Of one order by its fills: one brokerage however many fills, nothing without a fill; a fill counts once.

    Raises InputError for a fill of another order, fills beyond the order's quantity or on two days, or an order that is
    not of an option (no source for a future's charges is at hand), UnknownDate before 2024-10-01.
    """
    intent = order.intent if isinstance(order, Order) else order
    if parse_symbol(intent.symbol).kind not in {Kind.CALL, Kind.PUT}:
        raise InputError(f"{intent.symbol} is no option: only the charges of index options are known")
    own = _distinct(fills)
    for fill in own:
        if (fill.tag, fill.symbol, fill.side) != (intent.tag, intent.symbol, intent.side):
            raise InputError(
                f"fill {fill.trade_id} is {fill.side} {fill.symbol} of order {fill.tag}, expected "
                f"{intent.side} {intent.symbol} of {intent.tag}"
            )
    filled = sum(fill.quantity for fill in own)
    if filled > intent.quantity:
        raise InputError(f"the fills of {intent.tag} are {filled} units, the order is of {intent.quantity}")
    return _order_charges(own)


def charges_at(index: str, side: Side, quantity: int, price_paise: int, on: dt.date) -> Charges:
    """Of one order of an option of `index`, executed whole: `quantity` units at `price_paise` a unit on `on`.

    Raises UnknownDate before 2024-10-01, from which the flat rates are known, InputError for a negative amount or
    another side than BUY and SELL.

    >>> charges_at("NIFTY", "SELL", 65, 100_00, dt.date(2026, 5, 4)).total_paise
    3608
    """
    return brokerage(on) + turnover_charges(index, side, quantity, price_paise, on)


def brokerage(on: dt.date) -> Charges:
    """What one executed order costs whatever its size: brokerage and the GST on it."""
    flat = rates.rate(rates.BROKERAGE_RUPEES, on, "brokerage")
    return Charges(brokerage=flat, gst=flat * rates.rate(rates.GST, on, "GST"))


def turnover_charges(index: str, side: Side, quantity: int, price_paise: int, on: dt.date) -> Charges:
    """What is charged on premium, brokerage apart; adds up over the fills of an order. Raises as `charges_at`."""
    if quantity <= 0 or price_paise < 0:
        raise InputError(
            f"charges need a quantity above 0 and a price of 0 or more, was {quantity} at {price_paise} paise"
        )
    if side not in {"BUY", "SELL"}:
        raise InputError(f"charges are of a BUY or SELL, was {side!r}")
    premium = Decimal(quantity * price_paise) / 100
    exchange = premium * rates.exchange_rate(rates.TRANSACTION, index, on, "transaction charge")
    ipft = premium * rates.exchange_rate(rates.IPFT, index, on, "investor protection fund's share")
    sebi = premium * rates.rate(rates.SEBI_FEE, on, "SEBI fee")
    return Charges(
        stt=premium * rates.rate(rates.STT_SELL, on, "STT") if side == "SELL" else _ZERO,
        exchange=exchange,
        ipft=ipft,
        sebi=sebi,
        stamp=premium * rates.rate(rates.STAMP_BUY, on, "stamp duty") if side == "BUY" else _ZERO,
        gst=(exchange + ipft + sebi) * rates.rate(rates.GST, on, "GST"),
    )


def exercise_charges(index: str, quantity: int, intrinsic_paise: int, on: dt.date) -> Charges:
    """Of a long option that expires in the money: STT on the intrinsic value, nothing else."""
    exchange_of(index)
    if quantity <= 0 or intrinsic_paise < 0:
        raise InputError(f"exercise needs a quantity above 0 and an intrinsic value, was {quantity}, {intrinsic_paise}")
    value = Decimal(quantity * intrinsic_paise) / 100
    return Charges(exercise_stt=value * rates.rate(rates.STT_EXERCISE, on, "STT on exercise"))


def contract_note(day: TradingDay) -> ContractNote:
    """The day's charges, each line rounded once: STT, STT on exercise and stamp to the rupee, the rest to the paisa.

    GST is on the exact sums, not on the rounded
    lines, which may differ by a paisa from a note printed the other way. Fills with one tag are one order. Raises
    InputError for a fill of another day.
    """
    own = _distinct(day.fills)
    for fill in own:
        if _date(fill) != day.date:
            raise InputError(f"fill {fill.trade_id} is of {_date(fill)}, the note is of {day.date}; give it its day")
    orders: dict[str, list[Fill]] = {}
    for fill in own:
        orders.setdefault(fill.tag, []).append(fill)
    total = sum((_order_charges(fills) for fills in orders.values()), Charges())
    for item in day.exercised:
        total += exercise_charges(item.index, item.quantity, item.intrinsic_paise, day.date)
    return ContractNote(
        date=day.date,
        orders=len(orders),
        premium_paise=sum(f.quantity * f.price_paise * (1 if f.side == "SELL" else -1) for f in own),
        brokerage_paise=whole_paise(total.brokerage),
        stt_paise=_whole_rupees(total.stt),
        exercise_stt_paise=_whole_rupees(total.exercise_stt),
        exchange_paise=whole_paise(total.exchange),
        ipft_paise=whole_paise(total.ipft),
        sebi_paise=whole_paise(total.sebi),
        stamp_paise=_whole_rupees(total.stamp),
        gst_paise=whole_paise(total.gst),
    )


def _order_charges(fills: Sequence[Fill]) -> Charges:
    """Of one order's fills, each once."""
    if not fills:
        return Charges()
    days = sorted({_date(fill) for fill in fills})
    if len(days) > 1:
        raise InputError(f"order {fills[0].tag} has fills on {days[0]} and {days[-1]}; an order lives one day")
    total = brokerage(days[0])
    for fill in fills:
        total += turnover_charges(fill.index, fill.side, fill.quantity, fill.price_paise, days[0])
    return total


def _distinct(fills: Iterable[Fill]) -> list[Fill]:
    """Each trade once; two different fills of one symbol and trade id are an error. Exchanges number for themselves."""
    kept: dict[tuple[str, str], Fill] = {}
    for fill in fills:
        if kept.setdefault((fill.symbol, fill.trade_id), fill) != fill:
            raise InputError(f"trade {fill.trade_id} is reported twice and differently; ask the broker's trade book")
    return list(kept.values())


def _date(fill: Fill) -> dt.date:
    return from_ns(fill.at_ns).date()


def whole_paise(rupees: Decimal) -> int:
    """Paise of an exact amount, half a paisa going up."""
    return int((rupees * 100).quantize(_ONE, ROUND_HALF_UP))


def _whole_rupees(rupees: Decimal) -> int:
    return int(rupees.quantize(_ONE, ROUND_HALF_UP)) * 100
