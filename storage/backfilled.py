"""Bars that a broker's history had and the recorder has not: a tape of their own below the recorder's, read with it.

A tape has one writer a partition: parts are numbered in its memory. So whoever fills a day while the recorder writes it
has its own partitions, `<root>/backfill/bars/date=…/index=…`, and every reader of bars reads both.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from core.errors import InputError

KEY = ["start_ns", "seconds", "symbol"]


def backfill_root(root: str) -> str:
    """Of the tape that holds what was filled of the tape under `root`, a folder or a URL."""
    return f"{root.rstrip('/')}/backfill"


def bars_once(tables: Sequence[pa.Table]) -> pa.Table:
    """BARS of them, each once, in the order in which they end; of one that is there twice the later: filled ones first.

    At least one table. InputError for tables of two releases.
    """
    try:
        table = pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise InputError(f"what was filled and what was recorded are of two releases: {error}") from error
    numbered = table.select(KEY).append_column("row", pa.array(np.arange(table.num_rows)))
    rows = np.sort(numbered.group_by(KEY).aggregate([("row", "max")])["row_max"].to_numpy())
    once = table.take(rows)
    end = once["start_ns"].to_numpy() + once["seconds"].to_numpy() * np.int64(1_000_000_000)
    return once.take(np.argsort(end, kind="stable"))
