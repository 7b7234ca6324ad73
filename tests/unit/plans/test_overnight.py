"""Triggers over night, and which positions must leave before the day ends."""

import datetime as dt

import msgspec
import pytest
from pydantic import ValidationError

from core.errors import InputError
from core.market import to_ns
from core.orders.days import DayEndConfig, Holds, due, moments
from core.orders.gtt import Trigger
from core.orders.plans import ExitRules, Overnight, PlaceGtt, Trail
from core.orders.plans.triggers import gtt_seen
from core.records import Order
from tests.fakes_orders import INDEX, IST, LOT, NOON, SYMBOL, intent
from tests.unit.plans.desk import Desk, book

RULES = ExitRules(stop_paise=30_000, target_paise=42_000)


def overnight(**changes: object) -> Overnight:
    made = Overnight(
        plan_id="G1", strategy="s", index=INDEX, created_ns=NOON, symbol=SYMBOL, quantity=3 * LOT, exit=RULES
    )
    return msgspec.structs.replace(made, **changes)


def desk_of(plan: Overnight) -> Desk:
    desk = Desk(plan, {SYMBOL: book(34_990, 35_000)}, lot=LOT)
    desk.base = {SYMBOL: plan.quantity}
    return desk


def change(desk: Desk, **changes: object) -> None:
    (name,) = [one.name for one in desk.gtts.values() if one.status == "active"]
    desk.gtts[name] = msgspec.structs.replace(desk.gtts[name], **changes)


def test_a_long_waits_with_its_stop_below_and_its_target_above() -> None:
    desk = desk_of(overnight())
    (step,) = desk.turn()
    assert isinstance(step, PlaceGtt)
    assert (step.side, step.quantity, step.last_paise) == ("SELL", 60, 34_995)
    assert [(leg.trigger_paise, leg.limit_paise) for leg in step.legs] == [(30_000, 28_500), (42_000, 42_000)]


def test_a_short_waits_with_its_target_below() -> None:
    desk = desk_of(overnight(quantity=-60, exit=ExitRules(stop_paise=42_000, target_paise=30_000)))
    (step,) = desk.turn()
    assert isinstance(step, PlaceGtt)
    assert (step.side, [leg.limit_paise for leg in step.legs]) == ("BUY", [30_000, 44_100])


@pytest.mark.parametrize(("fired", "reason"), [(0, "stop"), (1, "target")])
def test_the_order_it_sent_ends_it(fired: int, reason: str) -> None:
    desk = desk_of(overnight())
    desk.turn()
    change(desk, status="triggered", fired=fired)
    desk.run(2)
    assert desk.done is None
    assert not desk.alarmed()
    desk.run(3)
    assert desk.alarmed()  # sent, and not filled
    (name,) = desk.gtts
    desk.gtts[name] = msgspec.structs.replace(desk.gtts[name], ended=True, filled_quantity=60)
    desk.turn()
    assert desk.done is not None
    assert (desk.done.outcome, desk.done.reason) == ("closed", reason)


def test_an_order_of_it_that_fails_is_an_alarm() -> None:
    desk = desk_of(overnight())
    desk.turn()
    change(desk, status="triggered", fired=0, order_failed=True, ended=True)
    desk.turn()
    assert desk.done is not None
    assert (desk.done.outcome, desk.alarmed()) == ("failed", True)


def test_less_held_is_another_trigger_of_what_is_left() -> None:
    desk = desk_of(overnight())
    desk.turn()
    desk.base = {SYMBOL: 20}
    desk.turn()
    assert [one.quantity for one in desk.placed] == [60, 20]
    desk.base = {SYMBOL: 0}
    desk.turn()
    assert desk.done is not None
    assert desk.done.outcome == "closed"


def test_ended_it_takes_its_trigger_back() -> None:
    desk = desk_of(overnight())
    desk.turn()
    desk.ending = "morning"
    desk.turn()
    assert [one.status for one in desk.gtts.values()] == ["gone"]
    assert desk.done is not None
    assert desk.done.outcome == "done"


def test_a_price_past_a_trigger_is_an_alarm() -> None:
    desk = desk_of(overnight())
    desk.depth = {SYMBOL: book(29_000, 29_010)}
    desk.turn()
    assert (desk.placed, desk.alarmed()) == ([], True)


def test_a_refused_trigger_is_tried_again_and_then_a_persons() -> None:
    desk = desk_of(overnight())
    for _ in range(60):
        for name, one in desk.gtts.items():
            desk.gtts[name] = msgspec.structs.replace(one, status="refused")
        desk.turn()
        desk.wait(1)
    assert len(desk.placed) == 5
    assert desk.done is not None
    assert (desk.done.outcome, desk.alarmed()) == ("failed", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"product": "MIS"},
        {"exit": ExitRules(stop_paise=30_000)},
        {"exit": ExitRules(stop_paise=30_000, target_paise=42_000, trail=Trail(distance_paise=100))},
        {"quantity": 2_000},
    ],
)
def test_what_no_trigger_can_be_says_why(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="trigger"):
        overnight(**changes)


def test_the_brokers_row_and_its_order_are_what_the_plan_sees() -> None:
    desk = desk_of(overnight())
    (asked,) = desk.turn()
    assert isinstance(asked, PlaceGtt)
    row = Trigger(
        trigger_id="7", status="active", symbol=SYMBOL, side="SELL", quantity=60, product="NRML", legs=asked.legs
    )
    assert gtt_seen(asked, None).status == "asked"
    assert gtt_seen(asked, row).status == "active"
    fired = msgspec.structs.replace(row, status="triggered", fired=1, order_id="9")
    resting = Order(intent=intent(side="SELL", quantity=60), state="OPEN", filled_quantity=20)
    assert not gtt_seen(asked, fired).ended  # nobody knows yet what became of its order
    for order, ends in (
        (resting, None),
        (msgspec.structs.replace(resting, state="COMPLETE", filled_quantity=60), ("closed", "target")),
        (msgspec.structs.replace(resting, state="REJECTED", filled_quantity=0), ("failed", "target")),
        (msgspec.structs.replace(resting, state="CANCELLED"), ("failed", "target")),
    ):
        desk.done, desk.said = None, {}
        desk.gtts = {asked.name: gtt_seen(asked, fired, order)}
        desk.turn()
        assert (desk.done and (desk.done.outcome, desk.done.reason)) == ends


# the day's end

EXPIRY = dt.date(2025, 9, 11)
CONFIG = DayEndConfig()
EXPIRING = Holds(symbol=SYMBOL, index=INDEX, quantity=60)
INTRADAY = Holds(symbol="SENSEX2591880500PE", index=INDEX, quantity=-20, product="MIS")
KEPT = Holds(symbol="SENSEX2591880500PE", index=INDEX, quantity=20)


def at(on: dt.date, hour: int, minute: int) -> int:
    return to_ns(dt.datetime.combine(on, dt.time(hour, minute), IST))


def stages(now_ns: int) -> list[tuple[int, str]]:
    return [(one.held.quantity, one.stage) for one in due([EXPIRING, KEPT, INTRADAY], now_ns, CONFIG)]


def test_what_is_due_follows_from_the_close_of_the_day() -> None:
    assert stages(at(EXPIRY, 14, 29)) == []
    assert stages(at(EXPIRY, 14, 30)) == [(-20, "warn"), (60, "warn")]
    assert stages(at(EXPIRY, 15, 15)) == [(-20, "warn"), (60, "square_off")]
    assert stages(at(EXPIRY, 15, 20)) == [(-20, "square_off"), (60, "square_off")]
    assert stages(at(EXPIRY, 15, 25)) == [(-20, "force"), (60, "force")]
    assert stages(at(EXPIRY, 15, 30)) == []
    assert stages(at(dt.date(2025, 9, 10), 15, 26)) == [(-20, "force")]
    assert stages(at(dt.date(2025, 9, 13), 15, 26)) == []  # a Saturday


def test_the_offsets_move_with_the_session() -> None:
    later = moments("NIFTY", dt.date(2026, 11, 17), CONFIG)
    assert later is not None
    assert [f"{one:%H:%M}" for one in (later.mis, later.square_off, later.force, later.close)] == [
        "15:20", "15:25", "15:35", "15:40",
    ]  # fmt: skip
    evening = moments("NIFTY", dt.date(2025, 10, 21), CONFIG)  # muhurat, 13:45 to 14:45
    assert evening is not None
    assert [f"{one:%H:%M}" for one in (evening.mis, evening.square_off)] == ["14:35", "14:30"]


def test_offsets_out_of_turn_are_no_settings() -> None:
    with pytest.raises(ValidationError, match="square_off_minutes"):
        DayEndConfig(square_off_minutes=5, force_minutes=10)
