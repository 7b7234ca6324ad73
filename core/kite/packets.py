"""Packets as columns: what `decode` gives and `encode` takes."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from core.kite.segments import divisor_of
from core.schemas import DEPTH

Ints = NDArray[np.int64]
Counts = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Packets:
    """n packets, one array a field, 0 where a packet of that length does not carry it; depth is n × 5, best first.

    A price is the wire's own integer, in 1/`divisor` of a rupee: paise for every segment but CDS (10⁻⁷ rupees), BCD and
    NCO (10⁻⁴). So nothing is rounded, and whoever wants paise asks for a divisor of 100 first. Times are UTC
    nanoseconds of whole seconds. `index_change` is the wire's number, whose scale and sign nobody documents.
    """

    token: Ints
    length: Ints  # bytes of the packet, which is its type
    last_price: Ints
    last_quantity: Ints
    average_price: Ints
    volume: Ints
    buy_quantity: Ints
    sell_quantity: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints  # of the previous session
    index_change: Ints
    last_trade_ns: Ints
    oi: Ints
    oi_day_high: Ints
    oi_day_low: Ints
    exchange_ns: Ints
    bid_price: Ints
    bid_quantity: Ints
    bid_orders: Counts
    ask_price: Ints
    ask_quantity: Ints
    ask_orders: Counts

    def __len__(self) -> int:
        return self.token.size

    @property
    def divisor(self) -> Ints:
        """What one rupee is, in each packet's prices."""
        return divisor_of(self.token)

    @classmethod
    def zeros(cls, count: int) -> "Packets":
        """`count` packets to be written into."""
        return cls.over(*room(count), count)

    @classmethod
    def over(cls, rows: Ints, levels: Ints, orders: Counts, count: int) -> "Packets":
        """Views of the first `count` packets of the memory `room` gives, as the kernels fill it."""
        bids, bid_quantity, asks, ask_quantity = levels[:, :count]
        bid_orders, ask_orders = orders[:, :count]
        views = [*rows[:, :count], bids, bid_quantity, bid_orders, asks, ask_quantity, ask_orders]
        return cls(*views)


def room(count: int) -> tuple[Ints, Ints, Counts]:
    """Zeroed memory for `count` packets: the rows, the depth's prices and quantities, its orders."""
    depth = (count, DEPTH)
    return np.zeros((len(ROWS), count), np.int64), np.zeros((4, *depth), np.int64), np.zeros((2, *depth), np.int32)


NAMES = tuple(field.name for field in fields(Packets))
ROWS = NAMES[: NAMES.index("bid_price")]
