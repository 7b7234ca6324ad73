"""Positions: money is conserved to the paisa, a fill counts once, brokerage is per order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.market import charges_at
from core.orders.positions import Holding, apply, fold, mark, position, signed
from core.records import Fill
from tests.fakes_orders import DAY, INDEX, LOT, NOON, SYMBOL


def fill(number: int, side: str, quantity: int, price: int, tag: str = "A") -> Fill:
    return Fill(
        trade_id=f"T{number}",
        tag=tag,
        strategy="s",
        index=INDEX,
        symbol=SYMBOL,
        side=side,
        quantity=quantity,
        price_paise=price,
        at_ns=NOON + number,
    )


ROWS = st.lists(
    st.tuples(st.sampled_from(("BUY", "SELL")), st.integers(1, 50), st.integers(1, 20_000).map(lambda n: 5 * n)),
    min_size=1,
    max_size=15,
)


@given(ROWS, st.integers(1, 200_000))
def test_realised_and_unrealised_are_the_cash_and_the_mark(rows: list[tuple[str, int, int]], last: int) -> None:
    fills = [fill(n, side, units * LOT, price, tag=f"O{n}") for n, (side, units, price) in enumerate(rows)]
    holding = fold(fills)[SYMBOL]
    row = position(holding, last)
    cash = sum(-signed(f) * f.price_paise for f in fills)

    assert row.realised_paise + row.unrealised_paise == cash + row.quantity * last
    assert row.quantity == sum(signed(f) for f in fills)
    assert (row.average_paise == 0) == (row.quantity == 0)
    assert row.charges_paise > 0
    assert row.net_paise == row.gross_paise - row.charges_paise


@given(ROWS)
def test_a_fill_counts_once(rows: list[tuple[str, int, int]]) -> None:
    fills = [fill(n, side, units * LOT, price) for n, (side, units, price) in enumerate(rows)]

    assert fold([*fills, *fills]) == fold(fills)


@given(ROWS)
def test_the_average_lies_between_the_prices_paid(rows: list[tuple[str, int, int]]) -> None:
    holding = Holding(symbol=SYMBOL, index=INDEX)
    for n, (side, units, price) in enumerate(rows):
        holding = apply(holding, fill(n, side, units * LOT, price))
        if holding.quantity:
            prices = [row[2] for row in rows[: n + 1]]
            assert min(prices) - 1 <= holding.average_paise <= max(prices) + 1


def test_a_round_trip_realises_its_difference() -> None:
    holding = fold([fill(1, "BUY", 100, 34_910), fill(2, "SELL", 100, 32_815, tag="B")])[SYMBOL]

    assert (holding.quantity, holding.realised_paise, holding.open_cost_paise) == (0, -209_500, 0)


def test_a_turn_from_long_to_short_opens_at_the_new_price() -> None:
    holding = fold([fill(1, "BUY", 20, 10_000), fill(2, "SELL", 60, 11_000, tag="B")])[SYMBOL]

    assert (holding.quantity, holding.average_paise, holding.realised_paise) == (-40, 11_000, 20_000)
    assert holding.unrealised_paise(10_500) == 20_000


def test_brokerage_is_borne_once_per_order_however_many_fills() -> None:
    parts = [fill(n, "BUY", 20, 34_910) for n in range(1, 6)]
    whole = charges_at(INDEX, "BUY", 100, 34_910, DAY)

    assert fold(parts)[SYMBOL].charges_rupees == whole.total
    assert fold([fill(1, "BUY", 100, 34_910)])[SYMBOL].charges_rupees == whole.total


def test_without_a_mark_nothing_is_unrealised() -> None:
    holding = fold([fill(1, "BUY", 20, 10_000)])[SYMBOL]

    assert position(holding, 0).unrealised_paise == 0


def test_to_be_shown_a_mark_is_the_mid_of_two_sides_else_the_last_trade() -> None:
    assert [mark(100, 105, 90), mark(0, 105, 90), mark(100, 0, 90), mark(0, 0, 0)] == [102, 90, 90, 0]


def test_a_position_is_marked_at_the_side_it_would_leave_by_else_at_the_last_trade() -> None:
    assert [mark(100, 105, 90, 20), mark(100, 105, 90, -20)] == [100, 105]
    assert [mark(0, 105, 90, 20), mark(100, 0, 90, -20), mark(0, 105, 0, 20)] == [90, 90, 0]


def test_a_fill_of_another_symbol_or_without_quantity_is_an_error() -> None:
    with pytest.raises(InputError, match="OTHER"):
        apply(Holding(symbol="OTHER", index=INDEX), fill(1, "BUY", 20, 100))
    with pytest.raises(InputError, match="quantity > 0"):
        fold([fill(1, "BUY", 0, 100)])
