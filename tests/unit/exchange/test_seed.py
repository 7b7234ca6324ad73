"""Every run says the seed that would run it again: the market's, and the faults'."""

import datetime as dt
from pathlib import Path

from cluster.local_exchange import about
from exchange.recorded_day import Recording
from exchange.world import World, WorldConfig
from storage.recordings import recorded_sources
from tests.unit.test_chain_files import collection, write


def test_a_simulated_and_a_recorded_market_say_their_seed(tmp_path: Path) -> None:
    tape = str(write(tmp_path / "a.parquet", collection(0), collection(1)))
    recorded = WorldConfig(seed=11, recording=Recording(tape, *recorded_sources(tape, None)))
    simulated = WorldConfig(seed=12, date=dt.date(2026, 11, 20), indices=("NIFTY",))
    for config in (recorded, simulated):
        assert about(World(config), 8100).endswith(f"speed 1, seed {config.seed}")
