"""From intent to broker, once: validity, state, risk, ledger, broker, in that order and with no second try."""

import msgspec

from actors.oms.follow import Follower
from actors.oms.gate import gate, leaving, true_exit
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from core.orders import validity
from core.ports import Broker, BrokerAnswer, Clock
from core.records import Intent, Order, OrderEvent, OrderState, Verdict

_STATES: dict[str, OrderState] = {"ACK": "OPEN", "REFUSED": "REJECTED"}  # anything else is UNKNOWN


class Sender:
    def __init__(self, journal: Journal, follow: Follower, broker: Broker, risk: RiskLink, clock: Clock) -> None:
        self._journal, self._follow, self._broker, self._risk, self._clock = journal, follow, broker, risk, clock

    def send(self, intent: Intent, *, state: str, why: str) -> Order:
        """The order of a new tag: REFUSED, or sent once and answered. Raises what the ledger and validity raise."""
        now_ns = self._clock.now_ns()
        intent = msgspec.structs.replace(intent, created_ns=intent.created_ns or now_ns)
        verdict = self._judge(intent, now_ns, state, why)
        if verdict.refusals:
            return self._journal.refuse(intent, verdict)
        self._journal.intend(intent)
        answer = self._broker.place(intent)
        return self._follow.learn(_heard(intent, answer, self._clock.now_ns()), broker_id=answer.broker_id)

    def _judge(self, intent: Intent, now_ns: int, state: str, why: str) -> Verdict:
        """Risk is asked last: what it lets through it counts as working."""
        working = leaving(self._journal.orders, intent.symbol)
        own = (
            gate(state, why, intent),
            true_exit(intent, self._journal.holdings.get(intent.symbol), working),
        )
        broken = (*validity.check(intent, now_ns), *(refusal for refusal in own if refusal is not None))
        return Verdict(refusals=broken) if broken else self._risk.check(intent)


def _heard(intent: Intent, answer: BrokerAnswer, at_ns: int) -> OrderEvent:
    state = _STATES.get(answer.kind, "UNKNOWN")
    return OrderEvent(tag=intent.tag, state=state, at_ns=at_ns, message=answer.message)
