"""The day's result: by strategy and for the account, its round trips, its drawdown, its Sharpe ratio."""

import datetime as dt
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.orders.books import ACCOUNT, books_of
from core.orders.day_result import DayResult, day_results, max_drawdown_paise, sharpe
from core.records import Fill, Order, Settled
from tests.fakes_orders import DAY, INDEX, LOT, NOON, SYMBOL, intent

NEXT = DAY + dt.timedelta(days=1)
DAY_NS = 24 * 3_600 * 1_000_000_000
Row = tuple[str, int, int, int]  # strategy, signed lots, paise, day
ROWS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")), st.integers(-9, 9).filter(bool), st.integers(1, 9_000).map(lambda n: 5 * n),
        st.integers(0, 1),
    ),
    min_size=1, max_size=20,
)  # fmt: skip


def facts(rows: list[Row]) -> tuple[list[Order], list[Fill]]:
    orders = [Order(intent=intent(f"O{n}", strategy=row[0]), state="COMPLETE") for n, row in enumerate(rows)]
    fills = [
        Fill(
            trade_id=f"T{n}", tag=f"O{n}", strategy=strategy, index=INDEX, symbol=SYMBOL,
            side="BUY" if lots > 0 else "SELL", quantity=abs(lots) * LOT, price_paise=price,
            at_ns=NOON + n + day * DAY_NS,
        )
        for n, (strategy, lots, price, day) in enumerate(rows)
    ]  # fmt: skip
    return orders, fills


def results(rows: list[Row], mark: int = 0, close: int = 0, *, on: dt.date = DAY) -> dict[str, DayResult]:
    return day_results(*facts(rows), on=on, marks={SYMBOL: mark}, closes={SYMBOL: close})


@given(ROWS, st.integers(1, 45_000), st.integers(1, 45_000))
def test_the_strategies_add_up_to_the_account_and_are_what_the_books_say(
    rows: list[Row], mark: int, close: int
) -> None:
    of = results(rows, mark, close, on=NEXT)
    ours = [result for name, result in of.items() if name != ACCOUNT]

    for figure in ("gross_paise", "fills", "trades", "winners", "losers"):
        assert sum(getattr(one, figure) for one in ours) == getattr(of[ACCOUNT], figure)
    last = [row for row in rows if row[3] == 1]
    assert of[ACCOUNT].fills == len(last)
    assert all(one.winners + one.losers <= one.trades for one in ours)
    orders, fills = facts(sorted(rows, key=lambda row: row[3]))
    if last:
        net = books_of(orders, fills).nets[SYMBOL, "NRML"]
        assert of[ACCOUNT].net_paise == net.day_net_paise(mark, close)


def test_a_round_trip_wins_or_loses_net_of_its_charges() -> None:
    won = results([("a", 1, 10_000, 0), ("a", -1, 20_000, 0)])["a"]
    lost = results([("a", 1, 10_000, 0), ("a", -1, 10_005, 0)])["a"]  # ₹1 gross, less than its charges

    assert (won.trades, won.winners, won.losers, won.gross_paise) == (1, 1, 0, 200_000)
    assert (lost.trades, lost.winners, lost.losers, lost.gross_paise) == (1, 0, 1, 100)
    assert lost.net_paise == 100 - lost.charges_paise < 0


def test_a_turn_closes_one_trade_and_an_open_position_is_none() -> None:
    of = results([("a", 1, 10_000, 0), ("a", -3, 20_000, 0)], mark=20_000)["a"]

    assert (of.trades, of.winners, of.realised_paise, of.unrealised_paise) == (1, 1, 200_000, 0)


def test_yesterdays_trades_are_not_todays_and_its_position_counts_from_the_close() -> None:
    rows = [("a", 2, 10_000, 0), ("a", -1, 11_000, 1)]
    today = results(rows, mark=12_000, close=10_500, on=NEXT)["a"]

    assert (today.fills, today.trades) == (1, 0)
    assert today.gross_paise == LOT * 500 + LOT * 1_500
    assert results(rows, mark=10_200, on=DAY)["a"].gross_paise == 2 * LOT * 200  # what came later is left out


def test_an_expiry_closes_the_trade() -> None:
    orders, fills = facts([("a", 1, 10_000, 0)])
    end = Settled(symbol=SYMBOL, index=INDEX, close_paise=1, value_paise=50_000, source="t", at_ns=NOON + 9)
    of = day_results(orders, fills, [end], on=DAY, marks={}, closes={})["a"]

    assert (of.fills, of.trades, of.winners, of.realised_paise) == (1, 1, 1, LOT * 40_000)


def test_drawdown_is_from_the_highest_point_and_sees_what_was_measured_between() -> None:
    assert [max_drawdown_paise(c) for c in ([], [5, 9], [-4], [5, 2, 8, -1, 3])] == [0, 0, 4, 9]
    orders, fills = facts([("a", 1, 10_000, 0)])
    points = {"a": [(NOON + 5, 300_000), (NOON + 6, -100_000)]}
    of = day_results(orders, fills, on=DAY, marks={SYMBOL: 10_000}, closes={}, points=points)

    assert of["a"].max_drawdown_paise == 400_000
    assert of[ACCOUNT].max_drawdown_paise == of[ACCOUNT].charges_paise


def test_trades_at_contracts_stale_prices_make_no_drawdown() -> None:
    """A snapshot counts at the market's marks; a trade elsewhere, minutes later, is no reason to count at old ones."""
    other = "SENSEX2591180600PE"
    orders, fills = facts([("a", 1, 10_000, 0), ("a", 1, 10_000, 0)])
    late = msgspec.structs.replace(fills[1], symbol=other, at_ns=NOON + 9)  # SYMBOL last traded here at NOON, at 10,000
    points = {name: [(NOON + 5, 200_000), (NOON + 12, 210_000)] for name in ("a", ACCOUNT)}
    of = day_results(
        orders, [fills[0], late], on=DAY, marks={SYMBOL: 30_000, other: 10_000}, closes={}, points=points
    )  # fmt: skip

    assert of["a"].net_paise > 210_000
    assert (of["a"].max_drawdown_paise, of[ACCOUNT].max_drawdown_paise) == (0, 0)


def test_what_was_carried_in_without_a_previous_close_is_named_and_its_day_is_no_point_of_the_curve() -> None:
    """Snapshots counted it from its close; the end, which has none, would be a fall of yesterday's loss."""
    rows = [("a", 1, 30_000, 0), ("a", -1, 11_000, 1), ("b", 1, 10_000, 1)]
    points = {name: [(NOON + DAY_NS + 5, 0), (NOON + DAY_NS + 6, LOT * 900)] for name in ("a", "b", ACCOUNT)}

    def of(close: int, seen: dict[str, list[tuple[int, int]]]) -> dict[str, DayResult]:
        return day_results(*facts(rows), on=NEXT, marks={SYMBOL: 11_000}, closes={SYMBOL: close}, points=seen)

    known, unknown, unseen = of(10_000, points), of(0, points), of(0, {})
    assert (known["a"].gross_paise, known["a"].no_close) == (LOT * 1_000, ())
    assert known["a"].max_drawdown_paise == LOT * 900 - known["a"].net_paise
    assert [unknown[name].no_close for name in ("a", "b", ACCOUNT)] == [(SYMBOL,), (), (SYMBOL,)]
    assert [unknown[name].max_drawdown_paise for name in ("a", ACCOUNT)] == [0, 0]
    assert [unseen[name].max_drawdown_paise for name in ("a", ACCOUNT)] == [None, None], "nothing was measured"
    assert unseen["b"].max_drawdown_paise == 0


def test_without_a_fill_there_is_an_account_of_nothing() -> None:
    assert day_results([], [], on=DAY, marks={}, closes={}) == {ACCOUNT: DayResult()}


@pytest.mark.parametrize("days", [0, 19])
def test_a_sharpe_ratio_needs_twenty_days(days: int) -> None:
    assert sharpe([(-1) ** n * n for n in range(days)]) is None


def test_a_sharpe_ratio_is_annualised_and_none_without_spread() -> None:
    assert sharpe([100, 300] * 10) == pytest.approx(200 / (100 * math.sqrt(20 / 19)) * math.sqrt(252))
    assert sharpe([5] * 20) is None
