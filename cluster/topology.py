"""The whole system on one page: which actors, on what terms, wired how. The only `ray.remote` of the long-lived actors."""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.actor import ActorHandle

from cluster.crash import GROUPS, Guard

# Who receives a topic, in the order a replay serves them; {index} is the message's own.
ROUTES: Mapping[str, tuple[str, ...]] = {
    "ticks": ("oms", "shard.{index}", "recorder"),
    "snapshot": ("oms", "shard.{index}"),
    "bars": ("recorder",),
    "chain": ("risk", "gateway"),
    "chain_tape": ("recorder",),
    "refresh": ("feed.{index}",),
}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One actor: its class, its settings, the ports it is given, and on what terms Ray hosts it."""

    name: str
    cls: type[Any]
    config: Any
    ports: Mapping[str, Any] = field(default_factory=dict)
    upstream: tuple[str, ...] = ()  # whose progress its own depends on; itself for a feed
    cpus: float = 0  # 0: the small ones do not queue for a core
    resources: Mapping[str, float] = field(default_factory=dict)
    timer_delay_s: float = 0.0  # staggers the timers of the five feeds

    @property
    def hash(self) -> str:
        """Changes when an actor running under this name was made from another spec."""
        made_of = (self.cls.__module__, self.cls.__qualname__, self.config, self.cpus, dict(self.resources))
        return hashlib.sha256(pickle.dumps(made_of)).hexdigest()[:16]


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
    ).remote(
        spec.name, namespace, spec.cls, spec.config, spec.ports, timer_delay_s=spec.timer_delay_s, spec_hash=spec.hash
    )
