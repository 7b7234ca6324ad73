"""Getting flat at a broker that confirms cancels late and lists trades behind its book."""

import datetime as dt

import msgspec
import pytest

from core.errors import DeskError
from core.market import to_ns
from core.orders.answer import Answer
from tests.fakes_orders import IST, LOT, intent
from tests.world_oms import World, leave, leaving_world

OTHER = "NIFTY2590924500CE"


@pytest.fixture
def world() -> World:
    return leaving_world()


def put(world: World, tag: str, **changes: object) -> None:
    world.broker.orders[tag] = msgspec.structs.replace(world.broker.orders[tag], **changes)


def test_an_exit_whose_cancel_is_not_confirmed_is_told_and_the_timer_sells_when_it_is(world: World) -> None:
    world.broker.slow = True
    first = world.oms.exit_all("kill switch")
    meanwhile = world.sold()
    world.later(0.5)
    world.broker.confirm()
    world.later(0.5)

    assert [(order.intent.tag, order.state) for order in first] == [("X", "REFUSED")]
    assert first[0].message == "it is still OPEN: asked to cancel it; the broker has not confirmed that yet"
    assert (meanwhile, world.sold()) == ([("OPEN", 2 * LOT)], [("OPEN", 2 * LOT)])
    assert (world.broker.orders["X"].state, len(world.broker.placed)) == ("CANCELLED", 3)
    assert any("has not confirmed" in said for said in world.ledger.alerts())


def test_what_filled_while_the_cancel_was_on_its_way_is_not_sold_again(world: World) -> None:
    world.broker.slow = True
    world.oms.exit_all("kill switch")
    world.broker.fill("X", LOT, 35_000)
    world.broker.confirm()
    world.later(0.5)

    assert world.sold() == [("OPEN", LOT)]


def test_an_entry_that_fills_while_its_cancel_is_on_its_way_is_sold_by_the_timer(world: World) -> None:
    world.oms.submit(intent("E", quantity=3 * LOT))
    world.broker.slow = True
    world.oms.exit_all("kill switch")
    world.broker.fill("E", LOT, 35_000)
    world.broker.confirm()
    world.later(0.5)

    assert world.sold() == [("OPEN", 3 * LOT)]


def test_a_cancel_whose_confirmation_the_outage_hides_is_followed_up(world: World) -> None:
    cancel = world.broker.cancel

    def last(broker_id: str) -> Answer:
        answer = cancel(broker_id)
        world.broker.away = True
        return answer

    world.broker.cancel = last  # type: ignore[method-assign]
    first = world.oms.exit_all("kill switch")
    world.later(30)
    world.broker.away = False
    world.later(0.5)

    assert [order.state for order in first] == ["REFUSED"]
    assert world.sold() == [("OPEN", 2 * LOT)]


def test_a_cancel_the_ledger_did_not_hear_of_is_followed_up_when_it_is_back(world: World) -> None:
    cancel = world.broker.cancel

    def last(broker_id: str) -> Answer:
        world.ledger.down = lambda name: True
        return cancel(broker_id)

    world.broker.cancel = last  # type: ignore[method-assign]
    first = world.oms.exit_all("kill switch")
    world.later(300)
    world.ledger.down = lambda name: False
    world.later(0.5)

    assert [order.state for order in first] == ["REFUSED"]
    assert first[0].message == "it is still OPEN: asked to cancel it; the ledger is away: record_order: no connection"
    assert world.sold() == [("OPEN", 2 * LOT)]


def test_a_cancel_without_an_answer_is_asked_again_and_given_up_with_an_alarm(world: World) -> None:
    asked = []

    def silent(broker_id: str) -> Answer:
        asked.append(broker_id)
        raise DeskError("connection reset")

    world.broker.cancel = silent  # type: ignore[method-assign]
    world.oms.exit_all("kill switch")
    world.later(1)
    again = len(asked)
    world.clock.sleep(75)
    world.oms.on_timer()
    given_up = len(asked)
    world.later(1)

    assert (again, given_up, len(asked)) == (2, 2, 2)
    assert any("given up after 75 s, cancel it by hand" in said for said in world.ledger.alerts())


def test_cancels_take_two_seconds_at_a_time_and_the_timer_asks_the_others(world: World) -> None:
    for number in range(3):
        world.oms.submit(intent(f"R{number}"))
    cancel = world.broker.cancel

    def long(broker_id: str) -> Answer:
        world.clock.sleep(1.5)
        return cancel(broker_id)

    world.broker.cancel = long  # type: ignore[method-assign]
    before = world.clock.wall
    first = world.oms.exit_all("kill switch")
    took_s = (world.clock.wall - before) / 1e9
    world.later(0.5)
    second = world.sold()
    world.later(0.5)

    assert took_s == 3
    assert [order.message for order in first] == [
        "it is still OPEN: asked to cancel it; the broker has not confirmed that yet"
    ] * 2 + ["it is still OPEN: not cancelled yet: the broker took long over the others"] * 2
    assert second == [("OPEN", 2 * LOT)], "the exit goes out before the other cancels, which take long"
    assert [order.intent.side for order in world.oms.orders() if order.state == "OPEN"] == ["SELL"]


def test_a_cancel_that_is_not_confirmed_says_so(world: World) -> None:
    world.broker.slow = True
    order = world.oms.cancel("X")

    assert (order.state, order.message) == ("OPEN", "asked to cancel it; the broker has not confirmed that yet")
    assert world.ledger.table["X"].message == ""


def test_an_exit_the_book_calls_complete_before_its_trade_is_listed_is_not_sold_again(world: World) -> None:
    world.broker.lags(True)
    world.broker.fill("X", 2 * LOT, 35_000)
    world.later(0.5)
    order, second = world.order("X"), world.oms.submit(leave("Y", 2 * LOT))
    flat = world.oms.exit_all("kill switch")
    working = set(world.risk.working)
    world.broker.lags(False)
    world.later(0.5)

    assert (order.state, order.filled_quantity, second.state) == ("OPEN", 0, "REFUSED")
    assert [(one.intent.tag, one.state) for one in flat] == [("X", "REFUSED")]
    assert (working, world.risk.working) == ({"X"}, set())
    assert (world.order("X").state, world.oms.positions()[0].quantity, world.sold()) == ("COMPLETE", 0, [])


def test_a_part_filled_before_the_cancel_and_listed_late_is_not_sold_again(world: World) -> None:
    world.broker.lags(True)
    world.broker.fill("X", LOT, 35_000)
    world.oms.exit_all("kill switch")
    during = world.sold()
    world.broker.lags(False)
    world.later(0.5)

    assert (during, world.sold()) == ([], [("OPEN", LOT)])
    assert (world.order("X").state, world.order("X").filled_quantity) == ("CANCELLED", LOT)


def test_an_entry_the_book_calls_complete_before_its_trade_is_listed_is_exited_when_it_is() -> None:
    world = World()
    world.oms.submit(intent("E"))
    world.broker.lags(True)
    world.broker.fill("E", LOT, 35_000)
    first = world.oms.exit_all("kill switch")
    world.broker.lags(False)
    world.later(0.5)

    assert [(order.intent.tag, order.state) for order in first] == [("E", "REFUSED")]
    assert world.sold() == [("OPEN", LOT)]


def test_an_order_its_trades_never_explain_is_an_alarm(world: World) -> None:
    world.broker.lags(True)
    world.broker.fill("X", 2 * LOT, 35_000)
    world.later(0.5)
    early = world.ledger.alerts()
    world.later(15)
    world.later(15)

    assert early == []
    assert [said for said in world.ledger.alerts() if "its trades make 0" in said] == world.ledger.alerts()
    assert len(world.ledger.alerts()) == 1


def test_a_trade_a_list_without_an_order_of_its_own_hides_is_found(world: World) -> None:
    """A list that was read to its end and then shows an older trade in front."""
    world.broker.lags(True)
    late = world.broker.fill("X", 2 * LOT, 35_000)
    world.later(0.5)
    world.broker.lags(False)
    world.broker.fills.remove(late)
    world.broker.fills.insert(0, late)
    world.later(0.5)
    world.later(0.5)

    assert world.order("X").state == "COMPLETE"


def spread() -> World:
    """A wing bought first, and the short it covers."""
    world = World()
    world.oms.submit(intent("WING", symbol=OTHER, index="NIFTY", quantity=75))
    world.broker.fill("WING", 75, 1_000)
    world.oms.submit(intent("SHORT", side="SELL"))
    world.broker.fill("SHORT", LOT, 35_000)
    world.later(0.5)
    return world


def test_what_is_short_is_bought_back_before_what_covers_it_is_sold() -> None:
    sent = spread().oms.exit_all("kill switch")

    assert [(order.intent.side, order.state) for order in sent] == [("BUY", "OPEN"), ("SELL", "OPEN")]


@pytest.mark.parametrize(
    ("symbol", "lots", "units", "slices"),
    [("NIFTY26D0125000CE", 20, 65, [1755, 845]), ("MIDCPNIFTY26DEC13000CE", 12, 120, [2760, 120])],
)
def test_a_position_above_the_freeze_quantity_is_closed_in_whole_lots(
    symbol: str, lots: int, units: int, slices: list[int]
) -> None:
    world = World()
    world.clock.now = to_ns(dt.datetime(2026, 11, 23, 12, 0, tzinfo=IST))
    for tag in ("ONE", "TWO"):
        index = "NIFTY" if symbol.startswith("NIFTY") else "MIDCPNIFTY"
        sent = world.oms.submit(intent(tag, symbol=symbol, index=index, quantity=lots * units))
        put(world, tag, updated_ns=world.clock.now)
        world.broker.fill(tag, sent.intent.quantity, 35_000)
    world.oms.on_timer()
    sent = world.oms.exit_all("kill switch")

    assert [(order.state, order.intent.quantity) for order in sent] == [("OPEN", each) for each in slices]
