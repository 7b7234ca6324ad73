"""The whole system on one page: which actors, on what terms, wired how; the only `ray.remote` of long-lived actors."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from pydantic import BaseModel
from ray import cloudpickle
from ray.actor import ActorHandle

from actors.analytics.shard import ShardActor, ShardConfig
from actors.feeds.feed import FeedActor, FeedConfig
from actors.oms.oms import OmsActor, OmsConfig
from actors.recorder import RecorderActor
from actors.risk.risk import RiskActor
from actors.strategies.strategy import StrategyActor
from brokers.paper import PaperBroker
from cluster.client import OrdersClient, RayDeskClient, RiskClient
from cluster.crash import GROUPS, Guard
from cluster.desk import Desk, make_bus, make_ledger, make_source, market_clock, tape_url
from cluster.ports import ports
from cluster.state import desk_dir
from gateway.actor import GatewayActor, GatewayConfig
from storage.broker_store import PostgresBrokerStore
from storage.tape import ParquetTape

# Who receives a topic, in the order a replay serves them; {index} is the message's own, strategy.* all that run.
ROUTES: Mapping[str, tuple[str, ...]] = {
    "ticks": ("oms", "shard.{index}", "recorder"),
    "snapshot": ("oms", "shard.{index}"),
    "bars": ("strategy.*", "recorder"),
    "past_bars": ("strategy.*",),  # again, for one that has just started; the tape has them
    "chain": ("strategy.*", "gateway"),
    "marks": ("risk",),  # the chain, a few times a second
    "chain_tape": ("recorder",),
    "refresh": ("feed.{index}",),
}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One actor: its class, its settings, the ports it is given, and on what terms Ray hosts it."""

    name: str
    cls: type[Any]
    config: BaseModel
    ports: Mapping[str, Any] = field(default_factory=dict)
    upstream: tuple[str, ...] = ()  # whose progress its own depends on; itself for a feed
    cpus: float = 0  # 0: the small ones do not queue for a core
    resources: Mapping[str, float] = field(default_factory=dict)
    timer_delay_s: float = 0.0  # staggers the timers of the five feeds
    niceness: int = 0  # above 0: yields the core to those who price and trade

    @property
    def hash(self) -> str:
        """Changes when an actor running under this name was made from another spec."""
        # Words, not pickles: those hold sets, whose order differs from one process to the next.
        made_of = (
            self.cls.__module__,
            self.cls.__qualname__,
            repr(self.config),
            self.cpus,
            sorted(self.resources.items()),
        )
        return hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]


def specs(desk: Desk) -> list[Spec]:
    """Every actor of the desk, in the order they are created."""
    s, replay = desk.settings, desk.settings.mode == "REPLAY"
    deadline_s = s.supervision.deadline_s
    running = tuple(f"strategy.{strategy.name}" for strategy in s.strategies)
    routes = {
        topic: tuple(one for name in names for one in (running if name == "strategy.*" else (name,)))
        for topic, names in ROUTES.items()
    }
    made: list[Spec] = []

    def add(name: str, cls: type[Any], config: Any, ports: Mapping[str, Any], **terms: Any) -> None:
        bus = {} if name == "recorder" else {"bus": make_bus(desk, name, routes)}
        made.append(
            Spec(name=name, cls=cls, config=config, ports={"clock": market_clock(desk), **bus, **ports}, **terms)
        )

    for place, index in enumerate(s.indices):
        pace = (s.market.speed or "max") if replay else None
        # The five feeds take turns within a period, so that their batches do not meet on two cores.
        stagger = place * s.feed.timer_ms // len(s.indices)
        feed = FeedConfig(index=index, replay=pace, hold=s.market.hold, stagger_ms=stagger, **dict(s.feed))
        add(f"feed.{index}", FeedActor, feed, {"source": make_source(desk, index)}, upstream=(f"feed.{index}",),
            timer_delay_s=stagger / 1000)  # fmt: skip
        shard = ShardConfig(index=index, **(dict(s.shard) | ({"marks_ms": 0, "tape_ms": 0} if replay else {})))
        add(f"shard.{index}", ShardActor, shard, {}, upstream=(f"feed.{index}",))

    feeds = tuple(f"feed.{index}" for index in s.indices)
    shards = tuple(f"shard.{index}" for index in s.indices)
    add("risk", RiskActor, s.risk, {"ledger": make_ledger(desk)}, upstream=shards)
    store = PostgresBrokerStore(desk.dsn, desk.session_id)
    oms = OmsConfig(indices=s.indices, **dict(s.oms))
    add("oms", OmsActor, oms, {
        "ledger": make_ledger(desk),
        "broker": PaperBroker(store, market_clock(desk)),
        "risk": RiskClient(desk.namespace, deadline_s=deadline_s),
    }, upstream=feeds, resources={"egress": 1} if s.ray.egress else {})  # fmt: skip
    # A replay's tape is flushed by rows alone, so that its bytes repeat.
    recorder = s.recorder.model_copy(update={"flush_ms": 0, "timer_ms": 0}) if replay else s.recorder
    add("recorder", RecorderActor, recorder, {"tape": ParquetTape(tape_url(desk))}, upstream=feeds, niceness=5)
    gateway = GatewayConfig(
        port=ports(desk.desk).page, indices=s.indices, token_path=str(desk_dir(desk.desk) / "token"), **dict(s.gateway)
    )
    add(
        "gateway",
        GatewayActor,
        gateway,
        {"desk": RayDeskClient(desk.namespace, deadline_s=deadline_s)},
        upstream=shards,
    )
    for strategy in s.strategies:
        orders = OrdersClient(desk.namespace, deadline_s=deadline_s)
        add(
            f"strategy.{strategy.name}",
            StrategyActor,
            strategy,
            {"orders": orders},
            upstream=(f"shard.{strategy.index}",),
        )
    return made


def start(spec: Spec, namespace: str) -> "ActorHandle[Any]":
    """Create the named, detached actor of `spec`; does not wait for it.

    Ray restarts it for ever (the supervisor counts), and never repeats a lost call: it may have run.
    """
    # A subclass of its own, so that Ray's dashboard shows ShardActor and not Guard.
    shown = type(spec.cls.__name__, (Guard,), {"__doc__": spec.cls.__doc__})
    actor: Any = ray.remote(concurrency_groups=GROUPS)(shown)
    return actor.options(  # type: ignore[no-any-return]
        name=spec.name,
        namespace=namespace,
        lifetime="detached",
        num_cpus=spec.cpus,
        resources=dict(spec.resources) or None,
        max_restarts=-1,
        max_task_retries=0,
        enable_task_events=False,  # three hundred calls a second would fill the head's memory with their histories
    ).remote(
        spec.name,
        namespace,
        cloudpickle.dumps((spec.cls, spec.config, dict(spec.ports))),
        timer_delay_s=spec.timer_delay_s,
        niceness=spec.niceness,
        spec_hash=spec.hash,
    )
