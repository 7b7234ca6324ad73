"""The recorded files that the readers' tests share, each read once."""

import datetime as dt
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from storage.readers import Read, read_market_activity, read_participant_days, read_participants, read_udiff

DATA = Path(__file__).parents[4] / "shared" / "data" / "market"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded data is not beside the checkout: {DATA}")


@cache
def udiff(day: str) -> pa.Table:
    path = DATA / "fo_bhavcopy" / "raw" / f"BhavCopy_NSE_FO_0_0_0_{day}_F_0000.csv.zip"
    return read_udiff(path, strict=True).table


@cache
def udiff_days() -> pa.Table:
    return read_udiff(DATA / "fo_bhavcopy" / "nse_udiff_index_fo.parquet", strict=True).table


@cache
def activity(name: str) -> pa.Table:
    return read_market_activity(DATA / "nse_raw" / name, strict=True).table


@cache
def history() -> Read:
    return read_participant_days(DATA / "daily" / "participant_oi_2012_2026.csv.gz", "oi")


def day_file(measure: str, day: dt.date) -> pa.Table:
    return read_participants(DATA / "nse_raw" / f"fao_participant_{measure}_{day:%d%m%Y}.csv", strict=True).table


def from_json(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / "daily" / name) as file:
        return list(json.load(file))
