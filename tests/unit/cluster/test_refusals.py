"""A feed that refuses too much of its source is said to, once it can be told from an odd quote."""

import pytest

from cluster.refusals import REPEAT_NS, ROWS, WINDOW_NS, Refusals, in_words

NOW = 1_000 * WINDOW_NS


def test_a_clock_that_is_off_is_told_at_once_and_an_odd_quote_is_not() -> None:
    assert "are refused: time;" in Refusals().look({"refused_time": ROWS}, NOW)
    assert Refusals().look({"ticks": ROWS, "refused_crossed": 1}, NOW) == ""
    assert Refusals().look({"refused_time": ROWS - 1}, NOW) == "", "too few to say"


@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_the_words_stay_the_same_while_the_reasons_do(share: float) -> None:
    rows = 100_000
    bad = int(rows * share)
    said = Refusals().look({"ticks": rows - bad, "refused_time": bad // 2, "refused_crossed": bad - bad // 2}, NOW)
    assert said.startswith("more than 1% of the rows of its source are refused: crossed, time;")


def test_what_goes_on_is_told_every_five_minutes_and_what_is_new_at_once() -> None:
    feed, told = Refusals(), []
    for second in range(11 * 60):
        counts = {"ticks": 10, "refused_time": 1_000 * (second + 1), "refused_null": 1_000 * max(0, second - 400)}
        if words := feed.look(counts, NOW + second * 1_000_000_000):
            told.append((second, words.partition("refused: ")[2].partition(";")[0]))
    assert REPEAT_NS == 300 * 1_000_000_000
    assert told == [(0, "time"), (300, "time"), (401, "null, time")]


def test_what_was_refused_long_ago_is_no_news() -> None:
    feed = Refusals()
    before = {"ticks": 10_000, "refused_time": 5_000}
    assert feed.look(before, NOW)
    assert feed.look(before | {"ticks": 10_100}, NOW + WINDOW_NS) == ""
    assert feed.look(before | {"ticks": 90_000}, NOW + WINDOW_NS + 1) == ""
    assert feed.look({"ticks": 90_000, "refused_time": 5_000, "refused_null": 2_000}, NOW + WINDOW_NS + 2)


def test_a_new_process_counts_from_nothing() -> None:
    feed = Refusals()
    feed.look({"ticks": 90_000, "refused_time": 100}, NOW)
    assert feed.look({"ticks": 10, "refused_time": 20}, NOW + 1) == ""
    assert feed.look({"refused_time": ROWS}, NOW + 2)


def test_in_words() -> None:
    assert in_words({"ticks": 5, "refused_time": 3, "refused_crossed": 1_200}) == "rows refused: crossed 1,200, time 3"
    assert in_words({"ticks": 5, "late_for_bars": 2}) == ""
