"""Calls of an account, counted as Kite counts them."""

import pytest

from exchange.limits import Limits, Rates
from exchange.refusal import KiteError

SECOND = 1_000_000_000
START = 1_000 * SECOND


def taken(limits: Limits, at_ns: int, call: str = "order") -> bool:
    try:
        limits.take(call, at_ns)
    except KiteError:
        return False
    return True


def test_no_second_holds_more_than_ten_orders_however_it_is_laid() -> None:
    limits = Limits(Rates())
    assert all(taken(limits, START + i) for i in range(10))
    assert not taken(limits, START + SECOND // 10)


def test_ten_orders_a_second_are_taken_for_ever() -> None:
    limits = Limits(Rates())
    assert all(taken(limits, START + i * SECOND // 10) for i in range(100))


def test_a_refusal_closes_the_class_for_ten_seconds_and_no_other() -> None:
    limits = Limits(Rates())
    assert taken(limits, START, "quote")
    assert not taken(limits, START + SECOND // 2, "quote")
    assert not taken(limits, START + 10 * SECOND, "quote")
    assert taken(limits, START + SECOND // 2)
    assert taken(limits, START + 11 * SECOND, "quote")


@pytest.mark.parametrize("rate", [0.5, 2.5])
def test_a_rate_need_not_be_whole(rate: float) -> None:
    limits, apart = Limits(Rates(other=rate)), round(SECOND / rate)
    assert all(taken(limits, START + i * apart, "other") for i in range(20))
    assert not taken(limits, START + 19 * apart + 1, "other")
