"""Stops are counted by position, in the order of market time, whatever order trades are told of in."""

from itertools import permutations

import pytest

from core.records import Fill, Intent, Order
from core.risk.book import RiskBook, at, trades, with_fill, with_intent, working
from core.risk.replay import replay
from tests.fakes_orders import LOT, NOON, SECOND, SYMBOL, intent
from tests.unit.test_limits import fill_of


class Day:
    """Orders of one strategy, each of one lot and filled a second after it was made; the ledger of them."""

    def __init__(self) -> None:
        self.orders: list[Intent] = []
        self.fills: list[Fill] = []

    def order(self, tag: str, reason: str = "", *, made: float, filled: int, **changes: object) -> None:
        """An entry, or with a reason an exit; `made` and `filled` are seconds, a broker tells of whole ones alone."""
        way = {"side": "SELL", "purpose": "exit", "reason": reason} if reason else {}
        one = intent(tag, created_ns=NOON + round(made * SECOND), **(way | changes))
        self.orders.append(one)
        self.fills.append(fill_of(one, 35_000, at_ns=NOON + filled * SECOND))

    def stops(self) -> int:
        """The stops in a row, whatever order the fills are told in, and as a replay of the ledger has it."""
        told = [self._told(list(fills)) for fills in permutations(self.fills)]
        done = [Order(intent=one, state="COMPLETE", filled_quantity=one.quantity) for one in self.orders]
        counts = {book.stops.get("s", 0) for book in (*told, replay(done, self.fills), replay(done, self.fills[::-1]))}
        assert len(counts) == 1, counts
        return counts.pop()

    def _told(self, fills: list[Fill]) -> RiskBook:
        book = at(RiskBook(), NOON)
        for one in self.orders:
            book = with_intent(book, one)
        for fill in fills:
            book = with_fill(book, fill)
        return book


@pytest.mark.parametrize(("reasons", "stops"), [
    (("stop", "stop"), 1), (("stop", "target"), 1), (("target", "stop"), 1), (("target", "end"), 0),
])  # fmt: skip
def test_a_position_that_leaves_by_two_orders_is_one_stop_if_either_is_one(
    reasons: tuple[str, str], stops: int
) -> None:
    """Each part of a bracket's entry that fills has a protecting order of its own, and so has each slice."""
    day = Day()
    day.order("E", made=0, filled=1, quantity=2 * LOT)
    day.order("X1", reasons[0], made=2, filled=5)
    day.order("X2", reasons[1], made=3, filled=5)

    assert day.stops() == stops


def test_an_entry_that_fills_on_while_its_stop_does_makes_no_second_stop() -> None:
    day = Day()
    day.order("E1", made=0, filled=1, quantity=2 * LOT)
    day.order("X1", "stop", made=2, filled=5)
    day.order("E2", made=0, filled=6)
    day.order("X2", "stop", made=7, filled=8, quantity=2 * LOT)

    assert day.stops() == 1


def test_two_positions_one_after_the_other_are_two_stops_within_one_second_too() -> None:
    day = Day()
    for number in range(2):
        day.order(f"E{number}", made=2 * number, filled=9)
        day.order(f"X{number}", "stop", made=2 * number + 1, filled=9)

    assert day.stops() == 2


def test_what_is_entered_after_a_stop_and_stopped_is_a_second_one_though_part_of_the_position_stays() -> None:
    day = Day()
    day.order("BASE", made=0, filled=1, quantity=3 * LOT)
    day.order("X1", "stop", made=2, filled=3)
    day.order("E", made=4, filled=5)
    day.order("X2", "stop", made=6, filled=7)

    assert day.stops() == 2


def test_trades_are_told_of_in_whole_seconds_and_may_seem_older_than_their_orders() -> None:
    day = Day()
    day.order("BASE", made=0.4, filled=0, quantity=3 * LOT)
    day.order("X1", "stop", made=2.4, filled=2)
    day.order("E", made=4.4, filled=4)
    day.order("X2", "stop", made=6.4, filled=6)

    assert day.stops() == 2
    done = [Order(intent=one, state="COMPLETE", filled_quantity=one.quantity) for one in day.orders]
    assert trades(replay(done, day.fills), "s") == 2
    part = Order(intent=day.orders[0], state="OPEN", filled_quantity=LOT)
    assert working(replay([part], [fill_of(day.orders[0], 35_000, quantity=LOT, at_ns=NOON)]), SYMBOL, "BUY") == 2 * LOT
