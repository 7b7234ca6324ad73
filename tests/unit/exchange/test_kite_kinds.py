"""The production adapter's order kinds against the local exchange, over HTTP."""

import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

from brokers.kite.broker import KiteBroker, KiteConfig
from core.errors import BrokerDown, InputError
from core.orders.gtt import is_of
from core.orders.machine import terms
from core.orders.plans.plan import GttLeg, PlaceGtt
from core.orders.tag import make_tag
from core.records import Intent, Order, Terms
from core.schemas import Kind
from exchange.faults import Fault
from exchange.limits import Rates
from exchange.listing import Instrument
from exchange.orders.order import Status
from tests.unit.exchange.conftest import Served
from tests.unit.exchange.test_kite_broker import cancelled, intent, until
from tests.unit.exchange.test_orders import traded_option


@pytest.fixture
def broker(served: Served) -> Iterator[KiteBroker]:
    kite = served.client()
    config = KiteConfig(api_key="vikalp", root=served.root, timeout_s=30.0)
    yield KiteBroker(config, lambda: str(kite.access_token))
    served.world.faults.stop()


@pytest.fixture
def hasty(served: Served, broker: KiteBroker) -> KiteBroker:
    """The same session with half a second of patience."""
    return KiteBroker(KiteConfig(api_key="vikalp", root=served.root, timeout_s=0.5), broker._token)


def tick(paise: float) -> int:
    return max(5, round(paise / 5) * 5)


def last_of(served: Served, one: Instrument) -> int:
    return int(served.world.day.quotes.last[one.place])


def stop(served: Served, seed: str) -> Intent:
    """A buy that waits a tenth above the last price."""
    last = last_of(served, traded_option(served))
    order = intent(served, seed)
    return msgspec.structs.replace(
        order, order_type="SL", trigger_paise=tick(last * 1.1), limit_paise=tick(last * 1.15)
    )


def sent(broker: KiteBroker, order: Intent, done: Callable[[Order], bool] = bool) -> Order:
    answer = broker.place(order)
    assert answer.kind == "ACK", answer.message
    return until(broker, order.tag, lambda it: bool(it.broker_id) and done(it))


def status(served: Served, broker_id: str) -> Status:
    return served.do(lambda: served.world.engine.orders[broker_id].status)


def standing(served: Served, broker_id: str, wanted: Status) -> None:
    end = time.monotonic() + 30
    while (now := status(served, broker_id)) != wanted:
        assert time.monotonic() < end, now
        time.sleep(0.02)


def test_a_stop_goes_out_with_its_trigger_and_reads_back_as_it_rests(served: Served, broker: KiteBroker) -> None:
    order = stop(served, "kinds stop")
    found = sent(broker, order)
    standing(served, found.broker_id, Status.TRIGGER_PENDING)
    found = until(broker, order.tag, lambda it: it.state == "OPEN")
    asked = Terms(order_type="SL", limit_paise=order.limit_paise, trigger_paise=order.trigger_paise)
    assert (terms(found), found.intent.order_type, found.modifications) == (asked, "SL", 0)
    assert served.world.engine.orders[found.broker_id].asked.product == order.product
    cancelled(broker, found.broker_id)


def test_a_resting_stop_is_modified_into_a_limit_and_back_and_the_book_tells(
    served: Served, broker: KiteBroker
) -> None:
    order = stop(served, "kinds bracket")
    found = sent(broker, order)
    standing(served, found.broker_id, Status.TRIGGER_PENDING)
    last = order.trigger_paise / 1.1  # of its own contract: the most traded one may be another by now
    target = Terms(order_type="LIMIT", limit_paise=tick(last * 0.8))
    answer = broker.modify(found.broker_id, target)
    assert (answer.kind, answer.broker_id) == ("ACK", found.broker_id)
    moved = until(broker, order.tag, lambda it: terms(it) == target)
    assert (moved.state, moved.modifications, moved.intent.quantity) == ("OPEN", 1, order.quantity)
    standing(served, found.broker_id, Status.OPEN)
    again = Terms(order_type="SL", limit_paise=order.limit_paise, trigger_paise=order.trigger_paise)
    assert broker.modify(found.broker_id, again).kind == "ACK"
    until(broker, order.tag, lambda it: terms(it) == again)
    standing(served, found.broker_id, Status.TRIGGER_PENDING)
    cancelled(broker, found.broker_id)


def test_a_limit_modified_to_market_goes_out_protected(served: Served, broker: KiteBroker) -> None:
    order = intent(served, "kinds to market")
    found = sent(broker, order)
    standing(served, found.broker_id, Status.OPEN)
    assert broker.modify(found.broker_id, Terms(order_type="MARKET")).kind == "ACK"
    assert until(broker, order.tag, lambda it: it.state == "COMPLETE").filled_quantity == order.quantity


def test_an_ioc_order_does_not_rest(served: Served, broker: KiteBroker) -> None:
    order = msgspec.structs.replace(intent(served, "kinds ioc"), validity="IOC")
    found = sent(broker, order, lambda it: it.state != "OPEN")
    assert (found.state, found.filled_quantity, found.intent.validity) == ("CANCELLED", 0, "IOC")


def test_an_after_market_order_is_changed_and_cancelled_by_its_variety(served: Served, broker: KiteBroker) -> None:
    order = msgspec.structs.replace(intent(served, "kinds amo"), variety="amo")
    found = sent(broker, order)
    standing(served, found.broker_id, Status.AMO_RECEIVED)
    found = until(broker, order.tag, lambda it: True)
    assert (found.state, found.intent.variety, broker._varieties[found.broker_id]) == ("OPEN", "amo", "amo")
    fresh = KiteBroker(broker._config, broker._token)  # a process that did not send it knows it from the book
    stranger = fresh.cancel(found.broker_id)
    assert (stranger.kind, "the order is amo" in stranger.message) == ("REFUSED", True)
    fresh.book()
    assert fresh.modify(found.broker_id, Terms(order_type="LIMIT", limit_paise=order.limit_paise - 5)).kind == "ACK"
    until(broker, order.tag, lambda it: terms(it).limit_paise == order.limit_paise - 5)
    standing(served, found.broker_id, Status.AMO_RECEIVED)
    cancelled(fresh, found.broker_id)
    assert until(broker, order.tag, lambda it: it.state != "OPEN").state == "CANCELLED"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"limit_paise": 3}, "Tick size"),
        ({"order_type": "SL", "limit_paise": 100, "trigger_paise": 200}, "Trigger price can't be higher than price"),
    ],
)
def test_what_kite_refuses_to_change_is_as_it_was(
    served: Served, broker: KiteBroker, change: dict[str, object], says: str
) -> None:
    order = intent(served, f"kinds refused {says}")
    found = sent(broker, order)
    standing(served, found.broker_id, Status.OPEN)
    asked = msgspec.structs.replace(Terms(order_type="LIMIT", limit_paise=order.limit_paise), **change)
    answer = broker.modify(found.broker_id, asked)
    assert (answer.kind, answer.again) == ("REFUSED", False)
    assert says in answer.message
    assert terms(until(broker, order.tag, lambda _: True)) == terms(found)
    cancelled(broker, found.broker_id)
    over = broker.modify(found.broker_id, Terms(order_type="LIMIT", limit_paise=order.limit_paise - 5))
    assert (over.kind, over.again) == ("REFUSED", "being processed" in over.message)


def test_an_order_on_its_way_can_be_changed_a_moment_later(served: Served, broker: KiteBroker) -> None:
    order = intent(served, "kinds on its way")
    found = broker.place(order)
    early = broker.modify(found.broker_id, Terms(order_type="LIMIT", limit_paise=order.limit_paise - 5))
    if early.kind == "REFUSED":
        assert (early.again, "being processed" in early.message) == (True, True)
    standing(served, found.broker_id, Status.OPEN)
    cancelled(broker, found.broker_id)


@pytest.mark.parametrize(("fault", "done"), [(Fault.ACCEPT_THEN_TIMEOUT, True), (Fault.BAD_GATEWAY, False)])
def test_a_modification_without_a_clear_answer_is_unknown_and_the_book_tells(
    served: Served,
    broker: KiteBroker,
    hasty: KiteBroker,
    fault: Fault,
    done: bool,  # noqa: FBT001
) -> None:
    order = intent(served, f"kinds lost {fault}")
    found = sent(broker, order)
    standing(served, found.broker_id, Status.OPEN)
    wanted = Terms(order_type="LIMIT", limit_paise=order.limit_paise - 5)
    served.world.fault(fault, uses=1)
    assert hasty.modify(found.broker_id, wanted).kind == "UNKNOWN"
    rests = until(broker, order.tag, lambda it: (terms(it) == wanted) == done)
    assert rests.state == "OPEN"
    cancelled(broker, found.broker_id)


def test_one_order_modified_too_often_lets_no_other_cool_down(served: Served, broker: KiteBroker) -> None:
    order = intent(served, "kinds often")
    found = sent(broker, order)
    standing(served, found.broker_id, Status.OPEN)
    served.do(lambda: setattr(served.world.engine.orders[found.broker_id], "modifications", 25))
    before = served.world.config
    served.world.config = before.__class__(**(before.__dict__ | {"rates": Rates()}))
    try:
        answer = broker.modify(found.broker_id, Terms(order_type="LIMIT", limit_paise=order.limit_paise - 5))
    finally:
        served.world.config = before
    assert (answer.kind, answer.again) == ("REFUSED", False)
    assert "modifications exceeded" in answer.message
    cancelled(broker, found.broker_id)


def test_the_funds_are_those_of_the_account(served: Served, broker: KiteBroker) -> None:
    end = time.monotonic() + 30
    while not served.do(lambda: all(one.ended for one in served.world.engine.orders.values())):
        assert time.monotonic() < end, "what another test cancelled blocks funds until it is over"
        time.sleep(0.02)
    funds, row = broker.margins(), served.client().margins("equity")
    assert funds.available_paise == pytest.approx(row["net"] * 100, abs=100)
    assert funds.used_paise == pytest.approx(row["utilised"]["debits"] * 100, abs=100)
    assert abs(funds.at_ns - time.time_ns()) < 60 * 1_000_000_000
    served.world.fault(Fault.BAD_GATEWAY, uses=1)
    with pytest.raises(BrokerDown, match="margins cannot be read"):
        broker.margins()


def test_a_position_is_converted_and_the_positions_tell(served: Served, broker: KiteBroker) -> None:
    order = intent(served, "kinds convert", order_type="MARKET")
    sent(broker, order, lambda it: it.state == "COMPLETE")
    before = broker.positions()
    assert broker.convert(order.symbol, "NRML", "MIS", order.quantity).kind == "ACK"
    after = broker.positions()
    assert after[order.symbol, "MIS"] - before.get((order.symbol, "MIS"), 0) == order.quantity
    assert before[order.symbol, "NRML"] - after.get((order.symbol, "NRML"), 0) == order.quantity
    too_many = broker.convert(order.symbol, "MIS", "NRML", 1_000 * order.quantity)
    assert (too_many.kind, "cannot be converted" in too_many.message) == ("REFUSED", True)
    assert broker.convert(order.symbol, "MIS", "NRML", order.quantity).kind == "ACK"
    with pytest.raises(InputError, match="0 units"):
        broker.convert(order.symbol, "MIS", "NRML", 0)


def put_of(served: Served) -> Instrument:
    """Another contract than the other tests trade."""
    day, call = served.world.day, traded_option(served)
    return next(one for one in day.listing.instruments
                if (one.kind, one.expiry, one.strike_paise) == (Kind.PUT, call.expiry, call.strike_paise))  # fmt: skip


def two_legs(served: Served, of: Instrument, seed: str, low: float = 0.7, high: float = 1.4) -> PlaceGtt:
    last = last_of(served, of)
    legs = [GttLeg(trigger_paise=tick(last * one), limit_paise=tick(last * one * 0.97)) for one in (low, high)]
    return PlaceGtt(
        name=make_tag(seed), symbol=of.symbol, side="SELL", quantity=of.lot, last_paise=last,
        legs=(legs[0], legs[1]),
    )  # fmt: skip


def test_a_trigger_of_two_legs_is_placed_listed_and_deleted(served: Served, broker: KiteBroker) -> None:
    one = put_of(served)
    asked, since = two_legs(served, one, "gtt"), served.world.clock.now_ns()
    answer = broker.place_gtt(asked)
    assert (answer.kind, answer.broker_id.isdecimal()) == ("ACK", True)
    (listed,) = [row for row in broker.gtts() if row.trigger_id == answer.broker_id]
    assert (listed.status, listed.fired, listed.order_id, listed.product) == ("active", -1, "", "NRML")
    assert is_of(listed, asked, since)
    assert not is_of(listed, asked, since + 2_000_000_000)
    assert not is_of(listed, msgspec.structs.replace(asked, quantity=2 * one.lot), since)
    assert broker.cancel_gtt(answer.broker_id).kind == "ACK"
    assert next(row for row in broker.gtts() if row.trigger_id == answer.broker_id).status == "gone"
    again = broker.cancel_gtt(answer.broker_id)
    assert (again.kind, "deleted" in again.message) == ("REFUSED", True)


def test_a_trigger_between_whose_legs_the_price_is_not_is_refused(served: Served, broker: KiteBroker) -> None:
    answer = broker.place_gtt(two_legs(served, put_of(served), "gtt none", low=1.1))
    assert (answer.kind, "between the two triggers" in answer.message) == ("REFUSED", True)


def test_a_trigger_whose_answer_is_lost_is_found_among_those_listed(
    served: Served, broker: KiteBroker, hasty: KiteBroker
) -> None:
    asked, since = two_legs(served, put_of(served), "gtt lost", high=1.45), served.world.clock.now_ns()
    served.world.fault(Fault.BAD_GATEWAY, uses=1)
    assert hasty.place_gtt(asked).kind == "UNKNOWN"
    assert [row for row in broker.gtts() if is_of(row, asked, since)] == []
    served.world.fault(Fault.SLOW, uses=1)
    assert hasty.place_gtt(asked).kind == "UNKNOWN"
    end = time.monotonic() + 30
    while not (found := [row for row in broker.gtts() if is_of(row, asked, since)]):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert broker.cancel_gtt(found[0].trigger_id).kind == "ACK"


def test_what_a_trigger_sent_is_an_order_of_ours_once_it_is_adopted(served: Served, broker: KiteBroker) -> None:
    one = put_of(served)
    asked = msgspec.structs.replace(two_legs(served, one, "gtt fires"), side="BUY")
    high = msgspec.structs.replace(asked.legs[1], limit_paise=tick(last_of(served, one) * 1.2))
    asked = msgspec.structs.replace(asked, legs=(asked.legs[0], high))
    trigger_id = broker.place_gtt(asked).broker_id

    def rise() -> None:
        quotes, before = served.world.day.quotes, last_of(served, one)
        quotes.last[one.place] = asked.legs[1].trigger_paise
        served.world.triggers.fire([one.place])
        quotes.last[one.place] = before

    served.do(rise)
    fired = next(row for row in broker.gtts() if row.trigger_id == trigger_id)
    assert (fired.status, fired.fired, fired.order_failed, bool(fired.order_id)) == ("triggered", 1, False, True)
    assert broker.find(asked.name) is None
    broker.adopt(fired.order_id, asked.name)
    order = until(broker, asked.name, lambda it: it.state == "COMPLETE")
    assert (order.broker_id, order.filled_quantity) == (fired.order_id, one.lot)
    assert sum(fill.quantity for fill in broker.trades() if fill.tag == asked.name) == one.lot
