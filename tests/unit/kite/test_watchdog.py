"""Subscriptions, watchdog and back-off, without a socket and without a clock."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.kite.subscriptions import Subscriptions
from brokers.kite.watchdog import Backoff, Stall, Watchdog
from core.errors import InputError
from core.kite import Mode

TOKENS = st.dictionaries(st.integers(1, 30), st.sampled_from(Mode), max_size=12)


def carry(asked: dict[int, str], messages: list[str]) -> None:
    """What a server carries after these; AssertionError for one that asks again for what is carried."""
    for message in map(json.loads, messages):
        action, value = message["a"], message["v"]
        if action == "subscribe":
            assert not asked.keys() & set(value), "asked for twice"
            asked |= dict.fromkeys(value, "?")
        elif action == "unsubscribe":
            assert asked.keys() >= set(value), "let go of what was never asked for"
            for token in value:
                del asked[token]
        else:
            mode, tokens = value
            assert asked.keys() >= set(tokens), "a mode for what is not subscribed"
            assert all(asked[token] != mode for token in tokens), "a mode said twice"
            asked |= dict.fromkeys(tokens, mode)


@given(st.lists(st.one_of(TOKENS, st.none()), max_size=8))
def test_a_connection_is_asked_for_what_is_wanted_and_for_nothing_twice(steps: list[dict[int, Mode] | None]) -> None:
    """None is a new connection."""
    subscriptions, asked = Subscriptions(), dict[int, str]()
    for step in steps:
        if step is None:
            subscriptions.opened()
            asked = {}
        else:
            subscriptions.want(step)
        carry(asked, list(subscriptions.messages()))

        assert asked == {token: mode.name.lower() for token, mode in subscriptions.wanted.items()}
        assert not list(subscriptions.messages())


def test_a_socket_is_not_asked_for_more_than_it_carries() -> None:
    subscriptions = Subscriptions()
    subscriptions.want({7: Mode.FULL})

    with pytest.raises(InputError, match="3000 instruments, was 3001"):
        subscriptions.want(dict.fromkeys(range(3_001), Mode.FULL))
    assert subscriptions.wanted == {7: Mode.FULL}


def test_what_is_dropped_goes_before_what_is_new() -> None:
    subscriptions = Subscriptions()
    full: Mapping[int, Mode] = dict.fromkeys(range(3_000), Mode.FULL)
    subscriptions.want(full)
    list(subscriptions.messages())
    subscriptions.want({token + 1: mode for token, mode in full.items()})

    assert [json.loads(message)["a"] for message in subscriptions.messages()] == ["unsubscribe", "subscribe", "mode"]


def watchdog() -> Watchdog:
    dog = Watchdog(silent_s=4, no_ticks_s=6)
    dog.opened(100)
    return dog


def test_a_line_without_a_byte_is_silent_even_when_no_tick_is_due() -> None:
    assert watchdog().stalled(104, ticks_due=False) is None
    assert watchdog().stalled(104.1, ticks_due=False) is Stall.SILENT


def test_heartbeats_do_not_stand_for_ticks() -> None:
    dog = watchdog()
    for second in range(101, 107):
        dog.heard(second, tick=False)

    assert dog.stalled(106, ticks_due=True) is None
    assert dog.stalled(106.1, ticks_due=True) is Stall.NO_TICKS


def test_ticks_keep_it_quiet() -> None:
    dog = watchdog()
    for second in range(101, 160):
        dog.heard(second, tick=True)
        assert dog.stalled(second, ticks_due=True) is None


def test_an_opening_market_has_the_whole_limit() -> None:
    dog = watchdog()
    for second in range(101, 200):
        dog.heard(second, tick=False)
        assert dog.stalled(second, ticks_due=False) is None

    dog.heard(204, tick=False)
    assert dog.stalled(205, ticks_due=True) is None
    dog.heard(205.1, tick=False)
    assert dog.stalled(205.1, ticks_due=True) is Stall.NO_TICKS


@given(st.floats(0.01, 5), st.floats(5, 300), st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_a_delay_is_never_above_the_cap_and_at_least_half_of_a_doubling(
    first: float, most: float, draws: list[float]
) -> None:
    drawn = iter(draws)
    backoff = Backoff(first_s=first, most_s=most, random=lambda: next(drawn))
    for attempt, _ in enumerate(draws):
        whole = min(first * 2**attempt, most)
        assert 0.5 * whole <= backoff.next_s() <= whole


def test_after_a_good_connection_the_delay_is_short_again() -> None:
    backoff = Backoff(first_s=0.5, most_s=30, random=lambda: 1.0)

    assert [backoff.next_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next_s() == 0.5
