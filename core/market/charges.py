"""What an executed order of index options costs, and what exercise costs, by date.

Brokerage is Zerodha's flat ₹20 an executed order. Sources: STT cleartax, livemint 2024-10, mid-day 2026-02, BSE
20260331-7; NSE/FA/64323, NSE/FA/73061 of 2026-02-27 (transaction charge and IPFT together); BSE Hindustan Times
2024-09-27, BSE circular 2026-05-06; SEBI fee ₹10 a crore; stamp duty 0.003 % on buys since 2020-07-01; GST 18 % on
what is a service.
A contract note rounds STT and stamp duty to the rupee over a day; here nothing is rounded.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from core.errors import InputError, UnknownDate
from core.market.indices import exchange_of
from core.records import Side

_D, _R = dt.date, Decimal
_BROKERAGE = _R(20)
_STT_SELL = (
    (_D(2026, 4, 1), _R("0.0015")),
    (_D(2024, 10, 1), _R("0.001")),
    (_D(2023, 4, 1), _R("0.000625")),
)
_STT_EXERCISE = ((_D(2026, 4, 1), _R("0.0015")), (_D(2023, 4, 1), _R("0.00125")))
_EXCHANGE = {
    "NSE": ((_D(2026, 3, 1), _R("0.0003553")), (_D(2024, 10, 1), _R("0.0003553"))),
    "BSE": ((_D(2024, 10, 1), _R("0.000325")),),
}
_SEBI, _STAMP_BUY, _GST = _R("0.000001"), _R("0.00003"), _R("0.18")
_ZERO = _R(0)


@dataclass(frozen=True)
class Charges:
    """Rupees, unrounded; `exchange` holds the transaction charge and the investor protection fund's share."""

    brokerage: Decimal
    stt: Decimal
    exchange: Decimal
    sebi: Decimal
    stamp: Decimal
    gst: Decimal

    @property
    def total(self) -> Decimal:
        return self.brokerage + self.stt + self.exchange + self.sebi + self.stamp + self.gst

    @property
    def total_paise(self) -> int:
        """Whole paise, half to even."""
        return int((self.total * 100).quantize(_R(1), ROUND_HALF_EVEN))


def charges(index: str, side: Side, quantity: int, price_paise: int, on: dt.date) -> Charges:
    """Of one executed order of `quantity` units at `price_paise` a unit on `on`.

    Raises UnknownDate before 2024-10-01, from which the flat rates are known, InputError for a negative amount.

    >>> charges("NIFTY", "SELL", 65, 100_00, dt.date(2026, 5, 4)).total_paise
    3608
    """
    if quantity <= 0 or price_paise < 0:
        raise InputError(
            f"charges need a quantity above 0 and a price of 0 or more, was {quantity} at {price_paise} paise"
        )
    premium = _R(quantity * price_paise) / 100
    exchange = premium * _rate(_EXCHANGE[exchange_of(index)], on, f"transaction charge of {exchange_of(index)}")
    stt = premium * _rate(_STT_SELL, on, "STT") if side == "SELL" else _ZERO
    sebi = premium * _SEBI
    stamp = premium * _STAMP_BUY if side == "BUY" else _ZERO
    return Charges(_BROKERAGE, stt, exchange, sebi, stamp, (_BROKERAGE + exchange + sebi) * _GST)


def exercise_charges(index: str, quantity: int, intrinsic_paise: int, on: dt.date) -> Charges:
    """Of a long option that expires in the money: STT on the intrinsic value, nothing else."""
    exchange_of(index)
    if quantity <= 0 or intrinsic_paise < 0:
        raise InputError(f"exercise needs a quantity above 0 and an intrinsic value, was {quantity}, {intrinsic_paise}")
    stt = _R(quantity * intrinsic_paise) / 100 * _rate(_STT_EXERCISE, on, "STT on exercise")
    return Charges(_ZERO, stt, _ZERO, _ZERO, _ZERO, _ZERO)


def _rate(rows: tuple[tuple[dt.date, Decimal], ...], on: dt.date, name: str) -> Decimal:
    for since, rate in rows:
        if on >= since:
            return rate
    raise UnknownDate(f"the {name} on {on} is not known; the table begins {rows[-1][0]}")
