"""Kite's segments: the low byte of an instrument token, and what a price on the wire is divided by.

Source: `kiteconnect` 5.2.2, KiteTicker.EXCHANGE_MAP and _parse_binary. The documentation says 10⁷ for every currency;
the clients say 10⁴ for BCD and NCO, and the clients are what runs.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

Ints = NDArray[np.int64]

PAISE = 100  # the divisor of every segment this desk trades: a price on the wire is in paise


class Segment(IntEnum):
    NSE = 1
    NFO = 2
    CDS = 3
    BSE = 4
    BFO = 5
    BCD = 6
    MCX = 7
    MCXSX = 8
    INDICES = 9
    NCO = 12


DIVISORS: Ints = np.full(256, PAISE, dtype=np.int64)  # by segment; a segment nobody knows is read as the clients do
DIVISORS[Segment.CDS] = 10_000_000
DIVISORS[[Segment.BCD, Segment.NCO]] = 10_000
DIVISORS.flags.writeable = False


def segment_of(token: Ints) -> Ints:
    """The segment of each instrument token, as a number."""
    return token & 0xFF


def divisor_of(token: Ints) -> Ints:
    """What one rupee is on the wire for each token: 100, 10⁴ or 10⁷."""
    return DIVISORS[segment_of(token)]


def token_of(exchange_token: int, segment: Segment) -> int:
    """Kite's instrument token of an exchange's own token; InputError unless it fits the wire's 32 bits.

    >>> token_of(1001, Segment.INDICES)
    256265
    """
    if not 0 <= exchange_token < 1 << 24:
        raise InputError(f"an exchange token has 24 bits, was {exchange_token}")
    return exchange_token << 8 | segment
