"""The whole system on one page: which actors, on what terms, wired how; the only `ray.remote` of long-lived actors."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import ray
from pydantic import BaseModel
from ray import cloudpickle
from ray.actor import ActorHandle

from actors.analytics.shard import ShardActor, ShardConfig
from actors.feeds.config import FeedConfig
from actors.feeds.feed import FeedActor
from actors.feeds.live import LiveFeedActor
from actors.links.link import LinkActor, LinkConfig
from actors.oms.broker_link import TURN_NS
from actors.oms.oms import OmsActor, OmsConfig
from actors.publisher import PublisherActor, PublisherConfig
from actors.recorder import RecorderActor
from actors.risk.risk import RiskActor
from actors.strategies.strategy import StrategyActor, StrategyConfig
from brokers.kite.broker import KiteConfig
from brokers.kite.subscriptions import MOST_TOKENS
from brokers.paper import PaperBroker
from cluster.account import make_broker, make_socket
from cluster.bus import RayBus
from cluster.client import OrdersClient, RayDeskClient, RiskClient
from cluster.crash import GROUPS, Guard
from cluster.desk import Desk, book_id, make_bus, make_ledger, make_phase, market_clock, market_day, recorded, tape_url
from cluster.homes import PAIR, pair_of
from cluster.pair import PairActor, PairBus, PairConfig
from cluster.ports import ports
from cluster.state import desk_dir, kill_path
from core.errors import ConfigError
from core.market.overlay import DayContracts, UserFacts
from core.ports import Clock
from gateway.access import caller
from gateway.actor import GatewayActor, GatewayConfig
from storage.broker_store import PostgresBrokerStore
from storage.kafka import KafkaSink
from storage.kill_file import KillFile
from storage.last_chains import TapeLastChains
from storage.ledger.ledger import TIMEOUT_S as LEDGER_S
from storage.ledger.read import LedgerReader
from storage.past import TapePast
from storage.places import PlaceFile
from storage.tape import ParquetTape

# Who receives a topic, in the order a replay serves them; {index} is the message's own, link.* all that there are.
ROUTES: Mapping[str, tuple[str, ...]] = {
    "quotes": ("feed.{index}",),
    "wanted": ("link.*", "shard.{index}"),  # all that a feed watches; a link takes what is of its indices
    "order_news": ("oms",),  # look at the broker's book: the facts come by awaited calls
    "symbols": ("feed.{index}",),  # positions and live orders: watched wherever the money goes
    "ticks": ("oms", "shard.{index}", "recorder"),
    "snapshot": ("oms", "shard.{index}"),
    "bars": ("oms", "strategy.*", "recorder"),
    "past_bars": ("oms", "strategy.*"),  # again, for one that has just started; the tape has them
    "chain": ("strategy.*",),
    "marks": ("risk", "gateway"),  # the chain, a few times a second
    "chain_tape": ("recorder",),
    "refresh": ("feed.{index}",),
}
BUSLESS = frozenset({"recorder", "publisher"})  # they send nothing to other actors
LINKED = frozenset({"quotes", "wanted", "order_news", "symbols"})  # with a broker's links; a replay has none


# The order manager holds its lock while it waits for risk: an exit queued behind that call must still run within its
# own supervision.deadline_s. A replay waits longer: what it trades must not depend on how busy the machine is.
RISK_DEADLINE_S = 1.0
# The longest an order or an exit-all takes while broker, risk and the database hang (actors/oms/broker_link.py).
WAITS_S = TURN_NS / 1e9 + KiteConfig(api_key="").timeout_s + LEDGER_S + RISK_DEADLINE_S


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
    facts: tuple[UserFacts, ...] = ()  # the user's own rows of the exchanges' tables
    dump: DayContracts | None = None  # the instrument dump of the day

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
    """Every actor of the desk, in the order they are created. Each has a clock, all but BUSLESS a bus."""
    s, clock = desk.settings, market_clock(desk)
    actors = [
        *(_link(desk, number) for number in range(_links(desk))),
        *(one(desk, index) for index in s.indices for one in ((_pair,) if _compact(desk) else (_feed, _shard))),
        _risk(desk),
        _oms(desk, clock),
        _recorder(desk),
        _gateway(desk),
        *(_strategy(desk, strategy) for strategy in s.strategies),
        *([_publisher(desk)] if s.events.kafka.bootstrap and not _replays(desk) else []),
    ]
    there = [spec.name for spec in actors]
    used = {topic: names for topic, names in ROUTES.items() if not (_replays(desk) and topic in LINKED)}
    routes = {topic: tuple(one for name in names for one in _those(name, there)) for topic, names in used.items()}
    routes = {topic: _homes(desk, names) for topic, names in routes.items()}
    bus = {spec.name: {"bus": _bus(desk, spec.name, routes)} for spec in actors if spec.name not in BUSLESS}
    own = {spec.name: {"clock": clock, **bus.get(spec.name, {}), **spec.ports} for spec in actors}
    same = {"facts": desk.facts, "dump": desk.dump}
    return [replace(spec, ports=own[spec.name], upstream=_homes(desk, spec.upstream), **same) for spec in actors]


def _bus(desk: Desk, name: str, routes: Mapping[str, tuple[str, ...]]) -> RayBus | PairBus:
    kind, _, index = name.partition(".")
    if kind != PAIR:
        return make_bus(desk, name, routes)
    return PairBus(*(make_bus(desk, f"{one}.{index}", routes) for one in ("feed", "shard")))


def _pair(desk: Desk, index: str) -> Spec:
    feed, shard = _feed(desk, index), _shard(desk, index)
    ports = {"make_feed": partial(feed.cls, **feed.ports), "shard_clock": market_clock(desk)}
    config = PairConfig(feed=feed.config, shard=shard.config)
    return replace(feed, name=f"{PAIR}.{index}", cls=PairActor, config=config, ports=ports)


def _feed(desk: Desk, index: str) -> Spec:
    s, name = desk.settings, f"feed.{index}"
    # The five feeds take turns within a period, so that their batches do not meet on two cores.
    stagger = s.indices.index(index) * s.feed.timer_ms // len(s.indices)
    pace = (s.market.speed or "max") if _replays(desk) else None
    config = FeedConfig(index=index, replay=pace, hold=s.market.hold, stagger_ms=stagger, **dict(s.feed))
    if desk.listing is None:
        source = {"source": recorded(s, index)}
        return Spec(
            name=name, cls=FeedActor, config=config, ports=source, upstream=(name,), timer_delay_s=stagger / 1000
        )
    registry, past = desk.listing.registry.of(index), TapePast(tape_url(desk), index)
    ports = {"registry": registry, "past": past, "on": market_day(desk)}
    link = (_link_of(desk, index),)
    on_link = sum(_link_of(desk, other) in link for other in s.indices)
    config = config.model_copy(update={"most": min(config.most, MOST_TOKENS // on_link)})  # a socket has room for all
    return Spec(name=name, cls=LiveFeedActor, config=config, ports=ports, upstream=link, timer_delay_s=stagger / 1000)


def _link(desk: Desk, number: int) -> Spec:
    assert desk.listing is not None, "a desk with a broker has its instruments"
    own = tuple(index for index in desk.settings.indices if _link_of(desk, index) == f"link.{number}")
    socket = make_socket(desk, make_phase(desk))
    ports = {"socket": socket, "registry": desk.listing.registry, "on": market_day(desk)}
    config = LinkConfig(indices=own, **dict(desk.settings.link))
    return Spec(name=f"link.{number}", cls=LinkActor, config=config, ports=ports)


def _links(desk: Desk) -> int:
    return 0 if _replays(desk) else desk.settings.kite.links


def _link_of(desk: Desk, index: str) -> str:
    """An index is on one link, and each link has one: its ticks tell a market that stands still from a dead socket."""
    return f"link.{desk.settings.indices.index(index) % desk.settings.kite.links}"


def _shard(desk: Desk, index: str) -> Spec:
    untimed = {"marks_ms": 0, "tape_ms": 0} if _replays(desk) else {}
    config = ShardConfig(index=index, **(dict(desk.settings.shard) | untimed))
    return Spec(name=f"shard.{index}", cls=ShardActor, config=config, upstream=(f"feed.{index}",))


def _risk(desk: Desk) -> Spec:
    shards = _names("shard", desk.settings.indices)
    ports = {"ledger": make_ledger(desk, writer="risk")}
    return Spec(name="risk", cls=RiskActor, config=desk.settings.risk, ports=ports, upstream=shards)


def _oms(desk: Desk, clock: Clock) -> Spec:
    s = desk.settings
    if not _replays(desk) and s.supervision.stuck_s <= WAITS_S:
        raise ConfigError(
            f"supervision.stuck_s is {s.supervision.stuck_s:g}: expected more than {WAITS_S:g}, as an exit-all takes "
            "while broker and ledger hang; the order manager would be killed in the middle of it"
        )
    ports: dict[str, object] = {
        "ledger": make_ledger(desk, writer="oms"),
        # The actor's own clock, and in one pickle with it: in a replay it stands where the actor's data stand.
        "broker": make_broker(desk)
        if s.mode in {"SIMULATED", "LIVE"}
        else PaperBroker(PostgresBrokerStore(desk.dsn, book_id(desk)), clock, day=market_day(desk)),
        "risk": RiskClient(desk.namespace, deadline_s=s.supervision.deadline_s if _replays(desk) else RISK_DEADLINE_S),
    }
    if not _replays(desk):
        ports["kill_file"] = KillFile(kill_path(desk.desk))
    config, feeds = OmsConfig(indices=s.indices, **dict(s.oms)), _names("feed", s.indices)
    egress = {"egress": 1} if s.ray.egress else {}
    return Spec(name="oms", cls=OmsActor, config=config, ports=ports, upstream=feeds, resources=egress)


def _recorder(desk: Desk) -> Spec:
    # A replay's tape is flushed by rows alone, so that its bytes repeat.
    untimed = {"flush_ms": 0, "timer_ms": 0} if _replays(desk) else {}
    config, feeds = desk.settings.recorder.model_copy(update=untimed), _names("feed", desk.settings.indices)
    ports = {"tape": ParquetTape(tape_url(desk))}
    return Spec(name="recorder", cls=RecorderActor, config=config, ports=ports, upstream=feeds, niceness=5)


def _gateway(desk: Desk) -> Spec:
    s, token = desk.settings, str(desk_dir(desk.desk) / "token")
    own = {"port": ports(desk.desk).page, "indices": s.indices, "token_path": token, "exit_cross": s.oms.exit_cross}
    config = GatewayConfig(**own, **dict(s.gateway))
    client = RayDeskClient(desk.namespace, deadline_s=s.supervision.deadline_s, who=caller)
    shards = _names("shard", s.indices)
    # A simulated market and a replay are other markets than the one before.
    last = {"last": TapeLastChains(tape_url(desk))} if s.mode in {"PAPER", "LIVE"} else {}
    return Spec(name="gateway", cls=GatewayActor, config=config, ports={"desk": client, **last}, upstream=shards)


def _publisher(desk: Desk) -> Spec:
    kafka = desk.settings.events.kafka
    ports = {
        "outbox": LedgerReader(desk.dsn, timeout_s=LEDGER_S),
        "sink": KafkaSink(kafka.bootstrap, prefix=kafka.prefix, properties=kafka.properties),
        "places": PlaceFile(desk_dir(desk.desk) / "published.json"),
        "session": book_id(desk),
    }
    own = PublisherConfig(**kafka.model_dump(include=set(PublisherConfig.model_fields)))
    return Spec(name="publisher", cls=PublisherActor, config=own, ports=ports, niceness=5)


def _strategy(desk: Desk, config: StrategyConfig) -> Spec:
    name, upstream = f"strategy.{config.name}", (f"shard.{config.index}",)
    orders = OrdersClient(desk.namespace, deadline_s=desk.settings.supervision.deadline_s)
    return Spec(name=name, cls=StrategyActor, config=config, ports={"orders": orders}, upstream=upstream)


def _replays(desk: Desk) -> bool:
    return desk.settings.mode == "REPLAY"


def _compact(desk: Desk) -> bool:
    return desk.settings.layout == "compact"


def _homes(desk: Desk, names: Iterable[str]) -> tuple[str, ...]:
    """The actors of these names in this desk's layout, each once."""
    return tuple(dict.fromkeys((pair_of(name) if _compact(desk) else "") or name for name in names))


def _names(kind: str, of: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{kind}.{one}" for one in of)


def _those(name: str, there: Iterable[str]) -> tuple[str, ...]:
    """The actors that `name` means: itself, or of strategy.* all that are there."""
    return tuple(one for one in there if one.startswith(name[:-1])) if name.endswith(".*") else (name,)


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
        enable_task_events=False,  # dozens of calls a second would fill the head's memory with their histories
    ).remote(
        spec.name,
        namespace,
        cloudpickle.dumps((spec.cls, spec.config, dict(spec.ports), spec.facts, spec.dump)),
        timer_delay_s=spec.timer_delay_s,
        niceness=spec.niceness,
        spec_hash=spec.hash,
    )
