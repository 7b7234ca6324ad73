"""The desk's own budget: no window of any position holds more than its limit, exits find what is kept for them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from brokers.kite.limiter import BUNCHING_NS, Call, Limiter
from core.errors import InputError
from core.orders.budget import DAY_NS, SECOND, Budget, BudgetConfig, Kind, NoRoom, kind_of, windows_of

SMALL = BudgetConfig(
    requests_a_second=5, orders_a_minute=9, orders_a_day=14, exits_keep_a_second=2, exits_keep_a_minute=3,
    exits_keep_a_day=5, hedges_keep_a_second=1, hedges_keep_a_minute=2, hedges_keep_a_day=2,
)  # fmt: skip
PLACED: tuple[Kind, ...] = ("exit", "hedge", "entry")
KINDS = st.sampled_from((*PLACED, "modify exit", "modify", "cancel"))
STEP = st.sampled_from((0, 1, SECOND // 7, SECOND - 1, SECOND, 20 * SECOND, 60 * SECOND, DAY_NS // 3, DAY_NS))
REQUESTS = st.lists(st.tuples(STEP, KINDS), max_size=80)
START = 1_700_000_000 * SECOND
Sent = list[tuple[Kind, int]]


def granted(budget: Budget, requests: Sequence[tuple[int, Kind]], at: int = START) -> tuple[Sent, int]:
    """What of the requests, each so long after the one before, was let through; and the time at the end."""
    sent: Sent = []
    for after, kind in requests:
        at += after
        if budget.take(kind, at) is None:
            sent.append((kind, at))
    return sent, at


def busiest(times: Sequence[int], period: int) -> int:
    """The most of `times` in any half-open stretch of that length."""
    return max((sum(first <= at < first + period for at in times) for first in times), default=0)


def check_windows(sent: Sent, config: BudgetConfig) -> None:
    for window in windows_of(config):
        for kinds, most in (
            ({"exit", "modify exit", "cancel"}, window.most),
            ({"hedge", "modify"}, window.most - window.exits_keep),
            ({"entry"}, window.most - window.exits_keep - window.hedges_keep),
        ):
            assert busiest([at for kind, at in sent if window.counts(kind) and kind in kinds], window.period_ns) <= most
        assert busiest([at for kind, at in sent if window.counts(kind)], window.period_ns) <= window.most


@given(REQUESTS)
def test_no_window_of_any_position_holds_more_than_its_limit(requests: list[tuple[int, Kind]]) -> None:
    check_windows(granted(Budget(SMALL), requests)[0], SMALL)


@given(REQUESTS, st.sampled_from(("exit", "modify exit", "cancel")))
def test_an_exit_is_never_refused_while_what_is_kept_for_it_is_unused(
    requests: list[tuple[int, Kind]], kind: Kind
) -> None:
    budget = Budget(SMALL)
    sent, at = granted(budget, requests)
    said = budget.take(kind, at)
    if said is not None:
        window = next(one for one in windows_of(SMALL) if one.name == said.limit)
        exits = {"exit", "modify exit", "cancel"}
        of_exits = [s for k, s in sent if k in exits and window.counts(k) and s > at - window.period_ns]
        assert len(of_exits) >= window.exits_keep


@given(REQUESTS, KINDS)
def test_the_moment_of_room_is_exact(requests: list[tuple[int, Kind]], kind: Kind) -> None:
    budget = Budget(SMALL)
    _, at = granted(budget, requests)
    said = budget.take(kind, at)
    if said is not None:
        assert said.room_ns > at
        assert budget.take(kind, said.room_ns - 1) is not None
        assert budget.take(kind, said.room_ns) is None


@given(REQUESTS)
def test_who_asks_for_room_uses_none_and_is_told_what_a_request_would_be(requests: list[tuple[int, Kind]]) -> None:
    asked, taken, at = Budget(SMALL), Budget(SMALL), START
    for wait, kind in requests:
        at += wait
        told = [asked.full(kind, at) for _ in range(3)]
        took = taken.take(kind, at)
        assert told == [took] * 3
        assert asked.take(kind, at) == took


@given(REQUESTS, st.integers(0, 80), st.data())
def test_a_restart_knows_what_was_sent(requests: list[tuple[int, Kind]], cut: int, data: st.DataObject) -> None:
    whole = Budget(SMALL)
    before, at = granted(whole, requests[:cut])
    restored = Budget(SMALL, data.draw(st.permutations(before)), now_ns=at)
    assert granted(restored, requests[cut:], at) == granted(whole, requests[cut:], at)


@given(st.lists(st.tuples(STEP, STEP, KINDS), max_size=60))
def test_a_clock_set_back_opens_nothing_twice(requests: list[tuple[int, int, Kind]]) -> None:
    """By the time that truly passes no window holds more, however often the wall is set back."""
    budget, sent, true, behind = Budget(SMALL), Sent(), START, 0
    for after, back, kind in requests:
        true, behind = true + after, behind + back
        if budget.take(kind, true - behind) is None:
            sent.append((kind, true))
    check_windows(sent, SMALL)


@pytest.mark.parametrize("back", [1, SECOND, 3600 * SECOND, 400 * DAY_NS])
def test_a_clock_set_back_locks_nothing(back: int) -> None:
    budget = Budget(SMALL)
    assert [budget.take("exit", START) is None for _ in range(6)] == [True] * 5 + [False]
    assert budget.take("exit", START - back) is not None
    assert budget.take("exit", START - back + SECOND) is None


def test_what_was_sent_ahead_of_the_clock_counts_as_sent_now() -> None:
    budget = Budget(SMALL, [("exit", START + DAY_NS)] * 5, now_ns=START)
    said = budget.take("exit", START)
    assert said is not None
    assert (said.limit, said.room_ns) == ("requests_a_second", START + SECOND)


def test_the_borders_are_half_open() -> None:
    budget = Budget(SMALL)
    for _ in range(5):
        assert budget.take("cancel", START) is None
    assert budget.take("cancel", START + SECOND - 1) is not None
    assert budget.take("cancel", START + SECOND) is None


def test_of_a_day_half_is_left_to_close_what_was_opened() -> None:
    config = BudgetConfig()
    budget = Budget(config)
    kinds: list[Kind] = ["entry"] * 400 + ["hedge"] * 200 + ["exit"] * 600
    minutes = {kind: [budget.take(kind, START + n * 4 * SECOND) is None for n, k in enumerate(kinds) if k == kind]
               for kind in dict.fromkeys(kinds)}  # fmt: skip
    assert {kind: sum(let) for kind, let in minutes.items()} == {"entry": 400, "hedge": 100, "exit": 500}


def test_cancels_and_modifications_count_in_a_second_alone() -> None:
    budget = Budget(SMALL)
    for n in range(40):
        assert budget.take("cancel" if n % 2 else "modify exit", START + n * SECOND // 5) is None
    used = {use.limit: use.used for use in budget.uses(START + 8 * SECOND - 1)}
    assert used == {"requests_a_second": 5.0, "orders_a_minute": 0.0, "orders_a_day": 0.0}


def test_a_refusal_names_the_window_what_is_allowed_and_what_was_asked() -> None:
    budget = Budget(SMALL)
    budget.take("hedge", START)
    budget.take("hedge", START)
    said = budget.take("entry", START + SECOND // 4)
    assert said == NoRoom(
        limit="requests_a_second", allowed="2", asked="3", room_ns=START + SECOND,
        why="entry: 2 of 5 are used, 3 are kept for what goes before it; room again in 0.8 s",
    )  # fmt: skip


def test_the_window_that_has_room_last_is_named() -> None:
    budget = Budget(SMALL)
    for n in range(4):
        assert budget.take("entry", START + n * SECOND) is None
    said = budget.take("entry", START + 3 * SECOND)
    assert said is not None
    assert (said.limit, said.room_ns) == ("orders_a_minute", START + 60 * SECOND)


def test_an_order_may_be_modified_as_often_as_kite_lets_it() -> None:
    budget = Budget(BudgetConfig())
    assert budget.modification(24) is None
    said = budget.modification(25)
    assert said is not None
    assert (said.limit, said.allowed, said.asked) == ("modifications_an_order", "25", "26")


def test_a_request_is_of_its_orders_purpose_and_a_cancel_an_exits_equal() -> None:
    assert [kind_of(action, purpose) for action in ("place", "modify", "cancel") for purpose in ("exit", "entry")] == [
        "exit", "entry", "modify exit", "modify", "cancel", "cancel",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"requests_a_second": 11},
        {"orders_a_day": 6000},
        {"modifications_an_order": 26},
        {"exits_keep_a_minute": 45},
        {"exits_keep_a_second": 4},
    ],
)
def test_settings_beyond_kites_or_that_leave_entries_nothing_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=r"less than or equal|expected less in all"):
        BudgetConfig(**changes)


def test_another_kind_of_request_is_an_error() -> None:
    with pytest.raises(InputError, match="one of exit, hedge, entry"):
        Budget(SMALL).take("buy", START)  # type: ignore[arg-type]


FAST = st.lists(
    st.tuples(st.sampled_from((0, 1, SECOND // 50, SECOND // 5, SECOND // 3, SECOND - 1, SECOND)), KINDS),
    min_size=30, max_size=400,
)  # fmt: skip


@given(FAST)
def test_the_limiter_at_the_wire_lets_pass_what_the_budget_does_a_fifth_of_a_second_later(
    requests: list[tuple[int, Kind]],
) -> None:
    """Each request waits for the ones before it, as in the order manager; what is no placement has the exits' part."""
    at = wall = START
    limiter, budget, longest = Limiter(clock=lambda: at), Budget(BudgetConfig()), 0
    for after, kind in requests:
        wall = max(wall + after, at)
        if budget.take(kind, wall) is None:
            at, call = wall, Call.PLACE if kind in PLACED else Call.CHANGE
            while wait := limiter.ask(call, is_exit=kind not in {"hedge", "entry"}):
                at += wait
            longest = max(longest, at - wall)
    assert longest <= BUNCHING_NS


def test_a_minute_full_of_modifications_holds_no_entry_up_at_the_wire() -> None:
    at = START
    limiter, budget = Limiter(clock=lambda: at), Budget(BudgetConfig())
    for n in range(5 * 61):
        at = START + n * SECOND // 5
        assert budget.take("modify exit", at) is None
        assert limiter.ask(Call.CHANGE, is_exit=True) == 0
    at += SECOND
    assert (budget.take("entry", at), limiter.ask(Call.PLACE)) == (None, 0)
