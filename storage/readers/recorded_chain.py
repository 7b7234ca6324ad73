"""Option chains of NSE's page as a collector kept them in Parquet: a row a strike, the call left and the put right.

A *collection* is what the page showed at once, every strike of every expiry. Open interest and volume are in lots (a
fraction after a lot change), quantities at bid and ask in units; a vol of 0 is one the exchange could not solve. The
page's index level is not in the file.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from core.file_schemas import RECORDED_CHAIN
from storage.readers.cells import Cell, date, moment, number, paise, text, whole
from storage.readers.refusal import Read
from storage.readers.rows import Column, from_table
from storage.readers.source import read_parquet

_KEY = ("date", "collection", "index", "expiry", "strike_paise")
_SIDES = {"CALLS": "call", "PUTS": "put"}
_SIDE: tuple[tuple[str, str, Cell], ...] = (
    ("OI", "oi_lots", number(least=0)),
    ("Chng_in_OI", "oi_change_lots", number()),
    ("Volume", "volume_lots", number(least=0)),
    ("IV", "iv_pct", number(least=0)),
    ("LTP", "last_paise", paise()),
    ("Net_Chng", "change_paise", number(scale=100)),  # a float's tail: 95.30000000000001
    ("Bid_Qty", "bid_qty", whole()),
    ("Bid_Price", "bid_paise", paise()),
    ("Ask_Price", "ask_paise", paise()),
    ("Ask_Qty", "ask_qty", whole()),
)
COLUMNS = (
    Column("Fetch_Time", "fetched_ns", moment("%d-%b-%Y %H:%M:%S")),
    Column("collection_timestamp", "collection", text()),
    Column("date", "date", date("%Y-%m-%d")),
    Column("Symbol", "index", text()),
    Column("Expiry_Date", "expiry", date("%d-%b-%Y")),
    Column("Strike_Price", "strike_paise", paise(least=0.01)),
    *(
        Column(f"{theirs}_{header}", f"{side}_{name}", cell)
        for theirs, side in _SIDES.items()
        for header, name, cell in _SIDE
    ),
)


def read_recorded_chain(path: str | Path, *, strict: bool = False) -> Read:
    """The file's rows as RECORDED_CHAIN, in its order, of every index and day in it.

    Raises InputError for a file that is none, with `strict` for its first bad row.
    """
    rows = from_table(path, read_parquet(path), [column.header for column in COLUMNS])
    rows.parse(COLUMNS)
    for side in _SIDES.values():
        name = f"{side}_change_paise"
        rows.values[name] = pa.array(np.rint(rows.floats(name)).astype(np.int64))
    keys = pa.table({name: rows.values[name] for name in _KEY})
    if keys.group_by(_KEY).aggregate([]).num_rows < len(rows):  # `once` looks at every row by itself
        rows.once(_KEY, "Strike_Price", "strike of a collection")
    return rows.read(RECORDED_CHAIN, strict=strict)
