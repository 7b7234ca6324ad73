"""Desk beside broker: equal sides differ in nothing, and one change of one side is found, exactly it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.orders.books import books_of
from core.orders.reconcile import Statement, Tolerance, as_json, compare, in_words, lasting, over, rows
from core.orders.reconcile_words import TODO
from core.records import Fill, Order
from tests.fakes_orders import INDEX, LOT, NOON, SYMBOL, intent

ENDS = ("OPEN", "COMPLETE", "CANCELLED")


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """Orders in every state a broker knows, with the trades and positions they come to."""
    orders, fills = [], []
    for n in range(draw(st.integers(1, 6))):
        lots, state = draw(st.integers(1, 5)), draw(st.sampled_from(ENDS))
        filled = lots if state == "COMPLETE" else draw(st.integers(0, lots - 1))
        asked = intent(
            f"T{n}", strategy=draw(st.sampled_from("ab")), quantity=lots * LOT,
            side=draw(st.sampled_from(("BUY", "SELL"))), product=draw(st.sampled_from(("NRML", "MIS"))),
            created_ns=NOON,
        )  # fmt: skip
        own = [fill(f"{n}-{k}", asked, draw(st.integers(1, 9_000)) * 5) for k in range(filled)]
        average = sum(one.price_paise for one in own) / len(own) if own else 0.0
        orders.append(
            Order(intent=asked, state=state, broker_id=f"B{n}", filled_quantity=filled * LOT, average_paise=average)
        )
        fills += own
    net = {key: book.quantity for key, book in books_of(orders, fills).nets.items()}
    return Statement(
        orders=tuple(orders), trades=tuple(fills), positions=net, margin_paise=draw(st.integers(0, 10**9)),
        funds_paise=draw(st.integers(0, 10**9)), charges_paise=draw(st.integers(0, 10**7)), cash_paise=0,
    )  # fmt: skip


def fill(number: str, asked: Any, price: int) -> Fill:
    return Fill(
        trade_id=number, tag=asked.tag, strategy=asked.strategy, index=INDEX, symbol=SYMBOL, side=asked.side,
        quantity=LOT, price_paise=price, at_ns=NOON,
    )  # fmt: skip


def found(desk: Statement, broker: Statement) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in compare(desk, broker).differences]


def with_one(said: Statement, field: str, place: int, **changes: Any) -> Statement:
    """`said` with one of its orders or trades changed."""
    these = list(getattr(said, field))
    these[place] = replace(these[place], **changes)
    return replace(said, **{field: tuple(these)})


def without(said: Statement, field: str, place: int) -> Statement:
    these = getattr(said, field)
    return replace(said, **{field: these[:place] + these[place + 1 :]})


Change = Callable[[Statement, int], tuple[Statement, list[tuple[str, str]]]]


def of_order(kind: str, **changes: Any) -> Change:
    def change(said: Statement, place: int) -> tuple[Statement, list[tuple[str, str]]]:
        place %= len(said.orders or ())
        order = (said.orders or ())[place]
        made = {name: act(order) for name, act in changes.items()}
        return with_one(said, "orders", place, **made), [(kind, order.intent.tag)]

    return change


def of_trade(kind: str, **changes: Any) -> Change:
    def change(said: Statement, place: int) -> tuple[Statement, list[tuple[str, str]]]:
        if not said.trades:
            return said, []
        place %= len(said.trades)
        trade = said.trades[place]
        made = {name: act(trade) for name, act in changes.items()}
        return with_one(said, "trades", place, **made), [(kind, trade.trade_id)]

    return change


def gone(field: str, kind: str) -> Change:
    def change(said: Statement, place: int) -> tuple[Statement, list[tuple[str, str]]]:
        these = getattr(said, field)
        if not these:
            return said, []
        place %= len(these)
        subject = these[place].intent.tag if field == "orders" else these[place].trade_id
        return without(said, field, place), [(kind, subject)]

    return change


def moved(said: Statement, place: int) -> tuple[Statement, list[tuple[str, str]]]:
    keys = sorted(said.positions or {})
    key = keys[place % len(keys)] if keys else (SYMBOL, "NRML")
    return replace(said, positions={**(said.positions or {}), key: (said.positions or {}).get(key, 0) + 7_000}), [
        ("position", " ".join(key))
    ]


def money(name: str, by: int) -> Change:
    def change(said: Statement, place: int) -> tuple[Statement, list[tuple[str, str]]]:
        return replace(said, **{f"{name}_paise": getattr(said, f"{name}_paise") + by}), [(name, "account")]

    return change


def priced(said: Statement, place: int) -> tuple[Statement, list[tuple[str, str]]]:
    filled = [n for n, order in enumerate(said.orders or ()) if order.filled_quantity]
    if not filled:
        return said, []
    n = filled[place % len(filled)]
    order = (said.orders or ())[n]
    changed = with_one(said, "orders", n, average_paise=order.average_paise + 1.5)
    return changed, [("average price", order.intent.tag)]


def termed(said: Statement, place: int) -> tuple[Statement, list[tuple[str, str]]]:
    live = [n for n, order in enumerate(said.orders or ()) if order.state == "OPEN"]
    if not live:
        return said, []
    n = live[place % len(live)]
    changed = with_one(said, "orders", n, resting_type="SL", resting_limit_paise=5, resting_trigger_paise=10)
    return changed, [("terms", (said.orders or ())[n].intent.tag)]


def doubled(said: Statement, place: int) -> tuple[Statement, list[tuple[str, str]]]:
    order = (said.orders or ())[place % len(said.orders or ())]
    twin = replace(order, broker_id="B99")
    return replace(said, orders=(*(said.orders or ()), twin)), [("order doubled", order.intent.tag)]


def other_state(order: Order) -> str:
    return "REJECTED" if order.state != "REJECTED" else "OPEN"


# What is changed at the broker, and the kind of the one difference it must make.
AT_BROKER: dict[str, Change] = {
    "state": of_order("state", state=other_state),
    "filled": of_order("filled quantity", filled_quantity=lambda order: order.filled_quantity + 1),
    "identity": of_order("order identity", intent=lambda o: replace(o.intent, quantity=o.intent.quantity + LOT)),
    "average": priced,
    "terms": termed,
    "doubled": doubled,
    "order gone": gone("orders", "order missing at the broker"),
    "trade gone": gone("trades", "trade missing at the broker"),
    "trade quantity": of_trade("trade quantity", quantity=lambda one: one.quantity + LOT),
    "trade price": of_trade("trade price", price_paise=lambda one: one.price_paise + 5),
    "trade identity": of_trade("trade identity", side=lambda one: "SELL" if one.side == "BUY" else "BUY"),
    "position": moved,
    "margin": money("margin", 2_000_000_000),
    "funds": money("funds", -500_001),
    "charges": money("charges", 501),
    "cash": money("cash", 1),
}
HERE: dict[str, Change] = {
    "order gone": gone("orders", "order missing here"),
    "trade gone": gone("trades", "trade missing here"),
}


@given(statements())
def test_equal_sides_differ_in_nothing(said: Statement) -> None:
    report = compare(said, said)

    assert report.differences == ()
    assert report.clean
    assert report.unread == ()
    assert report.compared["orders"] == len(said.orders or ())


@pytest.mark.parametrize("change", AT_BROKER.values(), ids=AT_BROKER)
@given(said=statements(), place=st.integers(0, 100))
def test_one_change_at_the_broker_is_exactly_one_difference(change: Change, said: Statement, place: int) -> None:
    theirs, wanted = change(said, place)

    assert found(said, theirs) == wanted


@pytest.mark.parametrize("change", HERE.values(), ids=HERE)
@given(said=statements(), place=st.integers(0, 100))
def test_one_thing_missing_here_is_exactly_one_difference(change: Change, said: Statement, place: int) -> None:
    ours, wanted = change(said, place)

    assert found(ours, said) == wanted


def test_every_kind_of_difference_is_tried() -> None:
    asked = [intent("T0", quantity=LOT), intent("T1", quantity=LOT)]
    said = Statement(
        orders=(
            Order(intent=asked[0], state="COMPLETE", broker_id="B0", filled_quantity=LOT, average_paise=500.0),
            Order(intent=asked[1], state="OPEN", broker_id="B1"),
        ),
        trades=(fill("0-0", asked[0], 500),), positions={(SYMBOL, "NRML"): LOT},
        margin_paise=0, funds_paise=0, charges_paise=0, cash_paise=0,
    )  # fmt: skip
    tried = {wanted for change in (*AT_BROKER.values(), *HERE.values()) for wanted, _ in change(said, 0)[1]}

    assert tried == set(TODO)


def side(state: str, filled: int = 0, *, lost: bool = False, units: int = 0, broker_id: str = "B") -> Statement:
    order = Order(
        intent=intent("A", quantity=3 * LOT), state=state, filled_quantity=filled * LOT, lost=lost, broker_id=broker_id
    )
    return Statement(orders=(order,), trades=(), positions={(SYMBOL, "NRML"): units * LOT} if units else {})


def test_what_a_live_order_explains_is_told_and_is_no_mismatch() -> None:
    report = compare(side("OPEN"), side("COMPLETE", 3, units=3))

    assert [(one.kind, one.severity) for one in report.differences] == [
        ("state", "info"), ("filled quantity", "info"), ("position", "info"),
    ]  # fmt: skip
    assert report.clean
    assert "may have bought 60" in in_words(report)


def test_beyond_what_live_orders_explain_and_of_ended_and_lost_ones_it_is_a_mismatch() -> None:
    for desk, broker in (
        (side("OPEN"), side("OPEN", units=4)),
        (side("OPEN"), side("OPEN", units=-1)),
        (side("OPEN", lost=True), side("OPEN", units=1)),
        (side("CANCELLED"), side("CANCELLED", units=1)),
    ):
        assert [(one.kind, one.severity) for one in compare(desk, broker).mismatches] == [("position", "alarm")]


@pytest.mark.parametrize(
    ("state", "broker_id", "kinds"),
    [
        ("REFUSED", "", []),
        ("REJECTED", "", []),
        ("CANCELLED", "", []),
        ("REJECTED", "B", ["order missing at the broker"]),
        ("COMPLETE", "B", ["order missing at the broker"]),
    ],
)
def test_what_never_arrived_is_not_missed(state: str, broker_id: str, kinds: list[str]) -> None:
    desk, broker = side(state, broker_id=broker_id), Statement(orders=(), trades=(), positions={})

    assert [one.kind for one in compare(desk, broker).mismatches] == kinds


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("UNKNOWN", "no answer to it is known yet, it is looked up by its tag"),
        ("JOURNALLED", "no answer to it is known yet, it is looked up by its tag"),
        ("OPEN", "it lives here, a broker may list it late"),
    ],
)
def test_a_live_order_that_is_not_in_the_book_is_explained_until_it_is_lost_or_long_there(state: str, why: str) -> None:
    nothing = Statement(orders=(), trades=(), positions={})

    assert [one.explained for one in compare(side(state), nothing).differences] == [why]
    for report in (compare(side(state), nothing, must_list={"A"}), compare(side(state, lost=True), nothing)):
        assert [(one.kind, one.severity) for one in report.mismatches] == [("order missing at the broker", "alarm")]


def test_an_order_that_was_refused_here_and_is_at_the_broker_is_an_alarm() -> None:
    assert [(one.kind, one.severity) for one in compare(side("REFUSED"), side("OPEN")).differences] == [
        ("state", "alarm")
    ]


def test_what_a_side_does_not_know_is_not_compared_and_is_named() -> None:
    report = compare(Statement(orders=(), margin_paise=5), Statement(trades=(), margin_paise=9))

    assert report.clean
    assert report.compared == {"margin": 1}
    assert report.unread[:2] == ("orders (not known at the broker)", "trades (not known here)")
    assert "not compared: orders (not known at the broker)" in in_words(report)


def test_tolerances_are_of_the_figure_they_are_for() -> None:
    ours = Statement(margin_paise=100_000_000, charges_paise=10_000, funds_paise=0, cash_paise=1)
    theirs = Statement(margin_paise=109_000_000, charges_paise=10_500, funds_paise=500_000, cash_paise=1)

    assert compare(ours, theirs).clean
    tight = Tolerance(margin_share=0.01, charges_paise=499, funds_paise=499_999)
    assert [one.kind for one in compare(ours, theirs, tight).differences] == ["margin", "funds", "charges"]


def test_only_what_two_comparisons_find_alike_lasts() -> None:
    one, two = compare(side("CANCELLED"), side("OPEN")), compare(side("CANCELLED"), side("OPEN", 1))

    assert [d.kind for d in lasting(one, two)] == ["state"]
    assert lasting(one, compare(side("OPEN"), side("OPEN"))) == ()


def test_a_margin_that_moves_lasts_and_an_average_price_at_another_figure_does_not() -> None:
    one, two = (
        compare(Statement(margin_paise=10**8 + step, cash_paise=step), Statement(margin_paise=2 * 10**8, cash_paise=-1))
        for step in (0, 1)
    )

    assert [d.kind for d in lasting(one, two)] == ["margin"]
    told = {d.identity for d in one.mismatches}
    assert over(told, two) == ()
    assert over(told, compare(Statement(margin_paise=5), Statement(margin_paise=5))) == (("margin", "account"),)
    assert over(told, compare(Statement(), Statement(margin_paise=5))) == (), "nobody has looked"


def test_a_report_says_itself_in_words_as_json_and_as_rows() -> None:
    report = compare(side("CANCELLED"), side("OPEN"))

    assert in_words(report).splitlines()[
        0
    ] == "1 orders, 0 trades, 0 positions compared: 1 mismatches; not compared: " + (
        ", ".join(f"{name} (not known here and at the broker)" for name in ("margin", "funds", "charges", "cash"))
    )
    assert "alarm: state, A: CANCELLED here, OPEN at the broker" in in_words(report)
    said = msgspec.json.decode(msgspec.json.encode(as_json(report)))
    assert (said["mismatches"], said["clean"], said["differences"][0]["kind"]) == (1, False, "state")
    assert rows(report) == [("alarm", "state", "A", "CANCELLED", "OPEN", TODO["state"])]
