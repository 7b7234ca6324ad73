"""The five packets of a Kite frame, byte by byte; the length of a packet is its type.

A frame is a big-endian uint16 count and that many times a uint16 length with a packet of so many bytes. Every number is
big-endian and unsigned, so a negative price cannot be sent. Source: `kiteconnect` 5.2.2, KiteTicker._parse_binary; an
index's order is high, low, open, close, an instrument's open, high, low, close.

numpy reads a packet as `np.frombuffer(packet, DTYPES[len(packet)])`; the kernels read the same places.
"""

from enum import IntEnum

import numpy as np

from core.schemas import DEPTH

LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL = 8, 28, 32, 44, 184  # bytes
COUNT_BYTES = LENGTH_BYTES = 2
SHORTEST = LENGTH_BYTES + LTP  # of a packet with its length
MOST_PACKETS = 0xFFFF


class Mode(IntEnum):
    """What a subscription asks for, and with the segment the length of what comes."""

    LTP = 0
    QUOTE = 1
    FULL = 2


# [mode, is an index]
LENGTHS = np.array([[LTP, LTP], [QUOTE, INDEX_QUOTE], [FULL, INDEX_FULL]], dtype=np.int64)

_LEVEL = np.dtype([("quantity", ">u4"), ("price", ">u4"), ("orders", ">u2"), ("padding", ">u2")])
_LTP = [("token", ">u4"), ("last_price", ">u4")]
_INDEX_QUOTE = [
    *_LTP,
    ("high", ">u4"),
    ("low", ">u4"),
    ("open", ">u4"),
    ("close", ">u4"),
    ("index_change", ">u4"),
]
_QUOTE = [
    *_LTP,
    ("last_quantity", ">u4"),
    ("average_price", ">u4"),
    ("volume", ">u4"),
    ("buy_quantity", ">u4"),
    ("sell_quantity", ">u4"),
    ("open", ">u4"),
    ("high", ">u4"),
    ("low", ">u4"),
    ("close", ">u4"),
]
_FULL = [
    *_QUOTE,
    ("last_trade_s", ">u4"),
    ("oi", ">u4"),
    ("oi_day_high", ">u4"),
    ("oi_day_low", ">u4"),
    ("exchange_s", ">u4"),
    ("bids", _LEVEL, (DEPTH,)),
    ("asks", _LEVEL, (DEPTH,)),
]
DTYPES: dict[int, "np.dtype[np.void]"] = {
    LTP: np.dtype(_LTP),
    INDEX_QUOTE: np.dtype(_INDEX_QUOTE),
    INDEX_FULL: np.dtype([*_INDEX_QUOTE, ("exchange_s", ">u4")]),
    QUOTE: np.dtype(_QUOTE),
    FULL: np.dtype(_FULL),
}
