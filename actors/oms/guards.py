"""What stands between an intent and the broker beside risk: the circuit breaker and the desk's own order budget."""

from collections.abc import Iterable
from typing import Literal

from actors.oms.config import OmsConfig
from actors.oms.journal import Journal
from core.errors import VikalpError
from core.orders.budget import Budget, Kind, kind_of
from core.orders.days import no_entry
from core.ports import BrokerAnswer, Clock
from core.records import Alert, Intent, LimitUse, Order, Purpose, Refusal
from core.risk import breaker
from core.risk.breaker import Breaker


class Guards:
    """One process's; the budget is told of earlier lives' orders by `restore`, the breaker begins closed.

    Both go by the market's clock, which is the wall's where the market is live: a replayed day is refused alike.
    """

    def __init__(self, config: OmsConfig, journal: Journal, clock: Clock) -> None:
        self._config, self._journal, self._clock = config, journal, clock
        self._breaker = Breaker()
        self.allow_ioc = config.allow_ioc
        self._budget = Budget(config.budget, now_ns=clock.now_ns())

    @property
    def breaker(self) -> Breaker:
        return breaker.at(self._breaker, self._clock.now_ns(), self._config.breaker)

    @property
    def broken(self) -> str:
        """The breaker's state and why it is so; empty while it is CLOSED."""
        now = self.breaker
        return "" if now.state == "CLOSED" else f"{now.state}: {now.why}"

    def restore(self, orders: Iterable[Order]) -> None:
        """Count what earlier lives sent, by the market's clock."""
        sent: list[tuple[Kind, int]] = []
        for order in orders:
            if order.state != "REFUSED":
                purpose = order.intent.purpose
                sent.append((kind_of("place", purpose), order.intent.created_ns))
                # Nobody wrote down when each was; as if all had been with the last news of the order.
                sent += [(kind_of("modify", purpose), order.updated_ns)] * order.modifications
        self._budget = Budget(self._config.budget, sent, now_ns=self._clock.now_ns())

    def refuse(self, intent: Intent) -> Refusal | None:
        """Whether the breaker stops it; asked before the budget, which counts what is let through."""
        return breaker.gate(self.breaker, intent.purpose, self._config.breaker)

    def late(self, intent: Intent) -> Refusal | None:
        """Whether it would open what leaves today: after its square-off moment nothing new enters a contract.

        A day or contract that nobody knows is refused by the exchange's rules (core/orders/validity.py), not here.
        """
        if intent.purpose == "exit":
            return None
        try:
            why = no_entry(intent.symbol, intent.index, intent.product, self._clock.now_ns(), self._config.day_end)
        except VikalpError:
            return None
        return Refusal(limit="day_end", allowed="exits", asked=intent.purpose, why=why) if why else None

    def full(self, purpose: Purpose, action: Literal["place", "modify"] = "place") -> Refusal | None:
        """The window that has no room for such a request; nothing is counted, and with room one sent now passes."""
        return self._budget.full(kind_of(action, purpose), self._clock.now_ns())

    def room(self, action: Literal["place", "modify", "cancel"], purpose: Purpose) -> Refusal | None:
        """None, and the request is counted; or the window that has no room for it."""
        return self._budget.take(kind_of(action, purpose), self._clock.now_ns())

    def modifiable(self, order: Order) -> Refusal | None:
        return self._budget.modification(order.modifications)

    def heard(self, intent: Intent, answer: BrokerAnswer) -> None:
        """What the broker said to an order that was sent; `again` is no answer to the order, but a call not made."""
        if answer.again:
            return
        outcomes: dict[str, breaker.Outcome] = {"ACK": "ok", "REFUSED": "refused"}
        before, now_ns = self.breaker, self._clock.now_ns()
        self._breaker = breaker.after(before, outcomes.get(answer.kind, "timeout"), now_ns, self._config.breaker)
        if self._breaker.state != before.state:
            self._tell(before.state, intent.tag)

    def uses(self) -> tuple[LimitUse, ...]:
        """How much of the order budget is used now."""
        return self._budget.uses(self._clock.now_ns())

    def _tell(self, before: str, tag: str) -> None:
        now, why = self._breaker.state, self._breaker.why
        words = f"the circuit breaker is {now} after {before}, with order {tag}" + (f": {why}" if why else "")
        severity: Literal["alarm", "info"] = "alarm" if now == "OPEN" else "info"
        self._journal.alert(
            Alert(at_wall_ns=self._clock.wall_ns(), severity=severity, subject="breaker", message=words)
        )
        self._journal.event("breaker", tag, words)
