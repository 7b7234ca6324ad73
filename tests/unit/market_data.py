"""Where the recorded market data lie, and the exchange's own days, expiries and lots in them."""

import csv
import datetime as dt
import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

from core.market import CONTRACT_INDICES, IST

DATA = (Path(__file__).parents[2] / "../shared/data/market").resolve()
# Name of an instrument dump and the trading day it is of: the nearest weekly listed in it is the next to expire.
DUMPS = {
    "kite_bfo_2025-09": dt.date(2025, 9, 8),
    "kite_nfo_2025-11": dt.date(2025, 11, 20),
    "kite_nfo_2026-05": dt.date(2026, 5, 29),
}


def data(name: str) -> Path:
    """The file, or a skip that names it."""
    path = DATA / name
    if not DATA.is_dir():
        pytest.skip(f"recorded data is not beside the checkout: {DATA}")  # one reason, which pytest tells once
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of a gzipped CSV file, names of columns stripped."""
    with gzip.open(data(name), "rt") as lines:
        for row in csv.DictReader(lines):
            yield {key.strip(): value for key, value in row.items()}


class FutureRow(NamedTuple):
    """A row of NSE's bhavcopies for an index future; lots are 0 where the file has none."""

    index: str
    on: dt.date
    expiry: dt.date
    contracts: int
    stated_lot: int
    implied_lot: float


@cache
def futures() -> tuple[FutureRow, ...]:
    """Every index future of 2019 or later in daily/bhav_index_2012_2026."""
    return tuple(
        FutureRow(
            row["symbol"],
            dt.date.fromisoformat(row["date"]),
            day(row["expiry"]),
            int(float(row["contracts"])),
            int(float(row["stated_lot"] or 0)),
            float(row["implied_lot"] or 0),
        )
        for row in rows("daily/bhav_index_2012_2026.csv.gz")
        if row["date"] >= "2019"
    )


def day(text: str) -> dt.date:
    """A day as the exchange writes it: 26-Jul-2012 or 2012-07-26."""
    if text[2] == "-":
        return dt.datetime.strptime(text, "%d-%b-%Y").date()  # noqa: DTZ007 a day has no zone
    return dt.date.fromisoformat(text)


@cache
def udiff() -> tuple[dict[str, object], ...]:
    """Names, expiries and lots of the 22 UDiFF days."""
    wanted = ["TradDt", "TckrSymb", "XpryDt", "FinInstrmNm", "FinInstrmTp", "StrkPric", "OptnTp", "NewBrdLotQty"]
    return tuple(pq.read_table(data("fo_bhavcopy/nse_udiff_index_fo.parquet"), columns=wanted).to_pylist())


def listed() -> Iterator[tuple[str, str, dt.date, dt.date]]:
    """(source, index, trade date, expiry) of every contract in the bhavcopies, dumps and option chains of 2019 on."""
    for future in futures():
        yield "bhavcopies", future.index, future.on, future.expiry
    for row in udiff():
        on, expiry = (dt.date.fromisoformat(str(row[name])) for name in ("TradDt", "XpryDt"))
        yield "UDiFF", str(row["TckrSymb"]), on, expiry
    for name, on in DUMPS.items():
        for line in rows(f"instruments/{name}.csv.gz"):
            if line["name"] in CONTRACT_INDICES:
                yield name, line["name"], on, dt.date.fromisoformat(line["expiry"])
    for index in ("NIFTY", "BANKNIFTY"):
        chain = pq.read_table(data(f"option_chain/NSE_{index}_chain_2019-05_2019-09.parquet"), columns=["ts", "expiry"])
        for at, expiry in set(zip(chain["ts"].to_pylist(), chain["expiry"].to_pylist(), strict=True)):
            yield "chains of 2019", index, at.date(), expiry.date()

    late = pq.read_table(data("option_chain/NSE_NIFTY_chain_2025-08-27_29.parquet"), columns=["date", "Expiry_Date"])
    for at, text in set(zip(late["date"].to_pylist(), late["Expiry_Date"].to_pylist(), strict=True)):
        yield "chain of 2025", "NIFTY", day(str(at)[:10]), day(text)
    chains = json.loads(data("option_chain/raw/nse_banknifty_2023-05-03.json").read_text())
    for text in chains["records"]["expiryDates"]:
        yield "chain of 2023", "BANKNIFTY", dt.date(2023, 5, 3), day(text)


BARS = {
    "bars/BANKNIFTY_15m_2018_2023.parquet": "Time",
    "bars/BANKNIFTY_1m_2024-01_2024-08.parquet": "ts",
    "bars/NIFTY_1m_2024-01_2024-08.parquet": "ts",
    "bars/NIFTY_1m_2026-03-04_2026-04-06.parquet": "ts",
    "bars/NIFTY_1m_2026-07-28_2026-08-21.parquet": "Datetime",
    "option_bars/NIFTY_PE_3m_2026-02_dhan_rolling.parquet": "ts",
    "option_bars/NIFTY_weekly_PE_1m_2026-02_dhan_rolling.parquet": "ts",
    "option_bars/SENSEX_options_2025-09_bars.parquet": "timestamp",
} | {
    f"bars/{name}_3m_2025-07_2026-04_and_2026-08-03.parquet": "datetime"
    for name in ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "INDIAVIX", "SENSEX")
}
DAILY = {
    "daily/bhav_index_2012_2026.csv.gz": "date",
    "daily/participant_oi_2012_2026.csv.gz": "date",
    "daily/span_psr_2012_2026.csv.gz": "date",
    "daily/volatility_2012_2026.csv.gz": "date",
    "daily/india_vix_2012_2026.csv.gz": "Date",
}


def bar_moments(name: str) -> list[dt.datetime]:
    """Beginning of every bar of a file in BARS, naive IST."""
    column = pq.read_table(data(name), columns=[BARS[name]])[BARS[name]].to_pylist()
    if isinstance(column[0], int):
        return [dt.datetime.fromtimestamp(value, IST).replace(tzinfo=None) for value in column]
    if isinstance(column[0], str):
        return [dt.datetime.fromisoformat(value).replace(tzinfo=None) for value in column]
    return column


def daily_days(name: str) -> set[dt.date]:
    """Days with a row in a file of DAILY."""
    texts = {row[DAILY[name]] for row in rows(name)}
    return {dt.datetime.strptime(t, "%d-%b-%Y").date() if t[2] == "-" else dt.date.fromisoformat(t) for t in texts}  # noqa: DTZ007 a day has no zone
