"""While an expiry settles on the mean of the index, that mean is kept, and the spot's forward is made of it."""

import datetime as dt
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chain import Book, analyse
from core.chain.averaging import LONGEST_GAP_NS, RunningMean
from core.market import IST, settlement, to_ns
from core.pricing import Reason
from core.schemas import Kind
from tests.fakes_numbers import option, row, ticks

JULY = dt.date(2026, 7, 28)
ENDS = settlement("NIFTY", JULY)
MINUTE = 60 * 10**9


def at(minute: int, second: int = 0) -> int:
    """Nanoseconds `minute` minutes after 15:00 of the expiry day."""
    return to_ns(dt.datetime(2026, 7, 28, 15, 0, tzinfo=IST)) + minute * MINUTE + second * 10**9


def mean_of(*quotes: tuple[int, int]) -> RunningMean:
    found = RunningMean()
    for at_ns, paise in quotes:
        found = found.after("NIFTY", at_ns, paise)
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 200), st.integers(24_000_00, 26_000_00)), min_size=14, max_size=40))
def test_the_mean_is_that_of_the_index_second_by_second(path: list[tuple[int, int]]) -> None:
    quotes, clock, level = [(at(-1), 25_000_00)], -60, {}
    for seconds, paise in path:
        clock += seconds
        quotes.append((at(0, clock), paise))
    now = clock + 7
    for (since, paise), (until, _) in zip(quotes, [*quotes[1:], (at(0, now), 0)], strict=True):
        level |= dict.fromkeys(range((since - at(0)) // 10**9, (until - at(0)) // 10**9), paise)
    inside = [paise for second, paise in level.items() if 0 <= second < 1800]
    if now > 0:
        assert mean_of(*quotes).rupees(ENDS, at(0, now)) == pytest.approx(sum(inside) / len(inside) / 100, rel=1e-12)


def test_a_silence_leaves_the_mean_unknown_until_the_next_day() -> None:
    before, gap = (at(-2), 25_000_00), LONGEST_GAP_NS // MINUTE
    assert math.isnan(mean_of().rupees(ENDS, at(5)))
    assert math.isnan(mean_of((at(2), 25_000_00)).rupees(ENDS, at(3)))  # nobody knows 15:00 to 15:02
    assert math.isnan(mean_of((at(-1440), 24_000_00), (at(2), 25_000_00)).rupees(ENDS, at(3)))  # nor from yesterday
    assert math.isnan(mean_of(before, (at(1), 25_000_00), (at(2 + gap), 25_000_00)).rupees(ENDS, at(20)))
    assert math.isnan(mean_of(before, (at(1), 25_000_00)).rupees(ENDS, at(2 + gap)))
    assert mean_of(before, (at(1), 25_000_00)).rupees(ENDS, at(1 + gap)) == 25_000


def forward_at(minute: int, *quotes: tuple[int, int]) -> dict[str, object]:
    book = Book.empty("NIFTY")
    for at_ns, paise in quotes:
        book = book.updated(ticks(row("NIFTY", last_paise=paise, exchange_ns=at_ns)))
    last = option(Kind.CALL, 24_950, expiry=JULY, last=55, volume=10, exchange_ns=at(minute))
    chain = analyse(book.updated(ticks(last)), as_of_ns=at(minute), sequence=1, rate=0.0, max_age_ns=3 * 10**9)
    return {**chain.expiries.to_pylist()[0], "iv_reason": chain.contracts.column("iv_reason")[0].as_py()}


def test_in_the_window_the_spot_s_forward_is_the_settlement_it_leads_to() -> None:
    """24,900 until 15:20, 25,020 from then on: at 15:25 the mean so far is 24,924, for 25 of 30 minutes."""
    path = [(at(minute), 24_900_00) for minute in range(-3, 20, 3)] + [(at(20), 25_020_00), (at(24), 25_020_00)]
    before, inside = forward_at(-3, path[0]), forward_at(25, *path)

    assert (before["forward_source"], before["forward"]) == ("spot", 24_900)
    assert inside["forward_source"] == "spot"
    assert inside["forward"] == pytest.approx(25 / 30 * 24_924 + 5 / 30 * 25_020)


def test_in_the_window_a_spot_whose_mean_nobody_knows_makes_no_forward() -> None:
    late = forward_at(25, (at(25), 25_000_00))

    assert (late["forward_source"], late["iv_reason"]) == ("none", Reason.NO_FORWARD)


def test_the_mean_does_not_depend_on_how_the_ticks_were_batched() -> None:
    rows = [row("NIFTY", last_paise=2_500_000 + 100 * n, exchange_ns=at(n)) for n in range(-1, 10)]
    book = Book.empty("NIFTY")
    for single in rows:
        book = book.updated(ticks(single))
    whole = Book.empty("NIFTY").updated(ticks(*reversed(rows)))

    assert whole.averaged == book.averaged
    assert whole.averaged.rupees(ENDS, at(9)) == pytest.approx(25_000 + sum(range(9)) / 9)
