"""Rupees are written one way: digits in lakh and crore, in refusals as on the page."""

import math

import pytest

from core.risk.limits.daily_loss import DailyLoss
from core.risk.limits.drawdown import Drawdown
from core.rupees import rupees, whole_rupees
from gateway.format import money
from tests.fakes_orders import intent
from tests.unit.test_limits_portfolio import earned


@pytest.mark.parametrize("write", [rupees, money])
def test_two_decimals_grouped_in_lakh_and_crore_half_a_paisa_to_even(write: object) -> None:
    assert callable(write)
    assert [write(p) for p in (32_383_975, 10_000_000, 99_900, -123_456_789_00, 0.5, 1.5, -0.2)] == [
        "₹3,23,839.75", "₹1,00,000.00", "₹999.00", "−₹12,34,56,789.00", "₹0.00", "₹0.02", "₹0.00",
    ]  # fmt: skip


def test_an_average_keeps_its_digits_and_an_amount_may_be_whole() -> None:
    assert [rupees(p, most=4) for p in (123_450, -5, 10_005.25, 0)] == ["₹1,234.50", "−₹0.05", "₹100.0525", "₹0.00"]
    assert [whole_rupees(a) for a in (1_234_567.4, -100_000, 0)] == ["₹12,34,567", "−₹1,00,000", "₹0"]
    assert rupees(math.inf) == "₹inf"


def test_a_refusal_groups_the_indian_way() -> None:
    book = earned(best=0, now=-200_000)
    for refusal in (DailyLoss(max_loss_paise=10_000_000).check(intent("B"), book),
                    Drawdown(max_paise=10_000_000).check(intent("B"), book)):  # fmt: skip
        assert refusal is not None
        assert refusal.allowed == "₹1,00,000.00"
        assert refusal.asked.startswith("₹1,")
        assert len(refusal.asked) == len("₹1,30,000.00")
