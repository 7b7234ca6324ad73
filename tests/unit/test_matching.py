"""Matching: never worse than the limit, never more than asked, never more than was shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.matching.depth import Board, Depth, Level
from core.matching.match import Resting, Trade, cross, protected_limit, take
from tests.fakes_orders import SYMBOL, ticks

PRICES = st.integers(1, 60).map(lambda n: 5 * n)
QUANTITIES = st.integers(1, 100)


@st.composite
def books(draw: st.DrawFn) -> Depth:
    prices = sorted(draw(st.sets(PRICES, max_size=10)))
    cut = draw(st.integers(0, len(prices)))
    levels = [Level(price, draw(QUANTITIES)) for price in prices]
    return Depth(bids=tuple(reversed(levels[:cut]))[:5], asks=tuple(levels[cut:])[:5], last_paise=100)


SIDES = st.sampled_from(("BUY", "SELL"))
RESTING = st.lists(st.tuples(SIDES, PRICES, QUANTITIES), max_size=6).map(
    lambda rows: [
        Resting(tag=f"R{n}", side=side, limit_paise=price, quantity=quantity, sequence=n)
        for n, (side, price, quantity) in enumerate(rows)
    ]
)


def shown(depth: Depth) -> int:
    return sum(level.quantity for level in (*depth.bids, *depth.asks))


@given(books(), SIDES, QUANTITIES, PRICES)
def test_an_arriving_order_takes_what_it_reaches_and_no_more(
    depth: Depth, side: str, quantity: int, limit: int
) -> None:
    trades, left = take(depth, side, quantity, limit)
    taken = sum(trade.quantity for trade in trades)
    levels = depth.asks if side == "BUY" else depth.bids
    reached = sum(
        level.quantity for level in levels if (level.paise <= limit if side == "BUY" else level.paise >= limit)
    )

    assert taken == min(quantity, reached)
    assert shown(depth) - shown(left) == taken
    assert all(trade.paise <= limit if side == "BUY" else trade.paise >= limit for trade in trades)
    assert [t.paise for t in trades] == sorted((t.paise for t in trades), reverse=side == "SELL")


@given(books(), RESTING)
def test_resting_orders_fill_at_their_limits_within_what_is_shown(depth: Depth, resting: list[Resting]) -> None:
    done, left = cross(depth, resting)
    orders = {order.tag: order for order in resting}

    assert all(trade.paise == orders[tag].limit_paise and trade.quantity <= orders[tag].quantity for tag, trade in done)
    assert shown(depth) - shown(left) == sum(trade.quantity for _, trade in done)
    assert cross(depth, list(reversed(resting))) == (done, left)


@given(books(), RESTING)
def test_no_resting_order_is_passed_over_for_a_worse_or_later_one(depth: Depth, resting: list[Resting]) -> None:
    done, _ = cross(depth, resting)
    got = {tag: trade.quantity for tag, trade in done}
    for order in resting:
        if got.get(order.tag, 0) < order.quantity:
            worse = [
                other.tag
                for other in resting
                if other.side == order.side
                and (
                    (-other.limit_paise if other.side == "BUY" else other.limit_paise, other.sequence)
                    > (-order.limit_paise if order.side == "BUY" else order.limit_paise, order.sequence)
                )
            ]
            assert not any(tag in got for tag in worse)


@pytest.mark.parametrize(
    ("side", "last", "limit"),
    [
        ("BUY", 900, 945),  # below ₹10: 5 %
        ("BUY", 5_000, 5_150),  # ₹10–100: 3 %
        ("BUY", 35_000, 35_700),  # ₹100–500: 2 %
        ("SELL", 35_000, 34_300),
        ("BUY", 60_000, 60_600),  # above ₹500: 1 %
        ("SELL", 5, 5),  # nothing below a tick
        ("BUY", 105, 110),
    ],
)
def test_a_market_order_becomes_kites_protected_limit(side: str, last: int, limit: int) -> None:
    assert protected_limit(side, last, 5) == limit


@given(SIDES, st.integers(1, 200_000).map(lambda n: 5 * n))
def test_protection_is_on_a_tick_and_inside_the_band(side: str, last: int) -> None:
    limit = protected_limit(side, last, 5)

    assert limit % 5 == 0
    assert last * 0.95 - 1e-9 <= limit <= last * 1.05 + 1e-9


def test_the_board_keeps_the_latest_book_and_what_we_left_of_it() -> None:
    board = Board()
    unknown = board.depth(SYMBOL)
    board.update(ticks(bids=[(100, 10), (95, 20)], asks=[(105, 30)], last=101))
    depth = board.depth(SYMBOL)
    assert depth is not None
    board.put(SYMBOL, take(depth, "BUY", 10, 200)[1])
    after = board.depth(SYMBOL)
    marks = [board.mark(SYMBOL, quantity) for quantity in (0, 20, -20)]
    board.update(ticks(last=99))

    assert unknown is None
    assert depth.bids == (Level(100, 10), Level(95, 20))
    assert (depth.asks, depth.last_paise, depth.prev_close_paise) == ((Level(105, 30),), 101, 34_000)
    assert after is not None
    assert (after.asks, after.bids) == ((Level(105, 20),), depth.bids)
    assert board.depth(SYMBOL).asks == ()
    assert (marks, board.mark(SYMBOL), board.mark(SYMBOL, 20)) == ([102, 100, 105], 99, 99)


def test_depth_walks_level_by_level() -> None:
    depth = Depth(asks=(Level(100, 10), Level(105, 10), Level(110, 10)))

    assert take(depth, "BUY", 25, 105)[0] == (Trade(100, 10), Trade(105, 10))
