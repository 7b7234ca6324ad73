"""The circuit breaker: every transition, and what holds whatever the orders do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.risk.breaker import Breaker, BreakerConfig, Outcome, after, at, gate

CONFIG = BreakerConfig()
SECOND = 1_000_000_000
CLOSED = Breaker()


def fed(breaker: Breaker, outcomes: str, *, every_s: float = 0.5, start_s: float = 100.0) -> Breaker:
    """`.` ok, `r` refused, `t` not answered, in turn."""
    words: dict[str, Outcome] = {".": "ok", "r": "refused", "t": "timeout"}
    for place, letter in enumerate(outcomes):
        breaker = after(breaker, words[letter], int((start_s + place * every_s) * SECOND), CONFIG)
    return breaker


@pytest.mark.parametrize(
    ("outcomes", "state", "word"),
    [
        ("rrrr", "CLOSED", ""),
        ("rrrrr", "OPEN", "5 orders in a row failed"),
        ("rrrr.rrrr", "CLOSED", ""),  # 8 of 9 failed: the share counts from ten orders on
        ("rrrr.rrrr.", "OPEN", "8 of 10"),
        ("tt", "CLOSED", ""),
        ("ttt", "OPEN", "3 orders in a row were not answered"),
        ("ttrt", "CLOSED", ""),
        ("........rr", "OPEN", "2 of 10"),
        ("........r.", "CLOSED", ""),
    ],
)
def test_it_opens_at_each_of_its_three_rules(outcomes: str, state: str, word: str) -> None:
    breaker = fed(CLOSED, outcomes)
    assert breaker.state == state
    assert word in breaker.why


def test_failures_older_than_a_minute_have_no_part_in_the_share() -> None:
    assert fed(fed(CLOSED, "r.r."), "........", start_s=162).state == "CLOSED"


def test_open_refuses_entries_and_hedges_and_passes_exits() -> None:
    breaker = fed(CLOSED, "ttt")
    assert [gate(breaker, purpose, CONFIG) is None for purpose in ("entry", "hedge", "exit")] == [False, False, True]
    refusal = gate(breaker, "entry", CONFIG)
    assert refusal is not None
    assert refusal.limit == "breaker"
    assert "3 orders in a row were not answered" in refusal.why


def test_after_its_time_one_probe_closes_it_or_opens_it_again() -> None:
    breaker = fed(CLOSED, "ttt")
    before = breaker.opened_ns + CONFIG.open_ms * 1_000_000 - 1
    assert at(breaker, before, CONFIG).state == "OPEN"
    half = at(breaker, before + 1, CONFIG)
    assert half.state == "HALF_OPEN"
    assert gate(half, "entry", CONFIG) is None
    assert after(half, "ok", before + 2, CONFIG).state == "CLOSED"
    assert after(half, "refused", before + 2, CONFIG).state == "CLOSED", "a broker that says no is there"
    again = after(half, "timeout", before + 2, CONFIG)
    assert (again.state, again.opened_ns) == ("OPEN", before + 2)


def test_a_wall_clock_set_back_does_not_lock_it() -> None:
    breaker = fed(CLOSED, "ttt", start_s=1_000)
    assert at(breaker, 5 * SECOND, CONFIG).state == "HALF_OPEN"


@given(st.lists(st.tuples(st.sampled_from(["ok", "refused", "timeout"]), st.integers(0, 40_000)), max_size=60))
def test_exits_pass_whatever_happened_and_an_open_one_is_never_for_good(news: list[tuple[Outcome, int]]) -> None:
    breaker, now_ns = Breaker(), 0
    for outcome, after_ms in news:
        now_ns += after_ms * 1_000_000
        breaker = after(breaker, outcome, now_ns, CONFIG)
        assert gate(breaker, "exit", CONFIG) is None
    assert at(breaker, now_ns + CONFIG.open_ms * 1_000_000, CONFIG).state != "OPEN"
