"""A desk with the least a broker can list: each index's level and one future."""

import datetime as dt

import msgspec
import numpy as np
import pyarrow as pa

from cluster.desk import Desk
from core.kite import Registry
from core.kite.instruments import Listing
from core.kite.ticks import CONTRACT
from core.schemas import Kind


def listed(desk: Desk) -> Desk:
    rows = []
    for index in desk.settings.indices:
        own = {"index": index, "strike_paise": 0}
        rows.append({**own, "symbol": index, "kind": Kind.INDEX, "expiry": None})
        rows.append({**own, "symbol": f"{index}26DECFUT", "kind": Kind.FUTURE, "expiry": dt.date(2026, 12, 29)})
    segments = np.where(np.arange(len(rows)) % 2, 2, 9)
    tokens = np.arange(1, len(rows) + 1, dtype=np.int64) << 8 | segments
    registry = Registry(tokens, pa.RecordBatch.from_pylist(rows, schema=CONTRACT))
    listing = Listing(registry, contracts=(), keys={}, tokens={}, rows=(), problems=())
    return msgspec.structs.replace(desk, listing=listing)
