"""Two order managers, each a process, on one ledger and one exchange: the old one is cut off, and comes back.

It is stopped (SIGSTOP) at a point of sending an order, the new one takes the epoch and gives up what never arrived, and
then the old one goes on from where it stood. Only what it had written to its socket before is ever at the exchange.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from core.orders.tag import make_tag
from core.records import LIVE, Intent, Order
from storage.ledger import PostgresLedger
from tests.unit.orders.answers import Answered
from tests.unit.orders.child import Manager, place_of, until
from tests.unit.orders.line import Line
from tests.unit.orders.lives import LATE_S, Account
from tests.unit.orders.walk import fills, rests

FRESH = itertools.count(1)
# Where it is stopped, and whether its order is at the exchange by then.
STOPS = {
    ("risk.check after", 1): False,
    ("ledger.journal_intent before", 1): False,
    ("ledger.journal_intent uncommitted", 1): False,
    ("ledger.journal_intent after", 1): False,
    ("broker.place before", 1): False,
    ("wire write before", 1): False,  # the head; before its body the connection looks at the clock again
    ("wire write after", 1): False,
    ("wire write after", 2): True,
    ("wire answer before", 1): True,
    ("broker.place after", 1): True,
    ("ledger.record_order before", 1): True,
    ("ledger.record_order after", 1): True,
}


@dataclass
class Two:
    """The account, and the processes on it."""

    served: Answered
    dsn: str
    made: list[Manager] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = PostgresLedger(self.dsn, f"two {next(FRESH)}")
        self.account = Account(self.served, self.ledger)
        self.place = place_of(self.account, self.dsn, self.ledger._session)

    def manager(self, point: str = "", nth: int = 1, *, dsn: str = "") -> Manager:
        """A new one, which has taken over; as its guard does, it tries until the ledger lets it."""
        self.made.append(Manager(replace(self.place, dsn=dsn or self.dsn), point, nth))
        until(lambda: self.made[-1].ask("open") is None, "it does not open")
        return self.made[-1]

    def later(self, one: Manager, seconds: float = 0.5) -> None:
        self.account.wall.on(seconds)
        one.ask("on_timer")

    def taken(self, tag: str) -> list[str]:
        """States at the exchange of the orders with that tag."""
        return [str(order.status) for order in self.account.taken() if order.tag == tag]

    def agrees(self, one: Manager) -> dict[str, Order]:
        """What one order manager believes is what the exchange has: orders, fills once each, positions; its orders."""
        ours = {order.intent.tag: order for order in one.ask("orders")}
        tags = Counter(str(order.tag) for order in self.account.taken())
        assert set(tags.values()) <= {1}, "an order is there twice"
        for taken in self.account.taken():
            assert ours[str(taken.tag)].filled_quantity == taken.filled
            assert ours[str(taken.tag)].state in LIVE or taken.ended
        assert all(ours[tag].state not in LIVE for tag in ours.keys() - tags.keys()), "one that is not there lives"
        trades = self.served.do(lambda: [one.trade_id for one in self.served.world.engine.trades])
        assert len(self.ledger.fills()) == len(trades)
        held = {one.symbol: one.quantity for one in one.ask("positions") if one.quantity}
        bought = sum(one.quantity for one in self.ledger.fills())
        assert sum(held.values()) == bought
        return ours

    def close(self) -> None:
        for one in self.made:
            one.close()
        self.ledger.close()


@pytest.fixture
def two(served: Answered, dsn: str) -> Iterator[Two]:
    both = Two(served, dsn)
    yield both
    both.close()


def taken_over(two: Two, old: Manager, intent: Intent) -> tuple[Manager, Order]:
    """The old one is stopped within `intent`; the new one works, and waits as long as its broker may hide an order."""
    old.tell("submit", intent)
    until(old.is_stopped, "it is not stopped")
    new = two.manager()
    mine = new.ask("submit", fills(two.served, "of the new one"))
    assert mine.state == "OPEN", mine
    for _ in range(14):
        two.later(new, LATE_S / 10)
    return new, mine


def goes_on(two: Two, old: Manager, new: Manager) -> str:
    """The old one goes on, and sends what else it may; its answer to the order it was stopped within."""
    old.goes_on()
    answer = old.hear()
    for number in range(2):
        old.ask("submit", rests(two.served, f"of the old one {number}"))
        two.later(old)
    for _ in range(3):
        two.later(new)
    return str(answer)


@pytest.mark.parametrize("make", [fills, rests])
@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: f"{stop[0]} {stop[1]}")
def test_of_a_stopped_order_manager_only_what_was_sent_before_is_at_the_exchange(
    two: Two, stop: tuple[str, int], make: Callable[[Answered, str], Intent]
) -> None:
    intent = make(two.served, "stopped")
    old = two.manager(*stop)
    new, mine = taken_over(two, old, intent)
    before = two.taken(intent.tag)
    given_up = {order.intent.tag: order.state for order in new.ask("orders")}.get(intent.tag)
    goes_on(two, old, new)

    assert bool(before) == STOPS[stop], "what the exchange had when the new one took over"
    assert two.taken(intent.tag) == before, "and has"
    assert {str(order.tag) for order in two.account.taken()} <= {intent.tag, mine.intent.tag}
    ours = two.agrees(new)
    assert (old.ask("state"), new.ask("state")) == ("HALTED", "ACTIVE")
    if not before:
        assert given_up in {None, "REJECTED"}
        assert intent.tag not in ours or ours[intent.tag].state == "REJECTED"


@pytest.mark.parametrize("make", [fills, rests])
def test_what_is_stopped_within_the_last_write_itself_arrives_late_is_found_and_told(
    two: Two, make: Callable[[Answered, str], Intent]
) -> None:
    """Between a look at the clock and the write is an instant, and no broker lets an order say until when it is wanted.

    For as long as unlisted_ms a process must be stopped in it. Then its order is cancelled, or counted once.
    """
    intent = make(two.served, "stopped")
    old = two.manager("wire write before", 2)
    new, _ = taken_over(two, old, intent)
    given_up = {order.intent.tag: order.state for order in new.ask("orders")}[intent.tag]
    goes_on(two, old, new)

    ours = two.agrees(new)[intent.tag]
    words = [alert.message for alert in new.ask("alerts") if intent.tag in alert.message]
    assert (given_up, ours.state) == ("REJECTED", "REJECTED")
    if make is rests:
        assert two.taken(intent.tag) == ["CANCELLED"]
        assert any("it is being cancelled there" in said for said in words)
    else:
        assert (two.taken(intent.tag), ours.filled_quantity) == (["COMPLETE"], intent.quantity)
        assert any("is a position now" in said for said in words)


def cut_off(two: Two) -> tuple[Manager, Line]:
    """An order manager whose way to the ledger can be cut, and a resting order of it."""
    line = Line(two.dsn)
    old = two.manager(dsn=line.dsn)
    assert old.ask("submit", rests(two.served, "before")).state == "OPEN"
    two.later(old)
    return old, line


@pytest.mark.parametrize("how", ["nothing passes", "no answer passes"])
def test_an_order_manager_that_is_cut_off_from_its_ledger_sends_no_order_and_stops_when_it_is_back(
    two: Two, how: str
) -> None:
    """Where a commit is made and its answer is lost the order is in the ledger, was never sent, and is given up."""
    old, line = cut_off(two)
    with line:
        line.cut(answers_alone=how == "no answer passes")
        lost = old.ask("submit", rests(two.served, "lost"))
        assert (lost.state, old.ask("state")) == ("REFUSED", "HALTED")
        new = two.manager()
        mine = new.ask("submit", fills(two.served, "of the new one"))
        for _ in range(14):
            two.later(new, LATE_S / 10)
            two.later(old, 0)
        line.heal()
        for number in range(3):
            two.later(old, 20)
            old.ask("submit", rests(two.served, f"of the old one {number}"))
        for _ in range(3):
            two.later(new)

        ours = two.agrees(new)
        assert {str(order.tag) for order in two.account.taken()} == {make_tag("before"), mine.intent.tag}
        assert (ours[make_tag("before")].state, ours[mine.intent.tag].state) == ("OPEN", "COMPLETE")
        assert (old.ask("state"), new.ask("state")) == ("HALTED", "ACTIVE")
        lost_there = ours.get(lost.intent.tag)
        assert lost_there is None or lost_there.state == "REJECTED"


def test_one_that_is_cut_off_and_stopped_learns_that_it_was_replaced(two: Two) -> None:
    old, line = cut_off(two)
    with line:
        line.cut()
        old.stops()
        new = two.manager()
        mine = new.ask("submit", fills(two.served, "of the new one"))
        for _ in range(14):
            two.later(new, LATE_S / 10)
        old.goes_on()
        line.heal()
        for _ in range(3):
            two.later(old, 20)
        said = old.ask("cancel", make_tag("before"))
        two.later(new)

        two.agrees(new)
        assert two.taken(make_tag("before")) == ["OPEN"], "the order is the new one's to cancel"
        assert "LedgerFenced" in str(said)
        assert two.taken(mine.intent.tag) == ["COMPLETE"]
