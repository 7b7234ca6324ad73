"""Which plan's purchase is a hedge unmeasured: one that the plan sells behind; any other is measured as anybody's."""

import pytest

from core.orders.plans import (
    Basket,
    BasketLeg,
    Bracket,
    ExitRules,
    Iceberg,
    Leg,
    MultiLeg,
    Plan,
    Roll,
    Rollover,
    Short,
    Sliced,
    Twap,
)
from core.records import Intent
from core.risk.book import trades
from core.risk.hedge import as_judged, let_through
from tests.fakes_risk import LOT
from tests.unit.plans.desk import Desk, book
from tests.world_risk import CALL, LATER, NOON, PUT, SECOND, WING, holding, valued

COMMON = {"plan_id": "HEDGE1", "strategy": "s", "index": "NIFTY", "created_ns": NOON}
ONE = {**COMMON, "symbol": WING, "side": "BUY", "quantity": LOT, "limit_paise": 10_000, "purpose": "hedge"}
FREE = {
    "bracket": Bracket(**ONE, exit=ExitRules(stop_paise=5_000, target_paise=20_000)),
    "basket": Basket(
        **COMMON, legs=(BasketLeg(symbol=WING, side="BUY", quantity=LOT, limit_paise=10_000, purpose="hedge"),)
    ),
    "sliced": Sliced(**ONE),
    "twap": Twap(**ONE, start_ns=NOON, end_ns=NOON + 60 * SECOND, slices=1),
    "iceberg": Iceberg(**ONE, visible=LOT),
    "multi_leg with more hedge than it sells behind": MultiLeg(
        **COMMON,
        hedges=(Leg(symbol=WING, quantity=2 * LOT, limit_paise=10_000),),
        shorts=(Short(symbol=CALL, quantity=LOT, limit_paise=10_000, hedge=0),),
    ),
}
BEHIND = {
    "multi_leg": MultiLeg(
        **COMMON,
        hedges=(Leg(symbol=WING, quantity=LOT, limit_paise=10_000),),
        shorts=(Short(symbol=CALL, quantity=LOT, limit_paise=10_000, hedge=0),),
    ),
    "rollover": Rollover(**COMMON, legs=(Roll(symbol=PUT, quantity=LOT, into=WING),)),
}


def bought(plan: Plan, held: int = 0) -> Intent:
    """The plan's purchase of the wing, while the strategy holds so many lots of the put."""
    desk = Desk(plan, {name: book(9_990, 10_000, at_ns=NOON) for name in (CALL, WING, PUT, LATER)}, lot=LOT)
    desk.base = {PUT: held * LOT}
    desk.turn()
    return next(one for one in desk.sent if one.symbol == WING)


@pytest.mark.parametrize("kind", FREE)
def test_a_purchase_that_only_calls_itself_a_hedge_is_a_trade_whatever_plan_it_is_of(kind: str) -> None:
    flat, asked = valued(), bought(FREE[kind])
    judged = as_judged(asked, flat)

    assert (asked.purpose, judged.purpose) == ("hedge", "entry")
    assert trades(let_through(flat, asked, judged), "s") == 1


@pytest.mark.parametrize("kind", FREE)
def test_one_that_covers_what_is_short_is_a_hedge_of_every_plan(kind: str) -> None:
    assert as_judged(bought(FREE[kind]), holding({CALL: -1})).purpose == "hedge"


@pytest.mark.parametrize(("kind", "held"), [("multi_leg", 0), ("rollover", 1)])
def test_what_a_plan_buys_to_sell_behind_it_is_a_hedge_before_the_short_is_there(kind: str, held: int) -> None:
    assert as_judged(bought(BEHIND[kind], held), valued()).purpose == "hedge"


def test_a_rollover_of_what_is_not_held_buys_as_an_entry() -> None:
    """It would be a purchase alone: there is nothing to sell behind it."""
    assert as_judged(bought(BEHIND["rollover"]), valued()).purpose == "entry"
