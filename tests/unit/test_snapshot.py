"""Snapshots: what they hold, when one is due, and that they measure the day between fills."""

import datetime as dt

import msgspec

from core.orders.books import ACCOUNT, Books, on_day, with_fill
from core.orders.snapshot import EVERY_NS, Snapshot, due, points, prices, snapshot
from core.records import Fill, LimitUse, Order
from tests.fakes_orders import DAY, INDEX, LOT, NOON, SYMBOL, intent


def books() -> Books:
    fills = [
        Fill(trade_id=f"T{n}", tag=f"O{n}", strategy=who, index=INDEX, symbol=SYMBOL, side=side, quantity=LOT,
             price_paise=price, at_ns=NOON + n)
        for n, (who, side, price) in enumerate([("a", "BUY", 10_000), ("b", "SELL", 11_000)])
    ]  # fmt: skip
    made = on_day(Books(), DAY)
    for fill in fills:
        made = with_fill(made, fill, "NRML")
    return made


def taken(mark: int = 10_500, at_ns: int = NOON) -> Snapshot:
    orders = [Order(intent=intent("L"), state="OPEN"), Order(intent=intent("D"), state="CANCELLED")]
    return snapshot(
        at_ns, books(), orders, marks={SYMBOL: mark}, closes={}, state="ACTIVE", why="as told",
        limits=[LimitUse(limit="daily_loss", used=1, allowed=2, unit="₹")],
    )  # fmt: skip


def test_a_snapshot_holds_positions_live_orders_results_and_limits() -> None:
    made = taken()

    assert [(one.strategy, one.quantity, one.unrealised_paise) for one in made.positions] == [
        ("a", LOT, 10_000), ("b", -LOT, 10_000),
    ]  # fmt: skip
    assert [order.intent.tag for order in made.orders] == ["L"]
    assert {one.strategy: one.gross_paise for one in made.results} == {ACCOUNT: 20_000, "a": 10_000, "b": 10_000}
    assert made.net_paise("a") == 10_000 - next(one.charges_paise for one in made.positions if one.strategy == "a")
    assert made.net_paise() == sum(made.net_paise(name) for name in "ab")
    assert made.net_paise("nobody") == 0
    assert msgspec.json.decode(msgspec.json.encode(made), type=Snapshot) == made


def test_without_a_mark_what_is_open_counts_at_its_cost() -> None:
    assert [one.unrealised_paise for one in taken(mark=0).positions] == [0, 0]


def test_one_is_due_at_each_quarter_of_the_clock_once() -> None:
    begun = NOON // EVERY_NS * EVERY_NS

    assert due(0, begun + 1)
    assert not due(begun + 1, begun + EVERY_NS - 1)
    assert due(begun + 1, begun + EVERY_NS)
    assert due(begun + 1, begun + 5 * EVERY_NS)  # it stood still for an hour
    assert not due(begun + EVERY_NS, begun + EVERY_NS)


def test_points_are_each_strategys_results_in_order() -> None:
    later, first = taken(mark=10_600, at_ns=NOON + 9), taken(at_ns=NOON)

    assert points([later, first])["a"] == [(NOON, first.net_paise("a")), (NOON + 9, later.net_paise("a"))]
    assert points([]) == {}


def test_a_snapshot_without_a_mark_of_what_is_open_is_no_point() -> None:
    three = [taken(mark=20_000, at_ns=NOON), taken(mark=0, at_ns=NOON + 1), taken(mark=20_000, at_ns=NOON + 2)]

    flat = [msgspec.structs.replace(held, quantity=0) if held.strategy == "b" else held for held in three[1].positions]
    three[1] = msgspec.structs.replace(three[1], positions=tuple(flat))

    assert {name: [at_ns for at_ns, _ in found] for name, found in points(three).items()} == {
        ACCOUNT: [NOON, NOON + 2], "a": [NOON, NOON + 2], "b": [NOON, NOON + 1, NOON + 2],
    }  # fmt: skip


def test_what_was_flat_before_the_day_began_is_in_no_snapshot_any_more() -> None:
    back = Fill(trade_id="T9", tag="O9", strategy="b", index=INDEX, symbol=SYMBOL, side="BUY", quantity=LOT,
                price_paise=10_000, at_ns=NOON + 9)  # fmt: skip
    closed = with_fill(books(), back, "NRML")
    told = [
        snapshot(NOON, on_day(closed, day), [], marks={}, closes={}, state="ACTIVE").positions
        for day in (DAY, DAY + dt.timedelta(days=1))
    ]
    assert [[(one.strategy, one.quantity) for one in positions] for positions in told] == [
        [("a", LOT), ("b", 0)], [("a", LOT)],
    ]  # fmt: skip


NEXT = DAY + dt.timedelta(days=1)


def carried(mark: int, close: int, at_ns: int = NOON, *, sold: bool = False) -> Snapshot:
    """On the day after: what `a` and `b` hold against each other was carried in; sold is that `a` holds none of it."""
    made = on_day(books(), NEXT)
    if sold:
        gone = Fill(trade_id="T8", tag="O8", strategy="a", index=INDEX, symbol=SYMBOL, side="SELL", quantity=LOT,
                    price_paise=11_000, at_ns=NOON + 86_400 * 10**9)  # fmt: skip
        made = with_fill(made, gone, "NRML")
    return snapshot(at_ns, made, [], marks={SYMBOL: mark}, closes={SYMBOL: close}, state="ACTIVE")


def test_a_snapshot_keeps_what_was_carried_in_and_its_previous_close() -> None:
    assert [(one.carried, one.prev_close_paise) for one in carried(10_500, 9_000, sold=True).positions] == [
        (LOT, 9_000), (-LOT, 9_000),
    ]  # fmt: skip
    assert {one.carried for one in taken().positions} == {0}


def test_a_snapshot_of_before_these_were_kept_is_read() -> None:
    old = msgspec.to_builtins(carried(10_500, 9_000))
    for held in old["positions"]:
        del held["carried"], held["prev_close_paise"]

    found = msgspec.json.decode(msgspec.json.encode(old), type=Snapshot)
    assert {(one.carried, one.prev_close_paise, one.mark_paise) for one in found.positions} == {(0, 0, 10_500)}
    assert points([found])["a"] == points([carried(10_500, 9_000)])["a"]


def test_a_snapshot_without_a_previous_close_of_what_was_carried_in_is_no_point() -> None:
    three = [carried(10_500, close, NOON + n, sold=True) for n, close in enumerate((9_000, 0, 9_000))]

    assert {name: [at_ns for at_ns, _ in found] for name, found in points(three).items()} == {
        name: [NOON, NOON + 2] for name in (ACCOUNT, "a", "b")
    }


def test_prices_are_the_last_marks_and_every_previous_close_that_was_seen() -> None:
    seen = [carried(10_400, 9_000), carried(10_500, 0, NOON + 1)]

    assert prices(reversed(seen)) == {SYMBOL: (0, 0, 10_500, 9_000)}
    assert prices([seen[0], carried(0, 0, NOON + 1)]) == {SYMBOL: (0, 0, 0, 9_000)}, "a mark is of the last alone"
    assert prices([]) == {}
