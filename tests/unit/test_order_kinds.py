"""Which stops, IOC and after-market orders the exchange could take, and which modifications."""

import datetime as dt

import msgspec
import pytest

from core.errors import InputError, UnknownDate
from core.market import IST, to_ns
from core.orders import validity
from core.orders.machine import born, resting
from core.orders.stops import passed, stop_refusal
from core.orders.tag import check_same
from core.orders.windows import amo_arrival_ns, amo_refusal, amo_window
from core.records import Order, Terms
from tests.fakes_orders import NOON, intent


def at(text: str) -> int:
    return to_ns(dt.datetime.fromisoformat(text).replace(tzinfo=IST))


EVENING = at("2025-09-05 16:00")  # a Friday; Monday is the next session
STOP: dict[str, object] = {"order_type": "SL", "limit_paise": 35_100, "trigger_paise": 35_050}
AMO: dict[str, object] = {"variety": "amo"}


def broken(now_ns: int = NOON, *, allow_ioc: bool = False, **changes: object) -> list[str]:
    return [refusal.limit for refusal in validity.check(intent(**changes), now_ns, allow_ioc=allow_ioc)]


@pytest.mark.parametrize(
    ("changes", "limits"),
    [
        (STOP, []),
        (STOP | {"limit_paise": 35_050}, []),
        (STOP | {"limit_paise": 35_045}, ["stop"]),
        (STOP | {"side": "SELL"}, ["stop"]),
        (STOP | {"side": "SELL", "limit_paise": 35_000}, []),
        (STOP | {"trigger_paise": 0}, ["trigger"]),
        (STOP | {"trigger_paise": -5}, ["trigger"]),
        (STOP | {"trigger_paise": 35_051}, ["tick"]),
        (STOP | {"limit_paise": 35_101, "trigger_paise": 35_051}, ["tick", "tick"]),
        (STOP | {"limit_paise": 0}, ["price"]),
        ({"trigger_paise": 35_050}, ["trigger"]),
        ({"order_type": "MARKET", "limit_paise": 0, "trigger_paise": 35_050}, ["trigger"]),
        (STOP | {"limit_paise": 70_000}, []),  # BSE: no rule is known
    ],
)
def test_a_stop_has_two_prices_on_ticks_and_in_order(changes: dict[str, object], limits: list[str]) -> None:
    assert broken(**changes) == limits


@pytest.mark.parametrize(
    ("side", "trigger", "limit", "allowed"),
    [
        ("BUY", 5_000, 6_000, None),  # ₹50: ₹10
        ("BUY", 5_000, 6_005, "60.00"),
        ("SELL", 5_000, 3_995, "40.00"),
        ("BUY", 5_005, 6_005, None),  # above ₹50: 20 %
        ("BUY", 5_005, 6_010, "60.06"),
        ("SELL", 20_000, 16_000, None),
        ("SELL", 20_000, 15_995, "160.00"),
        ("SELL", 500, 5, None),
    ],
)
def test_nse_lets_a_stops_limit_lie_so_far_beyond_its_trigger(
    side: str, trigger: int, limit: int, allowed: str | None
) -> None:
    said = stop_refusal(side, limit, trigger, index="NIFTY", on=dt.date(2025, 9, 5))
    assert (said is None) == (allowed is None)
    if said is not None:
        assert (said.limit, said.allowed) == ("stop_range", f"up to {allowed}")


def test_a_stop_before_the_table_begins_is_not_guessed() -> None:
    with pytest.raises(UnknownDate, match="2024-01-01"):
        stop_refusal("BUY", 110, 100, index="NIFTY", on=dt.date(2023, 12, 29))


@pytest.mark.parametrize(
    ("side", "last", "reached"),
    [("BUY", 99, False), ("BUY", 100, True), ("BUY", 101, True), ("SELL", 101, False), ("SELL", 100, True),
     ("SELL", 99, True), ("SELL", 0, False), ("BUY", 0, False)],
)  # fmt: skip
def test_a_trigger_is_reached_from_its_own_side(side: str, last: int, reached: bool) -> None:  # noqa: FBT001
    assert passed(side, 100, last) == reached


def test_ioc_is_off_until_a_setting_allows_it() -> None:
    refused = validity.check(intent(validity="IOC"), NOON)
    assert [(one.limit, one.asked) for one in refused] == [("allow_ioc", "IOC")]
    assert "oms.allow_ioc" in refused[0].why
    assert broken(validity="IOC", allow_ioc=True) == []
    assert broken(**STOP, validity="IOC", allow_ioc=True) == ["validity"]


@pytest.mark.parametrize(
    ("now", "arrives"),
    [
        ("2025-09-05 09:09", "2025-09-05 09:15"),
        ("2025-09-05 09:10", None),
        ("2025-09-05 12:00", None),
        ("2025-09-05 15:44", None),
        ("2025-09-05 15:45", "2025-09-08 09:15"),
        ("2025-09-05 23:59", "2025-09-08 09:15"),
        ("2025-09-06 00:30", "2025-09-08 09:15"),
        ("2025-09-06 01:00", None),  # maintained
        ("2025-09-06 05:30", "2025-09-08 09:15"),
        ("2025-09-07 12:00", "2025-09-08 09:15"),
        ("2025-09-08 00:00", "2025-09-08 09:15"),
        ("2025-02-01 12:00", None),  # a Saturday with an ordinary session
        ("2025-01-31 16:00", "2025-02-01 09:15"),
        ("2026-11-20 15:50", "2026-11-23 09:15"),
    ],
)
def test_an_after_market_order_is_taken_in_its_windows_and_sent_at_the_open(now: str, arrives: str | None) -> None:
    window = amo_window("NIFTY", at(now))
    assert amo_arrival_ns("NIFTY", at(now)) == (at(arrives) if arrives else 0)
    assert (window.arrives if window else None) == (
        dt.datetime.fromisoformat(arrives).replace(tzinfo=IST) if arrives else None
    )
    said = amo_refusal("NIFTY", at(now))
    assert (said is None) == bool(arrives)
    assert said is None or said.why.startswith("after-market orders are taken between two sessions, ")


def test_the_window_since_the_session_ends_later_is_said_to_be_provisional() -> None:
    windows = [amo_window("NIFTY", at(now)) for now in ("2026-07-31 16:00", "2026-08-03 16:00")]
    grades = [window.row.grade for window in windows if window]
    assert grades == ["circular", "provisional"]


@pytest.mark.parametrize(
    "now",
    [
        "2025-10-20 16:00",  # the evening before a muhurat session
        "2025-10-21 13:00",  # of the day itself
        "2026-11-06 16:00",  # before one whose hours are not known
        "2024-09-30 16:00",  # before the table
    ],
)
def test_a_window_nobody_knows_is_refused_and_not_guessed(now: str) -> None:
    with pytest.raises(UnknownDate):
        amo_window("NIFTY", at(now))
    said = amo_refusal("NIFTY", at(now))
    assert said is not None
    assert "not known" in said.why


def test_an_after_market_order_passes_in_its_windows_alone_and_with_a_price() -> None:
    assert broken(EVENING, **AMO) == []
    assert broken(EVENING, **AMO, **STOP) == []
    assert broken(NOON, **AMO) == ["amo"]
    assert broken(EVENING, **AMO, order_type="MARKET", limit_paise=0) == ["amo"]


def test_an_after_market_order_is_judged_for_the_session_it_is_sent_to() -> None:
    last = at("2025-09-11 16:00")  # the contract's last trade was at 15:30
    assert broken(last, **AMO) == ["expiry"]
    assert broken(at("2025-09-11 09:00"), **AMO) == []


ORDER = msgspec.structs.replace(born(intent(), NOON), state="OPEN", broker_id="1")


def changes(order: Order, now_ns: int = NOON, **terms: object) -> list[str]:
    asked = Terms(order_type="LIMIT", limit_paise=35_000)
    return [one.limit for one in validity.check_terms(order, msgspec.structs.replace(asked, **terms), now_ns)]


def test_an_order_that_stands_may_be_given_other_terms() -> None:
    assert changes(ORDER, limit_paise=35_500) == []
    assert changes(ORDER, **STOP) == []
    assert changes(ORDER, order_type="MARKET", limit_paise=0) == []


def test_a_modification_that_is_no_order_or_changes_nothing_is_refused() -> None:
    assert changes(ORDER) == ["terms"]
    assert changes(ORDER, limit_paise=35_501) == ["tick"]
    assert changes(ORDER, limit_paise=0) == ["price"]
    assert changes(ORDER, trigger_paise=35_000) == ["trigger"]
    assert changes(ORDER, order_type="SL", trigger_paise=35_050) == ["stop"]
    moved = resting(ORDER, Terms(order_type="LIMIT", limit_paise=35_500))
    assert changes(moved, limit_paise=35_500) == ["terms"]
    assert changes(moved) == []


def test_what_is_over_or_does_not_rest_is_not_modified() -> None:
    for state in ("COMPLETE", "CANCELLED", "REJECTED", "REFUSED"):
        assert changes(msgspec.structs.replace(ORDER, state=state), limit_paise=35_500) == ["state"]
    ioc = msgspec.structs.replace(ORDER, intent=intent(validity="IOC"))
    assert changes(ioc, limit_paise=35_500) == ["validity"]


def test_an_order_is_modified_in_its_session_and_an_after_market_one_in_its_windows_too() -> None:
    amo = msgspec.structs.replace(ORDER, intent=intent(**AMO))
    assert changes(ORDER, EVENING, limit_paise=35_500) == ["market_hours"]
    assert changes(amo, EVENING, limit_paise=35_500) == []
    assert changes(amo, NOON, limit_paise=35_500) == []
    assert changes(amo, at("2025-09-08 09:12"), limit_paise=35_500) == ["market_hours"]
    assert changes(amo, EVENING, order_type="MARKET", limit_paise=0) == ["amo"]
    assert changes(ORDER, at("2025-09-12 12:00"), limit_paise=35_500) == ["expiry"]


def test_terms_and_kinds_nobody_knows_are_the_callers_mistake() -> None:
    with pytest.raises(InputError, match="order_type"):
        changes(ORDER, order_type="SL-M")
    for name in ("order_type", "validity", "variety", "product"):
        with pytest.raises(InputError, match=name):
            broken(**{name: "TTL"})


@pytest.mark.parametrize("other", [{"trigger_paise": 35_045}, {"validity": "IOC"}, AMO])
def test_a_tag_names_one_order_with_its_trigger_validity_and_variety(other: dict[str, object]) -> None:
    first = intent(**STOP)
    check_same(first, intent(**STOP))
    with pytest.raises(InputError, match="another order needs another tag"):
        check_same(first, intent(**STOP | other))
