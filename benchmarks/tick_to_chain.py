"""From a tick received to its chain published: five indices, 2,000 ticks a second in all; and is the tape whole?

What is measured begins when the first tick of a batch comes out of the link's socket and ends when the shard has
published the chain that contains it: three actors, and the link's wait for its batch is in it. A frame comes every
100 ms, and a link that has sent nothing for `link.batch_ms` (80 ms, the batch period) sends at once. Nothing is
subtracted. Peer, in the same run on the same desk: a call of Ray that does nothing to the same shards, twice a second:
one hop, where ours are two and the work.

The tape is compared over the whole life of the desk: at the end the exchange stops, all arrives, the desk goes down.
"""

import sys
import time
from typing import Any

import numpy as np

from benchmarks.desk import at_rest, on_tape, running
from benchmarks.table import Row, write
from cluster.attach import attach
from cluster.client import RayDeskClient
from cluster.settings import INDICES, load

WARM_S, MEASURE_S, ASKED_MS = 15, 60, 50.0
BATCH_MS = load().link.batch_ms  # type: ignore[attr-defined]


def main() -> int:
    with running() as (state, _), attach(state.desk) as desk:
        client = desk.client
        time.sleep(WARM_S)
        before = _feeds(client)
        _latencies_ms(client)  # what came before is not counted
        hops, until = [], time.monotonic() + MEASURE_S
        while time.monotonic() < until:
            for index in INDICES:
                began = time.monotonic_ns()
                client.call(f"shard.{index}", "check_health")
                hops.append((time.monotonic_ns() - began) / 1e6)
            time.sleep(0.5)  # the peer must not be the load
        ours, rate = _latencies_ms(client), (_feeds(client) - before) / MEASURE_S
        sent = {name: counts["ticks"] for name, counts in at_rest(state, client)[2].items()}
    lost = sum(sent.values()) - sum(on_tape(state, index) for index in INDICES)
    (p50, p99), peer = np.percentile(ours, [50, 99]), float(np.percentile(hops, 99))
    write(Row(question="tick received → chain published, p99",
              ours=f"{p99:.1f} ms (p50 {p50:.1f}, {rate:.0f} ticks/s, batch period {BATCH_MS} ms, {len(ours)} batches)",
              peer=f"{peer:.1f} ms, p99 of an empty call to the same shards", ratio=p99 / peer, asked="≤ 50 ms",
              reached=p99 <= ASKED_MS))  # fmt: skip
    write(Row(question="ticks lost on the tape", ours=f"{lost} of {sum(sent.values())}", peer="0 asked", ratio=1.0,
              asked="0", reached=lost == 0))  # fmt: skip
    return 0 if lost == 0 else 1


def _feeds(client: RayDeskClient) -> int:
    return sum(client.call(f"feed.{index}", "progress").ticks for index in INDICES)


def _latencies_ms(client: RayDeskClient) -> Any:
    """Of each batch since last asked."""
    each = [np.asarray(client.call(f"shard.{index}", "latencies_ns"), np.int64) for index in INDICES]
    return np.concatenate(each) / 1e6


if __name__ == "__main__":
    sys.exit(main())
