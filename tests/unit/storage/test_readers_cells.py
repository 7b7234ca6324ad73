"""Columns of every type that a Parquet file may have, in every parser of cells."""

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from storage.readers import cells

ODD = (
    pa.array([1, None, 2**64 - 1], pa.uint64()), pa.array([0, 2**53 + 1, -(2**63)]),
    pa.array([Decimal("1.5"), None, -Decimal(10) ** 60], pa.decimal256(70, 5)),
    pa.array([math.nan, math.inf, -math.inf]),
    pa.array(np.array([1.5, 0, 6e4], np.float16)), pa.array([True, None, False]), pa.nulls(3),
    pa.array([b"x", None, b""]),
    pa.array([[1], None, []]), pa.array([{"a": 1}, None, {"a": 2}]), pa.array([dt.time(9, 15), None, dt.time(0)]),
    pa.array([2**31 - 1, None, -(2**31)], pa.int32()).cast(pa.date32()),
    pa.array([2**63 - 1, None, -(2**63)], pa.timestamp("ns")),
    pa.array([2**63 - 1, 0, -(2**63)], pa.timestamp("s", "UTC")),
    pa.array(["", None, "\u0661\u0662"]), pa.array(["9999-12-31 23:59:59-12:00", "0001-01-01", "1_000"]),
)  # fmt: skip
CELLS = {
    "text": cells.text(), "one_of": cells.one_of({"A": 1}, pa.int64()), "whole": cells.whole(optional=True),
    "paise": cells.paise(), "number": cells.number(), "date": cells.date("%d-%b-%Y"), "moment": cells.moment(),
    "moment written so": cells.moment("%d-%b-%Y"), "blank": cells.blank(),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("column", ODD, ids=lambda column: str(column.type))
def test_a_column_of_any_type_is_masked_and_never_raised_for(name: str, column: pa.Array) -> None:
    values, bad = CELLS[name].parse(column)

    assert len(values) == len(bad) == 3
    assert all(isinstance(value.as_py(), int | float | str | dt.date | None) for value in values)
