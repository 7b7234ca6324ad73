"""From a tick received to its chain published: five indices, 2,000 ticks a second in all; and is the tape whole?

The feeds poll every 100 ms (the batch period, stated). What is measured begins when a feed has taken a batch and ends
when the shard has published the chain that contains it. Peer, in the same run on the same desk: a call that does
nothing to the same shards, twice a second, which is what one hop of Ray costs under this load.
"""

import sys
import time

import numpy as np
import pyarrow.compute as pc

from benchmarks.desk import running
from benchmarks.table import Row, write
from cluster.attach import attach
from cluster.settings import INDICES
from storage.tape import read_tape

WARM_S, MEASURE_S, ASKED_MS = 15, 60, 50.0


def main() -> int:
    with running() as (state, _):
        desk = attach(state.desk)
        calls = desk.client
        time.sleep(WARM_S)
        for index in INDICES:
            calls.call(f"shard.{index}", "latencies_ns")  # what came before is not counted
        before = {index: calls.call(f"feed.{index}", "progress") for index in INDICES}
        hops, until = [], time.monotonic() + MEASURE_S
        while time.monotonic() < until:
            for index in INDICES:
                began = time.monotonic_ns()
                calls.call(f"shard.{index}", "check_health")
                hops.append(time.monotonic_ns() - began)
            time.sleep(0.5)  # the peer must not be the load
        after = {index: calls.call(f"feed.{index}", "progress") for index in INDICES}
        ours = np.concatenate([np.asarray(calls.call(f"shard.{index}", "latencies_ns")) for index in INDICES]) / 1e6
        rate = sum(after[i].ticks - before[i].ticks for i in INDICES) / MEASURE_S
        marks = {index: (before[index].market_ns, after[index].market_ns) for index in INDICES}
        date = time.strftime("%Y-%m-%d", time.gmtime(after["NIFTY"].market_ns / 1e9))
    lost = 0
    for index in INDICES:  # the desk is down: everything it took must be on disk
        when = read_tape(state.tape_url, "ticks", date, index)["exchange_ns"]
        low, high = marks[index]
        on_tape = pc.sum(pc.and_(pc.greater(when, low), pc.less_equal(when, high))).as_py()
        lost += (after[index].ticks - before[index].ticks) - on_tape
    p50, p99 = np.percentile(ours, [50, 99])
    peer = float(np.percentile(np.asarray(hops) / 1e6, 99))
    write(Row(question="tick received → chain published, p99",
              ours=f"{p99:.1f} ms (p50 {p50:.1f}, {rate:.0f} ticks/s, batch period 100 ms, {len(ours)} batches)",
              peer=f"{peer:.1f} ms, p99 of an empty call to the same shards", ratio=p99 / peer, asked="≤ 50 ms",
              reached=p99 <= ASKED_MS))  # fmt: skip
    write(Row(question="ticks lost on the tape", ours=f"{lost} of {int(rate * MEASURE_S)}", peer="0 asked", ratio=1.0,
              asked="0", reached=lost == 0))  # fmt: skip
    return 0 if lost == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
