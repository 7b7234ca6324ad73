"""The account's budget: never exceeded in any window, wherever it is laid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.kite.limiter import BUNCHING_NS, COOL_DOWN_NS, ORDERS, SECOND, WINDOWS, Call, Limiter, Window
from core.errors import ConfigError

OTHERS = frozenset(Call) - ORDERS
SMALL = (
    Window(ORDERS, 4, 10, reserved=2),
    Window(frozenset({Call.PLACE}), 7, 35, reserved=1),
    Window(OTHERS, 1, 3),
)
STEPS = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(Call), st.booleans()), max_size=120)
KITES = {ORDERS: (10, SECOND), frozenset({Call.QUOTE}): (1, SECOND), frozenset({Call.HISTORY}): (3, SECOND)}


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


def busiest(times: list[int], period: int) -> int:
    """The most of `times` in any half-open window of that length."""
    return max((sum(first <= at < first + period for at in times) for first in times), default=0)


@given(STEPS)
def test_no_window_ever_holds_more_than_it_may(steps: list[tuple[int, Call, bool]]) -> None:
    clock = Hand()
    limiter = Limiter(SMALL, clock=clock)
    granted: list[tuple[int, Call, bool]] = []
    for after, call, is_exit in steps:
        clock.now += after
        if limiter.ask(call, is_exit=is_exit) == 0:
            granted.append((clock.now, call, is_exit))

    for window in SMALL:
        mine = [(at, is_exit) for at, call, is_exit in granted if call in window.calls]
        assert busiest([at for at, _ in mine], window.period_ns) <= window.most
        assert busiest([at for at, is_exit in mine if not is_exit], window.period_ns) <= window.most - window.reserved


@given(STEPS, st.sampled_from(Call), st.booleans())
def test_the_wait_is_exact(steps: list[tuple[int, Call, bool]], call: Call, is_exit: bool) -> None:  # noqa: FBT001
    clock = Hand()
    limiter = Limiter(SMALL, clock=clock)
    for after, earlier, its_exit in steps:
        clock.now += after
        limiter.ask(earlier, is_exit=its_exit)

    wait = limiter.ask(call, is_exit=is_exit)
    if wait:
        clock.now += wait - 1
        assert limiter.ask(call, is_exit=is_exit) == 1
        clock.now += 1
        assert limiter.ask(call, is_exit=is_exit) == 0


def test_entries_cannot_use_up_what_is_kept_for_exits() -> None:
    limiter = Limiter(clock=Hand())
    entries = [limiter.ask(Call.PLACE) for _ in range(20)]
    exits = [limiter.ask(Call.PLACE, is_exit=True) for _ in range(4)]

    assert (entries.count(0), exits.count(0)) == (6, 2)


def test_a_cancel_and_an_order_share_the_seconds_budget() -> None:
    limiter = Limiter(clock=Hand())

    assert [limiter.ask(call) == 0 for call in [Call.PLACE, Call.CHANGE] * 4] == [True] * 6 + [False] * 2


def test_a_429_stops_every_call_of_the_class_exits_too_and_no_other() -> None:
    clock = Hand()
    limiter = Limiter(clock=clock)
    limiter.too_many(Call.PLACE)
    clock.now += COOL_DOWN_NS - 1

    assert [limiter.ask(call, is_exit=True) for call in (Call.PLACE, Call.CHANGE)] == [1, 1]
    assert [limiter.ask(call) for call in (Call.QUOTE, Call.HISTORY, Call.OTHER)] == [0, 0, 0]
    clock.now += 1
    assert [limiter.ask(call) for call in (Call.PLACE, Call.CHANGE)] == [0, 0]


def test_orders_of_an_earlier_life_count() -> None:
    clock = Hand()
    limiter = Limiter(SMALL, clock=clock)
    clock.now += 100
    limiter.ask(Call.PLACE)
    limiter.restore(Call.PLACE, [36, 35, 34, 20, 20, 3])

    assert limiter.ask(Call.PLACE) == 7  # the two of the last 10 are all an entry may have
    assert [limiter.ask(Call.PLACE, is_exit=True) for _ in range(3)] == [0, 0, 7]
    clock.now += 7
    assert limiter.ask(Call.PLACE, is_exit=True) == 0  # 34 ago is over: 20, 20, 3 and three of now
    assert limiter.ask(Call.PLACE, is_exit=True) == 8  # of 35 the first 20 ago has 8 left; of 10 those of 7 ago have 3


def test_an_order_ahead_of_our_clock_counts_as_made_now() -> None:
    limiter = Limiter(SMALL, clock=Hand())
    limiter.restore(Call.PLACE, [-60, -60])

    assert limiter.ask(Call.PLACE) == 10


def test_a_clock_that_steps_back_frees_nothing() -> None:
    clock = Hand()
    limiter = Limiter(SMALL, clock=clock)
    assert limiter.ask(Call.QUOTE) == 0
    clock.now -= 500

    assert limiter.ask(Call.QUOTE) == 3


@pytest.mark.parametrize(("calls", "kites"), KITES.items(), ids=["orders", "quote", "history"])
def test_our_rates_are_below_kites_even_if_calls_bunch_on_their_way(
    calls: frozenset[Call], kites: tuple[int, int]
) -> None:
    most, period = kites
    (ours,) = (window for window in WINDOWS if window.calls == calls and window.period_ns < 2 * SECOND)

    assert ours.most <= most
    assert ours.period_ns >= period + BUNCHING_NS


def test_a_call_nobody_limits_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="history, other, quote"):
        Limiter(SMALL[:2])


@pytest.mark.parametrize("window", [(frozenset(), 1, 1, 0), (ORDERS, 0, 1, 0), (ORDERS, 1, 0, 0), (ORDERS, 2, 1, 2)])
def test_a_window_that_lets_nothing_through_is_refused(window: tuple[frozenset[Call], int, int, int]) -> None:
    with pytest.raises(ConfigError):
        Window(*window)
