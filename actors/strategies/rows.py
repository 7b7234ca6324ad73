"""Rows of BARS and of a chain, in the strategy's own words."""

import datetime as dt

import pyarrow as pa

from core.market import lot, parse_symbol
from core.records import Chain
from core.schemas import Kind, check
from core.strategies.events import Bar

_READ = ("index", "seconds", "start_ns", "symbol", "kind", "open_paise", "high_paise", "low_paise", "close_paise")


def bars_of(batch: pa.RecordBatch, index: str, seconds: int) -> list[tuple[int, Bar, dict[str, Bar]]]:
    """Start, the index's bar and the options' bars of each start that has the index's, oldest first; SchemaError."""
    check("bars", batch)
    found: dict[int, tuple[list[Bar], dict[str, Bar]]] = {}
    for on, length, start, symbol, kind, *prices in zip(*(batch[name].to_pylist() for name in _READ), strict=True):
        if on != index or length != seconds:
            continue
        bar = Bar(
            start_ns=start, seconds=seconds, open_paise=prices[0], high_paise=prices[1], low_paise=prices[2],
            close_paise=prices[3],
        )  # fmt: skip
        indices, options = found.setdefault(start, ([], {}))
        if symbol == index:
            indices.append(bar)
        elif kind in {Kind.CALL, Kind.PUT}:
            options[symbol] = bar
    return [(start, indices[0], options) for start, (indices, options) in sorted(found.items()) if indices]


def lot_of(symbol: str, day: dt.date) -> int:
    """Units in a lot of the option `symbol` on `day`."""
    contract = parse_symbol(symbol, day)
    assert contract.expiry is not None, "a signal names an option"
    return lot(contract.index, contract.expiry, day)


def premium_of(chain: Chain, symbol: str) -> tuple[int, int]:
    """Price at which `symbol` can be sold now and its time: best bid, else last trade; 0 unknown."""
    rows, symbols = chain.contracts, chain.contracts["symbol"].to_pylist()
    if symbol not in symbols:
        return 0, 0
    at = symbols.index(symbol)
    bid, last, at_ns = (int(rows[name][at].as_py()) for name in ("bid_paise", "last_paise", "exchange_ns"))
    return bid or last, at_ns
