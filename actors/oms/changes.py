"""Changes of resting orders that plans ask for: one at a time of each order, and none again at once.

The broker's book shows late what it took, and what it turned away may be wanted anew in every turn. So an order whose
change is on its way is left alone until the book shows it, and after every try for a while, counted from the answer;
longer where the broker took long to say no, or the plan would do nothing else.
"""

from actors.oms.broker_link import PAUSE, TURN_NS
from actors.oms.journal import Journal
from actors.oms.send import Sender
from actors.oms.waited import MOST_NS
from core.orders.machine import terms
from core.ports import Clock
from core.records import LIVE, Terms

SEEN_NS = 3_000_000_000  # wall; a change the broker's book has not shown by then is decided anew
LONG_NS = TURN_NS // 2  # wall; a faster try is paced by the market's time alone, so that a replay goes by that


class Changes:
    def __init__(self, journal: Journal, send: Sender, clock: Clock) -> None:
        self._journal, self._send, self._clock = journal, send, clock
        self.pending: dict[str, tuple[Terms | None, int]] = {}  # tag → terms asked for, None: a cancel; wall ns
        self._tried: dict[str, tuple[int, int]] = {}  # tag → market ns after the last try, ns to leave it alone

    def ask(self, tag: str, wanted: Terms | None, retry_ns: int) -> None:
        """Ask for other terms, or with None for a cancel. One not even asked for is in no journal, and waits too."""
        at_ns, rest_ns = self._tried.get(tag, (0, 0))
        if 0 <= self._clock.now_ns() - at_ns < rest_ns:
            return
        began_ns, taken = self._clock.wall_ns(), False
        try:
            after = self._send.cancel(tag) if wanted is None else self._send.modify(tag, wanted)
            taken = after.pending or terms(after.order) == wanted
        finally:
            took_ns = self._clock.wall_ns() - began_ns
            # Of the clock's steps no more counts than elsewhere, and an exit that is moved on in time is not held up.
            rest_ns = PAUSE * min(took_ns, MOST_NS) if took_ns >= LONG_NS and not taken else 0
            self._tried[tag] = self._clock.now_ns(), max(retry_ns, rest_ns)
        if after.pending:
            self.pending[tag] = wanted, self._clock.wall_ns()

    def seen(self) -> None:
        """Forget the changes that the broker's book has shown, and those it never did."""
        now_ns, orders = self._clock.wall_ns(), self._journal.orders
        self._tried = {tag: tried for tag, tried in self._tried.items() if orders[tag].state in LIVE}
        self.pending = {
            tag: (asked, at_ns)
            for tag, (asked, at_ns) in self.pending.items()
            if orders[tag].state in LIVE and terms(orders[tag]) != asked and 0 <= now_ns - at_ns < SEEN_NS
        }
