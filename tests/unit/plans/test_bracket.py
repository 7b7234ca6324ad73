"""A bracket: one order covers what fills, the target is watched, a jumped stop is re-priced, nothing is sold twice."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.orders import plans
from core.orders.machine import terms
from core.orders.plans import Bracket, ExitRules, Modify, Protect, Send, Trail, exit_reason
from tests.fakes_orders import INDEX, LOT, NOON, SECOND, SYMBOL
from tests.unit.plans.desk import Desk, book, random_day

RULES = ExitRules(stop_paise=30_000, target_paise=42_000)


def bracket(**changes: object) -> Bracket:
    made = Bracket(
        plan_id="B1", strategy="s", index=INDEX, created_ns=NOON, symbol=SYMBOL, side="BUY", quantity=5 * LOT,
        limit_paise=35_000, exit=RULES,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def desk_of(plan: Bracket | Protect, bid: int = 34_990, ask: int = 35_000, **more: object) -> Desk:
    desk = Desk(plan, {SYMBOL: book(bid, ask)}, lot=LOT, **more)
    desk.checks.append(never_more_out_than_in)
    desk.checks.append(one_stop_for_a_unit)
    return desk


def never_more_out_than_in(desk: Desk) -> None:
    exits, entries = ("SELL", "BUY") if entry_side(desk) == "BUY" else ("BUY", "SELL")
    assert desk.filled(exits) + desk.working(exits) <= desk.filled(entries) + abs(sum(desk.base.values()))


def one_stop_for_a_unit(desk: Desk) -> None:
    """Orders that may take off a unit never outnumber the units, whatever their kind."""
    exits = "SELL" if entry_side(desk) == "BUY" else "BUY"
    assert desk.working(exits) <= abs(desk.held(SYMBOL))
    assert all(order.modifications <= 25 for order in desk.orders.values())


def entry_side(desk: Desk) -> str:
    plan = desk.plan
    return plan.side if isinstance(plan, Bracket) else ("BUY" if plan.quantity > 0 else "SELL")


def test_a_filled_entry_is_covered_by_a_stop_limit() -> None:
    desk = desk_of(bracket())
    desk.turn()
    (stop,) = desk.of("SELL")
    assert (stop.intent.order_type, stop.intent.trigger_paise, stop.intent.limit_paise) == ("SL", 30_000, 28_500)
    assert (stop.intent.quantity, stop.intent.purpose, stop.intent.reason) == (5 * LOT, "exit", "stop")
    assert stop.intent.plan == "B1"


@pytest.mark.parametrize(("stop", "limit"), [(4_000, 3_000), (30_000, 24_000), (10, 5)])
def test_a_stops_limit_lies_no_farther_than_the_exchange_takes_it(stop: int, limit: int) -> None:
    symbol = "NIFTY25SEP24500PE"
    rules = ExitRules(stop_paise=stop, reach=0.5)
    plan = bracket(index="NIFTY", symbol=symbol, quantity=75, exit=rules)
    desk = Desk(plan, {symbol: book(34_990, 35_000)}, lot=75)
    desk.turn()
    (order,) = desk.of("SELL")
    assert (terms(order).trigger_paise, terms(order).limit_paise) == (stop, limit)  # ₹10 up to ₹50, then 20 %


def test_each_part_of_the_entry_that_fills_gets_a_stop_of_its_own() -> None:
    desk = desk_of(bracket())
    desk.fill_share = 0.5
    desk.turn()
    desk.wait(1)
    desk.turn()
    assert [order.intent.quantity for order in desk.of("SELL")] == [2 * LOT, LOT]
    assert desk.working("SELL") == desk.filled("BUY") == 3 * LOT


def test_at_the_target_the_resting_order_becomes_the_target_and_the_rest_of_the_entry_goes() -> None:
    desk = desk_of(bracket())
    desk.fill_share = 0.5
    desk.turn()
    desk.fill_share = 1.0
    desk.quote(SYMBOL, 42_010, 42_020)
    desk.turn()
    assert [order.state for order in desk.of("BUY")] == ["CANCELLED"]
    assert desk.held(SYMBOL) == 0
    assert desk.done is not None
    assert (desk.done.outcome, desk.done.reason) == ("closed", "target")
    assert {terms(order).limit_paise for order in desk.of("SELL")} == {42_000}


def test_a_target_by_a_stale_quote_moves_nothing() -> None:
    desk = desk_of(bracket())
    desk.turn()
    desk.quote(SYMBOL, 42_010, 42_020)
    desk.wait(3.1, fresh=False)
    assert desk.turn() == ()


def test_a_target_that_turns_away_unfilled_is_a_stop_again() -> None:
    desk = desk_of(bracket())
    desk.turn()
    desk.fill_share = 0.0
    desk.quote(SYMBOL, 42_000, 42_010)
    desk.turn()
    (order,) = desk.of("SELL")
    assert terms(order).order_type == "LIMIT"
    desk.now += SECOND
    desk.quote(SYMBOL, 39_500, 39_600)  # within a quarter of the way
    assert desk.turn() == ()
    desk.now += SECOND
    desk.quote(SYMBOL, 39_000, 39_100)
    desk.turn()
    (order,) = desk.of("SELL")
    assert (terms(order).order_type, terms(order).trigger_paise) == ("SL", 30_000)
    assert order.modifications == 2


def test_a_target_whose_quote_dies_is_a_stop_again() -> None:
    desk = desk_of(bracket())
    desk.turn()
    desk.fill_share = 0.0
    desk.quote(SYMBOL, 42_000, 42_010)
    desk.turn()
    desk.wait(4, fresh=False)
    desk.turn()
    (order,) = desk.of("SELL")
    assert terms(order).order_type == "SL"


def test_a_shorts_target_without_an_offer_is_a_stop_again() -> None:
    desk = desk_of(bracket(side="SELL", limit_paise=34_990, exit=ExitRules(stop_paise=40_000, target_paise=30_000)))
    desk.turn()
    desk.fill_share = 0.0
    desk.quote(SYMBOL, 29_900, 30_000)
    desk.turn()
    desk.now += SECOND
    desk.quote(SYMBOL, 29_900, 0, last=29_900)
    desk.turn()
    (order,) = desk.of("BUY")
    assert terms(order).order_type == "SL"


def test_a_stop_does_not_trail_past_the_last_trade() -> None:
    desk = desk_of(bracket(exit=ExitRules(stop_paise=30_000, trail=Trail(distance_paise=4_000))))
    desk.turn()
    desk.now += SECOND
    desk.quote(SYMBOL, 39_990, 40_000, last=35_000)  # the quote has risen, nothing has traded there
    assert desk.turn() == ()


def test_turning_to_and_fro_leaves_modifications_for_getting_out() -> None:
    desk = desk_of(bracket())
    desk.turn()
    desk.fill_share = 0.0
    for bid in [42_000, 33_000] * 20:
        desk.now += SECOND
        desk.quote(SYMBOL, bid, bid + 10)
        desk.turn()
    (order,) = desk.of("SELL")
    assert order.modifications == 16
    assert terms(order).order_type == "SL"


def test_a_change_that_is_refused_is_asked_again_at_a_pace() -> None:
    desk = desk_of(bracket())
    desk.turn()
    desk.refuse_changes = True
    asked = []
    desk.quote(SYMBOL, 42_000, 42_010)
    for _ in range(600):
        desk.turn()
        asked.append(desk.of("SELL")[0].modifications)
        desk.wait(0.1)
    assert asked[5:11] == [1, 1, 1, 1, 1, 2] or asked[5:11] == [2, 2, 2, 2, 2, 3]
    assert asked[-1] == 16  # the rest is kept for getting out


def test_a_jumped_stop_is_re_priced_after_its_time_with_an_alarm_a_try_and_fills() -> None:
    desk = desk_of(bracket())
    desk.turn()
    desk.quote(SYMBOL, 27_000, 27_100)  # the limit is 28,500
    desk.turn()
    assert not desk.alarmed()
    desk.wait(2.9)
    assert desk.turn() == ()
    desk.fill_share = 0.0
    desk.wait(0.1)
    desk.turn()
    (order,) = desk.of("SELL")
    assert (terms(order).order_type, terms(order).limit_paise) == ("LIMIT", 27_000)
    tries = len([say for say in desk.says if say.severity == "alarm"])
    desk.now += 2 * SECOND
    desk.quote(SYMBOL, 26_900, 27_000)
    desk.turn()
    (order,) = desk.of("SELL")
    assert terms(order).limit_paise < 26_900
    assert len([say for say in desk.says if say.severity == "alarm"]) > tries
    desk.fill_share = 1.0
    desk.match()
    desk.turn()
    assert desk.done is not None
    assert (desk.done.outcome, desk.done.reason) == ("closed", "stop")


def test_the_ladder_of_a_jumped_stop_ends_at_the_bands_edge_within_the_modifications() -> None:
    desk = desk_of(bracket())
    desk.turn()
    desk.fill_share = 0.0
    desk.quote(SYMBOL, 27_000, 27_100)
    desk.run(60)
    (order,) = desk.of("SELL")
    assert terms(order).limit_paise == 16_230  # 40 % below the last trade, 27,050
    assert order.modifications <= 25


def test_an_entry_that_fills_below_the_stop_leaves_at_the_market() -> None:
    desk = desk_of(bracket(limit_paise=0))
    desk.fill_share = 1.0
    desk.quote(SYMBOL, 29_000, 29_010)
    desk.turn()
    assert desk.held(SYMBOL) == 0
    assert {order.intent.order_type for order in desk.of("SELL")} == {"LIMIT"}
    assert desk.done is not None
    assert desk.done.reason == "stop"


def test_an_old_last_trade_below_the_stop_does_not_end_what_is_quoted_above_it() -> None:
    desk = desk_of(bracket())
    desk.depth = {SYMBOL: book(34_990, 35_000, last=29_000)}
    (entry,) = desk.steps()
    desk.apply([entry])
    (exit_,) = desk.steps()
    assert isinstance(exit_, Send)
    assert (exit_.intent.order_type, exit_.intent.trigger_paise) == ("SL", 30_000)


def test_a_market_entry_is_a_limit_at_its_protection() -> None:
    desk = desk_of(bracket(limit_paise=0))
    desk.turn()
    assert desk.of("BUY")[0].intent.limit_paise == 35_700  # 2 % of ₹350.00


def test_a_market_entry_waits_for_a_fresh_price() -> None:
    desk = desk_of(bracket(limit_paise=0))
    desk.wait(4, fresh=False)
    assert not any(isinstance(step, Send) for step in desk.turn())
    desk.wait(1)
    assert any(isinstance(step, Send) for step in desk.turn())


def test_a_refused_stop_is_tried_again_inside_the_band_and_alarms() -> None:
    desk = desk_of(bracket(exit=ExitRules(stop_paise=10_000)))
    desk.refuse = lambda intent: "outside the band" if intent.order_type == "SL" and intent.limit_paise < 15_000 else ""
    desk.turn()
    assert desk.of("SELL")[-1].state == "REFUSED"
    desk.wait(0.5)
    desk.turn()
    assert desk.alarmed()
    stop = desk.of("SELL")[-1]
    assert stop.state == "OPEN"
    assert stop.intent.trigger_paise == stop.intent.limit_paise == 21_000  # 40 % below ₹350


def test_what_no_stop_is_taken_for_leaves_at_the_market() -> None:
    desk = desk_of(bracket())
    desk.refuse = lambda intent: "no stops today" if intent.order_type == "SL" else ""
    desk.run(30, step=0.5)
    assert desk.held(SYMBOL) == 0
    assert desk.done is not None
    assert desk.done.outcome == "closed"
    assert desk.alarmed()


def test_with_every_exit_refused_a_person_is_called() -> None:
    desk = desk_of(bracket())
    desk.refuse = lambda intent: "nothing today" if intent.purpose == "exit" else ""
    desk.run(600, step=1)
    assert desk.done is not None
    assert desk.done.outcome == "failed"
    assert desk.alarmed()
    assert len(desk.of("SELL")) == 10


def test_ended_by_a_person_it_leaves_and_cancels_its_entry() -> None:
    desk = desk_of(bracket())
    desk.fill_share = 0.5
    desk.turn()
    desk.fill_share = 1.0
    desk.ending = "square-off"
    desk.turn()
    assert desk.held(SYMBOL) == 0
    assert [order.state for order in desk.of("BUY")] == ["CANCELLED"]
    assert desk.done is not None
    assert (desk.done.outcome, desk.done.reason) == ("closed", "square-off")


def test_an_entry_that_rested_long_enough_is_cancelled_and_what_filled_stays_covered() -> None:
    desk = desk_of(bracket(rest_ns=10 * SECOND))
    desk.fill_share = 0.5
    desk.turn()
    desk.fill_share = 0.0
    desk.run(11)
    assert [order.state for order in desk.of("BUY")] == ["CANCELLED"]
    assert desk.working("SELL") == desk.filled("BUY") == 2 * LOT
    assert desk.done is None


def test_nothing_is_sent_before_the_session_begins() -> None:
    plan = bracket(created_ns=NOON - 5 * 3600 * SECOND)
    assert desk_of(plan).turn() == ()


def test_a_trailing_stop_follows_in_steps_and_never_back() -> None:
    rules = ExitRules(stop_paise=30_000, trail=Trail(distance_paise=4_000, ticks=20))
    desk = desk_of(bracket(exit=rules))
    desk.turn()
    (order,) = desk.of("SELL")
    assert terms(order).trigger_paise == 34_990 - 4_000
    seen = []
    for bid in (35_060, 35_090, 36_000, 35_000, 36_050, 36_500):
        desk.now += SECOND
        desk.quote(SYMBOL, bid, bid + 10)
        desk.turn()
        seen.append(terms(desk.of("SELL")[0]).trigger_paise)
    assert seen == [30_990, 31_090, 32_000, 32_000, 32_000, 32_500]


def test_a_trail_that_is_renewed_goes_on_with_another_order_where_it_was() -> None:
    rules = ExitRules(stop_paise=30_000, trail=Trail(distance_paise=4_000, ticks=1, renew=True))
    desk = desk_of(bracket(exit=rules))
    desk.turn()
    for place in range(60):
        desk.now += SECOND
        desk.quote(SYMBOL, 35_000 + 100 * place, 35_010 + 100 * place)
        desk.turn()
    assert len(desk.of("SELL")) == 3
    assert terms(desk.of("SELL")[-1]).trigger_paise == 40_900 - 4_000
    assert desk.working("SELL") == 5 * LOT


def test_a_short_bracket_is_the_mirror() -> None:
    rules = ExitRules(stop_paise=40_000, target_paise=30_000)
    desk = desk_of(bracket(side="SELL", limit_paise=34_990, exit=rules))
    desk.turn()
    (stop,) = desk.of("BUY")
    assert (terms(stop).trigger_paise, terms(stop).limit_paise) == (40_000, 42_000)
    desk.quote(SYMBOL, 29_900, 30_000)
    desk.turn()
    assert desk.done is not None
    assert desk.done.reason == "target"


def test_what_is_held_already_is_protected_and_cut_down_with_it() -> None:
    plan = Protect(
        plan_id="P1", strategy="s", index=INDEX, created_ns=NOON, symbol=SYMBOL, quantity=3 * LOT, exit=RULES
    )
    desk = desk_of(plan)
    desk.base = {SYMBOL: 3 * LOT}
    desk.turn()
    assert desk.working("SELL") == 3 * LOT
    desk.checks.remove(one_stop_for_a_unit)
    desk.base = {SYMBOL: 2 * LOT}  # a lot was sold elsewhere
    desk.turn()
    assert desk.working("SELL") == 2 * LOT


@pytest.mark.parametrize(
    ("side", "limit", "stop", "target", "tick"),
    [("BUY", 35_000, 30_000, 42_000, 5), ("SELL", 34_990, 40_000, 30_000, -5)],
)
def test_the_reason_of_an_exit_is_where_it_filled(side: str, limit: int, stop: int, target: int, tick: int) -> None:
    desk = desk_of(bracket(side=side, limit_paise=limit, exit=ExitRules(stop_paise=stop, target_paise=target)))
    desk.turn()
    (order,) = desk.of("SELL" if side == "BUY" else "BUY")
    found = {
        paise: exit_reason(desk.plan, desk.view(), order, paise)
        for paise in (stop, target - tick, target, target + tick)
    }

    assert order.intent.reason == "stop"
    assert found == {stop: "stop", target - tick: "stop", target: "target", target + tick: "target"}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"plan_id": "b 1"}, "expected an id"),
        ({"quantity": 0}, "whole lots of 20"),
        ({"quantity": 30}, "whole lots of 20"),
        ({"limit_paise": 35_001}, "on a tick"),
        ({"symbol": "NIFTY25SEP24500CE"}, "an option of SENSEX"),
        ({"exit": ExitRules(stop_paise=30_001)}, "on a tick"),
        ({"exit": ExitRules(stop_paise=30_000, target_paise=29_000)}, "stop's side"),
    ],
)
def test_a_definition_that_is_none_says_why(changes: dict[str, object], match: str) -> None:
    with pytest.raises(InputError, match=match):
        bracket(**changes)


def test_a_plan_survives_json() -> None:
    plan = bracket(exit=ExitRules(stop_paise=30_000, trail=Trail(distance_share=0.1)))
    assert msgspec.json.decode(msgspec.json.encode(plan), type=plans.Plan) == plan


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_on_any_day_a_bracket_ends_flat_or_alarms_and_never_sells_twice(seed: int) -> None:
    chance = Random(seed)
    side = chance.choice(["BUY", "SELL"])
    trail = chance.choice([None, Trail(distance_paise=2_000, ticks=2), Trail(distance_share=0.05, renew=True)])
    sign = 1 if side == "BUY" else -1
    rules = ExitRules(stop_paise=35_000 - sign * 1_500, target_paise=35_000 + sign * 1_500, trail=trail)
    plan = bracket(side=side, limit_paise=chance.choice([0, 35_000]), exit=rules, rest_ns=60 * SECOND)
    desk = desk_of(plan, chance=chance)
    random_day(desk)
    desk.fair_weather("the day's end")
    assert desk.done is not None
    if desk.held(SYMBOL):
        assert desk.done.outcome == "failed"
        assert desk.alarmed()
    assert not desk.working("SELL") + desk.working("BUY")


def test_a_misspelt_field_is_no_plan() -> None:
    body = msgspec.json.encode(bracket()).replace(b'"rest_ns"', b'"rest_s"')
    with pytest.raises(msgspec.ValidationError, match="rest_s"):
        msgspec.json.decode(body, type=plans.Plan)


def test_modify_is_never_asked_of_an_order_nobody_has_heard_of() -> None:
    desk = desk_of(bracket())
    desk.turn()
    (stop,) = desk.of("SELL")
    desk.orders[stop.intent.tag] = msgspec.structs.replace(stop, state="UNKNOWN", broker_id="")
    desk.quote(SYMBOL, 42_000, 42_010)
    assert not any(isinstance(step, Modify) for step in desk.turn())
    assert not desk.alarmed()
    desk.wait(5)
    desk.turn()
    assert desk.alarmed()  # for now nobody knows whether a stop stands, and no second one is sent
    assert len(desk.of("SELL")) == 1
