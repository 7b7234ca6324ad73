"""What Prometheus scrapes: collected when asked, in a registry of its own, so that Ray's own metrics stay apart."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.context import Context


def exposition(context: Context) -> bytes:
    """The desk's figures of this moment as Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Desk(context))
    return generate_latest(registry)


class _Desk(Collector):
    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterable[Metric]:
        yield from _chains(self._context)
        yield from _actors(self._context)
        yield from _orders(self._context)


def _gauge(name: str, says: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    gauge = GaugeMetricFamily(f"vikalp_{name}", says, labels=[label])
    for key, value in values:
        gauge.add_metric([key], value)
    return gauge


def _chains(context: Context) -> Iterable[Metric]:
    kept = [chain for chain in map(context.store.latest, context.store.indices) if chain is not None]
    yield _gauge("chain_sequence", "Newest chain of the index", "index", ((k.index, k.sequence) for k in kept))
    ages = ((k.index, context.silent_ns(k) / 1e9) for k in kept)
    yield _gauge("chain_age_seconds", "Wall seconds since it arrived", "index", ages)
    cached = ((k.index, float(context.cached(k))) for k in kept)
    yield _gauge("chain_cached", "1 when it is too old to trade on, or of an earlier session", "index", cached)


def _actors(context: Context) -> Iterable[Metric]:
    view = context.poll.view
    yield GaugeMetricFamily(
        "vikalp_desk_unreachable", "Questions without an answer in the last round", value=len(view.unreachable)
    )
    actors = view.status.actors if view.status is not None else ()
    states = Counter(actor.state for actor in actors)
    yield _gauge("actors", "Actors by state", "state", states.items())
    yield _gauge("actor_rss_bytes", "Resident memory", "actor", ((a.name, a.rss_mb * 1e6) for a in actors))
    for name in ("incarnation", "handled", "gaps", "dropped", "refused"):
        values = ((actor.name, getattr(actor, name)) for actor in actors)
        yield _gauge(f"actor_{name}", f"{name} since the actor started", "actor", values)
    counts = GaugeMetricFamily(
        "vikalp_actor_count", "What an actor counts: a feed's rows, refused ones by reason", labels=["actor", "what"]
    )
    for actor in actors:
        for what, count in actor.counts.items():
            counts.add_metric([actor.name, what], count)
    yield counts


def _orders(context: Context) -> Iterable[Metric]:
    view = context.poll.view
    yield _gauge(
        "orders",
        "Orders that live, of the day or of what is held, by state",
        "state",
        Counter(o.state for o in view.orders).items(),
    )
    yield GaugeMetricFamily("vikalp_killed", "1 while the kill switch is pulled", value=float(view.killed is not None))
    running = sum(plan.running for plan in view.plans)
    yield GaugeMetricFamily("vikalp_plans_running", "Plans that are not over", value=running)
    for name in ("gross_paise", "net_paise", "charges_paise"):
        total = sum(getattr(position, name) for position in view.positions)
        yield GaugeMetricFamily(f"vikalp_pnl_{name}", "Of what is held or was traded that day", value=total)
    yield _gauge("limit_used", "In the limit's own unit", "limit", ((u.limit, u.used) for u in view.uses))
    yield _gauge("limit_allowed", "In the limit's own unit", "limit", ((u.limit, u.allowed) for u in view.uses))
