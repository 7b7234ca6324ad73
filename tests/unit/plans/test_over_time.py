"""Slices, baskets, target positions, TWAP and icebergs: never more than asked, and what was given up is said."""

import datetime as dt
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.market import to_ns
from core.orders import plans
from core.orders.plans import (
    Basket,
    BasketLeg,
    Cancel,
    Close,
    Iceberg,
    Plan,
    Send,
    Sliced,
    SquareOff,
    TargetPosition,
    Twap,
)
from core.orders.price_guard import Band, market_limit
from core.orders.slicing import sizes, spread
from tests.fakes_orders import INDEX, IST, LOT, NOON, SECOND, SYMBOL
from tests.unit.plans.desk import TICK, Desk, book, random_day

OTHER = "SENSEX2591181000PE"
COMMON = {"plan_id": "T1", "strategy": "s", "index": INDEX, "created_ns": NOON}
MINUTE = 60 * SECOND


def desk_of(plan: Plan, **more: object) -> Desk:
    return Desk(plan, {name: book(34_990, 35_000) for name in plans.symbols(plan)}, lot=LOT, **more)


def outcome(desk: Desk) -> str:
    assert desk.done is not None
    return desk.done.outcome


# slices


def test_an_order_of_any_size_is_slices_of_the_freeze_quantity_with_a_tag_each() -> None:
    desk = desk_of(Sliced(**COMMON, symbol=SYMBOL, side="BUY", quantity=2_500, limit_paise=35_000))
    desk.turn()
    assert [one.quantity for one in desk.sent] == [1_000, 1_000, 500]
    assert len({one.tag for one in desk.sent}) == 3
    assert outcome(desk) == "done"


@pytest.mark.parametrize(
    ("policy", "sent", "held", "ends"),
    [("stop", 2, 1_000, "partial"), ("continue", 3, 1_500, "partial"), ("unwind", 3, 0, "unwound")],
)
def test_a_refused_slice_has_its_policy(policy: str, sent: int, held: int, ends: str) -> None:
    desk = desk_of(Sliced(**COMMON, symbol=SYMBOL, side="BUY", quantity=2_500, limit_paise=35_000, refused=policy))
    desk.refuse = lambda intent: "no" if len(desk.sent) == 2 else ""
    desk.turn()
    assert (len(desk.sent), desk.held(SYMBOL), outcome(desk)) == (sent, held, ends)
    assert desk.alarmed() == (policy == "unwind")


def test_what_rested_long_enough_is_cancelled() -> None:
    desk = desk_of(Sliced(**COMMON, symbol=SYMBOL, side="BUY", quantity=100, limit_paise=34_000, rest_ns=MINUTE))
    desk.run(61)
    assert outcome(desk) == "nothing"


def test_sizes_and_spread() -> None:
    assert sizes(0, 10) == ()
    assert spread(60, 5, 20) == (20, 20, 20)
    with pytest.raises(InputError, match="at most 0"):
        sizes(10, 0)
    with pytest.raises(InputError, match="whole lots"):
        spread(50, 2, 20)


# baskets


def test_a_basket_sends_every_leg_and_reports_those_that_did_not_go() -> None:
    legs = (
        BasketLeg(symbol=SYMBOL, side="BUY", quantity=40),
        BasketLeg(symbol=OTHER, side="SELL", quantity=20, purpose="exit"),
    )
    desk = desk_of(Basket(**COMMON, legs=legs))
    desk.base = {OTHER: 20}
    desk.refuse = lambda intent: "margin" if intent.symbol == SYMBOL else ""
    desk.turn()
    assert [one.symbol for one in desk.sent] == [OTHER, SYMBOL]  # exits first
    assert outcome(desk) == "partial"
    assert "BUY 40" in desk.says[-1].message


def test_a_basket_of_which_all_fills_is_done() -> None:
    desk = desk_of(Basket(**COMMON, legs=(BasketLeg(symbol=SYMBOL, side="BUY", quantity=40),)))
    desk.turn()
    assert outcome(desk) == "done"


# target positions


@pytest.mark.parametrize(
    ("held", "target", "moves"),
    [
        (0, 60, [("BUY", 60, "entry")]),
        (20, 60, [("BUY", 40, "entry")]),
        (60, 20, [("SELL", 40, "exit")]),
        (40, -20, [("SELL", 40, "exit"), ("SELL", 20, "entry")]),
        (-20, 0, [("BUY", 20, "exit")]),
        (40, 40, []),
    ],
)
def test_a_position_is_brought_to_its_target(held: int, target: int, moves: list[tuple[str, int, str]]) -> None:
    desk = desk_of(TargetPosition(**COMMON, symbol=SYMBOL, target=target))
    desk.base = {SYMBOL: held}
    desk.turn()
    assert [(one.side, one.quantity, one.purpose) for one in desk.sent] == moves
    assert (desk.held(SYMBOL), outcome(desk)) == (target, "done")


def test_what_works_elsewhere_counts() -> None:
    plan = TargetPosition(**COMMON, symbol=SYMBOL, target=60)
    view = desk_of(plan).view(held={SYMBOL: 20}, working={SYMBOL: 20})
    (step,) = plans.steps(plan, view)
    assert isinstance(step, Send)
    assert step.intent.quantity == 20


def test_a_market_move_that_does_not_fill_is_sent_anew_at_the_price_of_then() -> None:
    desk = desk_of(TargetPosition(**COMMON, symbol=SYMBOL, target=60))
    desk.fill_share = 0.0
    desk.run(9)
    desk.quote(SYMBOL, 39_990, 40_000)
    desk.run(2)
    assert [one.limit_paise for one in desk.sent][:2] == [35_700, 40_800]
    assert desk.working("BUY") == 60


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_on_any_day_a_target_is_reached_or_said_to_be_missed_and_never_passed(seed: int) -> None:
    chance = Random(seed)
    held, target = (chance.randrange(-3, 4) * LOT for _ in range(2))
    desk = desk_of(TargetPosition(**COMMON, symbol=SYMBOL, target=target), chance=chance)
    desk.base = {SYMBOL: held}
    low, high = min(held, target), max(held, target)
    desk.checks.append(lambda desk: between(low, desk.held(SYMBOL), high))
    random_day(desk)
    desk.fair_weather("enough")
    assert outcome(desk) in {"done", "partial"}
    assert (desk.held(SYMBOL) == target) == (outcome(desk) == "done")


def between(low: int, value: int, high: int) -> None:
    assert low <= value <= high


# TWAP and icebergs


def twap(**changes: object) -> Twap:
    made = Twap(
        **COMMON, symbol=SYMBOL, side="BUY", quantity=12 * LOT, slices=4, start_ns=NOON, end_ns=NOON + 4 * MINUTE
    )
    return msgspec.structs.replace(made, **changes)


def test_a_twap_sends_a_slice_at_each_step() -> None:
    desk = desk_of(twap())
    desk.run(181)
    assert [(one.quantity, (one.created_ns - NOON) // SECOND) for one in desk.sent] == [
        (60, 0), (60, 60), (60, 120), (60, 180),
    ]  # fmt: skip
    assert outcome(desk) == "done"


@pytest.mark.parametrize(("catch_up", "sent"), [(True, [60, 120, 60]), (False, [60, 60, 60])])
def test_a_twap_catches_up_with_what_it_missed_or_not(catch_up: bool, sent: list[int]) -> None:  # noqa: FBT001
    desk = desk_of(twap(catch_up=catch_up))
    desk.turn()
    desk.wait(120)  # the desk was away at the second step
    desk.run(121)
    assert [one.quantity for one in desk.sent] == sent
    assert outcome(desk) == ("done" if catch_up else "partial")


def test_a_twap_takes_along_what_did_not_fill() -> None:
    desk = desk_of(twap(limit_paise=35_000))
    desk.turn()
    desk.quote(SYMBOL, 35_490, 35_500)
    desk.run(61)
    desk.quote(SYMBOL, 34_990, 35_000)
    desk.run(200)
    assert desk.filled("BUY") == 12 * LOT
    assert outcome(desk) == "done"


def test_a_twap_counts_a_slice_whose_cancel_has_no_answer_yet() -> None:
    desk = desk_of(twap(limit_paise=34_000))
    desk.turn()
    desk.wait(60)
    (cancel, send) = desk.steps()
    assert isinstance(cancel, Cancel)
    assert isinstance(send, Send)
    assert send.intent.quantity == 60  # not 120: the first slice may still fill


def test_a_twap_ends_with_the_session() -> None:
    start = to_ns(dt.datetime(2025, 9, 5, 15, 28, tzinfo=IST))
    desk = desk_of(twap(created_ns=start, start_ns=start, end_ns=start + 4 * MINUTE, limit_paise=34_000))
    desk.depth = {SYMBOL: book(34_990, 35_000, at_ns=start)}
    desk.run(125)
    assert outcome(desk) == "nothing"
    assert max(one.created_ns for one in desk.sent) < start + 2 * MINUTE


def test_an_iceberg_shows_a_part_at_a_time() -> None:
    desk = desk_of(Iceberg(**COMMON, symbol=SYMBOL, side="BUY", quantity=100, visible=40, limit_paise=35_000))
    desk.checks.append(lambda desk: between(0, desk.working("BUY"), 40))
    desk.turn()
    assert [one.quantity for one in desk.sent] == [40, 40, 20]
    assert outcome(desk) == "done"


@pytest.mark.parametrize(("policy", "ends"), [("stop", "partial"), ("continue", "done")])
def test_an_icebergs_refused_part_has_its_policy(policy: str, ends: str) -> None:
    plan = Iceberg(**COMMON, symbol=SYMBOL, side="BUY", quantity=100, visible=40, limit_paise=35_000, refused=policy)
    desk = desk_of(plan)
    desk.refuse = lambda intent: "no" if len(desk.sent) == 2 else ""
    desk.run(5)
    assert outcome(desk) == ends


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_on_any_day_what_is_spread_out_is_never_more_than_asked_and_ends(seed: int) -> None:
    chance = Random(seed)
    ice = Iceberg(
        **COMMON, symbol=SYMBOL, side="SELL", quantity=240, visible=40, limit_paise=34_800, refused="continue"
    )
    legs = (BasketLeg(symbol=SYMBOL, side="BUY", quantity=120), BasketLeg(symbol=SYMBOL, side="BUY", quantity=120))
    sliced = Sliced(**COMMON, symbol=SYMBOL, side="BUY", quantity=2_400, refused=chance.choice(["stop", "continue"]))
    spread_out = twap(catch_up=chance.random() < 0.5, limit_paise=chance.choice([0, 35_100]))
    plan = chance.choice([ice, spread_out, sliced, Basket(**COMMON, legs=legs)])
    asked = 2_400 if plan is sliced else 240
    desk = desk_of(plan, chance=chance)
    desk.checks.append(lambda desk: between(-asked, abs(desk.held(SYMBOL)) - asked + desk.working("BUY"), 0))
    random_day(desk)
    desk.fair_weather("enough")
    assert (abs(desk.held(SYMBOL)) == asked) == (outcome(desk) == "done")
    assert not desk.working("BUY") + desk.working("SELL")


# square-off


def test_a_square_off_buys_shorts_back_before_it_sells_longs() -> None:
    positions = (Close(symbol=OTHER, quantity=40), Close(symbol=SYMBOL, quantity=-1_200))
    desk = desk_of(SquareOff(**COMMON, positions=positions))
    desk.base = {OTHER: 40, SYMBOL: -1_200}
    desk.fill_share = 0.6
    desk.run(5)
    assert {one.symbol for one in desk.sent} == {SYMBOL}
    desk.fill_share = 1.0
    desk.run(5)
    assert [(one.symbol, one.quantity) for one in desk.sent] == [(SYMBOL, 1_000), (SYMBOL, 200), (OTHER, 40)]
    assert (desk.held(SYMBOL), desk.held(OTHER), outcome(desk)) == (0, 0, "closed")


def test_a_square_off_that_is_ended_takes_its_orders_back_and_leaves_what_is_held() -> None:
    desk = desk_of(
        SquareOff(**COMMON, positions=(Close(symbol=SYMBOL, quantity=-60), Close(symbol=OTHER, quantity=40)))
    )
    desk.base, desk.fill_share = {SYMBOL: -60, OTHER: 40}, 0.0
    desk.run(2)
    desk._advance(next(iter(desk.orders)), "OPEN", 20)
    desk.ending = "a person closes it himself"
    desk.run(5)
    assert (desk.held(SYMBOL), desk.held(OTHER), outcome(desk)) == (-40, 40, "partial")
    assert [one.state for one in desk.orders.values()] == ["CANCELLED"]
    assert not desk.alarmed()


def test_a_square_off_that_is_ended_when_all_is_closed_has_closed_it() -> None:
    desk = desk_of(SquareOff(**COMMON, positions=(Close(symbol=SYMBOL, quantity=40),)))
    desk.base = {SYMBOL: 40}
    desk.turn()
    desk.ending = "enough"
    desk.match()
    desk.run(2)
    assert (desk.held(SYMBOL), outcome(desk)) == (0, "closed")


def test_a_square_off_that_is_turned_away_is_tried_again_at_a_pace_and_then_a_persons() -> None:
    desk = desk_of(SquareOff(**COMMON, positions=(Close(symbol=SYMBOL, quantity=40),)))
    desk.base = {SYMBOL: 40}
    desk.refuse = lambda intent: "no"
    desk.run(60, step=0.25)
    assert [(one.created_ns - NOON) / SECOND for one in desk.sent] == [0.0, 0.5, 1.5, 3.5, 7.5]
    assert outcome(desk) == "failed"
    assert desk.alarmed()


def test_a_square_off_walks_from_the_touch_to_the_bands_edge_and_alarms_there() -> None:
    desk = desk_of(SquareOff(**COMMON, positions=(Close(symbol=SYMBOL, quantity=40),)))
    desk.base = {SYMBOL: 40}
    desk.fill_share = 0.0
    seen = []
    for _ in range(14):
        desk.turn()
        seen.append(next(iter(desk.orders.values())))
        desk.wait(2)
    limits = [order.resting_limit_paise or order.intent.limit_paise for order in seen]
    assert limits[0] == 34_990
    assert limits == sorted(limits, reverse=True)
    assert limits[10:] == [21_000] * 4  # 40 % below the last trade
    assert seen[-1].modifications == 10
    assert desk.alarmed()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_on_any_day_a_square_off_ends_flat_or_alarms_and_no_long_goes_before_a_short(seed: int) -> None:
    chance = Random(seed)
    base = {OTHER: chance.randrange(1, 80) * LOT, SYMBOL: -chance.randrange(1, 80) * LOT}
    positions = tuple(Close(symbol=name, quantity=units) for name, units in base.items())
    desk = desk_of(SquareOff(**COMMON, positions=positions), chance=chance)
    desk.base = base
    desk.checks.append(shorts_first)
    random_day(desk)
    desk.fair_weather("")
    if desk.held(SYMBOL) or desk.held(OTHER):
        assert outcome(desk) == "failed"
        assert desk.alarmed()


def shorts_first(desk: Desk) -> None:
    assert desk.held(SYMBOL) <= 0 <= desk.held(OTHER)
    assert not desk.of("SELL") or desk.held(SYMBOL) == 0


# prices


def test_a_market_order_is_a_limit_beyond_the_touch_and_inside_the_band() -> None:
    assert market_limit("BUY", book(34_990, 35_000), TICK, None) == 35_700
    assert market_limit("BUY", book(34_990, 35_000), TICK, Band(low_paise=5, high_paise=35_200)) == 35_200


def test_without_a_price_there_is_no_such_limit() -> None:
    for depth in (None, book(0, 0)):
        assert market_limit("BUY", depth, TICK, None) == 0
