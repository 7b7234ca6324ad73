"""Kite's instrument dump: csv, or csv.gz as the broker sends it."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from core.file_schemas import INSTRUMENTS
from core.schemas import Kind
from storage.readers.cells import date, number, one_of, paise, text, whole
from storage.readers.refusal import Read
from storage.readers.rows import Column, from_text
from storage.readers.source import read_text

_KINDS = {"FUT": Kind.FUTURE, "CE": Kind.CALL, "PE": Kind.PUT, "EQ": Kind.INDEX}
_SEGMENT = r"[A-Z]+(-[A-Z]+)?"
COLUMNS = (
    Column("instrument_token", "instrument_token", whole(least=1)),
    Column("exchange_token", "exchange_token", whole(least=1)),
    Column("tradingsymbol", "symbol", text()),
    Column("name", "name", text(optional=True)),
    Column("last_price", "last_paise", paise()),
    Column("expiry", "expiry", date("%Y-%m-%d", optional=True)),
    Column("strike", "strike_paise", paise()),
    Column("tick_size", "tick_paise", number(least=0, scale=100.0)),
    Column("lot_size", "lot", whole()),
    Column("instrument_type", "instrument_type", one_of({name: name for name in _KINDS}, pa.string())),
    Column("segment", "segment", text(_SEGMENT, "a segment as NFO-OPT")),
    Column("exchange", "exchange", text(r"[A-Z]+", "an exchange as NFO")),
)


def read_instruments(path: str | Path, *, strict: bool = False) -> Read:
    """The dump's rows as INSTRUMENTS. A derivative needs an expiry, a lot, a tick and, an option, a strike.

    Tokens are used again after expiry: the key is (exchange, symbol), and it may not repeat. Raises InputError for a
    file that is none, with `strict` for its first bad row.
    """
    rows = from_text(read_text(path), [column.header for column in COLUMNS])
    rows.parse(COLUMNS)
    kinds = rows.values["instrument_type"].to_pylist()
    rows.values["kind"] = pa.array([_KINDS.get(kind, Kind.INDEX) for kind in kinds], pa.int8())
    kind = rows.ints("kind")
    derivative, option = kind != Kind.INDEX, kind >= Kind.CALL
    none = np.asarray(rows.values["expiry"].is_null().to_numpy(zero_copy_only=False), bool)
    rows.refuse(derivative & none, "expiry", "an expiry for a derivative")
    rows.refuse(option & (rows.ints("strike_paise") == 0), "strike", "a strike above 0 for an option")
    rows.refuse(derivative & (rows.ints("lot") == 0), "lot_size", "a lot of 1 or more for a derivative")
    rows.refuse(derivative & (rows.floats("tick_paise") <= 0), "tick_size", "a tick above 0 for a derivative")
    rows.refuse(_segment_differs(rows.values), "segment", "the segment of its exchange and type, as NFO-OPT")
    rows.once(("exchange", "symbol"), "tradingsymbol", "symbol of an exchange")
    return rows.read(INSTRUMENTS, strict=strict)


def _segment_differs(values: dict[str, pa.Array]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    tails = {"FUT": "-FUT", "CE": "-OPT", "PE": "-OPT"}
    columns = (values[name].to_pylist() for name in ("segment", "exchange", "instrument_type"))
    return np.array(
        [kind in tails and have != f"{exchange}{tails[kind]}" for have, exchange, kind in zip(*columns, strict=True)],
        bool,
    )
