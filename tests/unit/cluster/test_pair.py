"""Feed and shard in one process: everybody else hears what two actors would have said."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import ray
from ray import cloudpickle

from actors.analytics.shard import ShardActor, ShardConfig
from actors.feeds.config import FeedConfig
from actors.feeds.feed import FeedActor
from cluster.bus import RayBus
from cluster.client import Calls
from cluster.desk import Desk
from cluster.homes import indices_in
from cluster.pair import PairActor, PairBus, PairConfig
from cluster.settings import load
from cluster.topology import specs
from cluster.wire import decode, encode
from core.errors import DeskError
from core.records import Chain
from core.schemas import Kind
from tests.fakes_feed import ListSource
from tests.fakes_numbers import EXPIRY, NOW_NS, SECOND, DataClock, future_of, option, row, smile, ticks
from tests.unit.cluster.listed import listed

OUTSIDE = ("oms", "recorder", "risk", "strategy.ema", "gateway")
CONFIG = PairConfig(
    feed=FeedConfig(index="NIFTY", replay="max"), shard=ShardConfig(index="NIFTY", marks_ms=0, tape_ms=0)
)
Said = list[tuple[str, str, Any]]


def day() -> list[tuple[int, pa.RecordBatch]]:
    """Four minutes of a small market, a batch every ten seconds."""
    rng, first, out = np.random.default_rng(5), NOW_NS - 3600 * SECOND, []
    for at in range(first, first + 240 * SECOND, 10 * SECOND):
        level = 25_100 + float(rng.normal(0, 5))
        rows = [row("NIFTY", last_paise=round(level * 100)), future_of(level - 1, level + 1)]
        rows += smile(EXPIRY, level)[:: int(rng.integers(1, 4))]
        out.append((at, ticks(*({**one, "exchange_ns": at, "received_ns": at} for one in rows))))
    return out


def routes(shard: str, feed: str) -> dict[str, tuple[str, ...]]:
    return {
        "ticks": ("oms", shard, "recorder"), "snapshot": ("oms", shard), "bars": ("oms", "recorder"),
        "past_bars": ("oms",), "chain": ("strategy.ema", "gateway"), "marks": ("risk",), "chain_tape": ("recorder",),
        "refresh": (feed,),
    }  # fmt: skip


def bus(source: str, shard: str, feed: str, said: Said) -> RayBus:
    """A bus whose receivers outside write down what they get, in the order they get it."""
    made = RayBus("test", routes(shard, feed), source=source, lossless=True)
    for name in OUTSIDE:
        made.host(name, partial(_hear, said, name))
    return made


def _hear(said: Said, name: str, topic: str, payload: Any) -> None:
    said.append((name, topic, payload))


def played(actor: Any) -> None:
    while not actor.progress().done:
        actor.on_timer()


def apart() -> Said:
    said: Said = []
    feed_bus, shard_bus = (bus(one, "shard.NIFTY", "feed.NIFTY", said) for one in ("feed.NIFTY", "shard.NIFTY"))
    feed = FeedActor(CONFIG.feed, bus=feed_bus, clock=DataClock(), source=ListSource(day()))
    shard = ShardActor(CONFIG.shard, bus=shard_bus, clock=DataClock())
    feed_bus.host("shard.NIFTY", partial(_wired, shard))
    shard_bus.host("feed.NIFTY", partial(_wired, feed))
    feed.open()
    shard.open()
    played(feed)
    return said


def _wired(to: Any, topic: str, payload: Any) -> None:
    """As it arrives from another process."""
    getattr(to, f"on_{topic}")(decode(encode(payload)))


def paired(make_feed: Callable[..., Any] | None = None) -> tuple[PairActor, Said]:
    said: Said = []
    buses = PairBus(*(bus(one, "pair.NIFTY", "pair.NIFTY", said) for one in ("feed.NIFTY", "shard.NIFTY")))
    make_feed = make_feed or partial(FeedActor, source=ListSource(day()))
    pair = PairActor(CONFIG, bus=buses, clock=DataClock(), make_feed=make_feed, shard_clock=DataClock())
    pair.open()
    return pair, said


def test_a_day_through_the_pair_says_the_same_to_the_same_in_the_same_order() -> None:
    pair, said = paired()
    played(pair)
    expected = apart()

    assert len(expected) > 24 * 6, "ticks and chain go to two each, marks and chain_tape to one; and there are bars"
    assert [(name, topic) for name, topic, _ in said] == [(name, topic) for name, topic, _ in expected]
    for (name, topic, mine), (_, _, theirs) in zip(said, expected, strict=True):
        assert _equal(mine, theirs), (name, topic)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Chain):
        return isinstance(other, Chain) and all(map(_same_bytes, _parts(one), _parts(other)))
    return _same_bytes(one, other)


def _parts(chain: Chain) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    return chain.contracts, chain.expiries


def _same_bytes(one: pa.RecordBatch, other: pa.RecordBatch) -> bool:
    """NaN is NaN here."""
    return bool(one.schema.equals(other.schema) and one.serialize().equals(other.serialize()))


def test_the_pair_answers_for_both_and_is_as_old_as_the_one_that_is_behind() -> None:
    pair, _ = paired()
    assert pair.check_health() == 0
    played(pair)
    chain = pair.chain()

    assert chain is not None
    assert pair.progress().ticks == pair.counts()["ticks"] == sum(batch.num_rows for _, batch in day())
    assert len(pair.latencies_ns()) == len(day())
    assert 0 < pair.check_health() == min(pair._feed.check_health(), pair._shard.check_health())
    assert not hasattr(pair, "alerts"), "a replay's feed has none, and the guard asks"
    with pytest.raises(AttributeError):
        pair.nothing_of_that_name  # noqa: B018


class _SecondLife:
    """A feed that is told so."""

    def __init__(self, config: FeedConfig, *, bus: RayBus, clock: DataClock) -> None:
        self.told: list[str] = []

    def restarted(self) -> None:
        self.told.append("restarted")

    def open(self) -> None:
        self.told.append("open")

    def on_refresh(self, _: pa.RecordBatch) -> None: ...


def test_the_feed_of_a_pair_is_told_of_its_second_life_as_one_alone_is() -> None:
    buses = PairBus(*(bus(one, "pair.NIFTY", "pair.NIFTY", []) for one in ("feed.NIFTY", "shard.NIFTY")))
    pair = PairActor(CONFIG, bus=buses, clock=DataClock(), make_feed=_SecondLife, shard_clock=DataClock())
    pair.restarted()
    pair.open()
    assert pair._feed.told == ["restarted", "open"]


class _BadFeed:
    """Passes on what no shard takes, then what it does."""

    def __init__(self, config: FeedConfig, *, bus: RayBus, clock: DataClock) -> None:
        self._bus = bus

    def open(self) -> None: ...

    def on_quotes(self, quotes: pa.RecordBatch) -> None:
        self._bus.publish("ticks", quotes, index="NIFTY")

    def on_refresh(self, _: pa.RecordBatch) -> None: ...

    def counts(self) -> dict[str, int]:
        return {"ticks": 7}


def test_what_the_shard_refuses_is_counted_and_the_feed_goes_on() -> None:
    pair, said = paired(_BadFeed)
    pair.on_quotes(pa.record_batch({"nobody": pa.array([1])}))
    pair.on_quotes(ticks(option(Kind.CALL, 100, last=5)))

    assert pair.counts() == {"ticks": 7, "refused_by_shard": 1}
    assert [(name, topic) for name, topic, _ in said][:2] == [("oms", "ticks"), ("recorder", "ticks")]
    assert [topic for name, topic, _ in said if name == "gateway"] == ["chain"]


def compact(**overrides: Any) -> dict[str, Any]:
    desk = Desk(
        desk=7, settings=load(overrides={"layout": "compact", **overrides}), session_id="s", namespace="vikalp",
        dsn="", data_dir="", anchor_wall_ns=1_763_000_000_000_000_000,
    )  # fmt: skip
    return {spec.name: spec for spec in specs(listed(desk) if desk.settings.mode != "REPLAY" else desk)}


def test_the_compact_desk_has_one_process_an_index_and_every_way_ends_at_it() -> None:
    made = compact(**{"kite.links": 2})

    assert set(made) == {"link.0", "link.1", "risk", "oms", "recorder", "gateway"} | {
        f"pair.{index}" for index in load().indices
    }
    assert made["pair.BANKNIFTY"].upstream == ("link.1",)
    assert made["oms"].upstream == made["risk"].upstream == tuple(f"pair.{index}" for index in load().indices)
    assert made["link.0"].ports["bus"]._routes["quotes"] == ("pair.{index}",)
    assert made["pair.NIFTY"].ports["bus"].feed._routes["ticks"] == ("oms", "pair.{index}", "recorder")
    assert made["pair.NIFTY"].ports["bus"].shard._source == "shard.NIFTY"


def test_a_pair_arrives_whole_in_its_own_process_with_two_clocks_in_a_replay() -> None:
    replay = {"indices": ["NIFTY"], "market.source": "file", "market.path": "day.parquet"}
    spec = compact(**replay, **{"market.session_date": "2025-08-29", "market.speed": 0})["pair.NIFTY"]
    cls, config, ports = cloudpickle.loads(cloudpickle.dumps((spec.cls, spec.config, dict(spec.ports))))
    pair = cls(config, **ports)
    feed, shard = pair._feed._clock, pair._shard._clock
    before = shard.now_ns()
    feed.advance(before + SECOND)

    assert spec.upstream == ("pair.NIFTY",)
    assert config.timer_ms == spec.config.feed.timer_ms
    assert hasattr(pair, "restarted"), "a replay that has begun again is over"
    assert shard.now_ns() == before


def test_feed_and_shard_are_found_by_their_names_in_either_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"pair.NIFTY": "the pair", "shard.SENSEX": "the shard"}

    def get_actor(name: str, _: str) -> str:
        if name not in there:
            raise ValueError(name)
        return there[name]

    monkeypatch.setattr(ray, "get_actor", get_actor)
    calls = Calls("test")

    assert [calls.handle(name) for name in ("feed.NIFTY", "shard.NIFTY", "pair.NIFTY")] == ["the pair"] * 3
    assert calls.handle("shard.SENSEX") == "the shard"
    for nobody in ("feed.SENSEX", "oms", "pair.SENSEX"):
        with pytest.raises(DeskError, match=f"no actor {nobody}"):
            calls.handle(nobody)
    assert indices_in(["pair.NIFTY", "shard.SENSEX", "feed.SENSEX", "oms"]) == ["NIFTY", "SENSEX"]
