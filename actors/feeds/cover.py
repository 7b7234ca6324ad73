"""Which bars a live feed has seen well enough to send: one that it saw half of would pass for the whole."""

from collections import Counter
from collections.abc import Collection

import numpy as np
import pyarrow as pa

S = 1_000_000_000
BREAK_NS = 5 * S  # wall; the quotes of an index come every second, so nothing for so long is a break
MOST_UNSEEN = 0.1  # of a bar; one with more is left out, for whoever has its history
FOR_EVER = 2**63 - 1
Seen = tuple[int, int]  # [since, until) of market time


class Cover:
    """What was not seen: breaks in the quotes, and each contract before it was watched and after.

    counts: `bars_torn`, sent with some of their time unseen; `bars_left_out`; `breaks`, and the market time of the
    last, `break_ms`. The time before the first quotes of a session is no break that is counted. A tape does not say
    what was watched: what an earlier life had let go of and taken back within the bars being built counts as seen.
    """

    def __init__(self, longest_s: int) -> None:
        """`longest_s`: length of the longest bar."""
        self._longest_ns = longest_s * S
        self._heard_ns = self._wall_ns = 0  # of the last quotes
        self._fresh = True  # this life has heard none yet
        self._breaks: list[tuple[int, int]] = []  # market time: last quotes before it, first after it
        self._seen: dict[str, Seen] = {}
        self._unknown: Seen = (0, FOR_EVER)  # until a watch is told
        self._taped: dict[str, int] = {}  # of a life before: each contract's last tick
        self.counts: Counter[str] = Counter(bars_torn=0, bars_left_out=0, breaks=0)

    def taped(self, ticks: pa.RecordBatch) -> None:
        """TICKS an earlier life has sent, in that order; its breaks are to be seen in them."""
        if not ticks.num_rows:
            return
        at, wall = np.maximum.accumulate(ticks["exchange_ns"].to_numpy()), ticks["received_ns"].to_numpy()
        for place in np.flatnonzero(np.diff(wall, prepend=self._wall_ns or wall[0]) > BREAK_NS).tolist():
            self._break(int(at[place - 1]) if place else self._heard_ns, int(at[place]))
        self._heard_ns, self._wall_ns = max(self._heard_ns, int(at[-1])), int(wall[-1])
        self._taped |= dict(zip(map(str, ticks["symbol"].to_pylist()), at.tolist(), strict=True))

    def heard(self, now_ns: int, wall_ns: int) -> None:
        """Quotes have come, whatever is in them. What lies between the tape and a life's first ones was not seen."""
        if self._fresh or wall_ns - self._wall_ns > BREAK_NS:
            self._break(self._heard_ns, now_ns)
        self._fresh, self._heard_ns, self._wall_ns = False, max(self._heard_ns, now_ns), wall_ns

    def watch(self, symbols: Collection[str], now_ns: int) -> None:
        """From now on these and no others."""
        was = dict.fromkeys(self._taped, self._unknown) | self._seen
        gone = {
            symbol: (since, min(until, self._taped.get(symbol, now_ns)))
            for symbol, (since, until) in was.items()
            if symbol not in symbols and until > now_ns - 2 * self._longest_ns
        }
        stay = {symbol: was.get(symbol, (now_ns, now_ns)) for symbol in symbols}
        back = {symbol: (since if until == FOR_EVER else now_ns, FOR_EVER) for symbol, (since, until) in stay.items()}
        self._seen, self._taped, self._unknown = gone | back, {}, (0, 0)

    def whole(self, bars: pa.RecordBatch | None) -> pa.RecordBatch | None:
        """Those of BARS of which at most MOST_UNSEEN was not seen; None if there is none."""
        if bars is None:
            return None
        start, length = bars["start_ns"].to_numpy(), bars["seconds"].to_numpy() * np.int64(S)
        end = start + length
        seen = [self._seen.get(symbol, self._unknown) for symbol in map(str, bars["symbol"].to_pylist())]
        since, until = np.array(seen, np.int64).T
        first_seen = np.clip(since, start, end)
        last_seen = np.clip(until, first_seen, end)
        unseen = length - (last_seen - first_seen)
        # Closed by the clock in a silence; of less than a second between two quotes nothing was missed.
        unseen += np.maximum(last_seen - np.maximum(first_seen, self._heard_ns) - S, 0)
        for last, first in self._breaks:
            unseen += np.maximum(np.minimum(last_seen, first) - np.maximum(first_seen, last), 0)
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
