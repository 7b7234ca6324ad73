"""What a replay wrote, in figures: read back from its tape, not from what the desk says."""

import datetime as dt
import hashlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import DeskError, InputError
from core.market import from_ns
from storage.tape import read_tape


def recorded(root: str, index: str, date: dt.date) -> int:
    """Number of the newest chain on the tape; 0 when there is none yet."""
    try:
        return int(pc.max(read_tape(root, "expiries", date, index)["sequence"]).as_py())
    except InputError:
        return 0


def figures(root: str, index: str, date: dt.date, last: int) -> dict[str, Any]:
    """The day on the tape and the nearest expiry at its last snapshot; DeskError when chains are missing."""
    contracts = read_tape(root, "contracts", date, index)
    expiries = read_tape(root, "expiries", date, index)
    snapshots = pc.count_distinct(expiries["sequence"]).as_py()
    if snapshots != last:
        raise DeskError(
            f"{root}: {snapshots} of {last} chains are on the tape; replay again and look at `vikalp status`"
        )
    row = _nearest(expiries)
    quoted, with_vol = pc.sum(expiries["quoted"]).as_py(), pc.sum(expiries["iv_count"]).as_py()
    return {
        "timestamp": from_ns(row["as_of_ns"]).isoformat(),
        "snapshots": snapshots,
        "rows": contracts.num_rows,
        "contracts": pc.count_distinct(contracts["symbol"]).as_py(),
        "iv_share": with_vol / quoted if quoted else None,
        "expiry": row["expiry"].isoformat(),
        "atm_strike": (row["atm_forward_paise"] or row["atm_spot_paise"]) / 100,
        "pcr_oi": row["pcr_oi"],
        "pcr_volume": row["pcr_volume"],
        "max_pain_strike": row["max_pain_paise"] / 100,
        "avg_iv": row["avg_iv"],
        "sentiment_score": row["sentiment"],
        "data_quality_score": row["quality"],
        "contracts_sha256": digest(contracts),
        "expiries_sha256": digest(expiries),
    }


def digest(table: pa.Table) -> str:
    """SHA-256 of every value in order, however the rows were cut into files."""
    hashed = _Hash()
    with pa.ipc.new_stream(pa.PythonFile(hashed, mode="w"), table.schema) as stream:
        for batch in table.combine_chunks().to_batches(max_chunksize=65_536):
            # A slice keeps its parent's buffers and offsets; a taken copy has its own.
            stream.write_batch(batch.take(pa.array(range(batch.num_rows), pa.int64())))
    return hashed.sha.hexdigest()


class _Hash:
    """A file that only remembers its hash."""

    closed = False

    def __init__(self) -> None:
        self.sha = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha.update(data)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _nearest(expiries: pa.Table) -> dict[str, Any]:
    """The nearest expiry of the last chain that is not over; the first where all are."""
    newest = expiries.filter(pc.equal(expiries["sequence"], pc.max(expiries["sequence"])))
    rows: list[dict[str, Any]] = newest.sort_by("expiry").to_pylist()
    return next((row for row in rows if row["years"] > 0), rows[0])
