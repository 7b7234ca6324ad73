"""Kite's historical candles, as its client gives them, into BARS; what cannot be one is left out and said."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from core.market.moment import from_ns, to_ns
from core.market.symbols import Contract
from core.schemas import BARS, Kind

LARGEST = 1 << 53
SLACK = 1e-3  # of a paisa, which a float of rupees may be off
_PRICES = ("open", "high", "low", "close")


class Unusable(ValueError):
    """A candle that cannot be; the words say why."""


@dataclass(frozen=True, slots=True)
class Candles:
    """What an answer holds.

    batches: BARS in order of time, one a market date, as the tape keeps them. unproven: wanted starts that the answer
    does not prove to be absent: it has a candle there, usable or not, or candles that day at moments nobody can place.
    refused: what is wrong with the others.
    """

    batches: tuple[pa.RecordBatch, ...]
    unproven: frozenset[int]
    refused: tuple[str, ...]


def bars_of(
    rows: Sequence[Mapping[str, Any]],
    contract: Contract,
    seconds: int,
    *,
    grid: frozenset[int],
    wanted: frozenset[int],
) -> Candles:
    """Candles that open at one of `wanted`; one of `grid` besides is passed over, at any other moment it is refused."""
    bars: dict[int, tuple[Any, ...]] = {}
    unproven: set[int] = set()
    refused: list[str] = []
    strange: defaultdict[dt.date | None, list[object]] = defaultdict(list)  # times no bar begins at, None: no time
    for row in rows:
        start = _start(row.get("date"))
        if start not in grid:
            strange[None if start is None else from_ns(start).date()].append(row.get("date"))
            continue
        unproven.add(start)
        try:
            numbers = _numbers(row, contract.kind)
        except Unusable as error:
            refused.append(f"{contract.symbol} at {from_ns(start):%Y-%m-%d %H:%M:%S}: {error}")
            continue
        if start in bars and bars[start][7:] != numbers:
            refused.append(f"{contract.symbol} at {from_ns(start):%Y-%m-%d %H:%M:%S}: two candles, the first is kept")
        elif start in wanted:
            bars[start] = (*_terms(contract), start, seconds, *numbers)
    for day, times in strange.items():
        refused.append(f"{contract.symbol}: at {times[0]!s} ({len(times)} such) begins no bar that was asked for")
        unproven |= {start for start in wanted if day in {None, from_ns(start).date()}}
    days = groupby((bars[start] for start in sorted(bars)), key=lambda bar: from_ns(bar[5]).date())
    return Candles(tuple(_batch(list(one)) for _, one in days), frozenset(unproven & wanted), tuple(refused))


def _terms(contract: Contract) -> tuple[Any, ...]:
    return contract.index, contract.symbol, contract.kind, contract.expiry, contract.strike_paise


def _start(moment: object) -> int | None:
    """UTC ns; None for what is no moment: without a zone it would be two."""
    return to_ns(moment) if isinstance(moment, dt.datetime) and moment.tzinfo is not None else None


def _numbers(row: Mapping[str, Any], kind: Kind) -> tuple[int, ...]:
    opens, high, low, close = (_paise(row.get(name), name) for name in _PRICES)
    if not low <= min(opens, close) <= max(opens, close) <= high:
        raise Unusable(f"open, high, low, close are {opens}, {high}, {low}, {close} paise")
    oi = row.get("oi", 0 if kind == Kind.INDEX else None)
    return opens, high, low, close, _whole(row.get("volume"), "volume"), _whole(oi, "oi")


def _paise(rupees: object, name: str) -> int:
    exact = _number(rupees, name) * 100
    paise = round(exact)
    if paise <= 0 or abs(exact - paise) > SLACK:
        raise Unusable(f"{name} is rupees above 0 and whole paise, was {rupees!r}")
    return paise


def _whole(value: object, name: str) -> int:
    number = _number(value, name)
    if number < 0 or number != int(number):
        raise Unusable(f"{name} is a whole number of 0 or more, was {value!r}")
    return int(number)


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST < value < LARGEST:
        raise Unusable(f"{name} is a number, was {value!r}")
    return float(value)


def _batch(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), BARS, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=BARS)
