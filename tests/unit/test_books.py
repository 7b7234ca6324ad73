"""Books per strategy: whatever is traded, settled and converted, they add up to the account's nets to the paisa."""

import datetime as dt
from collections import defaultdict
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.market import exercise_charges
from core.orders.books import (
    ACCOUNT,
    Books,
    books_of,
    by_strategy,
    charges_beyond_net,
    cost_of,
    exit_mark,
    external,
    net,
    on_day,
    with_fill,
    with_move,
    with_settled,
)
from core.records import Fill, Move, Order, Settled
from tests.fakes_orders import DAY, INDEX, LOT, NOON, SYMBOL, intent

NEXT_DAY_NS = 24 * 3_600 * 1_000_000_000
OTHER = "SENSEX2591180500CE"
ROW = st.tuples(
    st.sampled_from(("a", "b", "manual")),
    st.sampled_from((SYMBOL, OTHER)),
    st.sampled_from(("NRML", "MIS")),
    st.sampled_from(("BUY", "SELL")),
    st.integers(1, 20),  # lots
    st.integers(1, 20_000).map(lambda n: 5 * n),
    st.integers(0, 1),  # day
)
ROWS = st.lists(ROW, min_size=1, max_size=20)


def fill(
    number: int, strategy: str, side: str, quantity: int, price: int, *, symbol: str = SYMBOL, day: int = 0
) -> Fill:
    return Fill(
        trade_id=f"T{number}",
        tag=f"O{number}",
        strategy=strategy,
        index=INDEX,
        symbol=symbol,
        side=side,
        quantity=quantity,
        price_paise=price,
        at_ns=NOON + number + day * NEXT_DAY_NS,
    )


def fold(rows: list[tuple[str, str, str, str, int, int, int]]) -> Books:
    """In the order given, so that some of an earlier day come late."""
    books = Books()
    for n, (strategy, symbol, product, side, lots, price, day) in enumerate(rows):
        books = with_fill(books, fill(n, strategy, side, lots * LOT, price, symbol=symbol, day=day), product)
    return books


def require_sums(books: Books, mark: int, close: int) -> None:
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for (_, symbol, product), book in books.books.items():
        held = book.holding
        figures = (book.quantity, held.cash_paise, book.gross_paise(mark), book.day_gross_paise(mark, close))
        figures += (book.day_bought_paise - book.day_sold_paise,)
        for place, figure in enumerate(figures):
            sums[symbol, product][place] += figure
    assert sums.keys() == net(books).keys()
    for key, account in net(books).items():
        held = account.holding
        figures = (account.quantity, held.cash_paise, account.gross_paise(mark), account.day_gross_paise(mark, close))
        assert sums[key] == [*figures, account.day_bought_paise - account.day_sold_paise]
        assert account.gross_paise(mark) == held.cash_paise + account.quantity * mark


def charges(books: Books) -> Decimal:
    return sum((book.holding.charges_rupees for book in books.books.values()), Decimal(0))


@given(ROWS, st.integers(1, 200_000), st.integers(1, 200_000))
def test_the_books_add_up_to_the_net_to_the_paisa(
    rows: list[tuple[str, str, str, str, int, int, int]], mark: int, close: int
) -> None:
    books = fold(rows)

    require_sums(books, mark, close)
    assert charges(books) == sum((book.holding.charges_rupees for book in net(books).values()), Decimal(0))
    assert charges_beyond_net(books) == 0
    of = by_strategy(books, {SYMBOL: mark, OTHER: mark}, {SYMBOL: close, OTHER: close})
    assert sum(gross for name, (gross, _) in of.items() if name != ACCOUNT) == of[ACCOUNT][0]


@given(ROWS, st.integers(1, 200_000), st.data())
def test_a_conversion_moves_units_and_cost_and_creates_no_money(
    rows: list[tuple[str, str, str, str, int, int, int]], mark: int, data: st.DataObject
) -> None:
    books = fold(rows)
    held = [key for key, book in books.books.items() if book.quantity]
    if not held:
        return
    strategy, symbol, product = data.draw(st.sampled_from(held))
    most = books.books[strategy, symbol, product].quantity
    units = data.draw(st.integers(min(most, 1), max(most, -1)).filter(bool))
    other = "MIS" if product == "NRML" else "NRML"
    cost = cost_of(books, strategy, symbol, units, old=product, new=other)
    move = Move(
        move_id="M1", kind="convert", phase="done", strategy=strategy, symbol=symbol, index="SENSEX", quantity=units,
        product_from=product, product=other, who="asha", at_ns=2**60, value_paise=cost,
    )  # fmt: skip
    after = with_move(books, move)
    assert with_move(after, move) is after, "once"
    assert with_move(books, msgspec.structs.replace(move, phase="asked")) is books

    require_sums(after, mark, 77)
    assert charges(after) == charges(books)
    assert after.books[strategy, symbol, product].quantity == most - units
    assert after.books[strategy, symbol, product].holding.realised_paise == (
        books.books[strategy, symbol, product].holding.realised_paise
    )
    total = sum(book.gross_paise(mark) for book in books.books.values())
    assert sum(book.gross_paise(mark) for book in after.books.values()) == total


@given(ROWS, st.integers(0, 200_000), st.integers(0, 1))
def test_a_settlement_pays_every_book_and_the_net_alike(
    rows: list[tuple[str, str, str, str, int, int, int]], value: int, late: int
) -> None:
    at_ns = NOON + 1_000 + (1 - late) * NEXT_DAY_NS
    settled = Settled(symbol=SYMBOL, index=INDEX, close_paise=8_000_000, value_paise=value, source="t", at_ns=at_ns)
    books = with_settled(fold(rows), settled)

    require_sums(books, value or 1, 77)
    assert all(book.quantity == 0 for book in books.books.values() if book.symbol == SYMBOL)
    assert with_settled(books, settled) == books
    assert charges_beyond_net(books) >= 0


@given(ROWS)
def test_a_fill_counts_once_and_order_by_order_is_as_from_the_ledger(
    rows: list[tuple[str, str, str, str, int, int, int]],
) -> None:
    rows = sorted(rows, key=lambda row: row[-1])
    fills = [
        fill(n, s, side, lots * LOT, p, symbol=symbol, day=d) for n, (s, symbol, _, side, lots, p, d) in enumerate(rows)
    ]
    orders = [Order(intent=intent(f"O{n}", product=row[2]), state="COMPLETE") for n, row in enumerate(rows)]

    assert books_of(orders, [*fills, *fills]) == fold(rows)


def test_two_strategies_in_one_contract_have_each_their_own_result() -> None:
    books = fold([("a", SYMBOL, "NRML", "BUY", 1, 10_000, 0), ("b", SYMBOL, "NRML", "SELL", 1, 11_000, 0)])
    a, b, account = (
        books.books["a", SYMBOL, "NRML"],
        books.books["b", SYMBOL, "NRML"],
        net(books)[SYMBOL, "NRML"],
    )

    assert (a.quantity, b.quantity, account.quantity) == (20, -20, 0)
    assert (a.gross_paise(10_500), b.gross_paise(10_500)) == (10_000, 10_000)
    assert (account.holding.realised_paise, account.gross_paise(0)) == (20_000, 20_000)


def test_mis_and_nrml_of_one_contract_are_two_positions() -> None:
    books = fold([("a", SYMBOL, "NRML", "BUY", 2, 10_000, 0), ("a", SYMBOL, "MIS", "SELL", 1, 11_000, 0)])

    assert {key: book.quantity for key, book in net(books).items()} == {(SYMBOL, "NRML"): 40, (SYMBOL, "MIS"): -20}


def test_what_is_carried_overnight_counts_from_the_previous_close_and_not_until_it_is_quoted() -> None:
    books = on_day(fold([("a", SYMBOL, "NRML", "BUY", 2, 10_000, 0)]), DAY + dt.timedelta(days=1))
    book = books.books["a", SYMBOL, "NRML"]

    assert (book.overnight_quantity, book.day_charges_paise) == (40, 0)
    assert book.day_gross_paise(12_000, 11_500) == 40 * 500
    assert book.day_gross_paise(0, 11_500) == 0
    sold = with_fill(books, fill(9, "a", "SELL", 20, 11_900, day=1), "NRML").books["a", SYMBOL, "NRML"]
    assert sold.day_gross_paise(12_000, 11_500) == 20 * 400 + 20 * 500
    assert (sold.day_bought, sold.day_sold, sold.day_sold_paise) == (0, 20, 20 * 11_900)
    assert sold.day_net_paise(12_000, 11_500) == 20 * 900 - sold.day_charges_paise < 20 * 900


def test_exercise_is_charged_to_each_long_book_and_the_difference_to_the_net_is_told() -> None:
    books = fold([("a", SYMBOL, "NRML", "BUY", 2, 10_000, 0), ("b", SYMBOL, "NRML", "SELL", 2, 11_000, 0)])
    end = Settled(symbol=SYMBOL, index=INDEX, close_paise=1, value_paise=50_000, source="t", at_ns=NOON + 99)

    stt = exercise_charges(INDEX, 40, 50_000, DAY).total_paise
    assert charges_beyond_net(with_settled(books, end)) == stt > 0


def test_what_the_broker_holds_beyond_the_nets_is_external() -> None:
    books = fold([("a", SYMBOL, "NRML", "BUY", 2, 10_000, 0), ("b", OTHER, "MIS", "SELL", 1, 11_000, 0)])
    theirs = {(SYMBOL, "NRML"): 60, (OTHER, "NRML"): 20}

    assert external(books, theirs) == {(SYMBOL, "NRML"): 20, (OTHER, "NRML"): 20, (OTHER, "MIS"): 20}
    assert external(books, {(SYMBOL, "NRML"): 40, (OTHER, "MIS"): -20}) == {}


def test_the_exit_side_of_a_long_is_the_bid_and_of_a_short_the_ask() -> None:
    assert [exit_mark(q, 100, 110, 90) for q in (1, -1, 0)] == [100, 110, 105]
    assert [exit_mark(q, 0, 110, 90) for q in (1, -1)] == [90, 110]


def test_what_cannot_be_converted_and_whose_fill_is_unknown_are_told() -> None:
    books = fold([("a", SYMBOL, "MIS", "BUY", 2, 10_000, 0)])
    for units in (60, -20, 0):
        with pytest.raises(InputError, match=r"a holds \+40"):
            cost_of(books, "a", SYMBOL, units, old="MIS", new="NRML")
    with pytest.raises(InputError, match="O1"):
        books_of([], [fill(1, "a", "BUY", 20, 100)])
