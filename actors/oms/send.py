"""From intent to broker, once: validity, state, risk, ledger, broker, in that order and with no second try."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import msgspec

from actors.oms.broker_link import BrokerLink
from actors.oms.follow import Follower
from actors.oms.gate import gate, key_of, leaving, moving, true_exit
from actors.oms.guards import Guards
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.standing import LedgerTrouble, Standing, State
from core.errors import UnknownName
from core.orders import validity
from core.orders.answer import printable
from core.orders.machine import noted, refused
from core.orders.machine import terms as terms_of
from core.orders.tag import check_same, make_tag
from core.ports import BrokerAnswer, Clock
from core.records import LIVE, Intent, Order, OrderEvent, OrderState, Refusal, Terms, Verdict
from core.risk.plain_exit import plain_exit
from core.risk.verdict import in_words

_STATES: dict[str, OrderState] = {"ACK": "OPEN", "REFUSED": "REJECTED"}  # anything else is UNKNOWN
_MODIFY = {"REFUSED": "the broker refused to modify it", "UNKNOWN": "no clear answer to the modification"}
_CANCEL = {"REFUSED": "the broker refused to cancel it", "UNKNOWN": "no clear answer to the cancel"}
LOOKS, LOOK_AGAIN_S = 3, 0.1  # at the broker's book, for the end of what it took to cancel


class Changed(NamedTuple):
    """An order after a request to modify or cancel it; `pending` while the broker may have done it and not shown it."""

    order: Order
    pending: bool = False


class Sender:
    def __init__(
        self,
        journal: Journal,
        follow: Follower,
        *,
        broker: BrokerLink,
        risk: RiskLink,
        standing: Standing,
        guards: Guards,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self._journal, self._follow, self._broker, self._risk = journal, follow, broker, risk
        self._standing, self._guards, self._clock, self._pause = standing, guards, clock, pause
        self._allow_ioc = guards.allow_ioc
        self.postponed: set[str] = set()  # tags of orders refused for the moment, and not for what they are

    def submit(self, intent: Intent, state: State, *, flat: bool = False) -> Order:
        """The order of this tag: the first one ever, else a new one, sent once if `state` and everything else allow.

        Raises InputError if the first was another order. Without ledger or login nothing is sent, and the tag of the
        order that comes back REFUSED is still free. `flat`: a step of getting flat, whose order the sender's caller has
        thought of; risk is told of it and has no veto.
        """
        known = self._journal.orders.get(intent.tag)
        if known is not None:
            check_same(known.intent, intent)
            return known
        intent = msgspec.structs.replace(intent, created_ns=intent.created_ns or self._clock.now_ns())
        if self._standing.stop:
            return self._unsent(intent, self._standing.stop)
        try:
            self._send(intent, state, flat=flat)
        except LedgerTrouble as error:
            self._standing.lose(error)
            if intent.tag not in self._journal.orders:
                self._risk.release(intent.tag)  # never sent: risk may count it as working
            # Once journalled it may have been sent: it stays unsure until the ledger is back and the broker is asked.
            return self._journal.orders.get(intent.tag) or self._unsent(intent, str(error))
        self._standing.attempt(self._follow.sent)
        return self._journal.orders[intent.tag]

    def cancel(self, tag: str) -> Changed:
        """The order after the broker was asked to take it back; UnknownName for a tag never sent.

        One that lives on says why, be it that the broker took the request and has not confirmed it yet.
        """
        self._standing.check()
        order = self._known(tag)
        if order.state in LIVE and not order.broker_id:
            self._standing.attempt(self._follow.reconcile, asks_broker=True)
            order = self._journal.orders[tag]
        if order.state not in LIVE:
            return Changed(order)
        said, pending = self._ask_back(order)
        if self._standing.attempt(lambda: self._journal.note(tag, said)):
            self.look(() if said else (tag,))
        order = self._journal.orders[tag]
        # Without the ledger the words are in no journal, but whoever asked is told.
        return Changed(noted(order, said or self.unheard(), order.updated_ns), pending=pending)

    def modify(self, tag: str, terms: Terms) -> Changed:
        """The order after the broker was asked for other terms, once; with words if it was not done or is not known.

        What rests is what the broker's book says next. Raises UnknownName, and InputError for terms that are none.
        """
        self._standing.check()
        order = self._known(tag)
        why = self._unmodifiable(order, terms)
        if why:
            words = f"not modified: {why}"
            return Changed(msgspec.structs.replace(order, message=words))  # in the answer alone, be it over too
        if not self._standing.attempt(lambda: self._journal.modifying(tag, terms)):
            order = self._journal.orders[tag]
            return Changed(noted(order, f"not modified: {self._standing.stop}", order.updated_ns))
        answer = self._broker.modify(order.broker_id, terms)
        said = "" if answer.kind == "ACK" else f"{_MODIFY[answer.kind]}: {printable(answer.message)}"
        if not said or self._standing.attempt(lambda: self._journal.note(tag, said)):
            self.look(())
        order = self._journal.orders[tag]
        pending = answer.kind != "REFUSED"
        if order.state not in LIVE or (pending and terms_of(order) == terms):
            return Changed(order)
        if pending:
            self._risk.may_rest(order, terms.limit_paise)
        # Taken and not shown yet: in the answer no words.
        return Changed(msgspec.structs.replace(order, message=said), pending=pending)

    def _unmodifiable(self, order: Order, terms: Terms) -> str:
        """Why the order cannot be modified now; empty if it can. An exit's may in every state: a stop must follow."""
        if self._standing.stop:
            return self._standing.stop
        if order.state in LIVE and not order.broker_id:
            return "the broker has not said yet whether it has this order"
        exits = order.intent.purpose == "exit"
        own = (
            None if exits else gate(self._standing.state, self._standing.said, order.intent),
            self._guards.late(order.intent),
            self._guards.refuse(order.intent),
            self._guards.modifiable(order),
            self._guards.full(order.intent.purpose, "modify"),
        )
        broken = [*validity.check_terms(order, terms, self._clock.now_ns()), *(one for one in own if one is not None)]
        if not broken and not exits:
            broken = list(self._risked(order, terms))
        if not broken:
            full = self._guards.room("modify", order.intent.purpose)
            broken = [full] if full is not None else []
        return in_words(Verdict(refusals=tuple(broken)))

    def _risked(self, order: Order, terms: Terms) -> tuple[Refusal, ...]:
        """What risk says to the rest of the order at other terms, in the place of what rests; no trade of its own."""
        probe = msgspec.structs.replace(
            order.intent,
            tag=make_tag(f"{order.intent.tag} modified {order.modifications}"),
            purpose="hedge",
            quantity=order.intent.quantity - order.filled_quantity,
            order_type=terms.order_type,
            limit_paise=terms.limit_paise,
            trigger_paise=terms.trigger_paise,
            created_ns=self._clock.now_ns(),
        )
        return self._risk.check(probe, order.intent.tag).refusals

    def _known(self, tag: str) -> Order:
        order = self._journal.orders.get(tag)
        if order is None:
            raise UnknownName(f"no order has the tag {tag!r}; `vikalp orders` lists those of this session")
        return order

    def ask_back(self, order: Order) -> str:
        """Why the broker did not take the request to cancel; empty if it did. Asks the broker alone, and once."""
        return self._ask_back(order)[0]

    def _ask_back(self, order: Order) -> tuple[str, bool]:
        """`ask_back`, and whether the order may be cancelled by it."""
        if not self._standing.compared:
            return f"not cancelled: {self._standing.stop}", False
        if not order.broker_id:
            return "not cancelled: the broker has not said yet whether it has this order", False
        full = self._guards.room("cancel", order.intent.purpose)
        if full is not None:
            return f"not cancelled: {full.why}", False
        answer = self._broker.cancel(order.broker_id)
        said = "" if answer.kind == "ACK" else f"{_CANCEL[answer.kind]}: {printable(answer.message)}"
        return said, answer.kind != "REFUSED"

    def unheard(self) -> str:
        """Why an order lives on though the broker took the request to cancel it."""
        why = self._standing.stop or "the broker has not confirmed that yet"
        return f"asked to cancel it; {why}"

    def look(self, asked_back: Collection[str]) -> bool:
        """Compare the broker's book, and a moment later again while it has not confirmed what it took to cancel.

        Whether it could be compared: in a turn that is over nothing is asked.
        """
        if self._broker.over:
            return False
        for _ in range(LOOKS):
            if not self._standing.attempt(lambda: self._follow.reconcile(whole=False), asks_broker=True):
                return False
            if self._broker.over or not any(self._journal.orders[tag].state in LIVE for tag in asked_back):
                break
            self._pause(LOOK_AGAIN_S)
        return True

    def _send(self, intent: Intent, state: State, *, flat: bool) -> None:
        verdict = self._judge(intent, self._clock.now_ns(), state, flat=flat)
        if verdict.refusals:
            self._journal.refuse(intent, verdict)
            return
        self._journal.intend(intent)
        answer = self._broker.place(intent)
        self._guards.heard(intent, answer)
        if answer.again and intent.purpose == "exit":
            self.postponed.add(intent.tag)
        self._follow.learn(_heard(intent, answer, self._clock.now_ns()), broker_id=answer.broker_id)

    def _unsent(self, intent: Intent, why: str) -> Order:
        """An order whose tag stays free; the ledger, if it is there, keeps that it was asked for."""
        order = refused(intent, self._clock.now_ns(), f"state: HALTED, {why}; nothing was sent")
        if not self._standing.against:
            words = f"{intent.strategy} {intent.side} {intent.quantity} {intent.symbol}: {order.message}"
            self._standing.attempt(lambda: self._journal.event("refusal", intent.tag, words))
        return order

    def _judge(self, intent: Intent, now_ns: int, state: State, *, flat: bool) -> Verdict:
        """Risk is asked last, and only where there is room: what it lets through works, and is in its order rate."""
        key = key_of(intent)
        working = leaving(self._journal.live(), key, vanished=self._follow.vanished)
        own = (
            gate(state, self._standing.said, intent),
            true_exit(intent, self._journal.book(*key), working),
            self._guards.late(intent),
            self._guards.refuse(intent),
        )
        rules = validity.check(intent, now_ns, allow_ioc=self._allow_ioc)
        broken = (*rules, *(refusal for refusal in own if refusal is not None))
        if broken:
            return Verdict(refusals=broken)
        full = self._guards.full(intent.purpose)
        if full is None:
            verdict = self._risk.check(intent)
            if verdict.refusals and not flat and not self._past_the_lost(intent):
                return verdict
            full = self._guards.room("place", verdict.purpose or intent.purpose)
            if full is None:
                return Verdict()
            if not verdict.refusals:  # a hedge in name alone: as the entry that it is it has no room
                self._risk.release(intent.tag)
        self.postponed.add(intent.tag)
        return Verdict(refusals=(full,))

    def _past_the_lost(self, intent: Intent) -> bool:
        """Whether an exit that risk refuses is one but for lost exits, which it counts as working: by the plain rule.

        A lost entry counts: what would cover it must stay. Risk counts the exit once its books are compared with the
        journal, as an order that was sent while it was away.
        """
        live = self._journal.live()
        working = [one for one in map(self._follow.told, live) if not (one.lost and one.intent.purpose == "exit")]
        return len(working) < len(live) and plain_exit(self._journal.held(), intent, moving(working))


def _heard(intent: Intent, answer: BrokerAnswer, at_ns: int) -> OrderEvent:
    state = _STATES.get(answer.kind, "UNKNOWN")
    return OrderEvent(tag=intent.tag, state=state, at_ns=at_ns, message=printable(answer.message))
