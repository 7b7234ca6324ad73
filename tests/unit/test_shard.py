import pyarrow as pa
import pytest

from actors.analytics.shard import ShardActor, ShardConfig
from core import pricing
from core.errors import SchemaError, UnknownName
from core.records import Chain
from core.schemas import WANTED, Kind
from tests.fakes_numbers import NOW_NS, DataClock, KeepingBus, option, row, ticks

SECOND = 10**9


def opened(**config: object) -> tuple[ShardActor, KeepingBus, DataClock]:
    bus, clock = KeepingBus(), DataClock()
    shard = ShardActor(ShardConfig.model_validate({"index": "NIFTY"} | config), bus=bus, clock=clock)
    shard.open()
    return shard, bus, clock


def test_open_loads_the_kernels_and_asks_the_feed_for_its_book() -> None:
    _, bus, _ = opened()
    before = pricing.signatures()
    ((topic, payload, index),) = bus.sent

    assert (topic, index) == ("refresh", "NIFTY")
    assert not isinstance(payload, Chain)
    assert payload.num_rows == 0
    assert set(before.values()) == {1}


def test_a_gap_in_its_feeds_ticks_is_filled_by_the_whole_book() -> None:
    shard, bus, _ = opened()
    bus.sent.clear()
    shard.on_gap("feed.SENSEX")
    assert bus.sent == []
    shard.on_gap("feed.NIFTY")
    assert [(topic, index) for topic, _, index in bus.sent] == [("refresh", "NIFTY")]


def test_no_kernel_compiles_after_open() -> None:
    shard, _, _ = opened()
    before = pricing.signatures()
    shard.on_ticks(
        ticks(option(Kind.CALL, 100, last=5), option(Kind.PUT, 100, last=4), row("NIFTY", last_paise=100_00))
    )

    assert pricing.signatures() == before


def test_each_batch_gives_one_numbered_chain_and_moves_the_replays_clock() -> None:
    shard, bus, clock = opened(tape_ms=0)
    assert shard.chain() is None
    assert shard.check_health() == 0
    shard.on_snapshot(ticks(option(Kind.CALL, 100, last=5)))
    shard.on_ticks(ticks(option(Kind.CALL, 100, last=6, exchange_ns=NOW_NS + SECOND)))
    chain = shard.chain()

    assert [topic for topic, _, _ in bus.sent] == ["refresh", *["chain", "marks", "chain_tape"] * 2]
    assert chain is not None
    assert chain is bus.sent[-1][1]
    assert chain.expiries.column("sequence").to_pylist() == [2]
    assert chain.contracts.column("last_paise").to_pylist() == [600]
    assert clock.market_ns == NOW_NS + SECOND
    assert shard.check_health() == clock.wall


def test_the_tape_and_the_marks_are_thinned_by_market_time() -> None:
    shard, bus, _ = opened(tape_ms=1000, marks_ms=250)
    for step in range(25):
        shard.on_ticks(ticks(option(Kind.CALL, 100, last=5, exchange_ns=NOW_NS + step * SECOND // 10)))

    assert sum(topic == "chain" for topic, _, _ in bus.sent) == 25
    assert sum(topic == "chain_tape" for topic, _, _ in bus.sent) == 3
    assert sum(topic == "marks" for topic, _, _ in bus.sent) == 9  # every third batch of 100 ms


class LiveClock(DataClock):
    def advance(self, to_ns: int) -> None:
        """It goes by itself."""


def test_quotes_stamped_in_whole_seconds_do_not_make_the_marks_rare() -> None:
    bus, clock = KeepingBus(), LiveClock()
    shard = ShardActor(ShardConfig(index="NIFTY", marks_ms=250), bus=bus, clock=clock)
    for step in range(25):
        clock.market_ns = NOW_NS + step * SECOND // 10
        shard.on_ticks(ticks(option(Kind.CALL, 100, last=5, exchange_ns=NOW_NS + step // 10 * SECOND)))

    assert sum(topic == "marks" for topic, _, _ in bus.sent) == 9


def test_a_refused_batch_changes_nothing() -> None:
    shard, bus, _ = opened()
    shard.on_ticks(ticks(option(Kind.CALL, 100, last=5)))
    before, sent = shard.chain(), len(bus.sent)
    with pytest.raises(SchemaError):
        shard.on_ticks(
            ticks(option(Kind.CALL, 100, last=7, exchange_ns=NOW_NS + 1), dict(option(Kind.PUT, 90), index="SENSEX"))
        )

    assert shard.chain() is before
    assert len(bus.sent) == sent
    shard.on_ticks(ticks(row("NIFTY", last_paise=1)))
    after = shard.chain()
    assert after is not None
    assert after.contracts.column("last_paise").to_pylist() == [500]


def test_an_index_nobody_knows_does_not_open() -> None:
    shard = ShardActor(ShardConfig(index="DOW"), bus=KeepingBus(), clock=DataClock())

    with pytest.raises(UnknownName, match="NIFTY"):
        shard.open()


def wanted(*symbols: str) -> pa.RecordBatch:
    return pa.record_batch([pa.array(symbols, pa.string()), pa.array([1] * len(symbols), pa.int64())], schema=WANTED)


def test_what_the_feed_watches_no_longer_is_in_no_later_chain_and_comes_back_with_its_next_quote() -> None:
    shard, bus, _ = opened()
    near, far = option(Kind.CALL, 100, last=5), option(Kind.PUT, 400, last=300)
    shard.on_ticks(ticks(near, far, row("NIFTY", last_paise=100_00)))

    shard.on_wanted(wanted("NIFTY", near["symbol"], "not quoted yet"))
    shard.on_ticks(ticks(option(Kind.CALL, 100, last=6, exchange_ns=NOW_NS + SECOND)))

    chains = [payload for topic, payload, _ in bus.sent if topic == "chain"]
    assert [chain.contracts["symbol"].to_pylist() for chain in chains] == [
        [near["symbol"], far["symbol"]], [near["symbol"]],
    ]  # fmt: skip
    assert chains[-1].expiries["spot_paise"].to_pylist() == [100_00]
    assert chains[-1].expiries["put_oi"].to_pylist() == [0]

    shard.on_ticks(ticks(option(Kind.PUT, 400, last=301, exchange_ns=NOW_NS + 2 * SECOND)))
    chain = shard.chain()
    assert chain is not None
    assert chain.contracts["symbol"].to_pylist() == [near["symbol"], far["symbol"]]
    with pytest.raises(SchemaError):
        shard.on_wanted(ticks(near))


def test_a_snapshot_whose_quotes_came_long_ago_is_no_slow_chain() -> None:
    shard, _, _ = opened()
    shard.on_snapshot(ticks(option(Kind.CALL, 100, last=5)))
    assert shard.latencies_ns() == []
    shard.on_ticks(ticks(option(Kind.CALL, 100, last=6, exchange_ns=NOW_NS + SECOND)))
    assert len(shard.latencies_ns()) == 1
