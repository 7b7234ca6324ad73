"""Hedges first, shorts up to what is hedged, a cap on the time between, and everything undone when it fails."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.orders.plans import Leg, MultiLeg, Send, Short
from tests.fakes_orders import INDEX, LOT, NOON, SECOND
from tests.unit.plans.desk import Desk, book, random_day

FAR_PUT, PUT, CALL, FAR_CALL = (f"SENSEX25911{strike}" for strike in ("80000PE", "80500PE", "81500CE", "82000CE"))
PRICES = {FAR_PUT: 20_000, PUT: 35_000, CALL: 33_000, FAR_CALL: 18_000}


def condor(**changes: object) -> MultiLeg:
    made = MultiLeg(
        plan_id="M1", strategy="s", index=INDEX, created_ns=NOON,
        hedges=(Leg(symbol=FAR_PUT, quantity=3 * LOT), Leg(symbol=FAR_CALL, quantity=3 * LOT)),
        shorts=(Short(symbol=PUT, quantity=3 * LOT, hedge=0), Short(symbol=CALL, quantity=3 * LOT, hedge=1)),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def desk_of(plan: MultiLeg, **more: object) -> Desk:
    desk = Desk(plan, {name: book(mid - 10, mid + 10) for name, mid in PRICES.items()}, lot=LOT, **more)
    desk.checks.append(never_naked)
    return desk


def never_naked(desk: Desk) -> None:
    """What is short, and what may yet become so, never exceeds what is hedged and may not be sold."""
    for short, hedge in ((PUT, FAR_PUT), (CALL, FAR_CALL)):
        open_short = -desk.held(short) + sum(
            order.intent.quantity - order.filled_quantity
            for order in desk.of("SELL")
            if order.intent.symbol == short and order.state in {"OPEN", "JOURNALLED", "UNKNOWN"}
        )
        leaving = sum(
            order.intent.quantity - order.filled_quantity
            for order in desk.of("SELL")
            if order.intent.symbol == hedge and order.state in {"OPEN", "JOURNALLED", "UNKNOWN"}
        )
        assert open_short <= desk.held(hedge) - leaving, (short, hedge)
        assert desk.held(short) <= 0
        assert desk.held(hedge) >= 0


def flat(desk: Desk) -> bool:
    return not any(desk.held(name) for name in PRICES)


def test_hedges_are_bought_before_anything_is_sold() -> None:
    desk = desk_of(condor())
    desk.turn()
    assert [intent.symbol for intent in desk.sent] == [FAR_PUT, FAR_CALL, PUT, CALL]
    assert [intent.purpose for intent in desk.sent] == ["hedge", "hedge", "entry", "entry"]
    assert desk.done is not None
    assert desk.done.outcome == "done"


def test_shorts_wait_for_every_hedge() -> None:
    desk = desk_of(condor())
    desk.quote(FAR_CALL, 18_000, 0, last=18_000)  # nobody offers it
    desk.turn()
    assert [intent.symbol for intent in desk.sent] == [FAR_PUT, FAR_CALL]
    desk.quote(FAR_CALL, 17_990, 18_010)
    desk.turn()
    assert {PUT, CALL} <= {intent.symbol for intent in desk.sent}


def test_with_part_a_short_follows_each_part_of_its_hedge() -> None:
    desk = desk_of(condor(part=True))
    desk.fill_share = 0.5
    desk.run(4)
    assert [intent.quantity for intent in desk.sent if intent.symbol == PUT] == [LOT, LOT]


def test_hedges_that_do_not_fill_in_time_are_undone() -> None:
    desk = desk_of(condor())
    desk.quote(FAR_CALL, 18_000, 0, last=18_000)
    desk.run(19)
    assert not desk.alarmed()
    desk.run(5)
    assert desk.done is not None
    assert desk.done.outcome == "unwound"
    assert desk.alarmed()
    assert flat(desk)


def test_a_short_that_is_refused_undoes_the_plan_shorts_first() -> None:
    desk = desk_of(condor())
    desk.refuse = lambda intent: "margin" if intent.symbol == CALL and intent.purpose == "entry" else ""
    desk.turn()
    assert desk.done is not None
    assert desk.done.outcome == "unwound"
    backs = [(intent.symbol, intent.side) for intent in desk.sent if intent.purpose == "exit"]
    assert backs.index((PUT, "BUY")) < backs.index((FAR_PUT, "SELL"))
    assert flat(desk)


def test_a_short_that_does_not_fill_is_undone_when_the_time_between_is_up() -> None:
    desk = desk_of(condor())
    desk.quote(CALL, 0, 33_010, last=33_000)
    desk.run(29)
    assert desk.done is None
    assert not desk.alarmed()
    desk.run(3)
    assert desk.done is not None
    assert (desk.done.outcome, flat(desk)) == ("unwound", True)


def test_a_way_back_past_its_budget_alarms_and_goes_on_to_the_bands_edge() -> None:
    desk = desk_of(condor())
    desk.quote(CALL, 0, 33_010, last=33_000)
    desk.turn()
    desk.fill_share = 0.0
    desk.ending = "enough"
    desk.run(15)
    back = next(order for order in desk.of("BUY", "exit"))
    limit = back.resting_limit_paise
    assert 35_010 < limit <= 38_510
    assert not any(say.key.startswith("budget") for say in desk.says)
    desk.run(30)
    back = next(order for order in desk.of("BUY", "exit"))
    assert back.resting_limit_paise == 49_000  # 40 % beyond the last trade
    assert any(say.key.startswith("budget") and say.severity == "alarm" for say in desk.says)


def test_nothing_filled_is_nothing_to_undo() -> None:
    desk = desk_of(condor())
    desk.refuse = lambda intent: "no"
    desk.turn()
    assert desk.done is not None
    assert desk.done.outcome == "nothing"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"shorts": ()}, "hedges and shorts"),
        ({"shorts": (Short(symbol=CALL, quantity=LOT, hedge=0),)}, "does not cover"),
        ({"shorts": (Short(symbol=PUT, quantity=LOT, hedge=2),)}, "which is none"),
        ({"shorts": (Short(symbol=PUT, quantity=4 * LOT, hedge=0),)}, "are to cover 80"),
    ],
)
def test_a_definition_that_is_none_says_why(changes: dict[str, object], match: str) -> None:
    with pytest.raises(InputError, match=match):
        condor(**changes)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_on_any_day_no_short_exceeds_its_hedge_and_it_ends_whole_or_flat_or_alarms(seed: int) -> None:
    chance = Random(seed)
    desk = desk_of(condor(part=chance.random() < 0.5), chance=chance)
    random_day(desk)
    desk.fair_weather("enough")
    assert desk.done is not None
    if desk.done.outcome == "done":
        assert [desk.held(name) for name in (FAR_PUT, PUT, CALL, FAR_CALL)] == [3 * LOT, -3 * LOT, -3 * LOT, 3 * LOT]
    elif not flat(desk):
        assert desk.done.outcome == "failed"
        assert desk.alarmed()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_on_any_day_the_time_between_the_legs_has_its_cap(seed: int) -> None:
    chance = Random(seed)
    desk = desk_of(condor(), chance=chance)
    first_ns = 0
    for _ in range(120):
        desk.turn()
        if desk.done:
            return
        legged = any(order.filled_quantity for order in desk.orders.values())
        first_ns = first_ns or (desk.now if legged else 0)
        if first_ns and desk.now - first_ns > desk.plan.naked_ns:
            assert "unwind" in desk.said
            assert not any(isinstance(s, Send) and s.intent.purpose != "exit" for s in desk.steps())
        desk.now += chance.randrange(50, 3_000) * SECOND // 1000
        desk.chances()
