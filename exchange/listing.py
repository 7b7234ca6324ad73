"""What is listed on a day, as Kite numbers it: tokens, the instrument dump, and where a token's row is.

Kite: instrument_token = exchange_token·256 + segment (core.kite). The indices' tokens are Kite's own; a contract's
exchange token is a hash of its symbol, or the next one that is free: what was listed before keeps its own, which
nobody else is given until it has expired, as at Kite. The listings of two starts may differ in a few tokens: as with
Kite, a client takes the dump of each day.
"""

import csv
import datetime as dt
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.market import derivatives_exchange_of, future_tick_paise, tick_paise
from core.schemas import Kind
from exchange.universe import VIX

Ints = NDArray[np.int64]

HEADER = (
    "instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike", "tick_size",
    "lot_size", "instrument_type", "segment", "exchange",
)  # fmt: skip
# Kite's names and tokens of the indices; exchange.md and kite.md §6 have three of them, the others are as third
# parties quote them. A client takes tokens from the dump, so nothing rests on these numbers.
INDEX_ROWS = {
    "NIFTY": (256265, "NIFTY 50", "NSE"),
    "BANKNIFTY": (260105, "NIFTY BANK", "NSE"),
    "FINNIFTY": (257801, "NIFTY FIN SERVICE", "NSE"),
    "MIDCPNIFTY": (288009, "NIFTY MID SELECT", "NSE"),
    "SENSEX": (265, "SENSEX", "BSE"),
    VIX: (264969, VIX, "NSE"),
}
SEGMENTS = {"NFO": 2, "BFO": 5}
FIRST_TOKEN = {"NFO": 35_000, "BFO": 820_000}  # the ranges of the dumps of 2025 and 2026
TOKENS = 60_000  # of each range


@dataclass(frozen=True)
class Instrument:
    """One row of the dump; `place` is its row in the listing, prices in paise."""

    place: int
    token: int
    exchange: str
    symbol: str  # as Kite writes it: NIFTY 50 for the index
    index: str
    kind: Kind
    expiry: str  # ISO, empty for an index
    strike_paise: int
    tick_paise: int
    lot: int

    @property
    def expiry_date(self) -> dt.date:
        """Its expiry; ValueError for an index."""
        return dt.date.fromisoformat(self.expiry)

    @property
    def segment(self) -> str:
        if self.kind == Kind.INDEX:
            return "INDICES"
        return f"{self.exchange}-{'FUT' if self.kind == Kind.FUTURE else 'OPT'}"

    @property
    def type(self) -> str:
        return {Kind.INDEX: "EQ", Kind.FUTURE: "FUT", Kind.CALL: "CE", Kind.PUT: "PE"}[self.kind]


class Contracts(NamedTuple):
    """Some contracts of one index: the five columns that TICKS begins with, and units a lot."""

    rows: pa.RecordBatch
    lots: Ints


class Listing:
    """Every instrument of the day, one group of contracts after the other; `place` is by the name that TICKS has."""

    def __init__(self, groups: Sequence[Contracts], before: Sequence[Instrument] = ()) -> None:
        """`before`: contracts of earlier days that live, whether they are listed today or not."""
        self.instruments: list[Instrument] = []
        self.names: list[str] = []  # as TICKS has them, by place
        kept = _Tokens(before)
        for rows, lots in groups:
            for row, lot in zip(rows.to_pylist(), lots.tolist(), strict=True):
                self.names.append(str(row["symbol"]))
                self.instruments.append(_instrument(len(self.instruments), row, lot, kept))
        self.place = {name: place for place, name in enumerate(self.names)}
        self.token: Ints = np.array([one.token for one in self.instruments], np.int64)
        known = {(one.exchange, one.symbol): one for one in (*before, *self.instruments) if one.kind != Kind.INDEX}
        self.known = known.values()  # contracts of today and before
        self.by_token = {one.token: one for one in self.instruments}
        self.by_name = {(one.exchange, one.symbol): one for one in self.instruments}

    def __len__(self) -> int:
        return len(self.instruments)

    def dump(self, exchange: str | None, last_paise: Ints) -> str:
        """Kite's CSV of all instruments, or of one exchange; every numeric cell is filled, as its client casts them."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(HEADER)
        for one in self.instruments:
            if exchange in {None, one.exchange}:
                contract = one.kind != Kind.INDEX
                last = 0 if contract else last_paise[one.place]  # as in the dumps at hand: contracts have none
                rows.writerow(
                    (one.token, one.token >> 8, one.symbol, one.index if contract else one.symbol, _rupees(last),
                     one.expiry, _rupees(one.strike_paise), _rupees(one.tick_paise), one.lot if contract else 0,
                     one.type, one.segment, one.exchange)
                )  # fmt: skip
        return out.getvalue()


def _instrument(place: int, row: dict[str, object], lot: int, tokens: "_Tokens") -> Instrument:
    kind, index, symbol = Kind(int(str(row["kind"]))), str(row["index"]), str(row["symbol"])
    if kind == Kind.INDEX:
        token, name, exchange = INDEX_ROWS[symbol]
        return Instrument(place, token, exchange, name, index, kind, "", 0, 0, 0)
    exchange = derivatives_exchange_of(index)
    tick = future_tick_paise(index) if kind == Kind.FUTURE else tick_paise(index)
    token = tokens.take(exchange, symbol)
    return Instrument(
        place, token, exchange, symbol, index, kind, str(row["expiry"]), int(str(row["strike_paise"])), tick, lot
    )


class _Tokens:
    """Tokens by exchange and symbol, each given once."""

    def __init__(self, before: Iterable[Instrument]) -> None:
        self._kept = {(one.exchange, one.symbol): one.token for one in before}
        self._taken = set(self._kept.values())

    def take(self, exchange: str, symbol: str) -> int:
        token = self._kept.get((exchange, symbol)) or self._free(exchange, symbol)
        self._taken.add(token)
        return token

    def _free(self, exchange: str, symbol: str) -> int:
        start = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8])
        for step in range(TOKENS):
            token = (FIRST_TOKEN[exchange] + (start + step) % TOKENS) << 8 | SEGMENTS[exchange]
            if token not in self._taken:
                return token
        raise OverflowError(f"more than {TOKENS} contracts on {exchange}")


def _rupees(paise: int | np.int64) -> str:
    return f"{int(paise) / 100:g}" if int(paise) % 100 else str(int(paise) // 100)
