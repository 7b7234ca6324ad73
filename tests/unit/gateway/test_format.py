import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.pricing import Reason
from gateway.format import (
    COLUMNS,
    DASH,
    compact,
    grouped,
    money,
    number,
    paise,
    percent,
    price,
    seconds,
    signed_price,
    strike,
    time_left,
)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (1_000, "1,000"), (100_000, "1,00,000"), (-12_345_678, "−1,23,45,678")]
)
def test_digits_are_grouped_the_indian_way(value: int, text: str) -> None:
    assert grouped(value) == text


@settings(max_examples=60)
@given(st.integers(-(10**15), 10**15))
def test_a_price_reads_back_to_the_same_paise(paise: int) -> None:
    text = price(paise, zero="0.00")

    assert round(float(text.replace(",", "").replace("−", "-")) * 100) == paise or abs(paise) > 10**14


def test_what_is_not_there_is_a_dash() -> None:
    assert [price(0), price(None), number(math.nan), number(math.inf), percent(None), compact(None), strike(0)] == [
        DASH
    ] * 7


@pytest.mark.parametrize(
    ("age_s", "text"),
    [
        (-1, "0.0s"),
        (0.44, "0.4s"),
        (59.9, "59.9s"),
        (60, "1m00s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (72_185, "20h03m"),
    ],
)
def test_an_age_is_in_the_two_units_that_say_most(age_s: float, text: str) -> None:
    assert seconds(int(age_s * 1e9)) == text


def test_a_settled_option_says_so_where_its_vol_and_theta_would_be() -> None:
    settled, no_price = ({"iv": math.nan, "theta": math.nan, "iv_reason": r} for r in (Reason.NO_TIME, Reason.NO_PRICE))
    write = {name: COLUMNS[name][1] for name in ("iv", "theta")}

    assert [text(settled) for text in write.values()] == ["settled", "settled"]
    assert [text(no_price) for text in write.values()] == [DASH, DASH]
    assert write["iv"]({"iv": 0.1234, "iv_reason": Reason.OK}) == "12.34"


def test_money_rounds_half_a_paisa_to_even_and_keeps_its_sign() -> None:
    assert (money(50_000_000), money(-440_423), money(0.5), money(1.5)) == (
        "₹5,00,000.00",
        "−₹4,404.23",
        "₹0.00",
        "₹0.02",
    )
    assert (money(12_345_678_90), money(-5)) == ("₹1,23,45,678.90", "−₹0.05")


def test_a_change_carries_its_sign() -> None:
    assert (signed_price(5), signed_price(-120), signed_price(0)) == ("+0.05", "−1.20", "0.00")


def test_units_are_shortened_to_lakh_and_crore() -> None:
    assert [compact(n) for n in (9_999, 12_300, 618_750, 12_345_678, -250_000)] == [
        "9,999",
        "12.3K",
        "6.19L",
        "1.23Cr",
        "−2.50L",
    ]


def test_a_number_that_rounds_to_nothing_has_no_sign() -> None:
    assert number(-0.0004, 3) == "0.000"


def test_days_and_hours_to_expiry() -> None:
    assert time_left((4 * 24 + 6) / 365 / 24) == "4d 6h"


@pytest.mark.parametrize(("typed", "meant"), [("124.05", 12_405), ("1,240", 124_000), (" 0.05 ", 5)])
def test_a_typed_price_is_exact_paise(typed: str, meant: int) -> None:
    assert paise(typed) == meant


@pytest.mark.parametrize("typed", ["", "abc", "-1", "0", "1.234", "NaN", "Infinity"])
def test_what_is_no_price_is_refused(typed: str) -> None:
    with pytest.raises(InputError, match="--limit: expected"):
        paise(typed, "--limit")
