"""How an expiry ends, and what a backtest settles at."""

import csv
import datetime as dt
import gzip
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.errors import InputError, UnknownDate, UnknownName
from core.market import (
    IST,
    SettlementMethod,
    SettlementSource,
    settlement,
    settlement_price,
    spot_frozen,
    to_ns,
)

D = dt.date
DATA = Path(__file__).parents[3] / "shared" / "data" / "market"
CLOSES = DATA / "daily" / "volatility_2012_2026.csv.gz"
HALF_HOUR = D(2026, 7, 28)
AUCTION = D(2026, 8, 4)
MINUTE = 60


def bars(day: dt.date, first: str, levels: list[int]) -> dict[str, object]:
    """Minute bars that open and close on one level each, paise."""
    start = to_ns(dt.datetime.combine(day, dt.time.fromisoformat(first), IST))
    at, price = start + np.arange(len(levels)) * MINUTE * 10**9, np.array(levels, np.int64)
    return {"start_ns": at, "seconds": MINUTE, "open_paise": price, "close_paise": price}


def test_until_july_2026_the_last_half_hour_is_averaged_and_known_at_its_end() -> None:
    ends = settlement("NIFTY", HALF_HOUR)

    assert ends.method is SettlementMethod.AVERAGE
    assert [f"{at:%H:%M %z}" for at in (ends.begin, ends.end, ends.known, ends.last_trade)] == [
        "15:00 +0530", "15:30 +0530", "15:30 +0530", "15:30 +0530",
    ]  # fmt: skip


def test_from_august_2026_the_closing_auction_makes_the_price_before_the_last_trade() -> None:
    for index in ("NIFTY", "SENSEX"):
        ends = settlement(index, AUCTION)
        assert ends.method is SettlementMethod.AUCTION
        assert [f"{at:%H:%M}" for at in (ends.begin, ends.end, ends.known, ends.last_trade)] == [
            "15:15", "15:35", "15:35", "15:40",
        ]  # fmt: skip


def test_the_rule_changes_on_3_august_2026_and_begins_in_2019() -> None:
    methods = [settlement("NIFTY", day).method for day in (D(2026, 8, 2), D(2026, 8, 3), D(2030, 6, 25))]
    assert methods == [SettlementMethod.AVERAGE, SettlementMethod.AUCTION, SettlementMethod.AUCTION]
    with pytest.raises(UnknownDate, match="2019-01-01"):
        settlement("NIFTY", D(2018, 12, 27))
    with pytest.raises(UnknownName):
        settlement("DAX", HALF_HOUR)


@pytest.mark.parametrize(
    ("moment", "frozen"),
    [
        ("2026-07-31 15:20", False),
        ("2026-08-03 15:14:59", False),
        ("2026-08-03 15:15", True),
        ("2026-08-03 15:40", True),
        ("2026-08-03 15:40:01", False),
        ("2026-08-04 09:15", False),
        ("2026-11-08 18:30", False),  # a muhurat evening
    ],
)
def test_the_spot_is_frozen_from_the_auction_on(moment: str, *, frozen: bool) -> None:
    assert spot_frozen("NIFTY", to_ns(dt.datetime.fromisoformat(moment).replace(tzinfo=IST))) is frozen


def test_a_published_close_wins_and_says_so() -> None:
    found = settlement_price(
        settlement("NIFTY", HALF_HOUR), published_paise=24_000_05, **bars(HALF_HOUR, "15:00", [1] * 30)
    )
    assert found == (24_000_05, SettlementSource.PUBLISHED)


def test_without_one_it_is_the_mean_of_the_half_hour_alone() -> None:
    levels = [9_999_99] * 15 + [24_000_00 + 100 * n for n in range(30)]
    found = settlement_price(settlement("NIFTY", HALF_HOUR), published_paise=None, **bars(HALF_HOUR, "14:45", levels))
    assert found == (24_014_50, SettlementSource.MEAN)


def test_a_half_hour_with_holes_is_refused() -> None:
    with pytest.raises(InputError, match="27 of the 30 bars of 60 s from 15:00 to 15:30"):
        settlement_price(
            settlement("NIFTY", HALF_HOUR), published_paise=None, **bars(HALF_HOUR, "15:00", [24_000_00] * 27)
        )


@pytest.mark.parametrize("seconds", [0, -60, 3_600, 7_200, 700])
def test_bars_whose_length_does_not_divide_half_an_hour_are_refused(seconds: int) -> None:
    for day in (HALF_HOUR, AUCTION):
        with pytest.raises(InputError, match=f"divide half an hour, was {seconds}"):
            settlement_price(
                settlement("NIFTY", day), published_paise=None, **bars(day, "15:00", [1] * 30) | {"seconds": seconds}
            )


def test_a_half_hour_of_bars_twice_or_off_the_grid_is_refused() -> None:
    ends = settlement("NIFTY", HALF_HOUR)
    whole = bars(HALF_HOUR, "15:00", [24_000_00] * 30)
    starts = whole["start_ns"]
    twice, shifted = np.repeat(starts[:15], 2), starts + 20 * 10**9
    for wrong in (twice, shifted, starts[::-1]):
        with pytest.raises(InputError, match=r"bars of 60 s from 15:00 to 15:30|out of order"):
            settlement_price(ends, published_paise=None, **whole | {"start_ns": wrong})
    auction = bars(AUCTION, "15:14", [24_463_45] * 14 + [24_614_90] * 2)
    with pytest.raises(InputError, match="out of order"):
        settlement_price(
            settlement("NIFTY", AUCTION), published_paise=None, **auction | {"start_ns": auction["start_ns"][::-1]}
        )


@pytest.mark.parametrize("published", [0, -1])
def test_a_published_close_of_nothing_is_none(published: int) -> None:
    with pytest.raises(InputError, match=f"close above 0, was {published} paise"):
        settlement_price(
            settlement("NIFTY", HALF_HOUR), published_paise=published, **bars(HALF_HOUR, "15:00", [1] * 30)
        )


def test_in_an_auction_it_is_the_print_and_never_the_frozen_level() -> None:
    ends = settlement("NIFTY", AUCTION)
    levels = [24_462_95] + [24_463_45] * 13 + [24_614_90] * 2
    found = settlement_price(ends, published_paise=None, **bars(AUCTION, "15:14", levels))
    assert found == (24_614_90, SettlementSource.PRINT)
    moved = [*levels[:3], 24_470_00, *levels[4:-2]]  # a late tick is no print either
    for without in (levels[:-2], moved, levels[:8], levels[-2:], []):
        with pytest.raises(InputError, match=r"no print of the auction"):
            settlement_price(ends, published_paise=None, **bars(AUCTION, "15:14", without))


FILES = {
    "BANKNIFTY_15m_2018_2023": (900, "Time"),
    "NIFTY_1m_2024-01_2024-08": (60, "ts"),
    "BANKNIFTY_1m_2024-01_2024-08": (60, "ts"),
    "NIFTY_3m_2025-07_2026-04_and_2026-08-03": (180, "datetime"),
    "BANKNIFTY_3m_2025-07_2026-04_and_2026-08-03": (180, "datetime"),
    "FINNIFTY_3m_2025-07_2026-04_and_2026-08-03": (180, "datetime"),
    "MIDCPNIFTY_3m_2025-07_2026-04_and_2026-08-03": (180, "datetime"),
}


def misses(name: str) -> tuple[np.ndarray, np.ndarray]:
    """|mean − published close| and |last print − published close| in points, a day each, before August 2026."""
    seconds, column = FILES[name]
    index = name.split("_", maxsplit=1)[0]
    with gzip.open(CLOSES, "rt") as file:
        published = {r["date"]: r["spot_close"] for r in csv.DictReader(file) if r["symbol"] == index}
    table = pq.read_table(DATA / "bars" / f"{name}.parquet")
    table = table.rename_columns([one if one == column else one.lower() for one in table.column_names])
    days: dict[dt.date, list[tuple[dt.datetime, float, float]]] = {}
    for stamp, opened, closed in zip(*(table[one].to_pylist() for one in (column, "open", "close")), strict=True):
        at = dt.datetime.fromtimestamp(stamp, IST).replace(tzinfo=None) if isinstance(stamp, int) else stamp
        if dt.time(15, 0) <= at.time() < dt.time(15, 30):
            days.setdefault(at.date(), []).append((at, opened, closed))
    mean, last = [], []
    for day, rows in days.items():
        close = published.get(day.isoformat())
        if not close or len(rows) * seconds != 1800 or day < D(2019, 1, 1):
            continue
        at, opened, closed = zip(*rows, strict=True)
        found = settlement_price(
            settlement(index, day),
            published_paise=None,
            start_ns=np.array([to_ns(moment.replace(tzinfo=IST)) for moment in at]),
            seconds=seconds,
            open_paise=np.rint(np.array(opened) * 100).astype(np.int64),
            close_paise=np.rint(np.array(closed) * 100).astype(np.int64),
        )
        mean.append(abs(found.paise / 100 - float(close)))
        last.append(abs(closed[-1] - float(close)))
    return np.array(mean), np.array(last)


@pytest.mark.skipif(not CLOSES.exists(), reason=f"{CLOSES} is not on this machine")
@pytest.mark.parametrize("name", FILES)
def test_the_mean_of_the_half_hour_meets_the_published_close_and_the_last_print_does_not(name: str) -> None:
    mean, last = misses(name)
    print(f"{name}: {mean.size} days, mean off by {np.median(mean):.2f} (worst {mean.max():.2f}), "
          f"last print by {np.median(last):.2f} (worst {last.max():.2f}) points")  # fmt: skip

    assert mean.size > 150
    coarse = FILES[name][0] == 900  # two bars say little about the mean between their ends
    assert np.median(mean) < (0.5 if coarse else 0.25) * np.median(last)
    assert mean.max() < (0.6 if coarse else 0.25) * last.max()
    if name.startswith("NIFTY"):
        assert np.median(mean) < 1.5
        assert 9 < np.median(last) < 11
