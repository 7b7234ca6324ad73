"""From intent to broker, once: validity, state, risk, ledger, broker, in that order and with no second try."""

from collections.abc import Iterator

import msgspec

from actors.oms.follow import Follower
from actors.oms.gate import gate, leaving, true_exit
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.standing import LedgerTrouble, Standing, State
from core.errors import UnknownName
from core.market import freeze, tick_paise
from core.matching.depth import Board, Depth
from core.orders import validity
from core.orders.exits import exit_intents
from core.orders.machine import refused
from core.orders.positions import Holding, market_date
from core.ports import Broker, BrokerAnswer, Clock
from core.records import LIVE, Intent, Order, OrderEvent, OrderState, Verdict

_STATES: dict[str, OrderState] = {"ACK": "OPEN", "REFUSED": "REJECTED"}  # anything else is UNKNOWN


class Sender:
    def __init__(
        self,
        journal: Journal,
        follow: Follower,
        *,
        broker: Broker,
        risk: RiskLink,
        standing: Standing,
        clock: Clock,
        exit_cross: float,
    ) -> None:
        self._journal, self._follow, self._broker, self._risk = journal, follow, broker, risk
        self._standing, self._clock, self._exit_cross = standing, clock, exit_cross

    def submit(self, intent: Intent, state: State) -> Order:
        """The order of this tag: the first one ever, else a new one, sent once if `state` and everything else allow.

        Without the ledger nothing is sent and the order that comes back REFUSED is kept nowhere: its tag is still free.
        """
        known = self._journal.orders.get(intent.tag)
        if known is not None:
            return known
        if self._standing.against:
            return self._unsent(intent, self._standing.against)
        try:
            self._send(intent, state)
        except LedgerTrouble as error:
            self._standing.lose(error)
            if intent.tag not in self._journal.orders:
                self._risk.release(intent.tag)  # never sent: risk may count it as working
            # Once journalled it may have been sent: it stays unsure until the ledger is back and the broker is asked.
            return self._journal.orders.get(intent.tag) or self._unsent(intent, str(error))
        self._standing.attempt(self._follow.collect)
        return self._journal.orders[intent.tag]

    def cancel(self, tag: str) -> Order:
        """The order after the broker was asked to take it back; UnknownName for a tag never sent."""
        self._standing.check()
        order = self._journal.orders.get(tag)
        if order is None:
            raise UnknownName(f"no order has the tag {tag!r}; `vikalp orders` lists those of this session")
        if order.state in LIVE and not order.broker_id:
            self._standing.attempt(self._follow.reconcile)
            order = self._journal.orders[tag]
        if order.state in LIVE and order.broker_id:
            self._broker.cancel(order.broker_id)
            self._standing.attempt(self._follow.reconcile)
        return self._journal.orders[tag]

    def exit_all(self, board: Board, why: str) -> list[Order]:
        """Cancel what is live, then send limits that close every position, whatever the state; the orders sent."""
        self._standing.check()
        for order in self._journal.live():
            self.cancel(order.intent.tag)
        seed, sent = f"exit_all {self._clock.wall_ns()}", []
        for holding in list(self._journal.holdings.values()):
            intents = self._exits(holding, board.depth(holding.symbol), seed, why)
            sent += [self.submit(intent, "REDUCING") for intent in intents]
        return sent

    def _exits(self, holding: Holding, depth: Depth | None, seed: str, why: str) -> Iterator[Intent]:
        """The intents that close what `holding` has open and no live exit is already taking off."""
        return exit_intents(
            holding,
            depth,
            working=leaving(self._journal.orders, holding.symbol),
            most=freeze(holding.index, market_date(self._clock.now_ns())),
            tick=tick_paise(holding.index),
            cross=self._exit_cross,
            seed=seed,
            reason=why,
        )

    def _send(self, intent: Intent, state: State) -> None:
        now_ns = self._clock.now_ns()
        intent = msgspec.structs.replace(intent, created_ns=intent.created_ns or now_ns)
        verdict = self._judge(intent, now_ns, state)
        if verdict.refusals:
            self._journal.refuse(intent, verdict)
            return
        self._journal.intend(intent)
        answer = self._broker.place(intent)
        self._follow.learn(_heard(intent, answer, self._clock.now_ns()), broker_id=answer.broker_id)

    def _unsent(self, intent: Intent, why: str) -> Order:
        return refused(intent, self._clock.now_ns(), f"state: HALTED, {why}; nothing was sent")

    def _judge(self, intent: Intent, now_ns: int, state: State) -> Verdict:
        """Risk is asked last: what it lets through it counts as working."""
        working = leaving(self._journal.orders, intent.symbol)
        own = (
            gate(state, self._standing.why, intent),
            true_exit(intent, self._journal.holdings.get(intent.symbol), working),
        )
        broken = (*validity.check(intent, now_ns), *(refusal for refusal in own if refusal is not None))
        return Verdict(refusals=broken) if broken else self._risk.check(intent)


def _heard(intent: Intent, answer: BrokerAnswer, at_ns: int) -> OrderEvent:
    state = _STATES.get(answer.kind, "UNKNOWN")
    return OrderEvent(tag=intent.tag, state=state, at_ns=at_ns, message=answer.message)
