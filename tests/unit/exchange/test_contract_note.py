"""What a broker says of a day, asked of the local exchange: it is what the desk counts, charges among it."""

from collections.abc import Iterator
from functools import partial

import pytest

from brokers.kite.note import charges_paise
from brokers.kite.outcome import careful
from cluster.end_of_day import ask
from core.errors import BrokerDown
from core.market import from_ns
from core.orders.books import ACCOUNT
from core.orders.end_of_day import Facts, end_of_day
from core.records import LIVE, Order
from tests.fakes_orders import LOT, intent
from tests.unit.exchange.conftest import Served
from tests.unit.exchange.oms_desk import Desk, buy, opened, out_of


@pytest.fixture
def desk(served: Served) -> Iterator[Desk]:
    yield from opened(served)


def test_a_day_at_the_exchange_is_the_ledgers_day_with_its_charges(desk: Desk, served: Served) -> None:
    opening = desk.broker.margins().available_paise
    entry = buy(served, "entry", lots=2)
    desk.oms.submit(entry)
    assert desk.ended(entry.tag) == "COMPLETE"
    leave = out_of(desk.order(entry.tag), "leave")
    desk.oms.submit(leave)
    assert desk.ended(leave.tag) == "COMPLETE"
    rests = desk.oms.submit(buy(served, "rests", rests=True))
    assert rests.state in LIVE

    said = ask(desk.broker, partial(charges_paise, careful(desk.kite)))
    facts = Facts(orders=tuple(desk.ledger.orders()), fills=tuple(desk.ledger.fills()))
    on = from_ns(desk.clock.now_ns()).date()
    report = end_of_day("S", on, facts, [said], prices={}, as_of_ns=desk.clock.now_ns(), marks_from="none",
                        broker_says="all")  # fmt: skip

    assert report.reconciliation.mismatches == ()
    assert set(report.reconciliation.compared) == {"orders", "trades", "positions", "charges", "cash"}
    assert report.reconciliation.unread == ("margin (not known here)", "funds (not known here)")
    assert said.charges_paise == pytest.approx(report.account.charges_paise, abs=2)
    assert report.results[ACCOUNT].trades == 1
    assert said.margin_paise == 0, "nothing is short"
    blocked = rests.intent.limit_paise * rests.intent.quantity
    assert said.funds_paise == opening + said.cash_paise - blocked, "of what rests the premium is blocked"


class Odd:
    """A client whose note is not one."""

    def __init__(self, said: object) -> None:
        self._said = said

    def get_virtual_contract_note(self, orders: list[object]) -> object:
        return self._said


@pytest.mark.parametrize("said", [[{"charges": None}], [], None, [{"charges": {"total": "much"}}]])
def test_nothing_filled_costs_nothing_and_an_unreadable_note_is_an_outage(said: object) -> None:
    order = Order(intent=intent("A"), state="COMPLETE", broker_id="1", filled_quantity=LOT, average_paise=100.0)

    assert charges_paise(Odd(said), [Order(intent=intent("A"), state="OPEN")]) == 0  # type: ignore[arg-type]
    with pytest.raises(BrokerDown, match="contract note"):
        charges_paise(Odd(said), [order])  # type: ignore[arg-type]
