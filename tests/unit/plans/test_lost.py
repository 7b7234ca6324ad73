"""An order that the broker no longer lists: its units leave by another, and of two that rest one is taken back."""

import msgspec
import pytest

from core.orders.machine import terms
from core.orders.plans import Bracket, Close, ExitRules, Leg, MultiLeg, Protect, Short, SquareOff, TargetPosition, Twap
from core.orders.plans.plan import PlanBase
from core.records import Order
from tests.fakes_orders import INDEX, LOT, NOON, SECOND, SYMBOL
from tests.unit.plans.desk import Desk, book

WING = SYMBOL.replace("80500", "80000")
COMMON = {"plan_id": "P1", "strategy": "s", "index": INDEX, "created_ns": NOON}


def desk_of(plan: PlanBase, *, held: int = 0) -> Desk:
    desk = Desk(plan, {SYMBOL: book(34_990, 35_000), WING: book(29_990, 30_000)}, lot=LOT)
    desk.base[SYMBOL] = held
    return desk


def bracket(**changes: object) -> Bracket:
    made = Bracket(
        **COMMON, symbol=SYMBOL, side="BUY", quantity=2 * LOT, limit_paise=35_000, exit=ExitRules(stop_paise=30_000)
    )
    return msgspec.structs.replace(made, **changes)


def lose(desk: Desk, order: Order, *, lost: bool = True) -> None:
    desk.wait(20)
    desk.orders[order.intent.tag] = msgspec.structs.replace(desk.orders[order.intent.tag], lost=lost)


def covered() -> tuple[Desk, Order]:
    """A bracket that is entered, its stop lost; the broker refuses what is asked of that."""
    desk = desk_of(bracket())
    desk.turn()
    (stop,) = desk.of("SELL")
    lose(desk, stop)
    return desk, stop


def listed(desk: Desk, side: str = "SELL") -> list[Order]:
    return [order for order in desk.of(side) if order.state == "OPEN" and not order.lost]


def test_what_a_lost_stop_covered_is_covered_by_another() -> None:
    desk, stop = covered()
    desk.refuse_changes = True
    desk.turn()
    (other,) = listed(desk)
    assert terms(other) == terms(stop)
    assert (other.intent.quantity, other.intent.tag != stop.intent.tag) == (2 * LOT, True)
    assert [say.key for say in desk.says if "lost" in say.key] == [f"lost {stop.intent.tag}"]
    desk.run(30)
    assert len(desk.sent) == 3, "the entry, the stop and the other one"
    assert desk.orders[stop.intent.tag].modifications == 0


def test_far_below_a_lost_stop_what_is_held_leaves_and_the_plan_ends_with_the_lost_order() -> None:
    desk, stop = covered()
    desk.refuse_changes = True
    desk.depth[SYMBOL] = book(25_000, 25_010, at_ns=desk.now)
    desk.turn()
    assert (desk.held(SYMBOL), desk.done) == (0, None)
    lose(desk, stop, lost=False)
    desk._advance(stop.intent.tag, "CANCELLED")
    desk.run(2)
    assert desk.done is not None
    assert (desk.done.outcome, desk.done.reason) == ("closed", "stop")


def test_a_plan_that_is_told_to_end_leaves_what_its_lost_stop_covered() -> None:
    desk, _ = covered()
    desk.refuse_changes = True
    desk.ending = "going home"
    desk.turn()
    assert desk.held(SYMBOL) == 0


def test_of_two_stops_the_one_that_was_lost_is_taken_back_when_it_is_listed_again() -> None:
    desk, stop = covered()
    desk.refuse_changes = True
    desk.turn()
    desk.refuse_changes = False
    lose(desk, stop, lost=False)
    desk.turn()
    assert desk.orders[stop.intent.tag].state == "CANCELLED"
    assert [order.intent.quantity for order in listed(desk)] == [2 * LOT]


def test_a_lost_stop_that_is_listed_again_before_another_went_out_stays() -> None:
    desk, stop = covered()
    lose(desk, stop, lost=False)
    assert desk.turn() == ()


def test_what_was_sent_for_a_lost_stop_and_is_lost_too_is_for_a_person() -> None:
    desk, _ = covered()
    desk.refuse_changes = True
    desk.turn()
    desk.wait(20)
    for order in listed(desk):
        lose(desk, order)
    desk.run(60)
    assert len(desk.of("SELL")) == 2
    assert desk.alarmed()
    assert desk.done is not None
    assert desk.done.outcome == "failed"


def test_two_stops_that_both_filled_are_an_alarm() -> None:
    desk, stop = covered()
    desk.refuse_changes = True
    desk.turn()
    lose(desk, stop, lost=False)
    for order in desk.of("SELL"):
        desk._advance(order.intent.tag, "OPEN", 2 * LOT)
    desk.run(2)
    assert any(say.severity == "alarm" and "too many" in say.message for say in desk.says)
    assert desk.done is not None
    assert desk.done.outcome == "failed"


def test_a_protected_position_is_protected_again() -> None:
    desk = desk_of(Protect(**COMMON, symbol=SYMBOL, quantity=2 * LOT, exit=ExitRules(stop_paise=30_000)), held=2 * LOT)
    desk.turn()
    (stop,) = desk.of("SELL")
    lose(desk, stop)
    desk.refuse_changes = True
    desk.turn()
    assert [order.intent.quantity for order in listed(desk)] == [2 * LOT]


@pytest.mark.parametrize("again", [True, False])
def test_a_square_off_sends_another_and_takes_one_back(*, again: bool) -> None:
    desk = desk_of(SquareOff(**COMMON, positions=(Close(symbol=SYMBOL, quantity=2 * LOT),)), held=2 * LOT)
    desk.fill_share = 0.0
    desk.turn()
    (first,) = desk.of("SELL")
    lose(desk, first)
    desk.refuse_changes = True
    desk.turn()
    (second,) = listed(desk)
    assert second.intent.quantity == 2 * LOT
    if again:
        desk.refuse_changes = False
        lose(desk, first, lost=False)
        desk.run(2)
        assert desk.orders[first.intent.tag].state == "CANCELLED"
    desk._advance(second.intent.tag, "OPEN", 2 * LOT)
    desk.run(2)
    assert (desk.done is not None) == again, "it waits for the end of what is lost"


def test_a_target_of_nothing_is_reached_past_a_lost_exit() -> None:
    desk = desk_of(TargetPosition(**COMMON, symbol=SYMBOL, target=0, limit_paise=36_000), held=2 * LOT)
    desk.turn()
    (first,) = desk.of("SELL")
    lose(desk, first)
    desk.refuse_changes = True
    desk.run(2)
    assert [order.intent.quantity for order in listed(desk)] == [2 * LOT]
    desk.refuse_changes = False
    lose(desk, first, lost=False)
    desk.run(5)
    assert sum(order.intent.quantity for order in listed(desk)) == 2 * LOT


def test_a_lost_entry_is_not_sent_again() -> None:
    end_ns = NOON + 100 * SECOND
    desk = desk_of(
        Twap(
            **COMMON,
            symbol=SYMBOL,
            side="BUY",
            quantity=2 * LOT,
            start_ns=NOON,
            end_ns=end_ns,
            slices=2,
            limit_paise=34_000,
        )
    )
    desk.turn()
    (first,) = desk.of("BUY")
    lose(desk, first)
    desk.refuse_changes = True
    desk.run(60)
    assert [order.intent.quantity for order in desk.of("BUY")] == [LOT, LOT]


def test_legs_are_undone_past_a_lost_entry_but_a_hedge_stays_while_its_short_may_fill() -> None:
    plan = MultiLeg(
        **COMMON,
        hedges=(Leg(symbol=WING, quantity=2 * LOT, limit_paise=30_000),),
        shorts=(
            Short(symbol=SYMBOL, quantity=LOT, limit_paise=34_990, hedge=0),
            Short(symbol=SYMBOL, quantity=LOT, limit_paise=40_000, hedge=0),
        ),
    )
    desk = desk_of(plan)
    desk.turn()
    (lost,) = listed(desk)
    lose(desk, lost)
    desk.refuse_changes = True
    desk.run(60)
    assert (desk.held(SYMBOL), desk.held(WING)) == (0, 2 * LOT)
    lose(desk, lost, lost=False)
    desk._advance(lost.intent.tag, "CANCELLED")
    desk.run(5)
    assert desk.held(WING) == 0
    assert desk.done is not None
    assert desk.done.outcome == "unwound"


def test_what_is_sent_for_a_lost_stop_is_sent_again_if_it_ends_unfilled() -> None:
    desk, _ = covered()
    desk.refuse_changes = True
    desk.turn()
    (other,) = listed(desk)
    desk._advance(other.intent.tag, "OPEN", LOT)
    desk._advance(other.intent.tag, "CANCELLED")
    desk.run(5)
    assert [order.intent.quantity for order in listed(desk)] == [LOT]
