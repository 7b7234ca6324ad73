"""A desk in the compact layout: feed and shard of an index are one process, and are found by their own names."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from cluster.attach import Desk, attach
from cluster.lifecycle import down, up
from cluster.settings import load
from cluster.state import read_state, state_path
from tests.cluster.conftest import free_desk, until
from tests.cluster.whole_desk import BACK_S, back, buy_one_lot, row

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
SETTINGS = {"layout": "compact", "indices": ["NIFTY", "SENSEX"], "ray.object_store_mb": 100, "ray.cpus": 2}


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with (
        tempfile.TemporaryDirectory(prefix="vkc", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as m,
    ):
        Path(folder).chmod(0o755)  # PostgreSQL, which never runs as root, must reach its data below
        m.setenv("VIKALP_HOME", folder)
        number = free_desk()
        list(up(load(overrides=SETTINGS), number))
        try:
            yield attach(read_state(number).desk)
        finally:
            ray.shutdown()
            if state_path(number).exists():
                list(down(number))


def test_it_prices_and_trades_and_a_pair_that_was_killed_is_back_with_both(desk: Desk) -> None:
    pairs = {"pair.NIFTY", "pair.SENSEX"}
    assert {one.name for one in desk.status().actors} == pairs | {"link.0", "risk", "oms", "recorder", "gateway"}
    assert until(lambda: buy_one_lot(desk), within_s=BACK_S, what="a lot is bought")
    before = row(desk, "pair.NIFTY")
    assert before is not None
    assert before.state == "READY"
    os.kill(before.pid, signal.SIGKILL)
    back(desk, "pair.NIFTY", before)

    def priced() -> bool:
        """The spot comes first, then the contracts about it, then their chain: READY promises none of them."""
        counts, chain = desk.client.call("feed.NIFTY", "counts"), desk.client.call("shard.NIFTY", "chain")
        return bool(counts["ticks"] > 0 and counts["watched"] > 100 and chain and chain.contracts.num_rows > 100)

    assert until(priced, within_s=BACK_S, what="the pair watches and prices its contracts")
