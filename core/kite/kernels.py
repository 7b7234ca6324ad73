"""The compiled walk through a frame, and its writing; what the numbers mean is said in layout, packets and decode.

Everything a kernel uses is in this file, as numba's cache wants it: the row numbers are those of packets.ROWS and the
places in a packet those of layout.DTYPES, both compared by a test.
"""

# ruff: noqa: PLR0917 a kernel takes its arrays one after the other

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., object])
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Counts = NDArray[np.int32]

LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL = 8, 28, 32, 44, 184
(
    TOKEN, LENGTH, LAST, LAST_QUANTITY, AVERAGE, VOLUME, BUY_QUANTITY, SELL_QUANTITY, OPEN, HIGH, LOW, CLOSE,
    INDEX_CHANGE, LAST_TRADE, OI, OI_HIGH, OI_LOW, EXCHANGE_TIME,
) = range(18)  # fmt: skip
DEPTH, LEVEL_BYTES, FIRST_LEVEL = 5, 12, 64
SECOND = 1_000_000_000
INDICES = 9  # the segment
KEPT, LENGTH_UNKNOWN, CUT_SHORT, DAMAGED, TRAILING = range(5)  # of what `read_frame` counts


def compiled(function: F) -> F:
    return cast("F", numba.njit(cache=True, nogil=True)(function))


def inlined(function: F) -> F:
    return cast("F", numba.njit(forceinline=True)(function))


@inlined
def byte(frame: Bytes, at: int, places: int) -> np.uint32:
    """Unsigned throughout: with an index that might be negative four bytes do not become one load."""
    return np.uint32(frame[np.uintp(at)]) << np.uint32(places)


@inlined
def u16(frame: Bytes, at: int) -> int:
    return np.int64(byte(frame, at, 8) | byte(frame, at + 1, 0))  # type: ignore[return-value]


@inlined
def u32(frame: Bytes, at: int) -> int:
    low = byte(frame, at + 2, 8) | byte(frame, at + 3, 0)
    return np.int64(byte(frame, at, 24) | byte(frame, at + 1, 16) | low)  # type: ignore[return-value]


@inlined
def put16(frame: Bytes, at: int, value: int) -> None:
    frame[at], frame[at + 1] = value >> 8 & 0xFF, value & 0xFF


@inlined
def put32(frame: Bytes, at: int, value: int) -> None:
    put16(frame, at, value >> 16 & 0xFFFF)
    put16(frame, at + 2, value & 0xFFFF)


@inlined
def is_packet(length: int) -> bool:
    """Compared one by one: a set would be built anew for every packet, which takes four times what reading one does."""
    return length == FULL or length == QUOTE or length == INDEX_FULL or length == INDEX_QUOTE or length == LTP  # noqa: PLR1714


@inlined
def read_levels(frame: Bytes, at: int, levels: Ints, orders: Counts, i: int) -> None:
    for side in range(2):
        for j in range(DEPTH):
            level = at + FIRST_LEVEL + (side * DEPTH + j) * LEVEL_BYTES
            levels[2 * side + 1, i, j] = u32(frame, level)
            levels[2 * side, i, j] = u32(frame, level + 4)
            orders[side, i, j] = u16(frame, level + 8)


@inlined
def read_packet(frame: Bytes, at: int, length: int, rows: Ints, levels: Ints, orders: Counts, i: int) -> None:
    rows[TOKEN, i], rows[LENGTH, i], rows[LAST, i] = u32(frame, at), length, u32(frame, at + 4)
    if length >= QUOTE:
        for row in range(LAST_QUANTITY, CLOSE + 1):
            rows[row, i] = u32(frame, at + 8 + 4 * (row - LAST_QUANTITY))
    elif length >= INDEX_QUOTE:
        rows[HIGH, i], rows[LOW, i] = u32(frame, at + 8), u32(frame, at + 12)
        rows[OPEN, i], rows[CLOSE, i] = u32(frame, at + 16), u32(frame, at + 20)
        rows[INDEX_CHANGE, i] = u32(frame, at + 24)
        if length == INDEX_FULL:
            rows[EXCHANGE_TIME, i] = u32(frame, at + 28) * SECOND
    if length == FULL:
        rows[LAST_TRADE, i], rows[EXCHANGE_TIME, i] = u32(frame, at + 44) * SECOND, u32(frame, at + 60) * SECOND
        rows[OI, i], rows[OI_HIGH, i] = u32(frame, at + 48), u32(frame, at + 52)
        rows[OI_LOW, i] = u32(frame, at + 56)
        read_levels(frame, at, levels, orders, i)


@compiled
def read_frame(frame: Bytes, rows: Ints, levels: Ints, orders: Counts, counts: Ints) -> None:
    """Every packet to be believed into the first KEPT of the arrays; `counts` as decode.Decoded says.

    The arrays come zeroed and hold as many packets as the frame's count says or as its bytes could, whichever is less.
    """
    size, count, at, kept = frame.size, u16(frame, 0), 2, 0
    before_odd, odd = -1, 0  # packets before the first of a length nobody knows, and how many such there are
    cut = 0
    for i in range(count):
        if at + 2 > size:
            cut = count - i
            break
        length = u16(frame, at)
        if at + 2 + length > size:
            cut = count - i
            break
        if is_packet(length):
            read_packet(frame, at + 2, length, rows, levels, orders, kept)
            kept += 1
        else:
            before_odd = kept if odd == 0 else before_odd
            odd += 1
        at += 2 + length
    if odd > 0 and (cut > 0 or at < size):
        kept = before_odd
        counts[DAMAGED] = count - kept
    else:
        counts[LENGTH_UNKNOWN], counts[CUT_SHORT] = odd, cut
        counts[TRAILING] = 1 if cut == 0 and at < size else 0
    counts[KEPT] = kept


@compiled
def count_ticks(frame: Bytes, index_only: bool) -> int:  # noqa: FBT001
    """Packets of a known length before the frame's first fault; with `index_only` those of an index."""
    size, at, found = frame.size, 2, 0
    for _ in range(u16(frame, 0)):
        if at + 2 > size:
            break
        length = u16(frame, at)
        if at + 2 + length > size or not is_packet(length):
            break
        if not index_only or frame[at + 5] == INDICES:
            found += 1
        at += 2 + length
    return found


@inlined
def write_levels(frame: Bytes, at: int, levels: Ints, orders: Counts, i: int) -> None:
    for side in range(2):
        for j in range(DEPTH):
            level = at + FIRST_LEVEL + (side * DEPTH + j) * LEVEL_BYTES
            put32(frame, level, levels[2 * side + 1, i, j])
            put32(frame, level + 4, levels[2 * side, i, j])
            put16(frame, level + 8, orders[side, i, j])
            put16(frame, level + 10, 0)


@compiled
def write_frame(frame: Bytes, rows: Ints, levels: Ints, orders: Counts) -> None:
    """Each packet at its length into a frame of just the bytes that takes."""
    count, at = rows.shape[1], 2
    put16(frame, 0, count)
    for i in range(count):
        length = rows[LENGTH, i]
        put16(frame, at, length)
        at += 2
        put32(frame, at, rows[TOKEN, i])
        put32(frame, at + 4, rows[LAST, i])
        if length >= QUOTE:
            for row in range(LAST_QUANTITY, CLOSE + 1):
                put32(frame, at + 8 + 4 * (row - LAST_QUANTITY), rows[row, i])
        elif length >= INDEX_QUOTE:
            put32(frame, at + 8, rows[HIGH, i])
            put32(frame, at + 12, rows[LOW, i])
            put32(frame, at + 16, rows[OPEN, i])
            put32(frame, at + 20, rows[CLOSE, i])
            put32(frame, at + 24, rows[INDEX_CHANGE, i])
            if length == INDEX_FULL:
                put32(frame, at + 28, rows[EXCHANGE_TIME, i] // SECOND)
        if length == FULL:
            put32(frame, at + 44, rows[LAST_TRADE, i] // SECOND)
            put32(frame, at + 48, rows[OI, i])
            put32(frame, at + 52, rows[OI_HIGH, i])
            put32(frame, at + 56, rows[OI_LOW, i])
            put32(frame, at + 60, rows[EXCHANGE_TIME, i] // SECOND)
            write_levels(frame, at, levels, orders, i)
        at += length
