"""Missing bars from Kite's history: the fewest requests it allows, one answer at a time, ready for the tape.

What Kite does not have either comes back as a hole, so that it is not asked for again. It has no history of expired
options: those bars are the tape's or nobody's.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from kiteconnect import KiteConnect
from numpy.typing import NDArray

from brokers.kite.candles import bars_of
from brokers.kite.limiter import Call, Limiter
from brokers.kite.reads import read
from core.errors import InputError
from core.market.indices import exchange_of
from core.market.missing import Hole, bar_starts, missing, stretches
from core.market.moment import from_ns
from core.market.symbols import Contract

Ints = NDArray[np.int64]
SECOND = 1_000_000_000
# Bar length in seconds → Kite's name of the interval and the most days of a request (its answers' words; not in its
# documentation). Kite counts candles from the open at 09:15, our bars from the full clock: of those of 10, 30 and 60
# minutes no candle is a bar.
INTERVALS = {60: ("minute", 60), 180: ("3minute", 100), 300: ("5minute", 100), 900: ("15minute", 200)}
# Nobody documents when a candle that has closed is final. Both are estimates.
CLOSED_S = 60  # after a bar's end it is asked for
FINAL_S = 900  # after its end a bar that is not there will not come


class Gap(NamedTuple):
    """Bars of one contract and length that are missing; `starts` UTC ns, ascending, `token` Kite's of today."""

    contract: Contract
    token: int
    seconds: int
    starts: Ints


@dataclass(frozen=True, slots=True)
class Filled:
    """What one request brought.

    batches: BARS of one contract, one a market date, oldest first. holes: what Kite does not have. refused: in
    sentences, candles that cannot be, or why Kite refuses the request; neither makes a hole.
    """

    symbol: str
    batches: tuple[pa.RecordBatch, ...] = ()
    holes: tuple[Hole, ...] = ()
    refused: tuple[str, ...] = ()


def gap_of(
    contract: Contract,
    token: int,
    seconds: int,
    span_ns: tuple[int, int],
    *,
    now_ns: int,
    have: Ints,
    holes: Iterable[Hole] = (),
) -> Gap:
    """The bars of `contract` that begin in `span_ns` (first, end), have closed for good, and are in neither.

    have: starts of the bars there are. holes: those of other contracts or lengths do not count. InputError for a length
    Kite has no candles of, UnknownDate past the calendar.
    """
    if seconds not in INTERVALS:
        raise InputError(f"Kite has no candles that are bars of {seconds} s; it has {', '.join(map(str, INTERVALS))}")
    end_ns = min(span_ns[1], now_ns - (seconds + CLOSED_S) * SECOND + 1)
    starts = bar_starts(exchange_of(contract.index), seconds, span_ns[0], end_ns)
    own = [hole for hole in holes if (hole.symbol, hole.seconds) == (contract.symbol, seconds)]
    return Gap(contract, token, seconds, missing(starts, have, own))


def requests_of(gap: Gap) -> list[Ints]:
    """The missing starts, request by request: each as long as Kite allows, so that there are as few as can be.

    Kite speaks of days and does not say whether it counts both ends; here both count.
    """
    days = (gap.starts + 19_800 * SECOND) // (86_400 * SECOND)  # of India
    most, out, at = INTERVALS[gap.seconds][1], [], 0
    while at < gap.starts.size:
        end = int(np.searchsorted(days, days[at] + most))
        out.append(gap.starts[at:end])
        at = end
    return out


def backfill(
    gaps: Iterable[Gap],
    client: KiteConnect,
    limiter: Limiter,
    *,
    now_ns: int,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Filled]:
    """One `Filled` a request, in order, as they come; `now_ns` is the market clock's.

    Raises BrokerDown when Kite does not answer: what came before is done, and the rest is still missing. A contract
    that Kite refuses does not stop the others.
    """
    for gap in gaps:
        for starts in requests_of(gap):
            yield _fill(gap, starts, client, limiter, now_ns=now_ns, sleep=sleep)


def _fill(
    gap: Gap, starts: Ints, client: KiteConnect, limiter: Limiter, *, now_ns: int, sleep: Callable[[float], None]
) -> Filled:
    symbol, first_ns, last_ns = gap.contract.symbol, int(starts[0]), int(starts[-1])
    # As text of India's clock: the client writes a datetime's digits and drops its zone.
    first, last = (from_ns(ns).strftime("%Y-%m-%d %H:%M:%S") for ns in (first_ns, last_ns))
    interval = INTERVALS[gap.seconds][0]
    try:
        rows = read(
            Call.HISTORY,
            lambda: client.historical_data(gap.token, first, last, interval, continuous=False, oi=True),
            limiter,
            sleep=sleep,
        )
    except InputError as error:
        return Filled(symbol, refused=(f"{symbol} from {first} to {last}: {error}",))
    grid = bar_starts(exchange_of(gap.contract.index), gap.seconds, first_ns, last_ns + 1)
    wanted = frozenset(starts.tolist())
    found = bars_of(rows, gap.contract, gap.seconds, grid=frozenset(grid.tolist()), wanted=wanted)
    final = starts[starts <= now_ns - (gap.seconds + FINAL_S) * SECOND]
    absent = np.array(sorted(set(final.tolist()) - found.unproven), np.int64)
    holes = tuple(Hole(symbol, gap.seconds, begin, end, now_ns) for begin, end in stretches(grid, absent, gap.seconds))
    return Filled(symbol, found.batches, holes, found.refused)
