"""Columns into a frame: the other half of decode, for the local exchange and for tests."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.kite import kernels
from core.kite.layout import COUNT_BYTES, DTYPES, LENGTH_BYTES, LENGTHS, MOST_PACKETS, Mode
from core.kite.packets import ROWS, Packets
from core.kite.segments import Segment, segment_of

Ints = NDArray[np.int64]
SECOND = 1_000_000_000
_TIMES = {"last_trade_ns", "exchange_ns"}


def length_of(token: Ints, mode: Mode | Ints) -> Ints:
    """Bytes of each token's packet in a mode (one for all or one each): an index 8, 28 and 32, others 8, 44 and 184."""
    lengths: Ints = LENGTHS[mode, (segment_of(token) == Segment.INDICES).astype(np.int64)]
    return lengths


def encode(packets: Packets, mode: Mode | Ints | None = None) -> bytes:
    """One frame with every packet, in order; without `mode` each at its own `length`.

    Times lose what is less than a second. InputError, naming the column, for a number the wire cannot hold (unsigned 32
    bits, a level's orders 16), a length that is no packet's, or more than 65,535 packets.
    """
    length = packets.length if mode is None else length_of(packets.token, mode)
    if len(packets) > MOST_PACKETS:
        raise InputError(f"a frame holds at most {MOST_PACKETS} packets, was {len(packets)}")
    if not np.isin(length, tuple(DTYPES)).all():
        raise InputError(f"a packet has {', '.join(map(str, DTYPES))} bytes, was {sorted(set(length.tolist()))}")
    _check(packets)
    rows = np.stack([length if name == "length" else getattr(packets, name) for name in ROWS])
    levels = np.stack([packets.bid_price, packets.bid_quantity, packets.ask_price, packets.ask_quantity])
    frame = np.empty(COUNT_BYTES + LENGTH_BYTES * len(packets) + int(length.sum()), np.uint8)
    kernels.write_frame(frame, rows, levels, np.stack([packets.bid_orders, packets.ask_orders]))
    return frame.tobytes()


def _check(packets: Packets) -> None:
    for field in fields(packets):
        column = getattr(packets, field.name)
        unit = SECOND if field.name in _TIMES else 1
        most = (1 << (16 if field.name.endswith("orders") else 32)) * unit - 1
        if column.size and not (column.min() >= 0 and column.max() <= most):
            raise InputError(f"{field.name} is 0…{most} on the wire, was {column.min()}…{column.max()}")
