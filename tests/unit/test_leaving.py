"""Of longs that leave together, those that stay for now keep every short of the account covered."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from core.orders.leaving import uncovered
from core.orders.machine import born
from tests.fakes_orders import LOT, intent

SOON, LATER = "SENSEX25911", "SENSEX25918"
STRIKES = (80_000, 80_500, 81_000)
SYMBOLS = [f"{expiry}{strike}{right}" for expiry in (SOON, LATER) for strike in STRIKES for right in ("CE", "PE")]
UNITS = st.integers(-2, 2).map(lambda lots: lots * LOT)
BOOKS = st.lists(st.tuples(st.sampled_from(SYMBOLS), UNITS), max_size=8)


def ends(symbol: str) -> str:
    return symbol[: len(SOON)]


@given(BOOKS, st.data())
def test_what_is_sold_leaves_no_short_that_ends_as_soon_without_a_cover(
    books: list[tuple[str, int]], data: st.DataObject
) -> None:
    """`books` are of several strategies: one contract may be long in one and short in another."""
    held = Counter[str]()
    for symbol, units in books:
        held[symbol] += units
    closing = [book for book in dict(books).items() if book[1] and data.draw(st.booleans())]
    waits = uncovered(held, closing, (), ())
    after, sold = Counter(held), list[str]()
    for symbol, units in closing:
        if units < 0 or symbol not in waits:
            after[symbol] -= units
            sold += [symbol] if units > 0 else []
    for symbol in sold:
        same = [one for one in after if one[-2:] == symbol[-2:] and ends(one) <= ends(symbol)]
        shorts = -sum(min(0, after[one]) for one in same)
        longs = sum(max(0, after[one]) for one in SYMBOLS if one[-2:] == symbol[-2:])
        assert longs >= shorts


def test_a_wing_waits_for_a_short_of_its_day_and_not_for_one_that_lives_longer() -> None:
    wing, soon, later = f"{SOON}80000PE", f"{SOON}80500PE", f"{LATER}80500PE"
    assert uncovered({wing: LOT, soon: -LOT}, [(wing, LOT)], (), ()) == {wing}
    assert uncovered({wing: LOT, soon: -LOT}, [(wing, LOT), (soon, -LOT)], (), ()) == frozenset()
    assert uncovered({wing: LOT, later: -LOT}, [(wing, LOT)], (), ()) == frozenset()


def test_what_others_sell_already_covers_nothing() -> None:
    wing, other, short = f"{SOON}80000PE", f"{SOON}80500PE", f"{SOON}80000CE"
    held = {wing: LOT, other: LOT, f"{SOON}81000PE": -LOT}
    assert uncovered(held, [(wing, LOT)], (), ()) == frozenset()
    assert uncovered(held, [(wing, LOT)], [(other, LOT)], ()) == {wing}
    sale = born(intent("X", symbol=other, side="SELL", quantity=LOT, purpose="exit"), 1)
    assert uncovered(held, [(wing, LOT)], (), [sale]) == {wing}
    assert uncovered({**held, short: -LOT}, [(wing, LOT)], (), ()) == frozenset(), "a call is no put"
