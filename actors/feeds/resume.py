"""A feed that starts in the middle of a session: the bars so far, and from the tape's ticks those being built."""

import numpy as np
import pyarrow as pa

from actors.feeds.config import FeedConfig
from actors.feeds.cover import Cover
from actors.feeds.outlet import Outlet
from actors.feeds.sift import by_time
from core.ports import Past

S = 1_000_000_000
LEAD_NS = 60 * S  # ticks from before the first bar that is built again: its volume is counted from them


def resume(past: Past, out: Outlet, cover: Cover, config: FeedConfig, now_ns: int) -> list[pa.RecordBatch]:
    """Fill `out` and `cover` with what is known of the session; BARS that had closed and are not on the tape.

    What was being built goes on being built in `out`. Raises what `past` raises, with both half-filled.
    """
    longest_ns = max(config.bar_seconds) * S
    ends: dict[int, int] = {}  # of each length, when the last bar ended that is on the tape
    for batch in past.bars(now_ns - config.kept_bars * longest_ns, now_ns):
        seconds = int(batch["seconds"][0].as_py())
        if seconds in config.bar_seconds:
            out.kept.add(batch)
            ends[seconds] = int(batch["start_ns"][0].as_py()) + seconds * S
    ends = {seconds: ends.get(seconds, now_ns - 2 * longest_ns) for seconds in config.bar_seconds}
    found = []
    for ticks in past.ticks(min(ends.values()) - LEAD_NS, now_ns):
        if ticks.num_rows:
            cover.taped(ticks)
            out.latest.add(ticks)
            found.append(cover.whole(_new(out.bars.add(by_time(ticks)), ends)))
    return [bars for bars in found if bars is not None]


def _new(bars: pa.RecordBatch | None, ends: dict[int, int]) -> pa.RecordBatch | None:
    """Without those that are on the tape, and those that began before the ticks did."""
    if bars is None:
        return None
    first = np.array([ends[seconds] for seconds in bars["seconds"].to_numpy().tolist()], np.int64)
    new = bars["start_ns"].to_numpy() >= first
    return bars.filter(pa.array(new)) if new.any() else None
