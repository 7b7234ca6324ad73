"""From intent to broker, once: validity, state, risk, ledger, broker, in that order and with no second try."""

from collections.abc import Callable, Collection

import msgspec

from actors.oms.broker_link import BrokerLink
from actors.oms.follow import Follower
from actors.oms.gate import gate, leaving, one_product, true_exit
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.standing import LedgerTrouble, Standing, State
from core.errors import UnknownName
from core.orders import validity
from core.orders.answer import printable
from core.orders.machine import noted, refused
from core.orders.tag import check_same
from core.ports import BrokerAnswer, Clock
from core.records import LIVE, Intent, Order, OrderEvent, OrderState, Verdict

_STATES: dict[str, OrderState] = {"ACK": "OPEN", "REFUSED": "REJECTED"}  # anything else is UNKNOWN
LOOKS, LOOK_AGAIN_S = 3, 0.1  # at the broker's book, for the end of what it took to cancel


class Sender:
    def __init__(
        self,
        journal: Journal,
        follow: Follower,
        *,
        broker: BrokerLink,
        risk: RiskLink,
        standing: Standing,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self._journal, self._follow, self._broker, self._risk = journal, follow, broker, risk
        self._standing, self._clock, self._pause = standing, clock, pause
        self.postponed: set[str] = set()  # tags of exits the broker refused for the moment, and not for what they are

    def submit(self, intent: Intent, state: State) -> Order:
        """The order of this tag: the first one ever, else a new one, sent once if `state` and everything else allow.

        Raises InputError if the first was another order. Without the ledger nothing is sent and the order that comes
        back REFUSED is kept nowhere: its tag is still free.
        """
        known = self._journal.orders.get(intent.tag)
        if known is not None:
            check_same(known.intent, intent)
            return known
        intent = msgspec.structs.replace(intent, created_ns=intent.created_ns or self._clock.now_ns())
        if self._standing.stop:
            return self._unsent(intent, self._standing.stop)
        try:
            self._send(intent, state)
        except LedgerTrouble as error:
            self._standing.lose(error)
            if intent.tag not in self._journal.orders:
                self._risk.release(intent.tag)  # never sent: risk may count it as working
            # Once journalled it may have been sent: it stays unsure until the ledger is back and the broker is asked.
            return self._journal.orders.get(intent.tag) or self._unsent(intent, str(error))
        self._standing.attempt(self._follow.sent)
        return self._journal.orders[intent.tag]

    def cancel(self, tag: str) -> Order:
        """The order after the broker was asked to take it back; UnknownName for a tag never sent.

        One that lives on says why, be it that the broker took the request and has not confirmed it yet.
        """
        self._standing.check()
        order = self._journal.orders.get(tag)
        if order is None:
            raise UnknownName(f"no order has the tag {tag!r}; `vikalp orders` lists those of this session")
        if order.state in LIVE and not order.broker_id:
            self._standing.attempt(self._follow.reconcile, asks_broker=True)
            order = self._journal.orders[tag]
        if order.state not in LIVE:
            return order
        said = self.ask_back(order)
        if self._standing.attempt(lambda: self._journal.note(tag, said)):
            self.look(() if said else (tag,))
        order = self._journal.orders[tag]
        # Without the ledger the words are in no journal, but whoever asked is told.
        return noted(order, said or self.unheard(), order.updated_ns)

    def ask_back(self, order: Order) -> str:
        """Why the broker did not take the request to cancel; empty if it did. Asks the broker alone, and once."""
        if not self._standing.compared:
            return f"not cancelled: {self._standing.stop}"
        if not order.broker_id:
            return "not cancelled: the broker has not said yet whether it has this order"
        answer = self._broker.cancel(order.broker_id)
        if answer.kind == "ACK":
            return ""
        what = "the broker refused to cancel it" if answer.kind == "REFUSED" else "no clear answer to the cancel"
        return f"{what}: {printable(answer.message)}"

    def unheard(self) -> str:
        """Why an order lives on though the broker took the request to cancel it."""
        why = self._standing.stop or "the broker has not confirmed that yet"
        return f"asked to cancel it; {why}"

    def look(self, asked_back: Collection[str]) -> bool:
        """Compare the broker's book, and a moment later again while it has not confirmed what it took to cancel.

        Whether it could be compared.
        """
        for _ in range(LOOKS):
            if not self._standing.attempt(lambda: self._follow.reconcile(whole=False), asks_broker=True):
                return False
            if self._broker.over or not any(self._journal.orders[tag].state in LIVE for tag in asked_back):
                break
            self._pause(LOOK_AGAIN_S)
        return True

    def _send(self, intent: Intent, state: State) -> None:
        verdict = self._judge(intent, self._clock.now_ns(), state)
        if verdict.refusals:
            self._journal.refuse(intent, verdict)
            return
        self._journal.intend(intent)
        answer = self._broker.place(intent)
        if answer.again and intent.purpose == "exit":
            self.postponed.add(intent.tag)
        self._follow.learn(_heard(intent, answer, self._clock.now_ns()), broker_id=answer.broker_id)

    def _unsent(self, intent: Intent, why: str) -> Order:
        return refused(intent, self._clock.now_ns(), f"state: HALTED, {why}; nothing was sent")

    def _judge(self, intent: Intent, now_ns: int, state: State) -> Verdict:
        """Risk is asked last: what it lets through it counts as working."""
        working = leaving(self._journal.orders, intent.symbol, vanished=self._follow.vanished)
        own = (
            gate(state, self._standing.said, intent),
            true_exit(intent, self._journal.holdings.get(intent.symbol), working),
            one_product(intent, self._journal.product(intent.symbol)),
        )
        broken = (*validity.check(intent, now_ns), *(refusal for refusal in own if refusal is not None))
        return Verdict(refusals=broken) if broken else self._risk.check(intent)


def _heard(intent: Intent, answer: BrokerAnswer, at_ns: int) -> OrderEvent:
    state = _STATES.get(answer.kind, "UNKNOWN")
    return OrderEvent(tag=intent.tag, state=state, at_ns=at_ns, message=printable(answer.message))
