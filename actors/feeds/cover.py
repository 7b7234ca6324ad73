"""Which bars a live feed has seen well enough to send: one that it saw half of would pass for the whole."""

from collections import Counter
from collections.abc import Collection

import numpy as np
import pyarrow as pa

S = 1_000_000_000
BREAK_NS = 5 * S  # wall; the quotes of an index come every second, so nothing for so long is a break
MOST_UNSEEN = 0.1  # of a bar; one with more is left out, for whoever has its history


class Cover:
    """What was not seen: breaks in the quotes, and each contract before it was watched.

    counts: `bars_torn`, sent with some of their time unseen; `bars_left_out`; `breaks`, and the market time of the
    last, `break_ms`. The time before the first quotes of a session is no break that is counted.
    """

    def __init__(self, longest_s: int) -> None:
        """`longest_s`: length of the longest bar."""
        self._longest_ns = longest_s * S
        self._heard_ns = self._wall_ns = 0  # of the last quotes
        self._fresh = True  # this life has heard none yet
        self._breaks: list[tuple[int, int]] = []  # market time: last quotes before it, first after it
        self._since: dict[str, int] = {}
        self.counts: Counter[str] = Counter(bars_torn=0, bars_left_out=0, breaks=0)

    def taped(self, ticks: pa.RecordBatch) -> None:
        """TICKS an earlier life has sent, in that order; its breaks are to be seen in them."""
        if not ticks.num_rows:
            return
        at, wall = np.maximum.accumulate(ticks["exchange_ns"].to_numpy()), ticks["received_ns"].to_numpy()
        for place in np.flatnonzero(np.diff(wall, prepend=self._wall_ns or wall[0]) > BREAK_NS).tolist():
            self._break(int(at[place - 1]) if place else self._heard_ns, int(at[place]))
        self._heard_ns, self._wall_ns = max(self._heard_ns, int(at[-1])), int(wall[-1])
        self._since |= dict.fromkeys(map(str, ticks["symbol"].to_pylist()), 0)

    def heard(self, now_ns: int, wall_ns: int) -> None:
        """Quotes have come, whatever is in them. What lies between the tape and a life's first ones was not seen."""
        if self._fresh or wall_ns - self._wall_ns > BREAK_NS:
            self._break(self._heard_ns, now_ns)
        self._fresh, self._heard_ns, self._wall_ns = False, max(self._heard_ns, now_ns), wall_ns

    def watch(self, symbols: Collection[str], now_ns: int) -> None:
        """From now on these and no others."""
        self._since = {symbol: self._since.get(symbol, now_ns) for symbol in symbols}

    def whole(self, bars: pa.RecordBatch | None) -> pa.RecordBatch | None:
        """Those of BARS of which at most MOST_UNSEEN was not seen; None if there is none."""
        if bars is None:
            return None
        start, length = bars["start_ns"].to_numpy(), bars["seconds"].to_numpy() * np.int64(S)
        end = start + length
        # Closed by the clock in a silence; of less than a second between two quotes nothing was missed.
        unseen = np.maximum(end - np.maximum(start, self._heard_ns) - S, 0)
        for last, first in self._breaks:
            unseen += np.maximum(np.minimum(end, first) - np.maximum(start, last), 0)
        since = np.array([self._since.get(symbol, 0) for symbol in map(str, bars["symbol"].to_pylist())], np.int64)
        unseen = np.maximum(unseen, np.minimum(since, end) - start)
        good = unseen <= MOST_UNSEEN * length
        self.counts.update(bars_torn=int((good & (unseen > 0)).sum()), bars_left_out=int((~good).sum()))
        return bars.filter(pa.array(good)) if good.any() else None

    def _break(self, last_ns: int, first_ns: int) -> None:
        if first_ns <= last_ns:
            return
        self._breaks = [one for one in self._breaks if one[1] > first_ns - 2 * self._longest_ns]
        self._breaks.append((last_ns, first_ns))
        if last_ns:
            self.counts.update(breaks=1)
            self.counts["break_ms"] = (first_ns - last_ns) // 1_000_000
