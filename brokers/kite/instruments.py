"""Kite's instrument dump through its own client, as the CSV that storage keeps for the day and its reader reads.

The client parses the dump and keeps no text, so it is written out again, cell by cell: floats come out as they went in.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kiteconnect import KiteConnect

from brokers.kite.limiter import Call, Limiter
from brokers.kite.reads import read
from core.errors import InputError

HEADER = (
    "instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike", "tick_size",
    "lot_size", "instrument_type", "segment", "exchange",
)  # fmt: skip


def download(client: KiteConnect, limiter: Limiter, exchanges: Sequence[str]) -> bytes:
    """The dumps of `exchanges` (core.kite.instruments.exchanges_of) one after the other under one header.

    Raises BrokerDown when Kite does not say, InputError for a dump that is empty, cut off, of another exchange or has
    other columns.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADER, lineterminator="\n")
    writer.writeheader()
    for exchange in exchanges:
        rows: list[Mapping[Any, Any]] = read(Call.OTHER, lambda of=exchange: client.instruments(of), limiter)
        writer.writerows(_checked(rows, exchange))
    return out.getvalue().encode()


def _checked(rows: Sequence[Mapping[Any, Any]], exchange: str) -> Iterable[Mapping[Any, Any]]:
    if not rows:
        raise InputError(f"Kite's instrument dump of {exchange} is empty: ask again")
    for number, row in enumerate(rows, 2):
        if set(row) != set(HEADER):
            raise InputError(f"Kite's instrument dump of {exchange}, line {number}: the columns are {list(row)}")
        if row["exchange"] != exchange:
            said = row["exchange"]
            raise InputError(f"Kite's instrument dump of {exchange}, line {number}: the exchange is {said!r}")
    return rows
