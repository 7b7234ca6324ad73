"""The production adapter against the local exchange: what it answers, also when the broker misbehaves."""

import pickle
import time
from collections.abc import Callable, Iterator

import pytest

from brokers.kite.broker import KiteBroker, KiteConfig
from core.errors import BrokerDown
from core.orders.tag import make_tag
from core.records import Intent, Order, OrderType, Side
from core.schemas import NO_TICKS
from exchange.faults import Fault
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.exchange.test_orders import order_of as asked
from tests.unit.exchange.test_orders import traded_option


@pytest.fixture
def broker(served: Served) -> Iterator[KiteBroker]:
    kite = served.client()
    config = KiteConfig(api_key="vikalp", root=served.root, timeout_s=30.0)
    yield KiteBroker(config, lambda: str(kite.access_token))
    served.world.faults.stop()


@pytest.fixture
def hasty(served: Served, broker: KiteBroker) -> KiteBroker:
    """The same session, for the answers that never come: half a second of patience."""
    return KiteBroker(KiteConfig(api_key="vikalp", root=served.root, timeout_s=0.5), broker._token)


def intent(served: Served, seed: str, *, side: Side = "BUY", order_type: OrderType = "LIMIT", paise: int = 0) -> Intent:
    one = traded_option(served)
    low = round(asked(served, one)["price"] * 100)
    limit = 0 if order_type == "MARKET" else paise or low
    return Intent(
        tag=make_tag(seed), strategy="manual", index="NIFTY", symbol=one.symbol, side=side, quantity=one.lot,
        order_type=order_type, limit_paise=limit,
    )  # fmt: skip


def until(broker: KiteBroker, tag: str, done: Callable[[Order], bool]) -> Order:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = broker.find(tag)
        if found is not None and done(found):
            return found
        time.sleep(0.15)  # eight reads a second are what the account allows itself
    raise AssertionError(f"{found}")


def cancelled(broker: KiteBroker, broker_id: str) -> None:
    """The exchange cancels no order on its way to the book, which takes it some milliseconds."""
    end = time.monotonic() + 30
    while (answer := broker.cancel(broker_id)).kind != "ACK":
        assert "being processed" in answer.message, answer
        assert time.monotonic() < end
        time.sleep(0.15)


def test_an_order_is_placed_found_by_its_tag_and_cancelled(served: Served, broker: KiteBroker) -> None:
    order = intent(served, "rests")
    answer = broker.place(order)
    assert (answer.kind, bool(answer.broker_id)) == ("ACK", True)
    found = until(broker, order.tag, lambda it: it.broker_id == answer.broker_id)
    assert (found.intent.symbol, found.intent.limit_paise, found.state) == (order.symbol, order.limit_paise, "OPEN")
    cancelled(broker, answer.broker_id)
    assert until(broker, order.tag, lambda it: it.state != "OPEN").state == "CANCELLED"
    assert broker.find(make_tag("never placed")) is None


def test_a_market_order_goes_out_protected_and_its_trades_come_back_with_its_tag(
    served: Served, broker: KiteBroker
) -> None:
    order = intent(served, "market", order_type="MARKET")
    assert broker.place(order).kind == "ACK"
    done = until(broker, order.tag, lambda it: it.state == "COMPLETE")
    fills = [fill for fill in broker.trades() if fill.tag == order.tag]
    assert sum(fill.quantity for fill in fills) == done.filled_quantity == order.quantity
    worth = sum(fill.quantity * fill.price_paise for fill in fills) / order.quantity
    assert done.average_paise == pytest.approx(worth, abs=0.01)
    assert abs(fills[0].at_ns - served.world.clock.now_ns()) < 60 * 1_000_000_000


def test_ticks_fill_nothing_at_kite_and_ask_it_nothing(served: Served) -> None:
    broker = KiteBroker(KiteConfig(api_key="vikalp", root=served.root), str)
    assert broker.on_ticks(NO_TICKS) is False
    assert broker._access._client is None


def test_a_broker_travels_before_it_is_used(served: Served) -> None:
    broker = KiteBroker(KiteConfig(api_key="vikalp", root=served.root), str)
    assert pickle.loads(pickle.dumps(broker))._config == broker._config


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.TOO_MANY, "REFUSED"),
        (Fault.BAD_GATEWAY, "UNKNOWN"),
        (Fault.UNAVAILABLE, "UNKNOWN"),
        (Fault.SLOW, "UNKNOWN"),
    ],
)
def test_what_the_broker_does_is_an_answer_and_never_raises(
    served: Served, broker: KiteBroker, hasty: KiteBroker, fault: Fault, kind: str
) -> None:
    served.world.fault(fault, uses=1)
    assert (hasty if fault == Fault.SLOW else broker).place(intent(served, f"fault {fault}")).kind == kind


def test_an_order_whose_answer_is_lost_is_unknown_and_there_once(
    served: Served, broker: KiteBroker, hasty: KiteBroker
) -> None:
    order = intent(served, "lost answer")
    served.world.fault(Fault.ACCEPT_THEN_TIMEOUT, uses=1)
    assert hasty.place(order).kind == "UNKNOWN"
    assert until(broker, order.tag, lambda it: it.state == "OPEN").intent.quantity == order.quantity
    assert [it.intent.tag for it in broker.book()].count(order.tag) == 1


def test_an_order_shown_late_is_not_there_and_then_is(served: Served, broker: KiteBroker, wall: Wall) -> None:
    order = intent(served, "late")
    served.world.fault(Fault.LATE_IN_THE_BOOK, uses=1)
    assert broker.place(order).kind == "ACK"
    assert broker.find(order.tag) is None
    wall.on(91)
    assert until(broker, order.tag, lambda _: True).state in {"OPEN", "COMPLETE"}


def test_a_book_that_cannot_be_read_is_no_empty_book(served: Served, broker: KiteBroker, hasty: KiteBroker) -> None:
    for fault in (Fault.BAD_GATEWAY, Fault.UNAVAILABLE, Fault.SLOW):
        served.world.fault(fault, uses=1)
        with pytest.raises(BrokerDown, match="orders cannot be read"):
            (hasty if fault == Fault.SLOW else broker).book()


def test_a_dead_token_refuses_and_the_next_call_asks_for_a_new_one(served: Served) -> None:
    clients = [served.client()]
    broker = KiteBroker(KiteConfig(api_key="vikalp", root=served.root), lambda: str(clients[-1].access_token))
    assert isinstance(broker.book(), list)
    served.do(lambda: served.world.fault(Fault.TOKEN_DEATH))
    assert broker.place(intent(served, "dead token")).kind == "REFUSED"
    clients.append(served.client())
    assert broker.place(intent(served, "new token")).kind == "ACK"


def test_what_another_program_placed_is_not_shown(served: Served) -> None:
    kite = served.client()
    one = traded_option(served)
    mine = KiteBroker(KiteConfig(api_key="vikalp", root=served.root), lambda: str(kite.access_token))
    kite.place_order(**asked(served, one, tag=None))
    kite.place_order(**asked(served, one, tag="lower case"))
    before = {row["order_id"] for row in kite.orders() if row["tag"] in {None, "lower case"}}
    own = mine.place(intent(served, "among others"))
    shown = {order.broker_id for order in mine.book()}
    assert own.broker_id in shown
    assert len(before) >= 2
    assert not before & shown
