"""Rolling: what is bought comes first, no short loses its hedge, and what it costs is known before."""

import datetime as dt
from decimal import Decimal
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, StaleDataError, UnknownName
from core.market import charges_at
from core.orders.plans import Roll, Rollover
from core.orders.plans.rolling import expiring, next_contract, roll_cost
from tests.fakes_orders import INDEX, LOT, NOON
from tests.unit.plans.desk import Desk, book, random_day

DAY = dt.date(2025, 9, 5)
OLD, OLD_WING = "SENSEX2591180500PE", "SENSEX2591180000PE"
NEW, NEW_WING = "SENSEX2591880500PE", "SENSEX2591880000PE"
PRICES = {OLD: 35_000, OLD_WING: 20_000, NEW: 50_000, NEW_WING: 33_000}
SPREAD = (Roll(symbol=OLD, quantity=-60, into=NEW), Roll(symbol=OLD_WING, quantity=60, into=NEW_WING))


def desk_of(*legs: Roll, **more: object) -> Desk:
    plan = Rollover(plan_id="R1", strategy="s", index=INDEX, created_ns=NOON, legs=legs)
    desk = Desk(plan, {name: book(mid - 10, mid + 10) for name, mid in PRICES.items()}, lot=LOT, **more)
    desk.base = {leg.symbol: leg.quantity for leg in legs}
    return desk


def test_a_short_is_bought_back_before_the_next_one_is_sold() -> None:
    desk = desk_of(SPREAD[0])
    desk.turn()
    assert [(one.side, one.symbol, one.purpose) for one in desk.sent] == [("BUY", OLD, "exit"), ("SELL", NEW, "entry")]
    assert desk.done is not None
    assert (desk.done.outcome, desk.held(OLD), desk.held(NEW)) == ("done", 0, -60)


def test_a_long_is_bought_anew_before_the_old_one_is_sold() -> None:
    desk = desk_of(SPREAD[1])
    desk.turn()
    assert [(one.side, one.symbol) for one in desk.sent] == [("BUY", NEW_WING), ("SELL", OLD_WING)]


def test_a_spread_is_bought_on_both_sides_before_anything_is_sold() -> None:
    desk = desk_of(*SPREAD)
    desk.turn()
    assert [one.side for one in desk.sent] == ["BUY", "BUY", "SELL", "SELL"]
    assert [desk.held(name) for name in PRICES] == [0, 0, -60, 60]


def test_a_new_hedge_that_does_not_fill_leaves_the_old_spread_closed_of_shorts_and_alarms() -> None:
    desk = desk_of(*SPREAD)
    desk.quote(NEW_WING, 32_990, 0, last=33_000)
    desk.run(32)
    assert desk.done is not None
    assert desk.done.outcome == "partial"
    assert desk.alarmed()
    assert [desk.held(name) for name in PRICES] == [0, 60, 0, 0]


def test_a_short_that_cannot_be_sold_anew_stays_closed_and_alarms() -> None:
    desk = desk_of(SPREAD[0])
    desk.refuse = lambda intent: "margin" if intent.purpose == "entry" else ""
    desk.turn()
    assert desk.done is not None
    assert (desk.done.outcome, desk.held(OLD), desk.held(NEW)) == ("partial", 0, 0)
    assert desk.alarmed()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_on_any_day_no_short_of_a_spread_loses_its_hedge(seed: int) -> None:
    chance = Random(seed)
    desk = desk_of(*SPREAD, chance=chance)
    desk.checks.append(covered)
    random_day(desk)
    desk.fair_weather("enough")
    assert desk.done is not None
    assert desk.done.outcome == "done" or desk.alarmed()
    assert not desk.working("BUY") + desk.working("SELL")


def covered(desk: Desk) -> None:
    """Old shorts by old hedges, new ones by new ones, with all that may still be sold."""
    for short, wing in ((OLD, OLD_WING), (NEW, NEW_WING)):
        selling = {
            name: sum(
                order.intent.quantity - order.filled_quantity
                for order in desk.of("SELL")
                if order.intent.symbol == name and order.state in {"OPEN", "JOURNALLED", "UNKNOWN"}
            )
            for name in (short, wing)
        }
        assert -desk.held(short) + selling[short] <= desk.held(wing) - selling[wing], (short, wing)
        assert desk.held(short) <= 0 <= desk.held(wing)


def test_what_expires_is_found() -> None:
    assert expiring([OLD, NEW], dt.date(2025, 9, 11)) == (OLD,)
    assert expiring([OLD, NEW], dt.date(2025, 9, 10)) == ()
    assert expiring([OLD, NEW], dt.date(2025, 9, 10), days=8) == (OLD, NEW)
    with pytest.raises(UnknownName):
        expiring(["NOTHING"], DAY)


def test_the_next_contract_is_that_of_the_next_listed_expiry() -> None:
    assert next_contract(OLD, DAY) == NEW
    assert next_contract(OLD, DAY, shift_paise=-500_00) == NEW_WING
    assert next_contract("SENSEX2591881000CE", DAY) == "SENSEX25SEP81000CE"
    with pytest.raises(InputError, match="no option"):
        next_contract("SENSEX25SEPFUT", DAY)


def test_a_roll_costs_both_sides_and_their_charges() -> None:
    depth = {name: book(mid - 10, mid + 10) for name, mid in PRICES.items()}
    cost = roll_cost(OLD, NEW, -60, depth, NOON)
    assert (cost.close_paise, cost.open_paise, cost.net_paise) == (35_010 * 60, -49_990 * 60, -14_980 * 60)
    assert cost.spread_paise == 2 * 10 * 60
    charges = charges_at(INDEX, "BUY", 60, 35_010, DAY).total + charges_at(INDEX, "SELL", 60, 49_990, DAY).total
    assert cost.charges_rupees == charges > Decimal(40)  # two orders' brokerage at least
    with pytest.raises(StaleDataError, match="SELL"):
        roll_cost(OLD, NEW, -60, {OLD: depth[OLD]}, NOON)


@pytest.mark.parametrize(
    ("legs", "match"),
    [((), "one at least"), ((Roll(symbol=OLD, quantity=20, into=OLD),), "into itself"), (SPREAD[:1] * 2, "different")],
)
def test_a_definition_that_is_none_says_why(legs: tuple[Roll, ...], match: str) -> None:
    with pytest.raises(InputError, match=match):
        msgspec.structs.replace(desk_of(SPREAD[0]).plan, legs=legs)
