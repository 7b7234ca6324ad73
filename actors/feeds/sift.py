"""Which rows of a batch of ticks may pass.

One bad row never spoils the others: it is dropped and counted by reason.
"""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import SchemaError
from core.schemas import DEPTH, NO_TICKS, TICKS, check

Mask = NDArray[np.bool_]
_PLAIN = ("last_paise", "prev_close_paise", "strike_paise", "volume", "oi")
_LEVELS = ("bid_paise", "bid_qty", "bid_orders", "ask_paise", "ask_qty", "ask_orders")


def sift(
    ticks: pa.RecordBatch, *, index: str, earliest_ns: int, latest_ns: int, watched: Collection[str] | None = None
) -> tuple[pa.RecordBatch, dict[str, int]]:
    """The rows of `ticks` that can be used, and how many were not, by reason.

    Reasons, the first that fits a row: `schema` (the whole batch), `null`, `index` (another index's), `time`
    (exchange time outside [earliest_ns, latest_ns]), `negative` (a price, quantity, volume or open interest below 0),
    `crossed` (best bid at or above best ask), `unwatched` (where `watched` is given: a symbol that is not in it).
    """
    try:
        check("ticks", ticks)
    except SchemaError:
        return NO_TICKS, {"schema": ticks.num_rows}
    counts: dict[str, int] = {}
    nulls = _nulls(ticks)
    if nulls.any():
        counts["null"] = int(nulls.sum())
        ticks = ticks.filter(pa.array(~nulls))
    good = np.ones(ticks.num_rows, np.bool_)
    reasons = _reasons(ticks, index, earliest_ns, latest_ns)
    if watched is not None:
        reasons["unwatched"] = np.array([symbol not in watched for symbol in ticks["symbol"].to_pylist()], np.bool_)
    for reason, bad in reasons.items():
        new = bad & good
        if new.any():
            counts[reason] = int(new.sum())
            good &= ~new
    return (ticks if good.all() else ticks.filter(pa.array(good))), counts


def by_time(ticks: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows, oldest quote first; those of one time stay in their order."""
    at = ticks["exchange_ns"].to_numpy()
    return ticks if (at[1:] >= at[:-1]).all() else ticks.take(pa.array(np.argsort(at, kind="stable"), pa.int64()))


def _nulls(ticks: pa.RecordBatch) -> Mask:
    """Rows with a null where the schema allows none; Arrow itself does not hold a sender to that."""
    out = np.zeros(ticks.num_rows, np.bool_)
    for field, column in zip(TICKS, ticks.columns, strict=True):
        if field.nullable:
            continue
        if column.null_count:
            out |= column.is_null().to_numpy(zero_copy_only=False)
        if isinstance(column, pa.FixedSizeListArray) and column.values.null_count:
            items = column.values.slice(column.offset * DEPTH, len(column) * DEPTH).is_null()
            out |= items.to_numpy(zero_copy_only=False).reshape(-1, DEPTH).any(axis=1)
    return out


def _reasons(ticks: pa.RecordBatch, index: str, earliest_ns: int, latest_ns: int) -> dict[str, Mask]:
    at = ticks["exchange_ns"].to_numpy()
    negative = np.zeros(ticks.num_rows, np.bool_)
    for name in _PLAIN:
        negative |= ticks[name].to_numpy() < 0
    levels = {name: pc.list_flatten(ticks[name]).to_numpy().reshape(-1, DEPTH) for name in _LEVELS}
    for values in levels.values():
        if values.min(initial=0) < 0:
            negative |= (values < 0).any(axis=1)
    bid, ask = levels["bid_paise"][:, 0], levels["ask_paise"][:, 0]
    return {
        "index": pc.not_equal(ticks["index"], pa.scalar(index)).to_numpy(zero_copy_only=False),
        "time": (at < earliest_ns) | (at > latest_ns),
        "negative": negative,
        "crossed": (bid > 0) & (ask > 0) & (bid >= ask),
    }
