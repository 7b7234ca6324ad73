"""What every route and page needs, handed down once."""

from dataclasses import dataclass

from core.market.provenance import Provenance, max_age_ns, provenance
from core.ports import Clock, DeskClient
from gateway.format import provenance as label
from gateway.poll import DeskPoll
from gateway.store import ChainStore, Kept


@dataclass(frozen=True)
class Context:
    store: ChainStore
    poll: DeskPoll
    desk: DeskClient
    clock: Clock
    token_path: str
    push_s: float
    stale_s: float
    exit_cross: float = 0.05  # how far the order manager's exits reach beyond the best price: oms.exit_cross

    def provenance(self, kept: Kept) -> Provenance | None:
        """What the figures of that chain are now; None until the desk has said its mode."""
        view = self.poll.view
        if view.status is None:
            return None
        return provenance(
            view.status.market_mode,
            as_of_ns=kept.as_of_ns,
            now_ns=self.clock.now_ns(),
            silent_ns=self.silent_ns(kept),
            loaded=kept.loaded,
            max_age_ns=max_age_ns(view.limits),
            max_silent_ns=self._max_silent_ns,
        )

    def cached(self, kept: Kept) -> bool:
        """Whether that chain is no price now."""
        found = self.provenance(kept)
        return found.cached if found is not None else kept.loaded or self.silent_ns(kept) > self._max_silent_ns

    @property
    def _max_silent_ns(self) -> int:
        return int(self.stale_s * 1e9)

    def silent_ns(self, kept: Kept) -> int:
        """Wall nanoseconds since it arrived; of one from the tape since it was recorded."""
        return self.clock.wall_ns() - kept.arrived_wall_ns

    def unwell(self) -> list[str]:
        """Every reason why the desk is not well now, in words; empty is healthy."""
        view = self.poll.view
        reasons = [f"{name}: {why}" for name, why in view.unreachable.items()]
        if view.status is None:
            reasons.append("the desk's status is not known yet")
        else:
            reasons += [
                f"{actor.name} is {actor.state}{': ' + actor.why if actor.why else ''}"
                for actor in view.status.actors
                if actor.state != "READY"
            ]
            if not view.status.ledger_ok:
                reasons.append("the ledger is down: no order is sent")
            if view.status.breaker:
                reasons.append(f"the circuit breaker is {view.status.breaker}")
        if view.killed is not None:
            reasons.append(f"the kill switch is pulled by {view.killed.who}: {view.killed.why}")
        open_now = view.status is not None and view.status.phase == "open"
        for index in self.store.indices:
            kept = self.store.latest(index)
            if kept is None:
                reasons.append(f"{index}: no chain yet")
            elif kept.loaded:
                reasons.append(f"{index}: no chain yet, the last of the tape is shown: {label(self.provenance(kept))}")
            elif open_now and self.cached(kept):
                reasons.append(f"{index}: {label(self.provenance(kept))}")
        return reasons
