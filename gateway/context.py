"""What every route and page needs, handed down once."""

from dataclasses import dataclass

from core.ports import Clock, DeskClient
from gateway.poll import DeskPoll
from gateway.store import ChainStore


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

    def unwell(self) -> list[str]:
        """Every reason why the desk is not well now, in words; empty is healthy."""
        view, now = self.poll.view, self.clock.wall_ns()
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
        open_now = view.status is not None and view.status.phase == "open"
        for index in self.store.indices:
            kept = self.store.latest(index)
            if kept is None:
                reasons.append(f"{index}: no chain yet")
            elif open_now and now - kept.arrived_wall_ns > self.stale_s * 1e9:
                reasons.append(f"{index}: last chain {(now - kept.arrived_wall_ns) / 1e9:.0f} s ago")
        return reasons
