"""Kite's binary market data, as pure code: the adapter decodes with it what the local exchange encodes with it."""

from core.kite.decode import Decoded, decode, ticks_in
from core.kite.encode import encode, length_of
from core.kite.layout import DTYPES, FULL, INDEX_FULL, INDEX_QUOTE, LTP, QUOTE, Mode
from core.kite.packets import Packets
from core.kite.segments import PAISE, Segment, divisor_of, segment_of, token_of
from core.kite.ticks import Registry, Taken, to_ticks
from core.kite.warm import signatures, warm

__all__ = [
    "DTYPES",
    "FULL",
    "INDEX_FULL",
    "INDEX_QUOTE",
    "LTP",
    "PAISE",
    "QUOTE",
    "Decoded",
    "Mode",
    "Packets",
    "Registry",
    "Segment",
    "Taken",
    "decode",
    "divisor_of",
    "encode",
    "length_of",
    "segment_of",
    "signatures",
    "ticks_in",
    "to_ticks",
    "token_of",
    "warm",
]
